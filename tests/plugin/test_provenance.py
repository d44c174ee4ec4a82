"""Every file that is written says which checkpoint, settings and versions it comes from."""

import csv
import json
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import read_cube, write_cube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.pins import Pins
from napari_gmsr.plugin.spectra_widget import SpectraWidget

PROGRAM = f"napari-gmsr {version('napari-gmsr')}"
ORIGIN = {"model": "photo", "checkpoint_sha256": "ab" * 32, "mode": "whole", "tile": 0}


@pytest.fixture
def cube():
    data = np.random.default_rng(0).uniform(0.1, 0.9, (31, 12, 14)).astype(np.float32)
    return SpectralCube(data, name="wall", provenance=ORIGIN)


def content_of(path):
    files = [path, *path.parent.glob(f"{path.stem}.img")] if path.is_file() else path.rglob("*")
    return b"".join(file.read_bytes() for file in files if file.is_file())


@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".hdr", ".mat", ".npz"])
def test_cubes(cube, tmp_path, suffix):
    path = write_cube(cube, tmp_path / f"wall{suffix}")
    assert read_cube(path).provenance == ORIGIN
    content = content_of(path)
    # MATLAB's text has two bytes a character, NumPy's four.
    forms = [PROGRAM.encode(form) for form in ("ascii", "utf-16-le", "utf-32-le")]
    assert any(form in content for form in forms)


@pytest.mark.gui
def test_tables_and_plots_of_spectra(cube, make_napari_viewer, tmp_path, qtbot):
    viewer = make_napari_viewer(show=True)
    layer = add_cube(viewer, cube)
    widget = SpectraWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Spectra")
    pins = Pins(viewer)
    pins.start()
    pins.add(layer, 3, 4)
    pins.stop()
    qtbot.waitUntil(lambda: bool(widget.plot.spectra), timeout=30_000)
    with widget._write_csv(tmp_path / "spectra.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["checkpoint_sha256"] == "ab" * 32
    assert (row["model"], row["mode"], row["written_by"]) == ("photo", "whole", PROGRAM)
    with Image.open(widget._write_figure(tmp_path / "spectra.png")) as png:
        assert png.text["Software"] == PROGRAM
        assert json.loads(png.text["Description"]) == {"wall": ORIGIN}
    svg = widget._write_figure(tmp_path / "spectra.svg").read_text()
    assert PROGRAM in svg
    assert "ab" * 32 in svg
