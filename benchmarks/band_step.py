"""Measure a step to the next band in a real window, idle and while a training runs beside it.

The window shows a 31 x 1040 x 1392 cube and the Train widget on its page of runs. The training is
on the CPU, in its own process, with as many threads as there are processors: the worst case. It is
paused and let go on in turn, so that what else the machine does falls on both alike. The clock runs
from the change of the slider until the canvas has shown the band. Writes
``benchmarks/results/band_step.json``.

    python benchmarks/band_step.py          # needs a display, or: xvfb-run -a python ...
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication, QWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import atomic_output
from napari_gmsr.jobs import TrainingJob, start_training
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.training import preset

SHAPE = (31, 1040, 1392)
ROUNDS = 4
STEPS = 30
LIMIT = 2.0
"""How many times longer a step may take while a training runs."""
RESULTS = Path(__file__).parent / "results" / "band_step.json"


class Window:
    """A napari window with a cube and the Train widget."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        cube = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
        add_cube(self.viewer, SpectralCube(cube, name="cube"))
        dock, self.train = self.viewer.window.add_plugin_dock_widget("napari-gmsr", "Train")
        main = dock.window()
        main.resize(1400, 900)
        (canvas,) = (w for w in main.findChildren(QWidget) if "CanvasBackend" in type(w).__name__)
        canvas.frameSwapped.connect(self._on_frame)
        self.frame_at = 0.0
        self.settle(2)

    def settle(self, seconds: float) -> None:
        """Let the window do what it has to."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.002)

    def wait(self, done: Callable[[], Any], what: str) -> None:
        """Let the window live until something is so."""
        end = time.perf_counter() + 300
        while not done():
            self.settle(0.05)
            if time.perf_counter() > end:
                raise SystemExit(f"waited in vain until {what}")

    def step(self) -> float:
        """Go to the next band; return the milliseconds until the canvas shows it."""
        dims = self.viewer.dims
        start = time.perf_counter()
        dims.set_current_step(0, (dims.current_step[0] + 1) % SHAPE[0])
        while self.frame_at < start:
            QApplication.processEvents()
            if time.perf_counter() - start > 60:
                raise SystemExit("the step brought no picture within a minute")
        return 1000 * (self.frame_at - start)

    def steps(self) -> list[float]:
        """Return the milliseconds of several steps, as far apart as a person's."""
        times = []
        for _ in range(STEPS):
            times.append(self.step())
            self.settle(0.03)
        return times

    def _on_frame(self) -> None:
        self.frame_at = time.perf_counter()


def measure(window: Window, job: TrainingJob) -> dict[str, list[float]]:
    """Return the milliseconds of the steps, idle and while it trains."""
    times: dict[str, list[float]] = {"idle": [], "training": []}
    window.train.runs.open(job.path)
    window.train.pages.setCurrentWidget(window.train.runs)
    history = window.train.controller.history
    window.wait(lambda: history(job.path) is not None, "the run is found")
    window.wait(lambda: history(job.path).step is not None, "it trains")
    window.steps()  # the first ones bring what is made once
    for _ in range(ROUNDS):
        job.pause()
        window.wait(lambda: history(job.path).state == "paused", "it pauses")
        window.settle(1)
        times["idle"] += window.steps()
        job.resume()
        window.wait(lambda: history(job.path).state == "running", "it goes on")
        window.settle(1)
        times["training"] += window.steps()
    return times


def processor() -> str:
    """Return the CPU's model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {f"XDG_{kind}_HOME": f"{folder}/{kind}" for kind in ("DATA", "CACHE")}
        config = preset("recommended", device="cpu", minutes=15, patch=64, batch=2)
        window = Window()
        job = start_training(config)
        try:
            times = measure(window, job)
            niceness = psutil.Process(job.folder.status().pid).nice()  # type: ignore[union-attr]
        finally:
            job.kill()
        window.viewer.close()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    median = {phase: float(np.median(ms)) for phase, ms in times.items()}
    result = {
        "what": "band step in a napari window until the canvas shows it, ms",
        "cube": SHAPE,
        "steps": len(times["idle"]),
        "limit_ratio": LIMIT,
        "ratio": round(median["training"] / median["idle"], 2),
        "median_ms": {phase: round(ms, 1) for phase, ms in median.items()},
        "p90_ms": {phase: round(float(np.quantile(ms, 0.9)), 1) for phase, ms in times.items()},
        "niceness_of_the_training": niceness,
        "load_average": round(os.getloadavg()[0], 1),
        "cpus": os.cpu_count(),
        "device": processor(),
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("napari-gmsr", "napari", "torch", "numpy")},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with atomic_output(RESULTS, overwrite=True) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
