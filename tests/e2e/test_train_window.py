"""Training from a folder of one's own in a real window, by a real process on the CPU."""

import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from train_window import Window

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.io import write_cube
from napari_gmsr.jobs import attach, list_runs

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SIDE = 24


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user without runs, caches and settings, here and in the processes that are started."""
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
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


@pytest.fixture
def window(make_napari_viewer):
    notification_manager.records.clear()
    return Window(make_napari_viewer(show=True))


def test_a_training_from_the_folder_to_a_cube(window, folder):
    widget = window.widget
    window.set_up(folder)
    window.click(widget.setup.data.check)
    window.wait(lambda: "Every file was read" in widget.setup.data.verdict.text())
    window.wait(lambda: "Needs about" in widget.setup.preflight.text())
    assert "patches a second" in widget.setup.preflight.text()
    run = window.start()

    page = window.page
    page.live.setChecked(True)
    window.wait(lambda: len(window.viewer.layers) == 2)
    live = window.viewer.layers[-1]
    assert live.data.shape == (SIDE, SIDE)
    before = live.data
    window.wait(lambda: not np.array_equal(live.data, before))
    assert "Probe pixels of validation/validation0" in page.place.text()
    for plot in (page.curves.loss, page.curves.psnr, page.curves.sam, page.probes.spectra):
        assert any(curve.getData()[1] is not None for curve in plot.curves)

    window.click(page.pause)
    window.wait(lambda: page.pause.text() == "Resume")
    paused = window.steps()
    window.click(page.pause)
    window.wait(lambda: window.steps() > paused)

    window.close_dock()
    window.open()
    page = window.page
    window.wait(lambda: page.table.current == run)
    window.wait_for_steps()
    window.click(page.stop)
    window.wait(lambda: "Stopped after" in page.status.text())

    window.click(page.use_button)
    _, reconstruct = window.viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
    assert reconstruct.settings.model == str(run / "best.safetensors")
    picture = iio.imread(folder / "test" / "test0.png")
    window.viewer.add_image(picture, name="test0", rgb=True)  # too small to be taken for one
    window.wait(lambda: reconstruct.plan.text() and reconstruct.run.isEnabled())
    window.click(reconstruct.run)
    window.wait(lambda: not reconstruct.controller.running)
    assert window.viewer.layers[-1].data.shape == (31, SIDE, SIDE)
    assert notification_manager.records == []


def test_another_napari_finds_the_training_of_one_that_was_closed(make_napari_viewer, folder):
    script = Path(__file__).with_name("train_window.py")
    closed = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, timeout=120
    )
    assert closed.returncode == 0, closed.stderr
    run = Path(closed.stdout.splitlines()[-1])

    window = Window(make_napari_viewer(show=True))
    window.wait(window.widget.attach.isVisible)
    window.click(window.widget.attach)
    window.wait(lambda: window.page.table.current == run)
    window.wait_for_steps()
    window.click(window.page.stop)
    window.wait(lambda: "Stopped after" in window.page.status.text())

    # It cannot go on: says why.
    (folder / "train" / "train0.npz").write_bytes(b"half a file")
    page = window.page
    window.click(page.pause)
    window.wait(lambda: "Failed" in page.status.text())
    assert "train0.npz" in page.status.text()
    assert page.log_fold.isExpanded()
    assert "train0.npz" in page.log.toPlainText()
