"""Training from a folder of one's own in a real window, by a real process on the CPU."""

import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.io import write_cube
from napari_gmsr.jobs import attach, list_runs

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SIDE = 24


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user without runs and caches, for this process and those that it starts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    for run in list_runs():
        attach(run.path).kill()


@pytest.fixture
def folder(tmp_path):
    """Pairs of one's own: smooth spectra, and what a camera sees of them."""
    rng = np.random.default_rng(3)
    nm = WAVELENGTHS_NM[:, None, None]
    for split, count in (("train", 3), ("validation", 1), ("test", 1)):
        where = tmp_path / "mine" / split
        where.mkdir(parents=True)
        for number in range(count):
            peak, width = (rng.uniform(*r, (1, 6, 6)) for r in ((430, 670), (30, 120)))
            data = 0.1 + 0.7 * np.exp(-(((nm - peak) / width) ** 2))
            data = np.kron(data, np.ones((1, SIDE // 6, SIDE // 6))).astype(np.float32)
            cube = SpectralCube(data, name=f"{split}{number}")
            write_cube(cube, where / f"{cube.name}.npz")
            picture = render_rgb(cube, "srgb", "D65", "srgb").data.clip(0, 1)
            iio.imwrite(where / f"{cube.name}.png", np.rint(255 * picture).astype(np.uint8))
    return tmp_path / "mine"


class Window:
    """A napari window with the Train widget, as a person handles it."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window.resize(1400, 900)
        self.open()

    def open(self):
        window = self.viewer.window
        self.dock, self.widget = window.add_plugin_dock_widget("napari-gmsr", "Train")
        self.wait(self.widget.isVisible)

    def close_dock(self):
        self.click(self.dock.findChild(QPushButton, "QTitleBarCloseButton"))
        assert not self.widget.isVisible()

    def click(self, button):
        assert button.isEnabled(), button.toolTip()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self, condition, seconds=90):
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=1000 * seconds)

    def choose(self, combo, value):
        combo.setCurrentIndex(combo.findData(value))

    def set_up(self, folder, steps=5000):
        """Choose the folder and a small run."""
        data, form = self.widget.setup.data, self.widget.setup.settings
        self.choose(data.dataset, "pairs")
        QTest.keyClicks(data.folder, str(folder))
        self.wait(lambda: "Scenes: 3 for training" in data.verdict.text())
        fields = {each.path: each for each in (*form.few, *form.rest)}
        fields["patch"].set(16)
        fields["batch"].set(2)
        fields["validate_every"].set(0.001)
        self.choose(form.unit, "steps")
        form.budget.setValue(steps)
        self.choose(form.device, "cpu")

    def start(self):
        self.click(self.widget.setup.start)
        self.wait(lambda: self.widget.runs.table.current is not None)
        return self.widget.runs.table.current

    def steps(self):
        history = self.widget.controller.history(self.widget.runs.table.current)
        return 0 if history is None or history.step is None else history.step.step


@pytest.fixture
def window(home, make_napari_viewer, qtbot):
    notification_manager.records.clear()
    return Window(make_napari_viewer(show=True), qtbot)


def test_a_training_from_the_folder_to_a_cube(window, folder):
    window.set_up(folder)
    widget, page = window.widget, window.widget.runs
    window.click(widget.setup.data.check)
    window.wait(lambda: "Every file was read" in widget.setup.data.verdict.text())
    window.wait(lambda: "Needs about" in widget.setup.preflight.text())
    assert "patches a second" in widget.setup.preflight.text()
    window.start()

    page.live.setChecked(True)
    window.wait(lambda: len(window.viewer.layers) == 2)
    live = window.viewer.layers[-1]
    assert live.data.shape == (SIDE, SIDE)
    before = live.data
    window.wait(lambda: not np.array_equal(live.data, before))
    assert "Probe pixels of validation/validation0" in page.place.text()
    for plot in (page.curves.loss, page.curves.psnr, page.curves.sam, page.probes.spectra):
        assert any(curve.getData()[1] is not None for curve in plot.curves)

    steps = window.steps()
    window.close_dock()
    window.qtbot.wait(300)
    window.open()
    window.wait(lambda: window.steps() > steps)

    window.click(page.stop)
    window.wait(lambda: "Stopped after" in page.status.text())
    run = page.table.current
    window.click(page.use_button)
    _, reconstruct = window.viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
    assert reconstruct.settings.model == str(run / "best.safetensors")
    picture = iio.imread(folder / "test" / "test0.png")
    window.viewer.add_image(picture, name="test0")
    window.wait(lambda: reconstruct.plan.text() and reconstruct.run.isEnabled())
    window.click(reconstruct.run)
    window.wait(lambda: not reconstruct.controller.running)
    assert window.viewer.layers[-1].data.shape == (31, SIDE, SIDE)
    assert notification_manager.records == []


def test_a_stopped_training_goes_on_where_it_was(window, folder):
    window.set_up(folder)
    page = window.widget.runs
    window.start()
    window.wait(lambda: window.steps() > 3 and page.use_button.isEnabled())
    window.click(page.pause)
    window.wait(lambda: page.pause.text() == "Resume")
    paused = window.steps()
    window.qtbot.wait(600)
    assert window.steps() == paused
    window.click(page.pause)
    window.wait(lambda: window.steps() > paused)
    window.click(page.stop)
    window.wait(lambda: "Stopped after" in page.status.text())
    stopped = window.steps()
    window.click(page.pause)
    window.wait(lambda: window.steps() > stopped)


def test_napari_can_be_closed_and_finds_the_training_again(
    window, folder, make_napari_viewer, qtbot
):
    window.set_up(folder)
    run = window.start()
    window.wait(lambda: window.steps() > 0)
    window.viewer.close()
    again = Window(make_napari_viewer(show=True), qtbot)
    again.wait(again.widget.attach.isVisible)
    again.click(again.widget.attach)
    again.wait(lambda: again.widget.runs.table.current == run)
    again.wait(lambda: again.steps() > 0)
    steps = again.steps()
    again.wait(lambda: again.steps() > steps)
    again.click(again.widget.runs.stop)
    again.wait(lambda: "Stopped after" in again.widget.runs.status.text())


def test_a_training_that_fails_says_why(window, folder):
    window.set_up(folder)
    (folder / "train" / "train0.npz").write_bytes(b"half a file")
    page = window.widget.runs
    window.start()
    window.wait(lambda: "Failed" in page.status.text())
    assert "train0.npz" in page.status.text()
    assert page.log_fold.isExpanded()
    assert "train0.npz" in page.log.toPlainText()


def test_the_windows_process_never_loads_torch():
    """The first journey in a process of its own: others' tests load torch into this one."""
    code = (
        "import sys, pytest\n"
        "failed = pytest.main([sys.argv[1], '-q', '-p', 'no:cacheprovider'])\n"
        "heavy = {'torch', 'lightning_fabric', 'tensorboard'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else int(failed))\n"
    )
    journey = f"{__file__}::{test_a_training_from_the_folder_to_a_cube.__name__}"
    run = subprocess.run(
        [sys.executable, "-c", code, journey], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
