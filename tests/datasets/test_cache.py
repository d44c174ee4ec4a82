"""Scenes cached on disk are the dataset's, whatever happened to a build before."""

from __future__ import annotations

import errno
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import cache_dataset
from napari_gmsr.datasets.dataset import Rendering
from napari_gmsr.errors import Cancelled, DatasetError, OutputError
from napari_gmsr.image import RGBImage

ROUNDING = 1 / 131070 + 1e-7
WAVELENGTHS = np.arange(400.0, 441.0, 10.0)


@dataclass(frozen=True)
class Scene:
    name: str
    cube: Path
    rgb: Path | None = None


@dataclass(frozen=True)
class Scenes:
    """A dataset in memory; each scene's file holds nothing but a place in time."""

    folder: Path
    arrays: dict[str, np.ndarray]
    name: str = "toy"
    wavelengths_nm: np.ndarray = field(default_factory=lambda: WAVELENGTHS)
    encoding: str = "linear"
    camera: str = "camera"
    illuminant: str = "D65"
    licence: str = "CC0"
    rendering: Rendering | None = None
    cube_arguments: dict = field(default_factory=dict)
    resampled: bool = False
    reads: list[str] = field(default_factory=list)

    def select(self, split: str) -> tuple[Scene, ...]:
        if split != "train":
            return ()
        return tuple(Scene(name, self.folder / f"{name}.mat") for name in self.arrays)

    def read(self, scene: Scene) -> tuple[RGBImage, SpectralCube]:
        self.reads.append(scene.name)
        array = self.arrays[scene.name]
        cube = SpectralCube.from_band_last(array[..., 3:], self.wavelengths_nm)
        return RGBImage(array[..., :3], self.encoding), cube


def scenes(folder: Path, *shapes: tuple[int, int], seed: int = 0, **fields) -> Scenes:
    random = np.random.default_rng(seed)
    arrays = {}
    for number, shape in enumerate(shapes):
        arrays[f"s{number}"] = random.random((*shape, 8), np.float32)
        (folder / f"s{number}.mat").write_bytes(b"source")
    return Scenes(folder, arrays, **fields)


@given(height=st.integers(1, 90), width=st.integers(1, 90), data=st.data(), seed=st.integers(0, 9))
def test_a_patch_is_a_slice_of_the_scene(tmp_path_factory, height, width, data, seed):
    folder = tmp_path_factory.mktemp("scene")
    dataset = scenes(folder, (height, width), seed=seed)
    cache = cache_dataset(dataset, "train", folder=folder)
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    y, x = data.draw(st.integers(0, height - rows)), data.draw(st.integers(0, width - columns))
    patch = np.empty((rows, columns, 8), np.float32)
    cache.read(0, y, x, patch)
    truth = dataset.arrays["s0"][y : y + rows, x : x + columns]
    np.testing.assert_allclose(patch, truth, rtol=0, atol=ROUNDING)


def test_whole_scenes_and_what_is_known_of_them(tmp_path):
    dataset = scenes(tmp_path, (20, 30), (25, 16))
    cache = cache_dataset(dataset, "train", folder=tmp_path)
    assert len(cache) == 2
    assert cache.names == ("s0", "s1")
    assert cache.shapes == ((20, 30), (25, 16))
    assert cache.dtype == np.uint16
    assert (cache.encoding, cache.camera, cache.licence) == ("linear", "camera", "CC0")
    for i, name in enumerate(cache.names):
        truth = dataset.arrays[name]
        np.testing.assert_allclose(cache.rgb(i).data, truth[..., :3], rtol=0, atol=ROUNDING)
        bands = np.moveaxis(truth[..., 3:], -1, 0)
        np.testing.assert_allclose(cache.cube(i).data, bands, rtol=0, atol=ROUNDING)


def test_eight_bit_rgb_is_kept_exactly(tmp_path):
    dataset = scenes(tmp_path, (16, 16))
    levels = np.arange(256, dtype=np.float32).reshape(16, 16) / np.float32(255)
    dataset.arrays["s0"][..., :3] = levels[..., None]
    cache = cache_dataset(dataset, "train", folder=tmp_path)
    np.testing.assert_array_equal(
        np.rint(cache.rgb(0).data * 255), np.rint(255 * dataset.arrays["s0"][..., :3])
    )
    np.testing.assert_allclose(cache.rgb(0).data[..., 0], levels, rtol=0, atol=1e-7)


def test_values_beyond_one_are_kept_as_float32(tmp_path):
    dataset = scenes(tmp_path, (8, 9), (8, 9))
    dataset.arrays["s1"][..., 5] *= 3
    cache = cache_dataset(dataset, "train", folder=tmp_path)
    assert cache.dtype == np.float32
    np.testing.assert_array_equal(cache.cube(1).data[2], dataset.arrays["s1"][..., 5])
    np.testing.assert_allclose(
        cache.cube(0).data[2], dataset.arrays["s0"][..., 5], rtol=0, atol=ROUNDING
    )


def test_a_scene_is_read_once_until_its_file_changes(tmp_path):
    dataset = scenes(tmp_path, (8, 8), (8, 8))
    for _ in range(2):
        cache_dataset(dataset, "train", folder=tmp_path)
    assert dataset.reads == ["s0", "s1"]
    os.utime(tmp_path / "s1.mat", ns=(1, 1))
    cache_dataset(dataset, "train", folder=tmp_path)
    assert dataset.reads == ["s0", "s1", "s1"]
    assert len(list(tmp_path.rglob("*.npy"))) == 2  # the former state is gone


@pytest.mark.parametrize(
    "setting",
    [
        {"camera": "another"},
        {"illuminant": "A"},
        {"encoding": "srgb"},
        {"rendering": Rendering("cie1931", stretched=True)},
        {"cube_arguments": {"scale": 0.5}},
        {"cube_arguments": {"wavelengths_nm": WAVELENGTHS}},
        {"resampled": True},
    ],
)
def test_whatever_changes_what_is_read_has_a_cache_of_its_own(tmp_path, setting):
    dataset = scenes(tmp_path, (8, 8))
    cache_dataset(dataset, "train", folder=tmp_path / "cache")
    cache_dataset(replace(dataset, **setting), "train", folder=tmp_path / "cache")
    assert dataset.reads == ["s0", "s0"]


def test_a_camera_file_that_changes_makes_another_cache(tmp_path):
    camera = tmp_path / "response.csv"
    camera.write_text("before")
    dataset = scenes(tmp_path, (8, 8), camera=str(camera))
    cache_dataset(dataset, "train", folder=tmp_path / "cache")
    camera.write_text("after that")
    cache_dataset(dataset, "train", folder=tmp_path / "cache")
    assert dataset.reads == ["s0", "s0"]


@pytest.mark.parametrize(("source", "part"), [("bands", "bands/b400.png"), ("c.hdr", "c.raw")])
def test_a_source_of_several_files_is_followed_in_each(tmp_path, monkeypatch, source, part):
    dataset = scenes(tmp_path, (8, 8))
    (tmp_path / "bands").mkdir()
    (tmp_path / "c.hdr").touch()
    (tmp_path / part).write_bytes(b"before")
    monkeypatch.setattr(Scenes, "select", lambda *_: (Scene("s0", tmp_path / source),))
    cache_dataset(dataset, "train", folder=tmp_path / "cache")
    (tmp_path / part).write_bytes(b"after that")
    cache_dataset(dataset, "train", folder=tmp_path / "cache")
    assert dataset.reads == ["s0", "s0"]


@pytest.mark.parametrize("damage", ["cut", "longer", "garbage", "empty", "gone"])
def test_a_damaged_scene_is_built_anew(tmp_path, damage):
    dataset = scenes(tmp_path, (8, 8), (8, 8))
    cache_dataset(dataset, "train", folder=tmp_path)
    victim = sorted(tmp_path.rglob("*.npy"))[0]
    whole = victim.read_bytes()
    damaged = {
        "cut": whole[:-1],
        "longer": whole + b"x",
        "garbage": b"x" * len(whole),
        "empty": b"",
    }
    victim.unlink() if damage == "gone" else victim.write_bytes(damaged[damage])
    cache_dataset(dataset, "train", folder=tmp_path)
    assert len(dataset.reads) == 3
    assert victim.read_bytes() == whole


def test_a_build_that_was_cancelled_goes_on(tmp_path):
    dataset = scenes(tmp_path, (8, 8), (8, 8), (8, 8))
    with pytest.raises(Cancelled):
        cache_dataset(dataset, "train", folder=tmp_path, cancel=lambda: len(dataset.reads) == 2)
    heard = []
    cache_dataset(dataset, "train", folder=tmp_path, progress=lambda *args: heard.append(args))
    assert dataset.reads == ["s0", "s1", "s2"]
    assert heard == [(0, 3, "s0"), (1, 3, "s1"), (2, 3, "s2"), (3, 3, "")]


def test_what_a_killed_build_left_goes_away(tmp_path):
    dataset = scenes(tmp_path, (8, 8))
    cache_dataset(dataset, "train", folder=tmp_path)
    place = next(tmp_path.rglob("*.npy")).parent
    old, new = place / ".1234.partial-a.npy", place / ".5678.partial-b.npy"
    old.touch(), new.touch()
    os.utime(old, (0, 0))
    cache_dataset(dataset, "train", folder=tmp_path)
    assert not old.exists()
    assert new.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_build_killed_in_the_middle_of_a_file_goes_on(tmp_path):
    dataset = scenes(tmp_path, (8, 8), (8, 8))
    child = os.fork()
    if child == 0:
        save = np.save

        def killed(path, values):
            if len(dataset.reads) == 1:
                return save(path, values)
            Path(path).write_bytes(b"half")
            return os.kill(os.getpid(), signal.SIGKILL)

        np.save = killed
        cache_dataset(dataset, "train", folder=tmp_path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [path.read_bytes() for path in tmp_path.rglob(".*.partial-*")] == [b"half"]
    cache = cache_dataset(dataset, "train", folder=tmp_path)
    assert dataset.reads == ["s1"]  # the child had finished the first
    truth = dataset.arrays["s1"][..., :3]
    np.testing.assert_allclose(cache.rgb(1).data, truth, rtol=0, atol=ROUNDING)


def test_a_full_disk_leaves_nothing_that_seems_whole(tmp_path, monkeypatch):
    dataset = scenes(tmp_path, (8, 8))

    def full(path, values):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(OutputError, match="disk is full"):
            cache_dataset(dataset, "train", folder=tmp_path)
    assert not [*tmp_path.rglob("*.npy"), *tmp_path.rglob(".*.npy")]
    assert len(cache_dataset(dataset, "train", folder=tmp_path)) == 1


@pytest.mark.parametrize("channel", [1, 6])
def test_nan_is_an_error_that_names_the_file(tmp_path, channel):
    dataset = scenes(tmp_path, (8, 8))
    dataset.arrays["s0"][3, 4, channel] = np.nan
    with pytest.raises(DatasetError, match=r"s0\.mat.*NaN"):
        cache_dataset(dataset, "train", folder=tmp_path)
    assert not list(tmp_path.rglob("*.npy"))


def test_no_scenes_a_missing_file_and_another_number_of_bands(tmp_path, monkeypatch):
    dataset = scenes(tmp_path, (8, 8))
    with pytest.raises(DatasetError, match="no scenes"):
        cache_dataset(dataset, "validation", folder=tmp_path)
    four_bands = SpectralCube(np.zeros((4, 8, 8), np.float32), WAVELENGTHS[:4])
    monkeypatch.setattr(
        Scenes, "read", lambda *_: (RGBImage(np.zeros((8, 8, 3), np.float32)), four_bands)
    )
    with pytest.raises(DatasetError, match="5 bands are expected"):
        cache_dataset(dataset, "train", folder=tmp_path)
    (tmp_path / "s0.mat").unlink()
    with pytest.raises(DatasetError, match=r"s0\.mat"):
        cache_dataset(dataset, "train", folder=tmp_path)


def test_two_builds_at_once_agree(tmp_path):
    dataset = scenes(tmp_path, *[(40, 40)] * 6)
    with ThreadPoolExecutor(4) as threads:
        builds = [
            threads.submit(cache_dataset, dataset, "train", folder=tmp_path) for _ in range(4)
        ]
        caches = [build.result() for build in builds]
    for cache in caches:
        for i, name in enumerate(cache.names):
            truth = dataset.arrays[name][..., :3]
            np.testing.assert_allclose(cache.rgb(i).data, truth, rtol=0, atol=ROUNDING)


def test_a_patch_outside_or_of_a_removed_scene_is_an_error(tmp_path):
    cache = cache_dataset(scenes(tmp_path, (8, 8)), "train", folder=tmp_path)
    out = np.empty((4, 4, 8), np.uint16)
    with pytest.raises(DatasetError, match="no patch"):
        cache.read(0, 5, 0, out)
    next(tmp_path.rglob("*.npy")).unlink()
    with pytest.raises(DatasetError, match="gone"):
        cache.read(0, 0, 0, out)
