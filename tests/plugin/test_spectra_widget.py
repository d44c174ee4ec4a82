"""Pointing at pixels: what is drawn, pinned, moved, saved and said."""

import csv
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pyqtgraph as pg
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from napari.utils.theme import get_theme
from PIL import Image as PILImage
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_widget import SpectraWidget

SHAPE = (31, 20, 30)


@dataclass
class FakeEvent:
    """A mouse event as napari hands it to callbacks."""

    position: tuple[float, ...]
    type: str = "mouse_press"
    pos: tuple[float, float] = (100, 100)
    button: int = 1
    modifiers: tuple[str, ...] = ()
    is_dragging: bool = False


def click(widget, viewer, y, x, moves=(), **kwargs):
    """Press, move over canvas positions, release: as napari steps through a mouse callback."""
    event = FakeEvent((550.0, y, x), **kwargs)
    steps = widget.pointer.on_press(viewer, event)
    next(steps, None)
    event.type = "mouse_move"
    for event.pos in moves:
        next(steps, None)
    event.type = "mouse_release"
    next(steps, None)


def drawn(plot):
    """Return the values of the curves that show something."""
    values = [curve.getData()[1] for curve in plot.curves]
    return [value for value in values if value is not None and value.size]


def cube(name="lemon [photo]", seed=0, shape=SHAPE, wavelengths=None):
    data = np.random.default_rng(seed).random(shape, dtype=np.float32)
    wavelengths = np.linspace(400, 700, shape[0]) if wavelengths is None else wavelengths
    return SpectralCube(data, wavelengths, name=name)


def last_notification():
    return notification_manager.records[-1].message


@pytest.fixture
def viewer(qapp):
    notification_manager.records.clear()
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def pins_layer(viewer):
    return next(layer for layer in viewer.layers if layer.name == "Pinned spectra")


def test_an_empty_viewer_says_what_to_do(viewer, widget):
    assert "Open a cube or run Reconstruct" in widget._hint.text()
    assert widget._hint.isVisible()
    click(widget, viewer, 3, 4)
    assert widget.pinned == []
    assert not widget.clear.isEnabled()


def test_a_click_pins_the_pixels_spectrum(viewer, widget):
    lemon = cube()
    add_cube(viewer, lemon)
    click(widget, viewer, 3.4, 4.6)
    click(widget, viewer, 10, 20)
    first, second = widget.pinned
    assert (first.y, first.x, second.y, second.x) == (3, 5, 10, 20)
    np.testing.assert_array_equal(first.response, lemon.data[:, 3, 5])
    np.testing.assert_array_equal(second.response, lemon.data[:, 10, 20])
    assert first.color != second.color
    np.testing.assert_array_equal(pins_layer(viewer).data, [[3, 5], [10, 20]])
    np.testing.assert_array_equal(drawn(widget.plot.responses), [first.response, second.response])
    assert widget.plot.legend.texts == ["y 3, x 5", "y 10, x 20"]


@pytest.mark.parametrize(
    ("event", "pins"),
    [
        ({"moves": [(140, 100)]}, 0),
        ({"moves": [(102, 101)]}, 1),
        ({"button": 2}, 0),
        ({"modifiers": ("Shift",)}, 0),
    ],
    ids=["drag", "shaky hand", "right button", "with Shift"],
)
def test_only_a_plain_click_pins(viewer, widget, event, pins):
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4, **event)
    assert len(widget.pinned) == pins


def test_a_tool_in_hand_keeps_its_clicks(viewer, widget):
    add_cube(viewer, cube())
    labels = viewer.add_labels(np.zeros(SHAPE[1:], int))
    labels.mode = "paint"
    click(widget, viewer, 3, 4)
    assert widget.pinned == []


def test_a_click_beside_the_picture_pins_nothing(viewer, widget):
    add_cube(viewer, cube())
    click(widget, viewer, -3, 4)
    assert widget.pinned == []


def test_hovering_previews_and_says_where(viewer, widget, qtbot):
    add_cube(viewer, cube())
    widget.pointer.on_move(viewer, FakeEvent((550, 7, 8)))
    qtbot.waitUntil(lambda: "y 7, x 8" in widget.readout.text())
    (preview,) = drawn(widget.plot.responses)
    np.testing.assert_array_equal(preview, viewer.layers[0].data[:, 7, 8])
    widget.pointer.on_move(viewer, FakeEvent((550, 9, 9), is_dragging=True))
    widget.pointer.on_move(viewer, FakeEvent((550, -9, 9)))
    qtbot.waitUntil(lambda: widget.readout.text() == "")
    assert drawn(widget.plot.responses) == []
    assert widget.pinned == []


def test_moving_recolouring_and_deleting_points_does_the_same_to_curves(viewer, widget):
    layer = add_cube(viewer, cube())
    for y in (1, 2, 3):
        click(widget, viewer, y, 4)
    points = pins_layer(viewer)
    points.data = np.array([[1, 4], [2, 9], [3, 4]])
    np.testing.assert_array_equal(widget.pinned[1].response, layer.data[:, 2, 9])
    points.selected_data = {0}
    points.remove_selected()
    assert [(pin.y, pin.x) for pin in widget.pinned] == [(2, 9), (3, 4)]
    points.face_color = ["#123456", "#abcdef"]
    points.events.face_color()
    assert [pin.color for pin in widget.pinned] == ["#123456", "#abcdef"]
    points.add([[5, 6]])
    assert (widget.pinned[-1].y, widget.pinned[-1].x) == (5, 6)


def test_errors_against_the_truth_by_hand(viewer, widget):
    truth = np.zeros((2, 4, 5), np.float32)
    truth[:, 1, 2] = 0.3, 0.4
    prediction = np.zeros_like(truth)
    prediction[:, 1, 2] = 0.4, 0.3
    wavelengths = np.array([500.0, 600.0])
    add_cube(viewer, SpectralCube(truth, wavelengths, name="scene truth"))
    add_cube(viewer, SpectralCube(prediction, wavelengths, name="scene [photo]"))
    assert widget.choices.prediction.layer.name == "scene [photo]"
    assert widget.choices.truth.layer.name == "scene truth"
    click(widget, viewer, 1, 2)
    (pin,) = widget.pinned
    assert pin.rmse == pytest.approx(0.1)
    assert pin.angle_deg == pytest.approx(np.degrees(np.arccos(0.24 / 0.25)))
    np.testing.assert_allclose(pin.residual, [0.1, -0.1], atol=1e-7)
    assert "0.1000" in widget.readout.text()
    assert "16.26°" in widget.readout.text()
    np.testing.assert_array_equal(drawn(widget.plot.residuals), [pin.residual])


@pytest.mark.parametrize(
    ("other", "fix"),
    [
        (cube("other", shape=(31, 20, 31)), "crop"),
        (cube("other", wavelengths=np.linspace(410, 710, 31)), "resample"),
    ],
    ids=["size", "wavelengths"],
)
def test_a_truth_that_does_not_fit_is_refused_with_the_fix(viewer, widget, other, fix):
    add_cube(viewer, other)
    add_cube(viewer, cube())
    assert widget.choices.truth.layer is None
    widget.choices.truth.choose(viewer.layers[0])
    assert widget.choices.truth.layer is None
    assert fix in last_notification()
    assert "other" in last_notification()


def test_a_radius_averages_pins(viewer, widget):
    lemon = cube()
    add_cube(viewer, lemon)
    click(widget, viewer, 0, 10)
    widget.choices.radius.setValue(2)
    expected = lemon.data[:, :3, 8:13].mean(axis=(1, 2))
    np.testing.assert_allclose(widget.pinned[0].response, expected, rtol=1e-5)


def test_the_line_follows_the_slider_in_nm(viewer, widget):
    add_cube(viewer, cube(shape=(4, 5, 6), wavelengths=np.array([400.0, 410.0, 500.0, 700.0])))
    for band, nm in enumerate((400, 410, 500, 700)):
        viewer.dims.set_current_step(0, band)
        assert widget.plot.lines[0].value() == nm


def test_new_numbers_in_the_layer_redraw_the_curve(viewer, widget):
    layer = add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    layer.data = layer.data / 2
    np.testing.assert_array_equal(widget.pinned[0].response, layer.data[:, 3, 4])


def test_layers_that_go_take_their_curves_along(viewer, widget):
    add_cube(viewer, cube("first"))
    add_cube(viewer, cube("second", seed=1))
    click(widget, viewer, 3, 4)
    assert widget.pinned[0].cube == "second"
    viewer.layers.remove("second")
    assert widget.pinned[0].cube == "first"
    widget.clear.click()
    assert widget.pinned == []
    assert [layer.name for layer in viewer.layers] == ["first"]
    viewer.layers.clear()
    assert "Open a cube" in widget._hint.text()


def test_a_closed_dock_leaves_the_viewer_alone_and_pins_outlive_it(viewer, widget):
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    widget.hide()
    assert widget.pointer.on_move not in viewer.mouse_move_callbacks
    assert widget.pointer.on_press not in viewer.mouse_drag_callbacks
    pins_layer(viewer).add([[7, 7]])
    viewer.dims.set_current_step(0, 3)
    widget.show()
    assert [(pin.y, pin.x) for pin in widget.pinned] == [(3, 4), (7, 7)]
    assert widget.plot.lines[0].value() == 430


def test_plots_follow_the_theme_and_leave_pyqtgraphs_defaults(viewer, widget):
    before = dict(pg.CONFIG_OPTIONS)
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    for name in ("light", "dark"):
        viewer.theme = name
        expected = QColor(str(get_theme(name).background))
        assert widget.plot.backgroundBrush().color() == expected
    assert before == pg.CONFIG_OPTIONS


def answer(monkeypatch, path, kind=""):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(path), kind))


def test_spectra_are_saved_as_a_table(viewer, widget, monkeypatch, tmp_path):
    add_cube(viewer, cube("truth", seed=1))
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    click(widget, viewer, 5, 6)
    answer(monkeypatch, tmp_path / "lemon", "Table (*.csv)")
    widget.save_csv.click()
    with (tmp_path / "lemon.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 62
    assert {row["cube"] for row in rows} == {"lemon [photo]"}
    np.testing.assert_array_equal(
        [float(row["wavelength_nm"]) for row in rows[:31]], range(400, 701, 10)
    )
    second = widget.pinned[1]
    np.testing.assert_array_equal(
        np.array([row["response"] for row in rows[31:]], np.float32), second.response
    )
    np.testing.assert_array_equal(
        np.array([row["truth"] for row in rows[31:]], np.float32), second.truth
    )
    assert float(rows[31]["rmse"]) == second.rmse
    assert float(rows[31]["spectral_angle_deg"]) == second.angle_deg


@pytest.mark.parametrize("how", ["leaves the canvas", "drags"])
def test_the_preview_ends_when_the_mouse(viewer, widget, qtbot, how):
    lemon = cube()
    add_cube(viewer, lemon)
    add_cube(viewer, cube("lemon truth", seed=1))
    click(widget, viewer, 3, 4)
    viewer.mouse_over_canvas = True
    widget.pointer.on_move(viewer, FakeEvent((550, 7, 8)))
    qtbot.waitUntil(lambda: "y 7, x 8" in widget.readout.text())
    assert len(drawn(widget.plot.responses)) == 4
    if how == "drags":
        widget.pointer.on_move(viewer, FakeEvent((550, 9, 9), is_dragging=True))
    else:
        viewer.mouse_over_canvas = False
    assert "y 3, x 4" in widget.readout.text()
    np.testing.assert_array_equal(drawn(widget.plot.responses)[0], lemon.data[:, 3, 4])
    assert len(drawn(widget.plot.responses)) == 2


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_figures_are_saved_on_white_whatever_the_theme(
    viewer, widget, monkeypatch, tmp_path, suffix
):
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    path = tmp_path / f"lemon{suffix}"
    answer(monkeypatch, path)
    widget.save_figure.click()
    if suffix == ".png":
        with PILImage.open(path) as picture:
            assert picture.convert("RGB").getpixel((1, picture.height - 2)) == (255, 255, 255)
            assert picture.width == 3 * widget.plot.width()
    else:
        texts = "".join(ElementTree.parse(path).getroot().itertext())
        assert "Wavelength (nm)" in texts
        assert "Residual" in texts
    theme = QColor(str(get_theme(viewer.theme).background))
    assert widget.plot.backgroundBrush().color() == theme


@pytest.mark.parametrize(("name", "fix"), [("no/lemon.png", "folder"), ("lemon.doc", ".svg")])
def test_what_cannot_be_saved_is_said_and_leaves_nothing(
    viewer, widget, monkeypatch, tmp_path, name, fix
):
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    answer(monkeypatch, tmp_path / name)
    widget.save_figure.click()
    assert fix in last_notification()
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_dialog_saves_nothing(viewer, widget, monkeypatch, tmp_path):
    add_cube(viewer, cube())
    click(widget, viewer, 3, 4)
    answer(monkeypatch, "")
    widget.save_csv.click()
    assert notification_manager.records == []


def test_every_control_has_a_tooltip_and_fits_a_narrow_dock(viewer, widget):
    add_cube(viewer, cube("a very long name of a layer, as pictures from cameras have them " * 3))
    controls = (
        widget.choices.prediction,
        widget.choices.truth,
        widget.choices.radius,
        widget.plot,
        widget.readout,
        widget.save_csv,
        widget.save_figure,
        widget.clear,
    )
    assert all(control.toolTip() for control in controls)
    assert widget.minimumSizeHint().width() <= 350


def test_a_narrowed_dock_shows_the_whole_wavelength_axis(viewer, widget):
    add_cube(viewer, cube())
    widget.resize(900, 600)
    widget.show()
    for x in range(6):
        click(widget, viewer, 3, x)
    widget.resize(340, 600)
    QApplication.processEvents()
    plot = widget.findChild(pg.GraphicsLayoutWidget)
    assert plot.ci.geometry().width() <= plot.width()


@pytest.mark.gui
def test_the_mouse_in_a_real_window(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    widget = SpectraWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Spectra")
    lemon = cube()
    viewer.add_image(lemon.data, name="lemon")
    qtbot.wait(100)
    canvas = max(
        (w for w in QApplication.allWidgets() if "Canvas" in type(w).__name__ and w.isVisible()),
        key=lambda w: w.width() * w.height(),
    )
    centre = canvas.rect().center()
    QTest.mouseMove(canvas, centre)
    qtbot.waitUntil(lambda: "Pixel" in widget.readout.text())
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=centre)
    qtbot.waitUntil(lambda: len(widget.pinned) == 1)
    (pin,) = widget.pinned
    assert abs(pin.y - 9.5) <= 1.5
    assert abs(pin.x - 14.5) <= 1.5
    np.testing.assert_array_equal(pin.response, lemon.data[:, pin.y, pin.x])
    assert "Pinned spectra" in [layer.name for layer in viewer.layers]

    box, plot = widget.wavelength, widget.plot
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "543")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert viewer.dims.current_step[0] == 14
    responses = plot.responses.vb
    middle = np.mean(responses.viewRange()[1])
    start, end = (
        plot.mapFromScene(responses.mapViewToScene(QPointF(nm, middle))) for nm in (540, 620)
    )
    viewport, left = plot.viewport(), Qt.MouseButton.LeftButton
    QTest.mouseMove(viewport, start)
    qtbot.wait(50)
    QTest.mousePress(viewport, left, pos=start)
    for part in (0.4, 0.7, 1.0):
        QTest.mouseMove(viewport, start + (end - start) * part)
        qtbot.wait(50)
    QTest.mouseRelease(viewport, left, pos=end)
    assert viewer.dims.current_step[0] == 22
    assert box.text() == "620 nm"
