"""Similarity: a click maps the spectral angle to that pixel, in one layer a cube."""

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.similarity_widget import SimilarityWidget
from napari_gmsr.spectra import similarity_map

RNG = np.random.default_rng(0)
CUBE = SpectralCube(RNG.random((31, 10, 14), dtype=np.float32), name="lemon")


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = SimilarityWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    yield widget
    wait(widget, qtbot)


def wait(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def click(widget, qtbot, world):
    """Click the picture, as the pointer tells it."""
    widget._pointer.clicked.emit(world)
    wait(widget, qtbot)


def maps(viewer):
    return [layer for layer in viewer.layers if layer.ndim == 2]


def test_no_cube_no_map(viewer, widget, qtbot):
    click(widget, qtbot, (0.0, 3.0, 4.0))
    assert not widget._show.isEnabled()
    assert "Open a cube" in widget._state.text()
    assert len(viewer.layers) == 0


def test_a_click_maps_the_angle_and_the_next_moves_it(viewer, widget, qtbot):
    cube = add_cube(viewer, CUBE)
    cube.scale = (10, 2, 2)
    viewer.layers.selection = {cube}
    click(widget, qtbot, (500.0, 6.2, 7.9))
    (layer,) = maps(viewer)
    np.testing.assert_array_equal(layer.data, similarity_map(CUBE, CUBE.data[:, 3, 4]))
    assert layer.data[3, 4] == pytest.approx(0, abs=1e-4)
    np.testing.assert_array_equal(layer.scale, [2, 2])
    assert layer.name == "lemon like y 3, x 4"
    assert viewer.layers.selection == {cube}
    bright, dark = layer.colormap.map(np.array([0.0, 1.0]))[:, :3].sum(axis=1)
    assert bright > dark
    layer.colormap = "viridis"
    click(widget, qtbot, (500.0, 0.0, 26.0))
    assert maps(viewer) == [layer]
    np.testing.assert_array_equal(layer.data, similarity_map(CUBE, CUBE.data[:, 0, 13]))
    assert layer.colormap.name == "viridis"
    click(widget, qtbot, (500.0, 0.0, 99.0))  # beside the picture
    assert layer.name == "lemon like y 0, x 13"


def test_the_keyboard_does_without_the_mouse(viewer, widget, qtbot):
    add_cube(viewer, CUBE)
    widget._row.setValue(5)
    widget._column.setValue(6)
    wait(widget, qtbot)
    assert maps(viewer) == []
    widget._show.setFocus()
    QTest.keyClick(widget._show, Qt.Key.Key_Space)
    wait(widget, qtbot)
    (layer,) = maps(viewer)
    widget._radius.setValue(1)
    wait(widget, qtbot)
    np.testing.assert_array_equal(layer.data, similarity_map(CUBE, CUBE.spectrum(5, 6, 1)))
    widget._scale.setValue(40)
    assert layer.contrast_limits == [0, 40]


def test_the_map_follows_the_cubes_numbers(viewer, widget, qtbot):
    cube = add_cube(viewer, CUBE)
    click(widget, qtbot, (500.0, 3.0, 4.0))
    cube.data = CUBE.data[::-1] ** 2
    wait(widget, qtbot)
    (layer,) = maps(viewer)
    np.testing.assert_array_equal(layer.data, similarity_map(cube.data, cube.data[:, 3, 4]))


@pytest.mark.parametrize("removed", ["cube", "map"])
def test_layers_removed_meanwhile_stay_away(viewer, widget, qtbot, removed):
    cube = add_cube(viewer, CUBE)
    click(widget, qtbot, (500.0, 3.0, 4.0))
    widget._radius.setValue(2)
    viewer.layers.remove(cube if removed == "cube" else maps(viewer)[0])
    wait(widget, qtbot)
    widget._radius.setValue(3)
    wait(widget, qtbot)
    assert len(viewer.layers) == 1


@pytest.mark.parametrize(
    ("data", "nm"),
    [
        (RNG.random((5, 6, 7)), np.linspace(450, 650, 5)),
        (dask.array.random.random((204, 6, 7)), np.linspace(400, 1000, 204)),
        (RNG.random((4, 6, 7)), np.array([600.0, 420, 700, 550])),
        (np.where(np.arange(31)[:, None, None] == 4, np.nan, np.ones((31, 6, 7))), None),
    ],
    ids=["5 bands", "204 on dask", "out of order", "a lost band"],
)
def test_any_cube_will_do(viewer, widget, qtbot, data, nm):
    metadata = {} if nm is None else {"wavelengths_nm": nm.tolist()}
    viewer.add_image(data, metadata=metadata, contrast_limits=(0, 1))
    click(widget, qtbot, (400.0, 2.0, 3.0))
    (layer,) = maps(viewer)
    assert layer.data.shape == (6, 7)
    assert layer.data[2, 3] == pytest.approx(0, abs=1e-3)
    assert np.isfinite(layer.data).all()


def test_a_hidden_dock_takes_no_clicks(viewer, widget):
    takes_clicks = widget._pointer.on_press
    assert takes_clicks in viewer.mouse_drag_callbacks
    widget.hide()
    assert takes_clicks not in viewer.mouse_drag_callbacks
    widget.show()


def test_settings_come_back(viewer, widget, qtbot):
    add_cube(viewer, CUBE)
    widget._row.setValue(7)
    widget._scale.setValue(33)
    saved = widget.saved_settings()
    other = SimilarityWidget(viewer)
    qtbot.addWidget(other)
    other.restore_settings(saved)
    assert (other._row.value(), other._scale.value()) == (7, 33)
