import json

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog

from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import load_comparison
from napari_gmsr.io import write_cube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.pins import Pins
from napari_gmsr.plugin.settings import KeepsSettings
from napari_gmsr.plugin.share_figure_widget import FigureWidget

pytestmark = pytest.mark.gui

SHAPE = (31, 32, 40)  # smaller pictures are no colour pictures to napari


def cube(name, seed=0):
    data = np.random.default_rng(seed).uniform(0.1, 0.9, SHAPE).astype(np.float32)
    return SpectralCube(data, name=name, provenance={"model": name})


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def widget(viewer):
    widget = FigureWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Figure")
    return widget


def saved_as(path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), "Picture (*.png)"))


def wait(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def test_without_a_cube_it_says_what_to_do(widget, viewer):
    assert not widget.save.isEnabled()
    assert "Open a cube" in widget.state.text()
    add_cube(viewer, cube("a"))
    assert widget.save.isEnabled()


def test_every_control_has_a_tooltip(widget):
    for control in (*widget.findChildren(QComboBox), *widget.findChildren(QAbstractButton)):
        if control.isVisible():
            assert control.toolTip(), control


def test_what_is_in_the_window_is_drawn_saved_and_made_again(
    widget, viewer, qtbot, tmp_path, monkeypatch
):
    """Files, pins, bands, picture and truth reach the figure and its record."""
    for name, seed in (("truth", 0), ("near", 1), ("far", 2)):
        write_cube(cube(name, seed), tmp_path / f"{name}.npz")
    pixels = np.random.default_rng(3).integers(0, 256, (*SHAPE[1:], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wall.png")
    viewer.open(tmp_path / "wall.png")
    for name in ("truth", "near", "far"):
        viewer.open(tmp_path / f"{name}.npz", plugin="napari-gmsr")
    near, far = viewer.layers["near"], viewer.layers["far"]
    widget.cubes.choose([near, far])
    pins = Pins(viewer)
    pins.start()
    pins.add(near, 3, 4)
    pins.stop()
    widget.bands.setText("480")
    viewer.dims.set_point(0, 600)
    widget.add_band.click()
    widget.add_band.click()
    assert widget.bands.text() == "480, 600"
    widget.preview.click()
    wait(widget, qtbot)
    assert widget.page.pixmap().width() > 50
    saved_as(tmp_path / "figure", monkeypatch)
    widget.save.click()
    wait(widget, qtbot)
    assert "--again" in widget.state.text()
    comparison, _ = load_comparison(tmp_path / "figure.png.json")
    assert comparison.labels == ("near", "far")
    assert comparison.points == ((3, 4),)
    assert comparison.bands_nm == (480, 600)
    np.testing.assert_array_equal(comparison.truth.data, cube("truth").data)
    np.testing.assert_array_equal(comparison.rgb.data, pixels.astype(np.float32) / 255)


def test_cubes_without_a_file_are_named(widget, viewer, qtbot, tmp_path, monkeypatch):
    path = write_cube(cube("edited"), tmp_path / "edited.npz")
    viewer.open(path, plugin="napari-gmsr")
    layer = viewer.layers["edited"]
    layer.data = layer.data / 2
    widget.points.setCurrentText("none")
    saved_as(tmp_path / "figure.png", monkeypatch)
    widget.save.click()
    wait(widget, qtbot)
    assert "must be saved to files first: edited" in widget.state.text()
    record = json.loads((tmp_path / "figure.png.json").read_text())
    assert record["cubes"][0]["file"] is None
    assert record["points"] == []


def test_mistakes_are_told(widget, viewer, qtbot):
    add_cube(viewer, cube("a"))
    widget.bands.setText("green")
    widget.preview.click()
    assert "no wavelengths" in str(notification_manager.records[-1].message)
    widget.bands.setText("")
    viewer.layers["a"].data = np.full(SHAPE, np.nan, np.float32)
    widget.preview.click()
    wait(widget, qtbot)
    assert "NaN" in str(notification_manager.records[-1].message)


def test_settings_are_kept(widget, viewer):
    for name in ("truth", "a", "b"):
        add_cube(viewer, cube(name))
    assert isinstance(widget, KeepsSettings)
    widget.cubes.choose([viewer.layers["a"]])
    widget.truth.choose(None)
    widget.bands.setText("500")
    widget.points.setCurrentText("none")
    widget.error_max.setValue(0.2)
    saved = json.loads(json.dumps(widget.saved_settings()))
    other = FigureWidget(viewer)
    other.restore_settings(saved | {"unknown": 1, "picture": ["of another type"]})
    assert other.saved_settings() == saved
    other.restore_settings({"cubes": ["gone"], "points": "gone", "error_max": "high"})
    assert other.saved_settings() == saved
    other.close()
