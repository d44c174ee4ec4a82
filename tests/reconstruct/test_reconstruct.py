"""Reconstruction: modes, inputs, progress, cancellation."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import Cancelled, InputError, OutOfMemoryError, OutputError
from napari_gmsr.image import RGBImage
from napari_gmsr.networks import create
from napari_gmsr.reconstruct import Progress, api, plan, planning, reconstruct
from napari_gmsr.reconstruct.tiles import cuts, paper_tile_count
from napari_gmsr.weights import Model, ModelCard


def model_of(network: torch.nn.Module, encoding: str = "linear", arguments: object = None) -> Model:
    card = ModelCard(
        name="tiny",
        network="gmsr",
        arguments=arguments or {},
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding=encoding,
    )
    return Model(network.eval().requires_grad_(False), card, "0" * 64, Path("tiny.safetensors"))


@pytest.fixture(scope="module")
def tiny() -> Model:
    torch.manual_seed(0)
    return model_of(create("gmsr", widths=[4, 31]))


class PerPixel(torch.nn.Module):
    """A network without context: tiles must then change nothing."""

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        bands = torch.linspace(0.2, 0.9, 31)[:, None, None]
        return rgb[:, :1] * bands + rgb[:, 1:2] * 0.1


def picture(height: int, width: int, seed: int = 0) -> RGBImage:
    data = np.random.default_rng(seed).random((height, width, 3), np.float32)
    return RGBImage(data, "linear", name="noise")


@pytest.mark.parametrize("mode", ["auto", "whole", "tiled", "paper"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (37, 53), (150, 20), (200, 290)])
def test_context_free_network_gives_the_same_in_every_mode(
    mode: str, shape: tuple[int, int]
) -> None:
    model = model_of(PerPixel())
    rgb = picture(*shape)
    cube = reconstruct(rgb, model, mode, tile=64, overlap=16, engine="reference")
    expected = model.network(torch.from_numpy(rgb.data).movedim(-1, 0)[None])[0].clamp(0, 1)
    np.testing.assert_allclose(cube.data, expected.numpy(), atol=2e-6)


@settings(deadline=None)
@given(length=st.integers(1, 2000), tile=st.integers(16, 300), share=st.floats(0, 0.5))
def test_tiles_cover_an_axis_evenly(length: int, tile: int, share: float) -> None:
    overlap = int(tile * share)
    found = cuts(length, tile, overlap)
    total = np.zeros(length)
    for cut in found:
        total[cut.slice] += cut.weight
        assert len(cut.weight) == min(tile, length)
    np.testing.assert_allclose(total, 1, atol=1e-6)
    for before, after in itertools.pairwise(found):
        assert before.stop - after.start >= overlap


def test_whole_is_the_network_itself(tiny: Model) -> None:
    rgb = picture(24, 31)
    cube = reconstruct(rgb, tiny, "whole", engine="reference")
    network = tiny.network
    network.engine = "reference"
    expected = network(torch.from_numpy(rgb.data).movedim(-1, 0)[None])[0].clamp(0, 1)
    np.testing.assert_allclose(cube.data, expected.numpy(), atol=1e-6)


def test_paper_mode_is_the_mean_over_grids_and_flips(tiny: Model) -> None:
    """Written out for a picture of one and a half tiles a side: every case of coverage occurs."""
    rgb = picture(192, 192).data
    cube = reconstruct(RGBImage(rgb, "linear"), tiny, "paper", engine="reference")

    def run(part: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(part)).movedim(-1, 0)[None]
        return tiny.network(batch)[0].numpy()

    def both_grids(view: np.ndarray) -> np.ndarray:
        first = np.empty((31, 192, 192), np.float32)
        for y0, y in ((0, slice(0, 128)), (64, slice(128, 192))):
            for x0, x in ((0, slice(0, 128)), (64, slice(128, 192))):
                tile = run(view[y0 : y0 + 128, x0 : x0 + 128])
                first[:, y, x] = tile[:, y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0]
        first[:, 64:, 64:] = (first[:, 64:, 64:] + run(view[64:, 64:])) / 2
        return first

    expected = (both_grids(rgb) + both_grids(rgb[::-1])[:, ::-1]) / 2
    np.testing.assert_allclose(cube.data, expected.clip(0, 1), atol=2e-6)
    assert paper_tile_count((192, 192)) == 2 * (4 + 1)


def test_ensemble_is_mean_and_spread_over_the_eight_symmetries(tiny: Model) -> None:
    rgb = picture(17, 23)
    cube = reconstruct(rgb, tiny, "whole", ensemble=True, engine="reference")
    members = []
    for k in range(4):
        for flip in (False, True):
            view = np.rot90(rgb.data[:, ::-1] if flip else rgb.data, k)
            batch = torch.from_numpy(view.copy()).movedim(-1, 0)[None]
            member = np.rot90(tiny.network(batch)[0].numpy(), -k, axes=(1, 2))
            members.append(member[:, :, ::-1] if flip else member)
    np.testing.assert_allclose(cube.data, np.mean(members, axis=0).clip(0, 1), atol=2e-6)
    assert cube.spread is not None
    np.testing.assert_allclose(cube.spread, np.std(members, axis=0), atol=2e-6)
    assert cube.provenance["ensemble"] == 8


def test_progress_counts_tiles_and_provenance_says_what_was_done(tiny: Model) -> None:
    seen: list[Progress] = []
    cube = reconstruct(
        picture(70, 70), tiny, "tiled", tile=32, overlap=4, progress=seen.append, engine="reference"
    )
    assert [p.done for p in seen] == list(range(seen[-1].total + 1))
    assert seen[-1].total == 9
    assert cube.name == "noise [tiny]"
    assert cube.provenance["mode"] == "tiled"
    assert cube.provenance["engine"] == "reference"
    assert cube.provenance["checkpoint_sha256"] == tiny.sha256


def test_cancel_stops_between_tiles(tiny: Model) -> None:
    seen: list[Progress] = []
    with pytest.raises(Cancelled, match="2 of 9"):
        reconstruct(
            picture(70, 70),
            tiny,
            "tiled",
            tile=32,
            overlap=4,
            progress=seen.append,
            cancel=lambda: seen[-1].done == 2,
            engine="reference",
        )


def test_auto_takes_tiles_where_memory_is_short(
    tiny: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan((40, 40), "auto", torch.device("cpu"), "cpu").mode == "whole"
    monkeypatch.setattr(planning, "_free_memory", lambda _: 1000)
    short = plan((600, 600), "auto", torch.device("cpu"), "cpu")
    assert short.mode == "tiled"
    assert "free" in short.reason
    assert reconstruct(picture(40, 40), tiny, engine="reference").provenance["mode"] == "tiled"


def test_a_cube_larger_than_memory_lives_in_a_file(
    tiny: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rgb = picture(50, 40)
    expected = reconstruct(rgb, tiny, "tiled", tile=32, overlap=8, engine="reference").data
    monkeypatch.setattr(api.psutil, "virtual_memory", lambda: type("M", (), {"available": 10})())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cube = reconstruct(rgb, tiny, "tiled", tile=32, overlap=8, engine="reference")
    assert list(tmp_path.glob("*.cube"))
    np.testing.assert_array_equal(cube.data, expected)
    del cube
    assert not list(tmp_path.glob("*.cube"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room")
def test_a_cube_larger_than_memory_and_disk_is_refused(
    tiny: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import resource

    monkeypatch.setattr(api.psutil, "virtual_memory", lambda: type("M", (), {"available": 10})())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # as a disk of 4 kB
    try:
        with pytest.raises(OutputError, match="no room") as caught:
            reconstruct(picture(50, 40), tiny, "tiled", tile=32, overlap=8, engine="reference")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.where == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integer_pictures_are_srgb(tiny: Model, dtype: type) -> None:
    array = (picture(9, 8).data * np.iinfo(dtype).max).astype(dtype)
    cube = reconstruct(array, tiny, engine="reference")
    assert any("decoded to linear" in note for note in cube.provenance["notes"])


def test_floats_are_what_the_model_expects(tiny: Model) -> None:
    assert reconstruct(picture(9, 8).data, tiny, engine="reference").provenance["notes"] == []


def test_values_beyond_the_range_are_clipped_and_reported(tiny: Model) -> None:
    cube = reconstruct(picture(9, 8).data * 1.5, tiny, engine="reference")
    clipped = reconstruct((picture(9, 8).data * 1.5).clip(0, 1), tiny, engine="reference")
    np.testing.assert_array_equal(cube.data, clipped.data)
    assert any("outside [0, 1]" in note for note in cube.provenance["notes"])


def test_nan_is_refused(tiny: Model) -> None:
    data = picture(9, 8).data.copy()
    data[3, 4, 1] = np.nan
    with pytest.raises(InputError, match="NaN"):
        reconstruct(data, tiny)


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 4), (2, 9, 8, 3), (0, 8, 3)])
def test_pictures_of_another_shape_are_refused(tiny: Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="y, x, 3"):
        reconstruct(np.zeros(shape, np.float32), tiny)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "strips"}, "strips"),
        ({"device": "tpu"}, "tpu"),
        ({"mode": "tiled", "tile": 8}, "tiles of 8"),
        ({"mode": "tiled", "tile": 64, "overlap": 60}, "overlap of 60"),
    ],
)
def test_unknown_arguments_are_named(tiny: Model, arguments: dict[str, object], named: str) -> None:
    with pytest.raises(InputError) as caught:
        reconstruct(picture(9, 8), tiny, **arguments)  # type: ignore[arg-type]
    assert named in str(caught.value)
    assert caught.value.fix


def test_a_missing_gpu_is_named(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="cuda") as caught:
        reconstruct(picture(9, 8), tiny, device="cuda")
    assert "auto" in caught.value.fix


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("full"), MemoryError(), RuntimeError("can't allocate memory: 9")],
)
def test_out_of_memory_has_our_name(error: Exception) -> None:
    class Hungry(PerPixel):
        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            raise error

    with pytest.raises(OutOfMemoryError, match="tiled"):
        reconstruct(picture(9, 8), model_of(Hungry()), "whole")


def test_other_errors_keep_theirs() -> None:
    class Broken(PerPixel):
        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        reconstruct(picture(9, 8), model_of(Broken()))
