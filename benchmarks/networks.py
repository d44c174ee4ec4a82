"""Measure evaluation and a training step of the seven networks on one device.

Random weights, pictures and cubes; float32 without TF32; medians of repeated runs after warm-up.
A training step is that of `napari_gmsr.networks.CapturedStep`: L1 loss, Adam, in a CUDA graph where
that can be recorded. Memory on a CUDA device is PyTorch's peak of allocated memory, weights and
picture included; on a CPU the growth of the process, each work in a process of its own.
A network that does not fit is listed with the reason, and the others go on.
Writes ``benchmarks/results/networks.json``.

    python benchmarks/networks.py [--device cuda] [--size 512 482] [--batch 20] [--patch 128]
        [--networks NAME ...] [--repeats N] [--output FILE] [--commit HASH]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import l1_loss

from napari_gmsr.errors import GMSRError
from napari_gmsr.networks import CapturedStep, create, measure_cost, measure_work, network_engine
from napari_gmsr.reconstruct.devices import exact_float32, named_device_errors

NETWORKS = ("gmsr", "mscnn", "hrnet", "hsrnet", "agdnet", "mstpp", "repcpsi")
RESULTS = Path(__file__).parent / "results" / "networks.json"


def training_step(name: str, batch: int, patch: int, device: str, repeats: int) -> dict[str, Any]:
    """Time and memory of a training step; of a recorded one the memory of its recording."""
    where = torch.device(device)
    torch.manual_seed(0)
    network: Any = create(name).to(where).train()
    chosen = network_engine(network, where, gradients=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    step = CapturedStep(network, optimiser, lambda cube, truth, _: l1_loss(cube, truth))
    rgb = torch.rand(batch, 3, patch, patch, device=where)
    cube = torch.rand(batch, network.bands, patch, patch, device=where)
    with named_device_errors(name, where), exact_float32():
        step(rgb, cube)  # compiles; the next, whose memory counts, is recorded
        seconds, peak, runs = measure_work(lambda: step(rgb, cube), where, repeats)
    return {
        "batch": batch,
        "patch": patch,
        "seconds": seconds,
        "patches_per_s": batch / seconds,
        "peak_bytes": peak,
        "runs": runs,
        "engine": chosen.name,
        "captured": step.captures,
    }


def alone(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a training step in a process of its own."""
    step = [name, options.batch, options.patch, options.device, options.repeats]
    command = [sys.executable, __file__, "--step", *map(str, step)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        last = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        return {"batch": options.batch, "patch": options.patch, "error": last}
    found: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return found


def evaluation(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure the evaluation of one picture; also in a process of its own."""
    height, width = options.size
    row: dict[str, Any] = {"height": height, "width": width}
    try:
        return row | vars(
            measure_cost(name, height, width, options.device, repeats=options.repeats)
        )
    except GMSRError as error:
        return row | {"error": error.what}


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 482), metavar=("H", "W"))
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--commit", default="", help="what is measured, where there is no git")
    parser.add_argument("--step", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, batch, patch, device, repeats = options.step
        print(json.dumps(training_step(name, int(batch), int(patch), device, int(repeats))))
        return
    git = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, cwd=Path(__file__).parent)
    report: dict[str, Any] = {
        "device": options.device,
        "commit": options.commit or found.stdout.strip(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch")},
        "networks": {},
    }
    for name in options.networks:
        row = {"evaluation": evaluation(name, options), "training_step": alone(name, options)}
        report["networks"][name] = row
        report["device"] = row["evaluation"].get("device", report["device"])
        print(name, json.dumps(row), flush=True)
        options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
