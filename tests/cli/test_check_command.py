"""napari-gmsr check."""

import json

import numpy as np
from PIL import Image


def save(path, data):
    Image.fromarray(np.rint(data * 255).astype(np.uint8)).save(path)
    return path


def test_a_finding_is_a_line_and_json_holds_it(command, tmp_path):
    ramp = np.linspace(0.3, 0.7, 64)[:, None, None] * np.ones((64, 64, 3))
    bright = ramp.copy()
    bright[:10] = 1
    clean, clipped = save(tmp_path / "clean.png", ramp), save(tmp_path / "clipped.png", bright)
    code, printed, err = command("check", clean, clipped)
    assert (code, err) == (0, "")
    lines = printed.splitlines()
    assert lines[0] == f"{clean}: nothing found"
    assert lines[1] == f"{clipped}: 1 finding"
    assert "full scale" in lines[2]
    code, printed, _ = command("check", clean, clipped, "--json", "--model", "ntire2020-clean")
    assert code == 0
    report = json.loads(printed)
    assert report[str(clipped)][0]["kind"] == "clipping"
    assert set(report[str(clipped)][0]) == {"kind", "what", "fix"}


def test_the_encoding_can_be_told(command, tmp_path):
    night = save(
        tmp_path / "night.png", np.linspace(0.03, 0.1, 64)[:, None, None] * np.ones((64, 64, 3))
    )
    assert "dark for sRGB" in command("check", night)[1]
    assert "dark" not in command("check", night, "--encoding", "linear")[1]


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(command, refused, tmp_path):
    good = save(tmp_path / "good.png", np.full((20, 20, 3), 0.5))
    missing = tmp_path / "missing.png"
    assert str(missing) in refused("check", missing)
    code, printed, err = command("check", missing, good)
    assert code == 2
    assert f"{good}: nothing found" in printed
    assert "1 of 2 pictures" in err
    assert "nomodel" in refused("check", good, "--model", "nomodel")
