"""How fast the training loop is: patches a second, memory, waiting for data, two processes.

Each measurement is a run of its own process through `napari_gmsr.train`, as a user's is: the
paper's preset on a cached set of random scenes of NTIRE2020's size, and the recommended one on
simulated scenes. The first part of a run, in which kernels are compiled and the step is recorded,
does not count, nor does validation. A *patch* is 128 x 128 pixels; simulated batches come in
several sizes of as many pixels. With ``--processes`` above 1 the runs are made again under torchrun
with as many processes, at the same batch for each, and the factor is what they gain.

    python benchmarks/training.py [--seconds S] [--batch N] [--scenes N] [--processes N]

On a computer without a CUDA device the results go to another file, named for that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.training import TrainingConfig, preset, train
from napari_gmsr.training.card import source_version
from napari_gmsr.training.events import Event, Started, Step

RESULTS = Path(__file__).parent / "results"
HEIGHT, WIDTH, BANDS = 482, 512, 31
PAPER_PATCHES = 450 * 42 * 100
"""Of NTIRE2020: pictures, patches of each, epochs."""
REFERENCE: dict[str, Any] = {"patches_per_s": 159.0, "device": "H100 80GB", "batch": 20}
"""The reference implementation with mamba-ssm 2.3.2, a step without data, as measured."""
WARM = 0.3
"""Part of a run that does not count."""


def write_scenes(folder: Path, count: int) -> None:
    """Write random cubes of 16 bits, of which training renders the pictures."""
    for i in range(count):
        cube = np.random.default_rng(i).integers(0, 65536, (BANDS, HEIGHT, WIDTH), dtype=np.uint16)
        np.savez(folder / f"{i:03d}.npz", cube=cube, wavelengths_nm=WAVELENGTHS_NM)
    split: dict[str, list[str]] = {"train": [f"{i:03d}" for i in range(count)]}
    (folder / "split.json").write_text(json.dumps({**split, "validation": [], "test": []}))


def configurations(given: argparse.Namespace, folder: Path) -> dict[str, TrainingConfig]:
    """Return what is measured, by name."""
    common: dict[str, Any] = {
        "batch": given.batch,
        "minutes": given.seconds / 60,
        "validate_every": 1.0,
        "device": given.device,
    }
    data = {"name": "pairs", "folder": folder / "scenes", "camera": "cie_1964"}
    data |= {"encoding": "linear", "cache_folder": folder / "cache"}
    return {
        "cached scenes, paper": preset("paper", dataset=data, **common),
        "simulated scenes, recommended": preset("recommended", **common),
    }


def measure(config: TrainingConfig, out: Path) -> None:
    """Train in this process, one of torchrun's perhaps, and write what was seen."""
    told: list[Event] = []
    peak, done = [0], threading.Event()

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        train(config, run=out.with_suffix(".run"), on_event=told.append)
    finally:
        done.set()
        watcher.join()
    if not told:  # not the first of several processes
        return
    started = next(event for event in told if isinstance(event, Started))
    steps = [event for event in told if isinstance(event, Step)]
    warm = [event for event in steps if event.done >= WARM]
    steps = warm if len(warm) > 1 else steps
    if len(steps) < 2:
        raise SystemExit(f"{len(steps)} step in {config.minutes} minutes: give more --seconds")
    seconds = steps[-1].seconds - steps[0].seconds
    patches = (steps[-1].step - steps[0].step) * config.batch * started.world
    waited = sum(e.loader_share * (e.seconds - b.seconds) for b, e in pairwise(steps))
    cuda = started.device.startswith("cuda")
    report = {
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "engine": started.engine,
        "processes": started.world,
        "steps": steps[-1].step - steps[0].step,
        "seconds": seconds,
        "patches_per_s": patches / seconds,
        "step_ms": 1000 * seconds / (steps[-1].step - steps[0].step),
        "loader_share": waited / seconds,
        "gpu_peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
        "gpu_reserved_mib": torch.cuda.max_memory_reserved() / 2**20 if cuda else None,
        "host_peak_mib": peak[0] / 2**20,
        "hours_of_the_papers_schedule": PAPER_PATCHES / (patches / seconds) / 3600,
    }
    out.write_text(json.dumps(report))


def in_processes(config: TrainingConfig, processes: int, folder: Path) -> dict[str, Any]:
    """Measure in processes of their own."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "report.json"
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launch if processes > 1 else []), __file__]
    command += ["--measure", config.model_dump_json(), "--out", str(out)]
    subprocess.run(command, check=True)
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run")
    parser.add_argument("--batch", type=int, default=20, help="patches a step and process")
    parser.add_argument("--scenes", type=int, default=40, help="of the cached set")
    parser.add_argument("--processes", type=int, default=max(1, torch.cuda.device_count()))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, help="where the set lies meanwhile")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(TrainingConfig.model_validate_json(given.measure), given.out)
        return
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        (folder / "scenes").mkdir()
        write_scenes(folder / "scenes", given.scenes)
        for title, config in configurations(given, folder).items():
            one = in_processes(config, 1, folder)
            runs[title] = {"one": one}
            if given.processes > 1:
                several = in_processes(config, given.processes, folder)
                runs[title]["several"] = several
                runs[title]["factor"] = several["patches_per_s"] / one["patches_per_s"]
    report = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": source_version(),
        "device": next(iter(runs.values()))["one"]["device"],
        "processors": os.cpu_count(),
        "load_average_at_end": os.getloadavg()[0],
        "versions": {"python": platform.python_version()}
        | {n: version(n) for n in ("napari-gmsr", "torch", "numpy")},
        "batch": given.batch,
        "patch": 128,
        "scenes": given.scenes,
        "reference": REFERENCE,
        "papers_patches": PAPER_PATCHES,
        "runs": runs,
        "within_bars": {
            title: {
                "loader_share below 0.05": run["one"]["loader_share"] < 0.05,
                "faster than the reference": run["one"]["patches_per_s"]
                > REFERENCE["patches_per_s"],
            }
            | (
                {"factor at least 0.9 a process": run["factor"] >= 0.9 * given.processes}
                if "factor" in run
                else {}
            )
            for title, run in runs.items()
        },
    }
    kind = "training_cpu.json" if report["device"] == "cpu" else "training.json"
    (given.out or RESULTS / kind).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
