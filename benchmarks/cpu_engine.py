"""Measure time and memory of GMSR-Net on the CPU.

Every size is measured in a fresh process with random weights and pictures, after a warm-up on a
small picture. Wall time tells what a user waits, processor time (over all threads) what the work
costs when others share the machine. Memory is the growth of the resident set from before the first
picture of that size to its peak. Writes ``benchmarks/results/cpu_engine.json``.

    python benchmarks/cpu_engine.py [--large] [--threads N] [--repeats N] [--engine cpu|reference]
        [--against mstpp]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

SIZES = [(256, 256), (512, 482), (1024, 1024)]
COMPARED = (512, 482)
LARGE = (2048, 2048)
RESULTS = Path(__file__).parent / "results" / "cpu_engine.json"
GIB = 1 << 30


def measure(
    height: int, width: int, threads: int, repeats: int, engine: str, name: str
) -> dict[str, Any]:
    """Measure one size in this process."""
    import torch

    from napari_gmsr.networks import create

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = create(name).eval()
    if name == "gmsr":
        network.engine = engine  # type: ignore[assignment]
    picture = torch.rand(1, 3, height, width)
    wall, processor = [], []
    with torch.inference_mode():
        start = time.perf_counter()
        network(torch.rand(1, 3, 16, 16))
        warm_up = time.perf_counter() - start
        before = psutil.Process().memory_info().rss
        for _ in range(repeats):
            start, start_processor = time.perf_counter(), time.process_time()
            network(picture)
            wall.append(time.perf_counter() - start)
            processor.append(time.process_time() - start_processor)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {
        "height": height,
        "width": width,
        "wall_s": {"minimum": min(wall), "median": median(wall)},
        "processor_s": {"minimum": min(processor), "median": median(processor)},
        "wall_ns_per_pixel": 1e9 * min(wall) / (height * width),
        "memory_growth_gib": (peak - before) / GIB,
        "warm_up_s": warm_up,
    }


def cpu_model() -> str:
    """Return the processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main() -> None:
    """Measure all sizes and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--large", action="store_true", help="also 2048x2048")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=True))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--engine", default="cpu")
    parser.add_argument("--against", help="a network to measure at 512x482")
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--network", default="gmsr", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = arguments.threads, arguments.repeats, arguments.engine
    if arguments.size:
        height, width = arguments.size
        print(json.dumps(measure(height, width, *options, arguments.network)))
        return
    load = psutil.getloadavg()[0]

    names = ["--threads", "--repeats", "--engine"]
    flags = [word for name, value in zip(names, options, strict=True) for word in (name, value)]

    def measured(size: tuple[int, int], network: str) -> dict[str, Any]:
        command = [sys.executable, __file__, "--size", *size, *flags, "--network", network]
        child = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        row: dict[str, Any] = json.loads(child.stdout)
        return row

    rows = []
    for size in [*SIZES, *([LARGE] if arguments.large else [])]:
        row = measured(size, "gmsr")
        rows.append(row)
        print(
            f"{row['height']:5}x{row['width']:<5}"
            f" wall {row['wall_s']['minimum']:.3f} s (median {row['wall_s']['median']:.3f} s),"
            f" processor {row['processor_s']['minimum']:.3f} s,"
            f" {row['wall_ns_per_pixel']:.0f} ns a pixel, {row['memory_growth_gib']:.2f} GiB"
        )
        if arguments.against and size == COMPARED:
            other = measured(size, arguments.against)
            ratio = row["wall_s"]["median"] / other["wall_s"]["median"]
            row["against"] = {"network": arguments.against, "time_ratio": ratio, **other}
            print(f"{'':11} {ratio:.2f} of {arguments.against}'s time")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    report = {
        "engine": arguments.engine,
        "processor": cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "threads": arguments.threads,
        "load_average_before": load,
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("napari-gmsr", "torch", "numba", "numpy")},
        },
        "sizes": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(f"-> {RESULTS}")


if __name__ == "__main__":
    main()
