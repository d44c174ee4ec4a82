"""Measure the time from a click in a real napari window to the drawn curve.

The window shows a 31 x 1040 x 1392 cube, with a truth chosen beside it. A mouse click is sent to
the canvas as the window system would; the clock runs from the release of the button until the plot
has painted the new pin's curve. Writes ``benchmarks/results/click_to_curve.json``.

    python benchmarks/click_to_curve.py          # needs a display, or: xvfb-run -a python ...
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import napari
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import atomic_output
from napari_gmsr.plugin import spectra_widget
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_plot import SpectraPlot

SHAPE = (31, 1040, 1392)
CLICKS = 20
LIMIT_MS = 30.0
RESULTS = Path(__file__).parent / "results" / "click_to_curve.json"


class WatchedPlot(SpectraPlot):
    """A plot that notes when it has been painted, and with how many pins."""

    painted: tuple[float, int] = (0.0, -1)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint, then note the time."""
        super().paintEvent(event)
        if hasattr(self, "_spectra"):
            self.painted = (time.perf_counter(), len(self._spectra))


def settle(seconds: float) -> None:
    """Let the window do what it has to."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def canvas_of(viewer: napari.Viewer) -> QWidget:
    """Return the widget in which napari shows the layers."""
    widgets = QApplication.allWidgets()
    canvases = [widget for widget in widgets if "Canvas" in type(widget).__name__]
    return max(canvases, key=lambda canvas: canvas.width() * canvas.height())


def click(canvas: QWidget, plot: WatchedPlot, position: QPoint, pins: int) -> float:
    """Click and return the milliseconds until the given number of pins is painted."""
    button = Qt.MouseButton.LeftButton
    QTest.mouseMove(canvas, position)  # type: ignore[call-overload]
    settle(0.3)
    QTest.mousePress(canvas, button, pos=position)  # type: ignore[call-overload]
    start = time.perf_counter()
    QTest.mouseRelease(canvas, button, pos=position)  # type: ignore[call-overload]
    while plot.painted[1] < pins:
        QApplication.processEvents()
        if time.perf_counter() - start > 10:
            raise SystemExit("the click brought no curve within 10 s")
    return 1000 * (plot.painted[0] - start)


def scene() -> npt.NDArray[np.float32]:
    """Return a cube of smooth spectra, as surfaces have them, float32 (band, y, x)."""
    bands, height, width = SHAPE
    nm = np.linspace(400, 700, bands)[:, None, None]
    y, x = np.linspace(0, 1, height)[None, :, None], np.linspace(0, 1, width)[None, None, :]
    peak = 420 + 260 * x
    return np.asarray(0.1 + 0.7 * y * np.exp(-(((nm - peak) / 70) ** 2)), dtype=np.float32)


def measure() -> list[float]:
    """Return the milliseconds of each click, in order."""
    truth = scene()
    viewer = napari.Viewer()
    add_cube(viewer, SpectralCube(truth, name="truth"))
    add_cube(viewer, SpectralCube(0.9 * truth, name="prediction"))
    with patch.object(spectra_widget, "SpectraPlot", WatchedPlot):
        widget = spectra_widget.SpectraWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Spectra")
    settle(2)
    canvas = canvas_of(viewer)
    plot = widget.findChild(WatchedPlot)
    assert plot is not None
    middle = canvas.rect().center()
    offsets = np.random.default_rng(0).integers(-150, 150, (CLICKS, 2)).tolist()
    times = [
        click(canvas, plot, middle + QPoint(dx, dy), pins)
        for pins, (dx, dy) in enumerate(offsets, start=1)
    ]
    viewer.close()
    return times


def processor() -> str:
    """Return the CPU's model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def main() -> None:
    """Measure, print and write the result."""
    times = measure()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    packages = ("napari-gmsr", "napari", "pyqtgraph", "PyQt6", "numpy")
    result = {
        "what": "click in a napari window to drawn curve, ms",
        "cube": SHAPE,
        "clicks": CLICKS,
        "limit_ms": LIMIT_MS,
        "first_ms": round(times[0], 1),
        "median_ms": round(float(np.median(times[1:])), 1),
        "max_ms": round(max(times[1:]), 1),
        "load_average": round(os.getloadavg()[0], 1),
        "cpus": os.cpu_count(),
        "times_ms": [round(ms, 1) for ms in times],
        "device": processor(),
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with atomic_output(RESULTS, overwrite=True) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
