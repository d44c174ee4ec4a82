import json

import numpy as np
import pytest
import torch

from napari_gmsr import errors
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import (
    Failed,
    Finished,
    InlineExecutor,
    Progress,
    ReconstructionRequest,
    Settings,
    Started,
    start_preflight,
    start_reconstruction,
)
from napari_gmsr.networks import create
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.weights import ModelCard, save_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    card = ModelCard(
        name="random", network="gmsr", wavelengths_nm=tuple(WAVELENGTHS_NM), encoding="srgb"
    )
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return str(save_checkpoint(create("gmsr"), card, path))


@pytest.fixture
def rgb():
    data = np.random.default_rng(0).random((20, 36, 3), dtype=np.float32)
    return RGBImage(data, bit_depth=8, name="photo", notes=("Turned.",))


@pytest.fixture
def settings(checkpoint):
    return Settings(checkpoint, mode="tiled", device="cpu", tile=16, overlap=4)


def test_the_child_process_gives_what_the_function_gives(executor, rgb, settings):
    seen = []
    request = ReconstructionRequest(rgb, settings)
    cube = start_reconstruction(request, seen.append, executor).result()
    expected = reconstruct(rgb, **vars(settings))
    np.testing.assert_array_equal(cube.data, expected.data)
    np.testing.assert_array_equal(cube.wavelengths_nm, expected.wavelengths_nm)
    assert cube.name == "photo [random]"
    assert dict(cube.provenance) == json.loads(json.dumps(expected.provenance))
    parts = [event for event in seen if isinstance(event, Progress)]
    assert [part.done for part in parts] == list(range(parts[-1].total + 1))
    assert seen[0] == Started()


def test_an_ensemble_brings_its_spread_along(rgb, checkpoint):
    settings = Settings(checkpoint, mode="whole", device="cpu", ensemble=True)
    request = ReconstructionRequest(rgb, settings)
    cube = start_reconstruction(request, lambda event: None, InlineExecutor()).result()
    assert cube.spread.shape == cube.data.shape == (31, 20, 36)
    assert cube.spread.max() > 0


def test_the_preflight_agrees_with_the_run(executor, rgb, settings):
    told = start_preflight(rgb.shape, settings, lambda event: None, executor).result()
    request = ReconstructionRequest(rgb, settings)
    seen = []
    cube = start_reconstruction(request, seen.append, executor).result()
    assert told.card.name == "random"
    assert told.mode == cube.provenance["mode"] == "tiled"
    assert told.device_reason == cube.provenance["device_reason"]
    assert (told.engine, told.engine_reason) == (
        cube.provenance["engine"],
        cube.provenance["engine_reason"],
    )
    totals = {event.total for event in seen if isinstance(event, Progress)}
    assert totals == {told.runs}
    assert 0 < told.peak_bytes < told.free_bytes
    assert "cpu" in told.devices


def test_the_preflight_of_an_ensemble_counts_eight_times(settings):
    def runs(settings):
        job = start_preflight((20, 36), settings, lambda event: None, InlineExecutor())
        return job.result().runs

    once = runs(settings)
    assert runs(Settings(**{**vars(settings), "ensemble": True})) == 8 * once


def test_without_a_picture_the_preflight_tells_device_and_card(settings):
    told = start_preflight(None, settings, lambda event: None, InlineExecutor()).result()
    assert (told.card.name, told.device, told.mode) == ("random", "cpu", "")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "no such"}, errors.CheckpointError),
        ({"device": "cuda:99"}, errors.InputError),
        ({"engine": "no such"}, errors.EngineError),
        ({"mode": "no such"}, errors.InputError),
    ],
)
def test_what_cannot_be_is_told_by_the_child_too(executor, rgb, settings, change, error):
    wrong = Settings(**{**vars(settings), **change})
    for job in (
        start_preflight(rgb.shape, wrong, lambda event: None, executor),
        start_reconstruction(ReconstructionRequest(rgb, wrong), lambda event: None, executor),
    ):
        end = job.wait()
        assert isinstance(end, Failed)
        assert type(end.error) is error
        assert end.error.fix


def test_a_picture_of_one_pixel_becomes_a_cube(executor, settings):
    rgb = RGBImage(np.full((1, 1, 3), 0.5), name="dot")
    end = start_reconstruction(
        ReconstructionRequest(rgb, settings), lambda event: None, executor
    ).wait()
    assert isinstance(end, Finished), end
    assert end.result.shape == (31, 1, 1)


def test_not_a_number_in_a_picture_is_an_error_that_names_it(executor, settings):
    data = np.full((4, 4, 3), 0.5)
    data[1, 2] = np.nan
    rgb = RGBImage(data, "linear", 32, "holes")
    end = start_reconstruction(
        ReconstructionRequest(rgb, settings), lambda event: None, executor
    ).wait()
    assert isinstance(end, Failed)
    assert isinstance(end.error, errors.InputError), end.error
    assert "holes" in end.error.where
