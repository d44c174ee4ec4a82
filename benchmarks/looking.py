"""Measure what a person feels while looking at cubes in a real napari window.

The window shows a 31 x 1040 x 1392 cube, its truth, and two more predictions. Events are sent to
the canvas as the window system would, and the clock runs until the plot, or the canvas, has painted
what they ask for:

- hover: from a move of the mouse to the painted preview, and how many previews a second a mouse
  brings that never rests;
- click: from the release of the button to the painted curves of one cube and of all four;
- band: from a key in the plot to the painted band, line and number;
- drag: from a move of the dragged line to the same.

Writes ``benchmarks/results/looking.json``.

    python benchmarks/looking.py          # needs a display, or: xvfb-run -a python ...
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import napari
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import atomic_output
from napari_gmsr.plugin import spectra_widget
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_plot import SpectraPlot
from napari_gmsr.plugin.spectrum import PixelSpectrum, Spectrum

SHAPE = (31, 1040, 1392)
TIMES = 60
CLICKS = 24
MOST_PINS = 8
HOVER_SECONDS = 3.0
LOST_S = 2.0
LIMITS_MS = {
    "hover": 1000 / 60,
    "click, one cube": 30.0,
    "click, four cubes": 50.0,
    "band": 20.0,
    "drag": 20.0,
}
LEFT = Qt.MouseButton.LeftButton
RESULTS = Path(__file__).parent / "results" / "looking.json"


class WatchedPlot(SpectraPlot):
    """A plot that notes when it has painted what."""

    preview: tuple[int, int] | None = None
    paints = 0
    painted_at = 0.0
    painted_curves = -1
    painted_preview: tuple[int, int] | None = None
    painted_nm = 0.0

    def draw_preview(self, spectra: Sequence[Spectrum]) -> None:
        """Draw, and remember of which pixel."""
        first = spectra[0] if spectra else None
        self.preview = (first.y, first.x) if isinstance(first, PixelSpectrum) else None
        super().draw_preview(spectra)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint, then note what is in sight, and the time."""
        super().paintEvent(event)
        if hasattr(self, "_spectra"):
            self.paints += self.preview is not None and self.preview != self.painted_preview
            self.painted_preview = self.preview
            self.painted_curves = len(self.spectra)
            self.painted_nm = float(self.lines[0].value())
            self.painted_at = time.perf_counter()


class Window:
    """A window with four cubes, as a person handles it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        truth = scene()
        for name, exposure in (("truth", 1), ("[a]", 1.1), ("[b]", 0.95), ("[c]", 0.9)):
            add_cube(self.viewer, SpectralCube(np.float32(exposure) * truth, name=f"scene {name}"))
            self.viewer.layers[-1].visible = name == "[c]"
        with patch.object(spectra_widget, "SpectraPlot", WatchedPlot):
            self.widget = spectra_widget.SpectraWidget(self.viewer)
        dock = self.viewer.window.add_dock_widget(self.widget, name="Spectra")
        main = dock.window()
        main.resize(1500, 950)
        settle(2)
        assert isinstance(self.widget.plot, WatchedPlot)
        self.plot = self.widget.plot
        (canvas,) = (w for w in main.findChildren(QWidget) if "CanvasBackend" in type(w).__name__)
        self.canvas = canvas
        self.frame_at = 0.0
        canvas.frameSwapped.connect(self._on_frame)
        # Within the picture, however wide the docks are.
        self.reach = min(canvas.width(), canvas.height()) // 3
        self.random = np.random.default_rng(0)

    def anywhere(self) -> QPoint:
        """Return a place within the picture."""
        dx, dy = self.random.integers(-self.reach, self.reach, 2).tolist()
        middle: QPoint = self.canvas.rect().center()
        return QPoint(middle.x() + dx, middle.y() + dy)

    def move(self, place: QPoint) -> None:
        """Move the mouse over the canvas."""
        QTest.mouseMove(self.canvas, place)  # type: ignore[call-overload]

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Run the window until something is so."""
        end = time.perf_counter() + 10
        while not done():
            QApplication.processEvents()
            if time.perf_counter() > end:
                raise SystemExit(f"waited 10 s for {what}")

    def wait_for_band(self, nm: float, since: float) -> float:
        """Return the milliseconds until plot and canvas show a band."""
        self.wait(
            lambda: self.plot.painted_nm == nm and self.frame_at > since, f"the band at {nm:g} nm"
        )
        return 1000 * (max(self.plot.painted_at, self.frame_at) - since)

    def in_plot(self, nm: float) -> QPoint:
        """Return where a wavelength is in the plot."""
        box = self.plot.responses.vb
        place = box.mapViewToScene(QPointF(nm, float(np.mean(box.viewRange()[1]))))
        found: QPoint = self.plot.mapFromScene(place)
        return found

    def _on_frame(self) -> None:
        self.frame_at = time.perf_counter()


def hover(window: Window) -> list[float]:
    """Return the milliseconds from each move of the mouse to the painted preview."""
    plot = window.plot
    times: list[float] = []
    while len(times) < TIMES:
        settle(0.05)
        paints, start = plot.paints, time.perf_counter()
        window.move(window.anywhere())
        # The display's own events may say that the mouse is elsewhere: such a move says nothing.
        while plot.paints == paints and time.perf_counter() - start < LOST_S:
            QApplication.processEvents()
        if plot.paints > paints:
            times.append(1000 * (plot.painted_at - start))
    return times


def hover_rate(window: Window) -> float:
    """Return how many previews a second a mouse brings that moves 250 times a second."""
    middle = window.canvas.rect().center()
    before, start = window.plot.paints, time.perf_counter()
    while (now := time.perf_counter()) - start < HOVER_SECONDS:
        turn = 2 * np.pi * (now - start)
        offset = window.reach * np.array([np.cos(turn), np.sin(turn)])
        window.move(middle + QPoint(*offset.astype(int).tolist()))
        QApplication.processEvents()
        time.sleep(max(0.0, 0.004 - (time.perf_counter() - now)))
    return (window.plot.paints - before) / (time.perf_counter() - start)


def click(window: Window) -> list[float]:
    """Return the milliseconds from each release of the button to the painted curves."""
    plot, times = window.plot, []
    cubes = sum(1 for _ in window.widget.choices.sources() or ())
    for number in range(CLICKS):
        pins = number % MOST_PINS
        if pins == 0:
            window.widget.clear.click()
            settle(0.3)
        place = window.anywhere()
        window.move(place)
        settle(0.3)
        QTest.mousePress(window.canvas, LEFT, pos=place)  # type: ignore[call-overload]
        start = time.perf_counter()
        QTest.mouseRelease(window.canvas, LEFT, pos=place)  # type: ignore[call-overload]
        window.wait(partial(_all_curves, plot, (pins + 1) * cubes), "the curves")
        times.append(1000 * (plot.painted_at - start))
    return times


def step(window: Window) -> list[float]:
    """Return the milliseconds from each key to the painted band."""
    QTest.keyClick(window.plot, Qt.Key.Key_Home)  # type: ignore[call-overload]
    window.canvas.setFocus()
    times = []
    for nm in _back_and_forth():
        settle(0.1)
        key = Qt.Key.Key_Right if nm > window.plot.painted_nm else Qt.Key.Key_Left
        start = time.perf_counter()
        QTest.keyClick(window.plot, key)  # type: ignore[call-overload]
        times.append(window.wait_for_band(nm, start))
    return times


def drag(window: Window) -> list[float]:
    """Return the milliseconds from each move of the dragged line to the painted band."""
    QTest.keyClick(window.plot, Qt.Key.Key_Home)  # type: ignore[call-overload]
    settle(0.3)
    viewport = window.plot.viewport()
    assert viewport is not None
    QTest.mouseMove(viewport, window.in_plot(400))  # type: ignore[call-overload]
    settle(0.1)
    QTest.mousePress(viewport, LEFT, pos=window.in_plot(400))  # type: ignore[call-overload]
    # A drag begins some pixels on.
    QTest.mouseMove(viewport, window.in_plot(420))  # type: ignore[call-overload]
    settle(0.3)
    QTest.mouseMove(viewport, window.in_plot(400))  # type: ignore[call-overload]
    times = []
    for nm in _back_and_forth():
        settle(0.1)
        start = time.perf_counter()
        QTest.mouseMove(viewport, window.in_plot(nm))  # type: ignore[call-overload]
        times.append(window.wait_for_band(nm, start))
    QTest.mouseRelease(viewport, LEFT, pos=window.in_plot(400))  # type: ignore[call-overload]
    return times


def scene() -> npt.NDArray[np.float32]:
    """Return a cube of smooth spectra, as surfaces have them, float32 (band, y, x)."""
    bands, height, width = SHAPE
    nm = np.linspace(400, 700, bands)[:, None, None]
    y, x = np.linspace(0, 1, height)[None, :, None], np.linspace(0, 1, width)[None, None, :]
    cube = np.empty(SHAPE, dtype=np.float32)
    for band in range(bands):
        cube[band] = (0.1 + 0.7 * y * np.exp(-(((nm[band] - 420 - 260 * x) / 70) ** 2)))[0]
    return cube


def measure() -> dict[str, Any]:
    """Return everything that is measured, in milliseconds but for the previews a second."""
    window = Window()
    window.move(window.anywhere())
    settle(1)
    results = {"hover": summary(hover(window), LIMITS_MS["hover"])}
    rates = {"one cube": hover_rate(window)}
    results["click, one cube"] = summary(click(window), LIMITS_MS["click, one cube"])
    window.widget.clear.click()
    settle(0.3)
    results["band"] = summary(step(window), LIMITS_MS["band"])
    results["drag"] = summary(drag(window), LIMITS_MS["drag"])
    # Three predictions, and the truth as a fourth curve of every pin.
    window.widget.choices.all_others.click()
    window.widget.choices.others.choose(window.widget.choices.others.offered)
    settle(0.5)
    rates["four cubes"] = hover_rate(window)
    results["click, four cubes"] = summary(click(window), LIMITS_MS["click, four cubes"])
    window.viewer.close()
    return {
        "times_ms": results,
        "previews_a_second": {name: round(rate, 1) for name, rate in rates.items()},
        "previews_a_second_wanted": 60,
    }


def summary(times: Sequence[float], limit: float) -> dict[str, float]:
    """Return what a person notices of times in ms."""
    return {
        "median": round(float(np.median(times)), 1),
        "percentile_95": round(float(np.percentile(times, 95)), 1),
        "slowest": round(max(times), 1),
        "first": round(times[0], 1),
        "limit": round(limit, 1),
        "times": len(times),
    }


def settle(seconds: float) -> None:
    """Let the window do what it has to."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def processor() -> str:
    """Return the CPU's model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def main() -> None:
    """Measure, print and write the result."""
    load = os.getloadavg()[0]
    measured = measure()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    packages = ("napari-gmsr", "napari", "pyqtgraph", "PyQt6", "numpy")
    result = {
        "what": "looking at cubes in a napari window, ms from an event to what is painted",
        "cube": SHAPE,
        **measured,
        "load_average": round(load, 1),
        "cpus": os.cpu_count(),
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


def _back_and_forth() -> Iterator[float]:
    """Yield the bands after the first, up and down, as often as is measured."""
    bands = np.linspace(400, 700, SHAPE[0])[1:].tolist()
    way = cycle([*bands, *bands[-2::-1], 400.0])
    return islice(way, TIMES)


def _all_curves(plot: WatchedPlot, curves: int) -> bool:
    return plot.painted_curves >= curves


if __name__ == "__main__":
    main()
