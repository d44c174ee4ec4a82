"""Batches of patches: where they come from, how they vary, and that they repeat."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.color import linear_to_srgb, srgb_to_linear
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import CachedPatches, cache_dataset
from napari_gmsr.datasets.dataset import Scene
from napari_gmsr.errors import DatasetError, InputError
from napari_gmsr.image import RGBImage

PLAIN = {"flips": False, "exposure": None}
ROUNDING = 1 / 131070 + 1e-7
SHAPES = [(20, 24), (17, 16), (30, 19)]


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Return a function that caches random scenes, and gives their values too."""

    def made(encoding="linear", shapes=SHAPES, beyond=False):
        folder = tmp_path_factory.mktemp("scenes")
        random = np.random.default_rng(1)
        arrays = {f"s{k}": random.random((*shape, 7), np.float32) for k, shape in enumerate(shapes)}
        if beyond:
            arrays["s0"][..., 4] *= 2
        if encoding == "srgb":
            for array in arrays.values():
                array[..., :3] = np.rint(array[..., :3] * 255) / 255
        return cached(folder, arrays, encoding), arrays

    return made


def cached(folder: Path, arrays: dict[str, np.ndarray], encoding: str):
    class InMemory:
        name, camera, illuminant, licence = "toy", "camera", "D65", "CC0"
        wavelengths_nm = np.arange(400.0, 431.0, 10.0)
        rendering, cube_arguments, resampled = None, {}, False

        def select(self, split):
            return tuple(Scene(n, split, folder / f"{n}.mat", None) for n in arrays)

        def read(self, scene):
            array = arrays[scene.name]
            cube = SpectralCube.from_band_last(array[..., 3:], self.wavelengths_nm)
            return RGBImage(array[..., :3], encoding), cube

    for name in arrays:
        (folder / f"{name}.mat").touch()
    dataset = InMemory()
    dataset.folder, dataset.encoding = folder, encoding
    return cache_dataset(dataset, "train", folder=folder)


def joined(batch):
    rgb, cube = batch
    return torch.cat([rgb, cube], 1).permute(0, 2, 3, 1).numpy()


def find(patch, arrays, tolerance=ROUNDING):
    """Return scene, row and column at which the patch lies, by looking everywhere."""
    side = len(patch)
    for name, array in arrays.items():
        windows = np.lib.stride_tricks.sliding_window_view(array[..., 0], (side, side))
        close = np.abs(windows - patch[..., 0]).max((2, 3)) <= tolerance
        for y, x in np.argwhere(close):
            if np.abs(array[y : y + side, x : x + side] - patch).max() <= tolerance:
                return name, int(y), int(x)
    return None


@given(step=st.integers(0, 10**9), seed=st.integers(0, 99), patch=st.integers(1, 16))
def test_every_patch_lies_somewhere_in_a_scene(make_once, step, seed, patch):
    cache, arrays = make_once
    source = CachedPatches(cache, patch=patch, batch=3, seed=seed, **PLAIN)
    rgb, cube = source.batch(step)
    assert rgb.shape == (3, 3, patch, patch)
    assert cube.shape == (3, 4, patch, patch)
    assert rgb.dtype == cube.dtype == torch.float32
    assert all(find(one, arrays) for one in joined((rgb, cube)))


@pytest.fixture(scope="module")
def make_once(make):
    return make()


def test_what_is_known_of_a_source(make_once):
    cache, _ = make_once
    source = CachedPatches(cache, patch=8)
    assert (source.encoding, source.camera, source.illuminant) == ("linear", "camera", "D65")
    assert source.licences == (("toy", "CC0"),)
    np.testing.assert_array_equal(source.wavelengths_nm, np.arange(400.0, 431.0, 10.0))
    assert source.patches_per_epoch == (20 * 24 + 17 * 16 + 30 * 19) // 64


@pytest.mark.parametrize("order", ["random", "grid"])
def test_a_batch_follows_from_seed_step_and_rank(make_once, order):
    cache, _ = make_once

    def source(seed=3):
        return CachedPatches(cache, patch=8, batch=4, stride=4, seed=seed, order=order)

    unbroken = [joined(source().batch(step)) for step in range(6)]
    resumed = source()
    for step in (5, 3, 4):
        np.testing.assert_array_equal(joined(resumed.batch(step)), unbroken[step])
    others = [*unbroken[1:], joined(source().batch(0, rank=1, world=2)), joined(source(4).batch(0))]
    assert all((other != unbroken[0]).any() for other in others)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_an_epoch_of_the_grid_holds_every_patch_once(make_once, world):
    cache, arrays = make_once
    source = CachedPatches(cache, patch=8, batch=1, stride=8, order="grid", **PLAIN)
    grid = [
        (name, y, x)
        for name, array in arrays.items()
        for y in range(0, array.shape[0] - 7, 8)
        for x in range(0, array.shape[1] - 7, 8)
    ]
    assert source.patches_per_epoch == len(grid)
    turns = itertools.product(range(2 * len(grid) // world + 1), range(world))
    seen = [
        find(joined(source.batch(step, rank=rank, world=world))[0], arrays) for step, rank in turns
    ]
    first, second = seen[: len(grid)], seen[len(grid) : 2 * len(grid)]
    assert sorted(first) == sorted(second) == sorted(grid)
    assert first != second


def test_every_scene_is_as_likely_and_every_position_possible(make):
    cache, arrays = make(shapes=[(9, 9), (40, 40)])
    source = CachedPatches(cache, patch=8, batch=400, **PLAIN)
    found = [find(patch, arrays) for patch in joined(source.batch(0))]
    small = [place[1:] for place in found if place[0] == "s0"]
    assert 140 < len(small) < 260
    assert set(small) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_flips_are_the_eight_of_a_square_and_turn_rgb_and_cube_together(make):
    cache, arrays = make(shapes=[(6, 6)])
    batch = joined(CachedPatches(cache, patch=6, batch=200, exposure=None).batch(0))
    turned = [np.rot90(arrays["s0"], k) for k in range(4)]
    ways = np.stack([*turned, *(way[:, ::-1] for way in turned)])
    distance = np.abs(batch[:, None] - ways[None]).max((2, 3, 4))
    assert (distance.min(1) <= ROUNDING).all()
    assert set(distance.argmin(1).tolist()) == set(range(8))


def test_exposure_dims_linear_rgb_and_cube_by_one_factor(make_once):
    cache, _ = make_once
    options = {"patch": 8, "batch": 50, "flips": False}
    plain = joined(CachedPatches(cache, exposure=None, **options).batch(7))
    dimmed = joined(CachedPatches(cache, exposure=(0.25, 1.0), **options).batch(7))
    factors = dimmed.sum((1, 2, 3)) / plain.sum((1, 2, 3))
    np.testing.assert_allclose(dimmed, plain * factors[:, None, None, None], atol=1e-6)
    assert 0.25 <= factors.min() < 0.4
    assert 0.8 < factors.max() <= 1 + 1e-6
    assert 0.3 < np.mean(factors < 0.5) < 0.7  # half of the range in powers of two


def test_exposure_dims_srgb_in_linear_light_and_rounds_to_8_bits(make):
    cache, _ = make("srgb")
    options = {"patch": 8, "batch": 6, "flips": False}
    rgb, cube = CachedPatches(cache, exposure=None, **options).batch(2)
    dark_rgb, dark_cube = CachedPatches(cache, exposure=(0.5, 0.5), **options).batch(2)
    torch.testing.assert_close(dark_cube, cube * 0.5)
    expected = 255 * linear_to_srgb(0.5 * srgb_to_linear(rgb.numpy().astype(np.float64)))
    levels = 255 * dark_rgb.numpy()
    np.testing.assert_allclose(levels, np.rint(levels), rtol=0, atol=1e-4)
    np.testing.assert_allclose(levels, expected, rtol=0, atol=0.501)


def test_values_beyond_one_are_clipped_in_batches(make):
    cache, _ = make(beyond=True)
    assert cache.dtype == np.float32
    _, cube = CachedPatches(cache, patch=16, batch=30, **PLAIN).batch(0)
    assert cube.max() == 1


def test_a_picture_smaller_than_the_patch_is_named(make_once):
    with pytest.raises(DatasetError, match=r"s1.*17 x 16.*patch of 17"):
        CachedPatches(make_once[0], patch=17)


@pytest.mark.parametrize(
    "wrong",
    [{"patch": 0}, {"batch": 0}, {"stride": 0}, {"order": "x"}]
    + [{"exposure": pair} for pair in [(0.0, 1.0), (0.5, 0.25), (0.5, 1.5)]],
)
def test_impossible_settings_are_refused(make_once, wrong):
    with pytest.raises(InputError):
        CachedPatches(make_once[0], **{"patch": 8, **wrong})
