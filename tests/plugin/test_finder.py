"""The finder goes to what is worst: camera, slider and pin."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.error_maps_widget import ErrorMapsWidget
from napari_gmsr.plugin.layers import add_cube

SHAPE = (31, 40, 60)
TRUTH = SpectralCube(np.full(SHAPE, 0.5), name="scene truth")


def wrong_at(*places, name="scene [photo]"):
    """Make a cube that is wrong at (band, y, x) by so much, and a little beside it."""
    data = np.full(SHAPE, 0.5)
    for band, y, x, error in places:
        data[band, y, x] += error
        data[band, y, x + 1] += 0.9 * error
    return SpectralCube(data, name=name)


PHOTO = wrong_at((20, 10, 30, 0.4), (5, 30, 5, 0.2))


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = ErrorMapsWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    yield widget
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def press(widget, qtbot, button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def pins(viewer):
    return [tuple(point) for point in viewer.layers["Pinned spectra"].data]


def test_there_is_nothing_to_find_before_there_is_a_map(viewer, widget, qtbot):
    assert not widget._finder._worst.isEnabled()
    add_cube(viewer, TRUTH)
    add_cube(viewer, PHOTO)
    press(widget, qtbot, widget._show)
    assert widget._finder._worst.isEnabled()
    viewer.layers.clear()
    assert not widget._finder._worst.isEnabled()


def test_worst_and_next_worst_are_shown_apart(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    cube = add_cube(viewer, PHOTO)
    cube.scale = (10, 2, 2)
    cube.translate = (400, 5, 7)
    press(widget, qtbot, widget._show)
    viewer.scene.camera.zoom = 0.1
    press(widget, qtbot, widget._finder._worst)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], [25, 67])
    assert viewer.scene.camera.zoom == 2
    assert viewer.dims.point[0] == 600
    assert pins(viewer) == [(10, 30)]
    assert "RMSE 0.0718 at y 10, x 30 of scene [photo]" in widget._finder._found_label.text()
    viewer.scene.camera.zoom = 30
    press(widget, qtbot, widget._finder._next)
    assert viewer.dims.point[0] == 450
    assert viewer.scene.camera.zoom == 30
    assert pins(viewer) == [(10, 30), (30, 5)]
    press(widget, qtbot, widget._finder._next)
    assert "No other pixel" in widget._finder._found_label.text()
    press(widget, qtbot, widget._finder._worst)
    assert pins(viewer) == [(10, 30), (30, 5)]


def test_of_several_cubes_the_worst_counts(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    worse = wrong_at((8, 35, 50, 0.5), name="scene [rootpoly]")
    widget._predictions.choose([add_cube(viewer, PHOTO), add_cube(viewer, worse)])
    press(widget, qtbot, widget._show)
    press(widget, qtbot, widget._finder._worst)
    assert pins(viewer) == [(35, 50)]
    assert "scene [rootpoly]" in widget._finder._found_label.text()
    assert not viewer.layers["Pinned spectra"].visible  # or it would take a cell of the grid
    press(widget, qtbot, widget._finder._next)
    assert "scene [photo]" in widget._finder._found_label.text()
    press(widget, qtbot, widget._finder._band)
    assert viewer.dims.point[0] == 480
    assert "480 nm of scene [rootpoly]" in widget._finder._found_label.text()
    widget._grid.click()
    assert viewer.layers["Pinned spectra"].visible


def test_on_the_map_of_one_band_the_slider_stays(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    add_cube(viewer, PHOTO)
    viewer.dims.set_current_step(0, 5)
    widget._bands.setCurrentIndex(1)
    press(widget, qtbot, widget._show)
    press(widget, qtbot, widget._finder._worst)
    assert viewer.dims.point[0] == 450
    assert pins(viewer) == [(30, 5)]


def test_lost_bands_are_passed_over(viewer, widget, qtbot):
    data = PHOTO.data.copy()
    data[2] = np.nan
    add_cube(viewer, TRUTH)
    broken = add_cube(viewer, SpectralCube(data, name="broken"))
    viewer.dims.set_current_step(0, 5)
    widget._bands.setCurrentIndex(1)
    press(widget, qtbot, widget._show)
    press(widget, qtbot, widget._finder._band)
    assert viewer.dims.point[0] == 600
    viewer.layers.remove(broken)
    press(widget, qtbot, widget._finder._band)
    press(widget, qtbot, widget._finder._worst)
    assert len(viewer.layers) == 3
