"""The band by dragging the line, by typing a wavelength, by keys."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube, current_band
from napari_gmsr.plugin.spectra_widget import SpectraWidget

UNEVEN = np.array([400.0, 410, 500, 700])


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def show(viewer, widget, nm=UNEVEN, **metadata):
    data = np.random.default_rng(0).random((len(nm), 5, 6), dtype=np.float32)
    if metadata:
        return viewer.add_image(data, metadata=metadata)
    return add_cube(viewer, SpectralCube(data, nm))


def type_nm(box, text):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("nm", "typed", "reached"),
    [
        (np.arange(400.0, 701, 10), "543", 540),
        (UNEVEN, "543", 500),
        (UNEVEN, "409", 410),
        (UNEVEN, "1200", 700),
        (UNEVEN, "404.9", 400),
    ],
)
def test_a_typed_wavelength_goes_to_the_nearest_band(viewer, widget, nm, typed, reached):
    layer = show(viewer, widget, nm)
    viewer.dims.set_current_step(0, 2)
    type_nm(widget.wavelength, typed)
    assert nm[current_band(layer, viewer.dims)] == reached
    assert widget.wavelength.text() == f"{reached:g} nm"
    assert widget.plot.lines[0].value() == reached


def test_bands_out_of_order_are_stepped_in_order_of_wavelength(viewer, widget):
    layer = show(viewer, widget, wavelengths_nm=[500, 400, 600], nm=UNEVEN[:3])
    type_nm(widget.wavelength, "390")
    assert current_band(layer, viewer.dims) == 1
    QTest.keyClick(widget.wavelength, Qt.Key.Key_Up)
    assert widget.wavelength.text() == "500 nm"
    QTest.keyClick(widget.wavelength, Qt.Key.Key_Up)
    assert widget.wavelength.text() == "600 nm"


def test_arrow_keys_in_the_plot_step_and_stop_at_the_ends(viewer, widget):
    show(viewer, widget)
    keys = Qt.Key
    reached = []
    for key in (keys.Key_Home, keys.Key_Right, keys.Key_Right, keys.Key_Left, keys.Key_End):
        QTest.keyClick(widget.plot, key)
        reached.append(widget.plot.lines[0].value())
    assert reached == [400, 410, 500, 410, 700]
    QTest.keyClick(widget.plot, keys.Key_Right)
    assert widget.plot.lines[0].value() == 700


def test_the_line_is_dragged_with_the_mouse_to_the_nearest_band(viewer, widget, qtbot):
    layer = show(viewer, widget)
    widget._pin((1, 2, 3))
    widget.resize(420, 700)
    viewer.dims.set_current_step(0, 1)
    qtbot.wait(50)
    plot = widget.plot
    box = plot.responses.vb

    def at(nm):
        middle = np.mean(box.viewRange()[1])
        return plot.mapFromScene(box.mapViewToScene(QPointF(nm, middle)))

    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    viewport = plot.viewport()
    QTest.mouseMove(viewport, at(412))
    QTest.mousePress(viewport, left, none, at(412))
    for nm in (440, 470, 490, 495):
        QTest.mouseMove(viewport, at(nm))
        qtbot.wait(10)
    assert UNEVEN[current_band(layer, viewer.dims)] == 500
    QTest.mouseRelease(viewport, left, none, at(495))
    assert plot.lines[0].value() == plot.lines[1].value() == 500
    assert isinstance(at(500), QPoint)


def test_without_a_cube_there_is_no_band(viewer, widget):
    assert widget.wavelength.text() == "– nm"
    type_nm(widget.wavelength, "543")
    assert widget.wavelength.text() == "– nm"
    show(viewer, widget)
    viewer.dims.set_current_step(0, 2)
    assert widget.wavelength.text() == "500 nm"
    viewer.layers.clear()
    assert widget.wavelength.text() == "– nm"
