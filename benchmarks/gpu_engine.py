"""Measure time and memory of GMSR-Net with the fused engine on one NVIDIA card.

Random weights and random pictures; medians of repeated runs after warm-up, from CUDA events around
the whole call, launches included. A training step is measured as it is and captured in a CUDA
graph. Memory is PyTorch's peak of allocated memory, weights and picture included. Apart from these,
PyTorch's profiler gives each kernel's time in two evaluations and a training step.
Writes ``benchmarks/results/gpu_engine.json``.

    python benchmarks/gpu_engine.py [--repeats N] [--output FILE] [--commit HASH]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import l1_loss

from napari_gmsr.networks import CapturedStep
from napari_gmsr.networks.gmsr import GMSRNet
from napari_gmsr.scan.cuda.nvrtc import nvrtc_version

PICTURES = ((128, 128), (256, 256), (512, 482), (1392, 1040), (2048, 2048), (4096, 4096))
PROFILED = ((512, 482), (2048, 2048))
BATCHES = ((20, 128), (64, 64))
RESULTS = Path(__file__).parent / "results" / "gpu_engine.json"
GIB = 1 << 30


def events() -> tuple[torch.cuda.Event, torch.cuda.Event]:
    """Two points in time, to be recorded."""
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    return start, end


def measure(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median time and peak memory of a call."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeats):
        start, end = events()
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return {
        "median_ms": median(times),
        "minimum_ms": min(times),
        "peak_gib": torch.cuda.max_memory_allocated() / GIB,
    }


def evaluation(network: GMSRNet, height: int, width: int, repeats: int) -> dict[str, float]:
    """Reconstruct one picture."""
    picture = torch.rand(1, 3, height, width, device="cuda")
    with torch.inference_mode():
        row = measure(lambda: network(picture), repeats)
    return {"height": height, "width": width, **row}


def training_step(patches: int, side: int, *, captured: bool) -> Callable[[], object]:
    """One step of the paper's training: forward, L1 loss, backward, Adam."""
    network = GMSRNet().cuda().train()
    network.engine = "fused"
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    step = CapturedStep(network, optimiser, lambda p, c, _: l1_loss(p, c), capture=captured)
    rgb = torch.rand(patches, 3, side, side, device="cuda")
    cube = torch.rand(patches, network.bands, side, side, device="cuda")
    return lambda: step(rgb, cube)


def training(patches: int, side: int, repeats: int, *, captured: bool) -> dict[str, object]:
    """Time and memory of a training step; captured, memory from the capture on."""
    step = training_step(patches, side, captured=captured)
    if captured:
        step()  # the first is not captured
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        step()
        peak = torch.cuda.max_memory_allocated() / GIB
    row = measure(step, repeats)
    if captured:
        row["peak_gib"] = peak
    return {"patches": patches, "side": side, "captured": captured, **row}


def profile(work: Callable[[], object], repeats: int = 3) -> list[dict[str, object]]:
    """Each kernel's time and launches in one call, the longest first."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(repeats):
            work()
        torch.cuda.synchronize()
    rows: list[dict[str, object]] = [
        {
            "kernel": event.key[:120],
            "ms": event.self_device_time_total / 1000 / repeats,
            "launches": event.count / repeats,
        }
        for event in profiler.key_averages()
        if event.self_device_time_total
    ]
    return sorted(rows, key=lambda row: float(str(row["ms"])), reverse=True)


def profiles(network: GMSRNet) -> dict[str, list[dict[str, object]]]:
    """Profile two evaluations and a training step, not captured."""
    found = {}
    with torch.inference_mode():
        for height, width in PROFILED:
            picture = torch.rand(1, 3, height, width, device="cuda")
            found[f"{height}x{width}"] = profile(lambda picture=picture: network(picture))  # type: ignore[misc]
    patches, side = BATCHES[0]
    found["training"] = profile(training_step(patches, side, captured=False))
    return found


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--commit", default="", help="what is measured, where there is no git")
    options = parser.parse_args()
    torch.manual_seed(0)
    network = GMSRNet().cuda().eval()
    network.engine = "fused"
    start = time.perf_counter()
    with torch.inference_mode():
        network(torch.rand(1, 3, 16, 16, device="cuda"))
    torch.cuda.synchronize()
    first = time.perf_counter() - start
    report = {
        "device": torch.cuda.get_device_name(),
        "commit": options.commit,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": torch.__version__,
        "nvrtc": ".".join(map(str, nvrtc_version())),
        "first_picture_s": first,
        "evaluation": [evaluation(network, *size, options.repeats) for size in PICTURES],
        "training_step": [
            training(*batch, options.repeats, captured=captured)
            for batch in BATCHES
            for captured in (False, True)
        ],
        "profiles": profiles(network),
    }
    text = json.dumps(report, indent=2)
    print(text)
    options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
