"""What the window asks about a dataset, as its child process answers it."""

import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import DatasetError
from napari_gmsr.io import write_cube
from napari_gmsr.jobs import Cancelled, InlineExecutor, Progress

TASKS = "napari_gmsr.jobs.dataset_tasks"


@pytest.fixture
def folder(tmp_path):
    """Three pairs of one's own, one for each split."""
    rng = np.random.default_rng(1)
    for split in ("train", "validation", "test"):
        where = tmp_path / split
        where.mkdir()
        data = rng.uniform(0.1, 0.9, (31, 20, 24)).astype(np.float32)
        write_cube(SpectralCube(data, name=split), where / f"{split}.npz")
        iio.imwrite(where / f"{split}.png", rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    return tmp_path


def ask(task, folder, on_event=lambda event: None, **arguments):
    known = {"name": "pairs", "folder": str(folder), "camera": None}
    return InlineExecutor().start(f"{TASKS}:{task}", known | arguments, on_event)


def test_a_survey_says_what_the_folder_holds(folder):
    found = ask("survey", folder).result()
    assert found["scenes"] == {"train": 1, "validation": 1, "test": 1}
    assert found["validation"] == ["validation/validation"]
    assert (found["bands"], found["encoding"]) == (31, "srgb")


def test_a_survey_of_an_empty_folder_says_so(tmp_path):
    with pytest.raises(DatasetError):
        ask("survey", tmp_path).result()


def test_a_check_reads_every_file(folder):
    (folder / "train" / "train.npz").write_bytes(b"half")
    events = []
    findings = ask("check", folder, events.append, patch=16).result()
    errors = [one for one in findings if one["severity"] == "error"]
    assert "train/train" in {one["scene"] for one in errors}
    progress = [(e.done, e.total) for e in events if isinstance(e, Progress)]
    assert progress == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_check_is_cancelled_between_scenes(folder):
    from napari_gmsr.jobs.executor import perform

    asked = []
    end = perform(
        f"{TASKS}:check",
        {"name": "pairs", "folder": str(folder), "camera": None, "patch": 16},
        lambda event: None,
        lambda: asked.append(0) is None and len(asked) > 1,
    )
    assert end == Cancelled()


def test_a_picture_is_read(folder):
    picture = ask("picture", folder, scene="validation/validation").result()
    expected = iio.imread(folder / "validation" / "validation.png") / np.float32(255)
    np.testing.assert_allclose(picture.data, expected, atol=1e-6)
    assert picture.name == "validation/validation"


def test_looking_into_datasets_needs_no_torch():
    code = f"import sys, {TASKS}; from napari_gmsr.datasets import check_dataset; "
    code += "sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
