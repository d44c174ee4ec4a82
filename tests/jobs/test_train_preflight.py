"""A few measured steps tell what a run takes."""

import pytest

from napari_gmsr.jobs import InlineExecutor
from napari_gmsr.training.config import preset

TINY = {"patch": 8, "network_arguments": {"widths": [6], "drop_path": 0.0}, "device": "cpu"}


def measure(name="recommended", **overrides):
    config = preset(name, **TINY | overrides).model_dump(mode="json")
    task = "napari_gmsr.jobs.train_preflight:measure"
    return InlineExecutor().start(task, {"config": config}, lambda event: None).result()


def test_it_says_where_and_how_fast():
    found = measure(minutes=2)
    assert (found["device"], found["engine"]) == ("cpu", "reference")
    assert found["device_reason"]
    assert "cpu" in found["devices"]
    assert found["patches_per_s"] > 0
    assert found["seconds"] == 120
    assert 0 <= found["peak_bytes"] < found["free_bytes"]


def test_the_time_of_so_many_steps_follows_from_the_speed():
    found = measure(steps=50, batch=3)
    assert found["seconds"] == pytest.approx(150 / found["patches_per_s"])


@pytest.mark.parametrize(("order", "patches"), [("random", 2 * 20 * 24 // 64), ("grid", 2 * 4 * 5)])
def test_the_time_of_epochs_follows_from_the_pictures(tmp_path, order, patches):
    import numpy as np

    from napari_gmsr.cube import SpectralCube
    from napari_gmsr.io import write_cube

    (tmp_path / "train").mkdir()
    for name in "ab":
        cube = SpectralCube(np.full((31, 20, 24), 0.5, np.float32), name=name)
        write_cube(cube, tmp_path / "train" / f"{name}.npz")
    data = {"name": "pairs", "folder": tmp_path, "camera": "srgb"}
    found = measure(epochs=4, batch=2, order=order, stride=4, dataset=data)
    assert found["seconds"] == pytest.approx(4 * patches / found["patches_per_s"])


@pytest.mark.parametrize(("split", "scenes"), [("recommended", 6), ("paper", 7)])
def test_the_time_of_epochs_follows_from_the_split(tmp_path, split, scenes):
    import numpy as np

    from napari_gmsr.cube import SpectralCube
    from napari_gmsr.io import write_cube

    for name in "abcdefgh":
        write_cube(SpectralCube(np.full((31, 8, 8), 0.5, np.float32)), tmp_path / f"{name}.npz")
    data = {"name": "pairs", "folder": tmp_path, "camera": "srgb", "split": split}
    found = measure(epochs=2, batch=2, order="random", dataset=data)
    assert found["seconds"] == pytest.approx(2 * scenes / found["patches_per_s"])


def test_epochs_of_endless_scenes_have_no_known_time():
    assert measure(epochs=1)["seconds"] is None


def test_fine_tuning_measures_the_checkpoints_network():
    found = measure(start_from="photo", network_arguments={}, steps=1, batch=1)
    assert found["patches_per_s"] > 0


def test_memory_grows_with_the_batch():
    one, many = (measure(steps=1, batch=batch, patch=64)["peak_bytes"] for batch in (1, 64))
    assert many > 16 * one > 0


def test_fine_tuning_leaves_the_shared_model_as_it_is():
    from napari_gmsr.weights import load_model

    measure(start_from="photo", network_arguments={}, steps=1, batch=1)
    network = load_model("photo").network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
