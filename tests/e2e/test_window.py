"""The main job in one real window, with the mouse and the keyboard, from picture to saved cube."""

import csv
import gc
import subprocess
import sys

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.notifications import notification_manager
from napari.utils.theme import get_theme
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QColor, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QWidget

from napari_gmsr.evaluate.maps import PAPER_COLORMAP
from napari_gmsr.plugin.band_readout import BandReadout
from napari_gmsr.plugin.spectra_plot import SpectraPlot

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SCENE, TRUTH, CUBE = (
    "astronaut (simulated)",
    "astronaut (simulated) truth",
    "astronaut (simulated) [photo]",
)
PIXEL = (150, 200)


class Window:
    """A napari window as a person handles it."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window.resize(1280, 800)
        self.docks = {}

    def open(self, name):
        dock, widget = self.viewer.window.add_plugin_dock_widget("napari-gmsr", name)
        self.docks[name] = dock
        self.qtbot.wait(200)
        return widget

    def to_front(self, name):
        self.docks[name].raise_()
        self.qtbot.wait(200)

    def main(self):
        return next(iter(self.docks.values())).window()

    def canvas(self):
        """Return the widget that OpenGL draws on."""
        (canvas,) = [
            widget
            for widget in self.main().findChildren(QWidget)
            if "CanvasBackend" in type(widget).__name__
        ]
        return canvas

    def child(self, kind):
        return self.main().findChild(kind)

    def at(self, y, x):
        """Return where a picture's pixel is on the canvas."""
        canvas, camera = self.canvas(), self.viewer.scene.camera
        offset = (np.array([y, x]) - camera.center[-2:]) * camera.zoom
        row, column = np.add(offset, (canvas.height() / 2, canvas.width() / 2))
        return QPoint(round(column), round(row))

    def colour(self, y, x):
        """Return the colour that the screen shows at a picture's pixel."""
        picture = self.viewer.screenshot(canvas_only=True, flash=False)
        scale = picture.shape[0] / self.canvas().height()
        point = self.at(y, x) * scale
        return picture[point.y(), point.x(), :3].astype(int)

    def click(self, widget):
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def wait(self, condition, seconds=20):
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=1000 * seconds)

    def drop(self, path):
        """Drop a file on the window."""
        (target,) = [w for w in self.main().findChildren(QWidget) if type(w).__name__ == "QtViewer"]
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDropEvent(
            QPointF(50, 50),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        target.dropEvent(event)  # Qt sends drops only after a drag of its own


@pytest.fixture
def window(make_napari_viewer, qtbot):
    notification_manager.records.clear()
    return Window(make_napari_viewer(show=True), qtbot)


def test_the_main_job(window, tmp_path, monkeypatch):
    viewer = window.viewer
    viewer.open_sample("napari-gmsr", "simulated-scene")
    assert [layer.name for layer in viewer.layers] == [TRUTH, SCENE]

    reconstruct(window)
    slide(window)
    pin(window, tmp_path, monkeypatch)
    map_errors(window)
    switch_theme(window)
    save_and_drop(window, tmp_path)
    messages = [record.message for record in notification_manager.records]
    assert messages == [f"Saved {tmp_path / 'spectra.csv'}"]


def reconstruct(window):
    """Press Run: the cube appears, in nanometres, and the canvas shows its band at 550 nm."""
    viewer = window.viewer
    widget = window.open("Reconstruct")
    window.wait(lambda: widget.plan.text() and widget.run.isEnabled(), 90)
    assert "CPU" in widget.device_reason.text() or "cuda" in widget.device_reason.text()
    window.click(widget.run)
    assert widget.cancel.isEnabled()
    window.wait(lambda: CUBE in viewer.layers, 120)
    layer = viewer.layers[CUBE]
    assert layer.data.shape == (31, *viewer.layers[SCENE].data.shape[:2])
    assert layer.contrast_limits == viewer.layers[TRUTH].contrast_limits
    assert viewer.dims.point[0] == 550
    viewer.reset_view()
    window.qtbot.wait(200)
    check_band_on_canvas(window, 15)


def check_band_on_canvas(window, band):
    """The canvas shows the band's numbers, in the colour that the eye has for the wavelength."""
    layer = window.viewer.layers[CUBE]
    hue = {15: 1, 25: 0}[band]  # 550 nm is green, 650 nm red
    window.wait(lambda: np.argmax(layer.colormap.map(1.0).ravel()[:3]) == hue)
    window.qtbot.wait(200)
    for y, x in (PIXEL, (60, 240), (330, 120)):
        shade = min(1, layer.data[band, y, x] / layer.contrast_limits[1])
        expected = 255 * layer.colormap.map(shade).ravel()[:3]
        assert window.colour(y, x) == pytest.approx(expected, abs=6)


def slide(window):
    """Type a band at the slider: canvas and readout follow."""
    readout = window.child(BandReadout)
    assert readout.wavelength.text() == "550 nm"
    lines = window.main().findChildren(QLineEdit)
    (label,) = [line for line in lines if line.text() == "15" and line.isVisible()]
    label.setFocus()
    label.selectAll()
    QTest.keyClicks(label, "25")
    QTest.keyClick(label, Qt.Key.Key_Return)
    window.wait(lambda: readout.wavelength.text() == "650 nm")
    check_band_on_canvas(window, 25)


def pin(window, folder, monkeypatch):
    """Point at a pixel, click it, move on: curves with truth, and a table of them."""
    viewer = window.viewer
    layer, truth = viewer.layers[CUBE], viewer.layers[TRUTH]
    widget = window.open("Spectra")
    viewer.reset_view()
    window.qtbot.wait(200)
    canvas = window.canvas()
    y, x = PIXEL
    QTest.mouseMove(canvas, window.at(y, x + 9))
    QTest.mouseMove(canvas, window.at(y, x))
    window.wait(lambda: f"y {y}, x {x}" in widget.readout.text())
    np.testing.assert_array_equal(curves(widget)[0], layer.data[:, y, x])
    QTest.mouseClick(
        canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, window.at(y, x)
    )
    (pinned,) = widget.pinned
    assert (pinned.y, pinned.x) == PIXEL
    np.testing.assert_array_equal(pinned.truth, truth.data[:, y, x])
    assert f"RMSE <b>{pinned.rmse:.4f}" in widget.readout.text()
    shown = QColor(*map(int, window.colour(y, x)))
    assert near(shown, QColor(pinned.color))
    QTest.mouseMove(canvas, window.at(60, 240))
    window.wait(lambda: "y 60, x 240" in widget.readout.text())
    assert len(curves(widget)) == 4
    viewer.mouse_over_canvas = False
    np.testing.assert_array_equal(curves(widget)[0], layer.data[:, y, x])
    assert len(curves(widget)) == 2

    widget.choices.radius.setValue(2)
    np.testing.assert_allclose(
        widget.pinned[0].response, layer.data[:, y - 2 : y + 3, x - 2 : x + 3].mean((1, 2)), 1e-5
    )
    path = folder / "spectra.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), "Table (*.csv)"))
    window.click(widget.save_csv)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [float(row["wavelength_nm"]) for row in rows] == [*range(400, 701, 10)]
    assert {(row["y"], row["x"]) for row in rows} == {(str(y), str(x))}


def curves(widget):
    values = [curve.getData()[1] for curve in widget.plot.responses.curves]
    return [value for value in values if value is not None and value.size]


def near(one, other):
    pairs = zip(one.getRgb(), other.getRgb(), strict=True)
    return all(abs(a - b) < 40 for a, b in pairs)


def map_errors(window):
    """Press Show: the heatmap has the paper's colours, below the pin, and the tables are filled."""
    viewer = window.viewer
    widget = window.open("Error maps")
    window.click(widget._show)
    window.wait(lambda: not widget.busy and widget._tables.isVisible(), 60)
    layer = viewer.layers[f"{CUBE} RMSE"]
    assert viewer.layers.index(layer) < viewer.layers.index(viewer.layers["Pinned spectra"])
    error = viewer.layers[CUBE].data - viewer.layers[TRUTH].data
    np.testing.assert_allclose(layer.data, np.sqrt(np.square(error).mean(0)), rtol=1e-4)
    assert layer.colormap.name == PAPER_COLORMAP
    viewer.reset_view()
    window.qtbot.wait(200)
    red, green, blue = (
        255 * layer.colormap.map(layer.data[60, 240] / layer.contrast_limits[1])[0][:3]
    )
    assert window.colour(60, 240) == pytest.approx([red, green, blue], abs=12)
    table = widget._tables.tables["standard"]
    assert float(table.item(0, 0).text()) == pytest.approx(np.sqrt(np.square(error).mean()), 0.05)


def switch_theme(window):
    """The plot takes on the light theme."""
    window.to_front("Spectra")
    window.viewer.theme = "light"
    window.qtbot.wait(200)
    picture = window.child(SpectraPlot).grab().toImage()
    expected = QColor(str(get_theme("light").background))
    assert near(picture.pixelColor(2, picture.height() - 3), expected)


def save_and_drop(window, folder):
    """Save the cube as File > Save does, and drop the file: the same cube comes back."""
    viewer = window.viewer
    layer = viewer.layers[CUBE]
    viewer.layers.selection = {layer}
    path = folder / "cube.mat"
    assert viewer.layers.save(str(path), selected=True, plugin="napari-gmsr") == [str(path)]
    before = set(viewer.layers)
    window.drop(path)
    (again,) = set(viewer.layers) - before
    assert isinstance(again, Image)
    np.testing.assert_array_equal(again.data, layer.data)
    np.testing.assert_allclose(again.translate, layer.translate)
    np.testing.assert_allclose(again.scale, layer.scale)


def test_the_windows_process_never_loads_torch():
    """The same journey in a process of its own: others' tests load torch into this one."""
    code = (
        "import sys, pytest\n"
        "failed = pytest.main([sys.argv[1], '-q', '-p', 'no:cacheprovider'])\n"
        "heavy = {'torch'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else int(failed))\n"
    )
    journey = f"{__file__}::{test_the_main_job.__name__}"
    run = subprocess.run(
        [sys.executable, "-c", code, journey], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_run_outlives_its_dock_and_ends_with_its_window(window):
    viewer = window.viewer
    viewer.open_sample("napari-gmsr", "photograph")
    widget = window.open("Reconstruct")
    window.wait(lambda: widget.plan.text() and widget.run.isEnabled(), 90)
    widget.ensemble.setChecked(True)
    window.wait(lambda: "8 runs" in widget.plan.text(), 60)
    window.click(widget.run)
    controller = widget.controller
    window.click(close_button(window.docks["Reconstruct"]))
    assert controller.running
    again = window.open("Reconstruct")
    assert again.cancel.isEnabled()
    window.click(again.cancel)
    window.wait(lambda: not controller.running, 60)
    assert [layer.name for layer in viewer.layers] == ["coffee"]
    window.click(again.run)
    (run,) = controller._run
    gc.disable()  # closing is enough: it must not wait for Python to collect the window
    try:
        viewer.close()
        window.wait(lambda: run.job.is_cancelled() or run.job.end)
        assert run.job.is_cancelled(), run.job.end
    finally:
        gc.enable()


def close_button(dock):
    return dock.findChild(QPushButton, "QTitleBarCloseButton")
