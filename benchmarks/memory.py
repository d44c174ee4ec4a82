"""Compare the memory that a plan predicts with the memory that a run takes, on the CPU.

Every case runs in a fresh process with random weights and a random picture, after a warm-up on a
small one. Measured is the growth of the resident set from before the run to its peak, sampled while
it lasts; memory that the C library keeps from one piece of work to the next is in it. Writes
``benchmarks/results/memory.json``.

    python benchmarks/memory.py [--engine cpu|reference|none] [--threads N]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

SIZES = [(256, 256), (512, 482), (1024, 1024)]
ENGINES = ["cpu", "reference", "none"]
CASES = [(engine, "whole", size) for engine in ENGINES for size in SIZES]
CASES.append(("cpu", "tiled", SIZES[-1]))
RESULTS = Path(__file__).parent / "results" / "memory.json"
MIB = 1 << 20


def growth(work: Callable[[], object]) -> int:
    """Return by how many bytes the resident set grows at most while work is done."""
    process, done, highest = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.0005):
            highest[0] = max(highest[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return highest[0] - before


def measure(height: int, width: int, engine: str, mode: str, threads: int) -> dict[str, Any]:
    """Predict and measure one run in this process; ``none`` is the network without engines."""
    import numpy as np
    import torch

    from napari_gmsr import networks
    from napari_gmsr.cube import WAVELENGTHS_NM
    from napari_gmsr.image import RGBImage
    from napari_gmsr.reconstruct import plan, reconstruct
    from napari_gmsr.weights import Model, ModelCard

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    name = "rootpoly" if engine == "none" else "gmsr"
    network = networks.create(name).eval().requires_grad_(False)
    bands = tuple(WAVELENGTHS_NM.tolist())
    card = ModelCard(name="random", network=name, wavelengths_nm=bands, encoding="linear")
    model = Model(network, card, "0" * 64, Path("random.safetensors"))
    asked = "auto" if engine == "none" else engine

    def run(picture: RGBImage) -> None:
        reconstruct(picture, model, mode, "cpu", engine=asked)

    random = np.random.default_rng(0)
    run(RGBImage(random.random((16, 16, 3), np.float32), "linear"))
    picture = RGBImage(random.random((height, width, 3), np.float32), "linear")
    planned = plan((height, width), mode, torch.device("cpu"), engine, network=network)
    measured = growth(lambda: run(picture))
    return {
        "engine": engine,
        "mode": mode,
        "height": height,
        "width": width,
        "predicted_mib": planned.peak_bytes / MIB,
        "measured_mib": measured / MIB,
        "predicted_to_measured": planned.peak_bytes / measured,
    }


def main() -> None:
    """Measure all cases, or those of one engine, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engine", choices=ENGINES, help="only this engine")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=True))
    parser.add_argument("--mode", default="whole", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.size:
        height, width = asked.size
        print(json.dumps(measure(height, width, asked.engine, asked.mode, asked.threads)))
        return
    rows = []
    for engine, mode, size in CASES:
        if asked.engine not in (None, engine):
            continue
        case = ["--engine", engine, "--mode", mode, "--size", *size, "--threads", asked.threads]
        command = [sys.executable, __file__, *case]
        child = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
        row = json.loads(child.stdout)
        rows.append(row)
        print(
            f"{engine:9} {mode:5} {size[0]:5}x{size[1]:<5}"
            f" predicted {row['predicted_mib']:5.0f} MiB, measured {row['measured_mib']:5.0f} MiB,"
            f" ratio {row['predicted_to_measured']:.2f}",
            flush=True,
        )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    report = {
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": asked.threads,
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("napari-gmsr", "torch", "numba", "numpy")},
        },
        "runs": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(f"-> {RESULTS}")


if __name__ == "__main__":
    main()
