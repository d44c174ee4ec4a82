"""napari-gmsr figure."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import write_cube


@pytest.fixture
def files(tmp_path):
    """Two reconstructions and a truth, as files."""
    rng = np.random.default_rng(2)
    data = rng.uniform(0.1, 0.9, (31, 12, 14)).astype(np.float32)
    return [
        write_cube(SpectralCube(data * gain, name=name), tmp_path / f"{name}.npz")
        for name, gain in (("first", 0.9), ("second", 0.8), ("truth", 1.0))
    ]


def test_a_figure_with_everything_chosen_and_again(command, files, tmp_path):
    first, second, truth = files
    out = tmp_path / "figure.png"
    options = ("--truth", truth, "--bands", "480,540", "--points", "3,4 5,6", "--points", "0,1")
    code, printed, err = command("figure", first, second, *options, "--error-max", 0.2, "-o", out)
    assert (code, err) == (0, "")
    assert printed.split() == [str(out), f"{out}.json"]
    record = json.loads((tmp_path / "figure.png.json").read_text())
    assert record["points"] == [[3, 4], [5, 6], [0, 1]]
    assert record["bands_nm"] == [480, 540]
    assert record["error_max"] == 0.2
    again = tmp_path / "again.png"
    assert command("figure", "--again", tmp_path / "figure.png.json", "-o", again)[0] == 0
    with Image.open(out) as before, Image.open(again) as after:
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--points", "3"), "--points"),
        (("--points", "1.5,2"), "--points"),
        (("--points", "inf,2"), "--points"),
        (("--points", "3,99"), "no pixel"),
        (("--bands", "green"), "--bands"),
        (("--label", "a", "--label", "b"), "labels"),
    ],
)
def test_a_choice_that_cannot_be(refused, files, tmp_path, options, named):
    out = tmp_path / "figure.png"
    assert named in refused("figure", files[0], *options, "-o", out)
    assert not out.exists()


def test_nothing_to_draw(refused, files, tmp_path):
    out = tmp_path / "figure.png"
    assert "--again" in refused("figure", "-o", out)
    assert "--again" in refused("figure", files[0], "--again", files[0], "-o", out)
    assert ".docx" in refused("figure", files[0], "-o", tmp_path / "figure.docx")


def test_the_figure_of_an_evaluation_is_made_again_too(command, files, tmp_path):
    out = tmp_path / "evaluated.png"
    assert command("evaluate", files[0], files[2], "--figure", out)[0] == 0
    again = tmp_path / "again.png"
    assert command("figure", "--again", f"{out}.json", "-o", again)[0] == 0
    with Image.open(out) as before, Image.open(again) as after:
        assert before.tobytes() == after.tobytes()
