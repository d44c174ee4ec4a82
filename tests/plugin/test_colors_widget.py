"""Colours: a layer that is the cube's picture, live, whatever happens to the cube."""

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_gmsr.color import false_color, list_illuminants, true_color
from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.band_colors import band_colors
from napari_gmsr.plugin.colors_widget import LIGHTS, ColorsWidget
from napari_gmsr.plugin.layers import add_cube

CUBE = SpectralCube(np.random.default_rng(0).random((31, 12, 16), dtype=np.float32), name="lemon")


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = ColorsWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    yield widget
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def wait(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)


def show(widget, qtbot):
    QTest.mouseClick(widget._show, Qt.MouseButton.LeftButton)
    wait(widget, qtbot)


def colors(viewer):
    (layer,) = (layer for layer in viewer.layers if getattr(layer, "rgb", False))
    return layer


def choose_light(widget, name):
    widget._light.setCurrentIndex([known for known, _ in LIGHTS].index(name))


def test_every_light_is_one_that_is_tabulated():
    names = [name for name, _ in LIGHTS if name is not None]
    assert set(names) <= set(list_illuminants())


def test_no_cube_no_button(viewer, widget):
    assert not widget._show.isEnabled()
    assert "Open a cube" in widget._state.text()
    add_cube(viewer, CUBE)
    assert widget._show.isEnabled()


def test_moving_through_the_lights_relights_the_layer_in_place(viewer, widget, qtbot):
    cube = add_cube(viewer, CUBE)
    cube.scale = (10, 2, 2)
    viewer.layers.selection = {cube}
    show(widget, qtbot)
    layer = colors(viewer)
    np.testing.assert_array_equal(layer.data, true_color(CUBE))
    np.testing.assert_array_equal(layer.scale, [2, 2])
    assert viewer.layers.selection == {cube}
    widget._light.setFocus()
    for light in ("D50", "D75", "A"):
        QTest.keyClick(widget._light, Qt.Key.Key_Down)
        wait(widget, qtbot)
        np.testing.assert_array_equal(layer.data, true_color(CUBE, illuminant=light))
    assert colors(viewer) is layer
    assert layer.name == "lemon under A"
    widget._adapted.click()
    wait(widget, qtbot)
    np.testing.assert_array_equal(layer.data, true_color(CUBE, illuminant="A", adapted=True))


def test_pointing_at_a_light_shows_it_until_the_list_is_closed(viewer, widget, qtbot):
    add_cube(viewer, CUBE)
    show(widget, qtbot)
    widget._light.showPopup()
    widget._light.highlighted.emit(3)
    wait(widget, qtbot)
    np.testing.assert_array_equal(colors(viewer).data, true_color(CUBE, illuminant="A"))
    widget._light.hidePopup()
    wait(widget, qtbot)
    np.testing.assert_array_equal(colors(viewer).data, true_color(CUBE))


def test_exposure_by_hand_and_by_the_highlights(viewer, widget, qtbot):
    dim = SpectralCube(CUBE.data / 20, name="dim")
    add_cube(viewer, dim)
    choose_light(widget, None)
    show(widget, qtbot)
    widget._stops.setValue(2)
    wait(widget, qtbot)
    np.testing.assert_array_equal(colors(viewer).data, true_color(dim, illuminant=None, exposure=4))
    widget._auto.click()
    wait(widget, qtbot)
    assert widget._stops.value() > 2
    automatic = true_color(dim, illuminant=None, exposure="auto")
    np.testing.assert_array_equal(colors(viewer).data, automatic)


def test_false_colour_takes_any_three_bands(viewer, widget, qtbot):
    add_cube(viewer, CUBE)
    widget._kind.setCurrentIndex(1)
    assert not widget._light.isVisible()
    assert widget._bands[0].isVisible()
    show(widget, qtbot)
    np.testing.assert_array_equal(colors(viewer).data, false_color(CUBE))
    for box, nm in zip(widget._bands, (604, 448, 700), strict=True):
        box.setValue(nm)
    widget._stretch.click()
    wait(widget, qtbot)
    expected = false_color(CUBE, (604, 448, 700), stretch=None)
    np.testing.assert_array_equal(colors(viewer).data, expected)
    assert widget._state.text() == "Red is the band at 600 nm, green 450 nm, blue 700 nm."


def test_the_layer_follows_the_cubes_numbers_and_not_while_hidden(viewer, widget, qtbot):
    cube = add_cube(viewer, CUBE)
    show(widget, qtbot)
    cube.data = CUBE.data / 2
    wait(widget, qtbot)
    half = true_color(CUBE.data / 2)
    np.testing.assert_array_equal(colors(viewer).data, half)
    widget.hide()
    cube.data = CUBE.data / 4
    assert not widget.busy
    widget.show()
    choose_light(widget, "E")
    wait(widget, qtbot)
    expected = true_color(CUBE.data / 4, illuminant="E")
    np.testing.assert_array_equal(colors(viewer).data, expected)


@pytest.mark.parametrize("removed", ["cube", "colours"])
def test_a_layer_removed_meanwhile_stays_away(viewer, widget, qtbot, removed):
    cube = add_cube(viewer, CUBE)
    show(widget, qtbot)
    choose_light(widget, "A")
    viewer.layers.remove(cube if removed == "cube" else colors(viewer))
    wait(widget, qtbot)
    widget._stops.setValue(1)
    wait(widget, qtbot)
    assert len(viewer.layers) == 1


@pytest.mark.parametrize(
    ("data", "nm"),
    [
        (np.ones((5, 3, 4), np.float32), np.linspace(450, 650, 5)),
        (dask.array.ones((204, 3, 4), np.float32, chunks=(1, 3, 4)), np.linspace(400, 1000, 204)),
        (np.ones((4, 3, 4), np.float32), np.array([600.0, 420, 700, 550])),
        (np.full((31, 3, 4), np.nan, np.float32), np.arange(400.0, 701, 10)),
    ],
    ids=["5 bands", "204 on dask", "out of order", "NaN"],
)
def test_any_cube_has_colours(viewer, widget, qtbot, data, nm):
    viewer.add_image(data, metadata={"wavelengths_nm": nm.tolist()}, contrast_limits=(0, 1))
    show(widget, qtbot)
    picture = colors(viewer).data
    assert picture.shape == (3, 4, 3)
    assert (picture == (0 if np.isnan(np.asarray(data)).any() else 255)).all()


def test_infrared_has_no_colour_and_says_what_to_do(viewer, widget, qtbot):
    add_cube(viewer, SpectralCube(np.ones((5, 3, 4), np.float32), np.linspace(900, 1700, 5)))
    show(widget, qtbot)
    assert "no band is visible" in widget._state.text()
    assert "false colour" in widget._state.text()
    widget._kind.setCurrentIndex(1)
    show(widget, qtbot)
    assert "900 nm" in widget._state.text()


def test_the_switch_between_colour_and_grey_holds_for_the_viewer(viewer, widget, qtbot):
    cube = add_cube(viewer, CUBE)
    viewer.dims.set_point(0, 600)
    qtbot.waitUntil(lambda: cube.colormap.name == "600 nm")
    widget._perceived.click()
    assert cube.colormap.name == "gray"
    assert not band_colors(viewer).enabled
    widget._perceived.click()
    assert cube.colormap.name == "600 nm"


def test_settings_come_back(viewer, widget, qtbot):
    add_cube(viewer, CUBE)
    choose_light(widget, "FL11")
    widget._stops.setValue(1.5)
    saved = widget.saved_settings()
    other = ColorsWidget(viewer)
    qtbot.addWidget(other)
    other.restore_settings(saved)
    assert (other._light.light, other._stops.value()) == ("FL11", 1.5)
