"""Make the pictures of docs/train-widget.md: trainings on the CPU, in a window, some minutes long.

The data are pairs of one's own, cut out of simulated scenes. Speeds and curves in the pictures are
those of the machine that makes them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
from skimage import data

from demo_window import display
from napari_gmsr import RGBImage, SpectralCube
from napari_gmsr.datasets import simulate_scene
from napari_gmsr.io import write_cube
from napari_gmsr.jobs import attach, list_runs

if TYPE_CHECKING:
    from napari import Viewer

    from napari_gmsr.plugin.train_widget import TrainWidget

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZE = (1400, 900)
DOCK_WIDTH = 460
SIDE = 96
STEPS = 400
PATIENCE_S = 1200
PHOTOS = {"astronaut": 10, "coffee": 6, "chelsea": 6}
"""Sample photographs and how many squares are cut out of each."""


def make_pairs(folder: Path) -> Path:
    """Write pictures and cubes: of every six squares one to validate on, and one to test on."""
    number = 0
    for name, count in PHOTOS.items():
        photo = RGBImage(getattr(data, name)()[:384, :384].astype(np.float32) / 255)
        picture, cube = simulate_scene(photo, seed=number)
        for square in range(count):
            y, x = (SIDE * place for place in divmod(square, 4))
            here = (slice(y, y + SIDE), slice(x, x + SIDE))
            split = {4: "validation", 5: "test"}.get(number % 6, "train")
            path = folder / split / f"{name}-{square}"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_cube(SpectralCube(cube.data[:, *here], name=path.name), f"{path}.npz")
            iio.imwrite(f"{path}.png", np.rint(255 * picture.data[here]).astype(np.uint8))
            number += 1
    return folder


class Pictures:
    """A window with the Train widget, of which pictures are made.

    Parameters
    ----------
    folder
        Takes the pictures.
    theme
        napari's theme.
    """

    def __init__(self, folder: Path, theme: str = "dark") -> None:
        import napari

        self.folder = folder
        self.viewer: Viewer = napari.Viewer(title="napari-gmsr")
        self.viewer.theme = theme
        window = self.viewer.window
        window.resize(*SIZE)
        self.dock, self.train = window.add_plugin_dock_widget("napari-gmsr", "Train")
        self.widen(DOCK_WIDTH)
        self.wait(lambda: self.widget.isVisible() and self.widget.setup.start.isEnabled())

    @property
    def widget(self) -> TrainWidget:
        """The widget, whose parts are there once it is shown."""
        widget: TrainWidget = self.train
        return widget

    def wait(self, condition: Callable[[], Any]) -> None:
        """Let the window live until something has come true."""
        from qtpy.QtTest import QTest

        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(self.widget.runs.status.text())
            QTest.qWait(50)  # type: ignore[call-arg, arg-type]

    def widen(self, width: int) -> None:
        """Give the dock a width in pixels."""
        from qtpy.QtCore import Qt
        from qtpy.QtWidgets import QMainWindow

        window = self.dock.window()
        assert isinstance(window, QMainWindow)
        window.resizeDocks([self.dock], [width], Qt.Orientation.Horizontal)

    def take(self, name: str, calm_ms: int = 1500) -> None:
        """Save a picture of the whole window, once it has drawn everything."""
        from qtpy.QtTest import QTest

        self.viewer.reset_view()
        QTest.qWait(calm_ms)  # type: ignore[call-arg, arg-type]
        path = self.folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print("Written:", path)

    def choose(self, folder: Path) -> None:
        """Choose pairs and have all files checked."""
        form = self.widget.setup.data
        form.dataset.setCurrentIndex(form.dataset.findData("pairs"))
        form.folder.setText(str(folder))
        self.wait(form.check.isEnabled)
        form.check.click()
        self.wait(lambda: "Every file was read" in form.verdict.text())

    def set_up(self, **values: Any) -> None:
        """Set fields of the form by their names in the configuration."""
        form = self.widget.setup.settings
        form.unit.setCurrentIndex(form.unit.findData("steps"))
        form.budget.setValue(STEPS)
        form.device.setCurrentIndex(form.device.findData("cpu"))
        fields = {field.path: field for field in (*form.few, *form.rest)}
        for path, value in values.items():
            fields[path.replace("__", ".")].set(value)

    def add_probes(self, *pixels: tuple[int, int]) -> None:
        """Choose probe pixels in the first validation picture."""
        choice = self.widget.setup.probes
        choice.choose.click()
        self.wait(lambda: len(self.viewer.layers) == 2)
        self.viewer.layers[-1].data = np.array(pixels)

    def start(self, name: str) -> Path:
        """Start a run and return its path."""
        page = self.widget.runs
        self.widget.setup.settings.name.setText(name)
        before = page.table.runs
        self.widget.setup.start.click()
        self.wait(lambda: page.table.current not in (None, *before))
        run = page.table.current
        assert run is not None
        return run

    def wait_for_step(self, run: Path, step: int) -> None:
        """Wait until a run has gone so far."""

        def reached() -> bool:
            history = self.widget.controller.history(run)
            if history is not None and history.failed is not None:
                raise RuntimeError(history.failed.what)
            return history is not None and history.step is not None and history.step.step >= step

        self.wait(reached)


def main() -> None:
    """Make the pictures, always on a virtual display, as a user without settings of their own."""
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(variable, None)
    with tempfile.TemporaryDirectory() as name, display():
        home = Path(name)
        os.environ |= {"XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}
        try:
            _take_all(make_pairs(home / "pairs"))
        finally:
            for run in list_runs():
                attach(run.path).kill()


def _take_all(folder: Path) -> None:
    window = Pictures(PICTURES)
    page = window.widget.runs
    window.set_up(patch=24, batch=2, validate_every=0.05, optimiser__learning_rate=2e-3)
    window.choose(folder)
    window.add_probes((10, 8), (55, 40), (30, 85))
    window.wait(lambda: "Needs about" in window.widget.setup.preflight.text())
    window.take("train-set-up")
    first = window.start("GMSR-Net")
    page.live.setChecked(True)
    window.wait_for_step(first, round(0.7 * STEPS))
    window.take("train-running")
    window.wait(lambda: "Done" in page.status.text())
    window.widget.pages.setCurrentIndex(0)
    window.set_up(optimiser__learning_rate=5e-4, loss__sam=0.1)
    second = window.start("smaller steps, SAM")
    window.wait_for_step(second, round(0.6 * STEPS))
    window.take("train-compared")
    page.stop.click()
    window.wait(lambda: "Stopped" in page.status.text())
    window.viewer.close()


if __name__ == "__main__":
    main()
