"""The demo from end to end: the shipped checkpoint, and a real window on a virtual display."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_gmsr.io import read_cube, read_rgb

DEMO = Path(__file__).resolve().parents[1] / "scripts" / "demo.py"


@pytest.mark.gui
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="virtual displays are Linux's")
def test_demo_writes_what_it_says_and_replaces_what_was_there(tmp_path):
    (tmp_path / "figure.png").write_text("from an earlier run")
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: value for name, value in os.environ.items() if name not in screens}
    process = subprocess.run(
        [sys.executable, DEMO, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for path in tmp_path.iterdir():
        assert str(path) in process.stdout

    cube, truth = read_cube(tmp_path / "scene.zarr"), read_cube(tmp_path / "scene-truth.zarr")
    assert cube.shape == truth.shape
    assert read_cube(tmp_path / "photograph.zarr").shape[0] == 31
    # The truth's deviation is the error of knowing nothing but its mean.
    assert np.sqrt(np.mean((cube.data - truth.data) ** 2)) < 0.5 * truth.data.std()

    assert read_rgb(tmp_path / "figure.png").shape[1] > 1000
    window = read_rgb(tmp_path / "window.png")
    assert window.shape == (1000, 1600)
    # The scene's error map is the window's only picture in saturated blue.
    red, green, blue = np.moveaxis(window.data, -1, 0)
    assert np.count_nonzero((blue > 0.8) & (red < 0.4) & (green < 0.6)) > 1000
