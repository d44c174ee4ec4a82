"""Measure how fast the pictures of a cube follow a hand, in a real napari window.

The window shows a 31 x 1040 x 1392 cube and its truth. The clock runs from what a person does until
the canvas has painted what it asks for:

- band, in grey, in its colour, and with an error map that follows: until the band is painted; for
  the map also until the map of that band is;
- true colour, relighting, false colour, similarity: until the new picture is painted;
- worst pixel: until the camera is there.

Writes ``benchmarks/results/maps.json``.

    python benchmarks/maps.py             # needs a display, or: xvfb-run -a python ...
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import cycle, islice
from typing import Any

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QApplication, QWidget

from looking import RESULTS as LOOKING
from looking import SHAPE, processor, scene, settle, summary
from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import atomic_output
from napari_gmsr.plugin import ColorsWidget, ErrorMapsWidget, SimilarityWidget
from napari_gmsr.plugin.band_colors import band_colors
from napari_gmsr.plugin.layers import add_cube

RESULTS = LOOKING.with_name("maps.json")
TIMES = 40
LIMITS_MS = {
    "band in grey": 20.0,
    "band in its colour": 20.0,
    "band beside a following map": 20.0,
    "the following map": 100.0,
    "the first true colour": 3000.0,
    "true colour": 100.0,
    "relighting": 100.0,
    "false colour": 100.0,
    "similarity": 1000.0,
    "worst pixel": 100.0,
}


class Window:
    """A window with a prediction, its truth, and the docks that make pictures."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        truth = scene()
        error = np.random.default_rng(0).normal(0, 0.02, SHAPE).astype(np.float32)
        for name, data in (("truth", truth), ("[a]", np.float32(0.95) * truth + error)):
            self.cube = add_cube(self.viewer, SpectralCube(data, name=f"scene {name}"))
        self.viewer.layers[0].visible = False
        self.docks: dict[str, Any] = {}
        for kind in (ColorsWidget, ErrorMapsWidget, SimilarityWidget):
            self.docks[kind.__name__] = self.viewer.window.add_dock_widget(kind(self.viewer))
        main = self.docks["ColorsWidget"].window()
        main.resize(1500, 950)
        settle(2)
        (canvas,) = (w for w in main.findChildren(QWidget) if "CanvasBackend" in type(w).__name__)
        self.frame_at = 0.0
        canvas.frameSwapped.connect(self._on_frame)

    def show(self, name: str) -> Any:
        """Show one dock alone, as a person who uses it, and return its widget."""
        for other, dock in self.docks.items():
            dock.setVisible(other == name)
        settle(0.5)
        return self.docks[name].widget()

    def wait(self, done: Callable[[], bool]) -> None:
        """Run the window until something is so."""
        end = time.perf_counter() + 60
        while not done():
            QApplication.processEvents()
            if time.perf_counter() > end:
                raise SystemExit(f"waited a minute in vain for {done}")

    def time(self, act: Callable[[], object], renewed: Renewed | None = None) -> list[float]:
        """Return the milliseconds until the next frame, and until that with a layer's new data."""
        settle(0.15)
        start = time.perf_counter()
        act()
        acted = time.perf_counter()
        self.wait(lambda: self.frame_at > acted)
        times = [1000 * (self.frame_at - start)]
        if renewed is not None:
            self.wait(lambda: renewed.at > start)
            self.wait(lambda: self.frame_at > renewed.at)
            times.append(1000 * (self.frame_at - start))
        return times

    def _on_frame(self) -> None:
        self.frame_at = time.perf_counter()


class Renewed:
    """Notes when a layer's data were exchanged."""

    def __init__(self, layer: Image) -> None:
        self.at = 0.0
        layer.events.data.connect(self._on_data)

    def _on_data(self, event: object = None) -> None:
        self.at = time.perf_counter()


def step(window: Window, renewed: Renewed | None = None) -> list[list[float]]:
    """Return the times of steps from band to band."""
    dims = window.viewer.dims
    return [window.time(partial(dims.set_current_step, 0, band), renewed) for band in _bands()]


def colors(window: Window) -> dict[str, list[float]]:
    """Return the times of the Colours widget's pictures, its first apart."""
    widget = window.show("ColorsWidget")
    layers = window.viewer.layers
    start = time.perf_counter()
    widget._show.click()
    window.wait(lambda: len(layers) == 3)
    times = {"the first true colour": [1000 * (time.perf_counter() - start)]}
    renewed = Renewed(layers[2])
    light, stops, (red, _, _) = widget._light, widget._stops, widget._bands
    lights = islice(cycle(range(light.count())), 1, TIMES + 1)
    times["relighting"] = _last(
        window.time(partial(light.setCurrentIndex, at), renewed) for at in lights
    )
    times["true colour"] = _last(
        window.time(partial(stops.setValue, 0.25 * (1 + number % 8)), renewed)
        for number in range(TIMES)
    )
    widget._kind.setCurrentIndex(1)
    window.wait(lambda: not widget.busy)
    nm = islice(cycle(range(600, 700, 10)), TIMES)
    times["false colour"] = _last(window.time(partial(red.setValue, at), renewed) for at in nm)
    layers.remove(layers[2])
    return times


def errors(window: Window) -> dict[str, list[float]]:
    """Return the times of steps beside a following map, and of going to the worst pixels."""
    widget = window.show("ErrorMapsWidget")
    widget._bands.setCurrentIndex(1)
    widget._show.click()
    window.wait(lambda: len(window.viewer.layers) == 3 and not widget.busy)
    settle(0.5)
    times = np.array(step(window, Renewed(window.viewer.layers[2])))
    result = {
        "band beside a following map": times[:, 0].tolist(),
        "the following map": times[:, 1].tolist(),
        "worst pixel": _last(window.time(widget._finder._next.click) for _ in range(TIMES // 4)),
    }
    for layer in window.viewer.layers[2:]:
        window.viewer.layers.remove(layer)
    return result


def similarity(window: Window) -> list[float]:
    """Return the times from another pixel to its map."""
    widget = window.show("SimilarityWidget")
    widget._show.click()
    window.wait(lambda: len(window.viewer.layers) == 3)
    renewed = Renewed(window.viewer.layers[2])
    rows = range(100, 100 + 40 * TIMES // 4, 40)
    return _last(window.time(partial(widget._row.setValue, row), renewed) for row in rows)


def measure() -> dict[str, list[float]]:
    """Return all times in milliseconds, by what was done."""
    window = Window()
    window.show("ColorsWidget")
    times = {}
    for name, colored in (("band in grey", False), ("band in its colour", True)):
        band_colors(window.viewer).enabled = colored
        settle(0.3)
        times[name] = _last(step(window))
    times |= colors(window)
    times |= errors(window)
    times["similarity"] = similarity(window)
    window.viewer.close()
    return times


def main() -> None:
    """Measure, print and write the result."""
    load = os.getloadavg()[0]
    times = measure()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    result = {
        "what": "pictures of a cube in a napari window, ms from a hand's move to what is painted",
        "cube": SHAPE,
        "times_ms": {name: summary(times[name], limit) for name, limit in LIMITS_MS.items()},
        "load_average": round(load, 1),
        "cpus": os.cpu_count(),
        "device": processor(),
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("napari-gmsr", "napari", "PyQt6", "numpy")},
    }
    with atomic_output(RESULTS, overwrite=True) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _bands() -> Iterator[int]:
    """Yield bands, up and down, as often as is measured."""
    last = SHAPE[0] - 1
    return islice(cycle([*range(1, last), *range(last, 0, -1)]), TIMES)


def _last(times: Iterable[Sequence[float]]) -> list[float]:
    return [each[-1] for each in times]


if __name__ == "__main__":
    main()
