"""Compare scan engines, and GMSR-Net with MST++, on one NVIDIA card.

Every engine that can run here: largest differences to the conformance vectors where they are
given, relative errors of the scan's gradients to the plain engine's, time of the scans, time and
memory of the whole network. Random weights and pictures, float32 without TF32; medians of repeated
runs after warm-up, from CUDA events around the whole call. Memory is PyTorch's peak of allocated
memory, weights and picture included. What the file holds of engines and networks that are not
measured this time stays, with the device and the versions of its own run.

    python benchmarks/engines.py [--output FILE] [--engines NAME ...] [--networks NAME ...]
        [--vectors gmsr.npz] [--commit HASH] [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gpu_engine import measure
from napari_gmsr.networks import create
from napari_gmsr.networks.gmsr_names import from_reference_state
from napari_gmsr.scan import ScanParameters, list_engines, selective_scan_2d

PICTURES = ((512, 482), (1392, 1040), (2048, 2048))
PATCHES, SIDE = 20, 128
SCANS = ((20, 1), (40, 2), (62, 2))
"""Channels and rank of the paper's three blocks."""
RESULTS = Path(__file__).parent / "results" / "engines.json"


def random_scan(channels: int, rank: int, *shape: int) -> tuple[Tensor, ScanParameters]:
    """Features and weights as a trained network has them."""

    def draw(*size: int) -> Tensor:
        return torch.randn(*size, device="cuda")

    weights = ScanParameters(
        draw(4, rank + 32, channels) * channels**-0.5,
        draw(4, channels, rank),
        draw(4, channels) - 2,
        torch.log(torch.arange(1.0, 17.0, device="cuda")) + 0.1 * draw(4, channels, 16),
        draw(4, channels),
    )
    return draw(*shape, channels), weights


def scans(engine: str, repeats: int) -> list[dict[str, Any]]:
    """Time one picture's scans, and compare small ones' gradients with the plain engine's."""
    rows = []
    for channels, rank in SCANS:
        x, weights = random_scan(channels, rank, 1, 512, 482)
        with torch.inference_mode():
            row = measure(partial(selective_scan_2d, x, weights, engine), repeats)
        x, weights = random_scan(channels, rank, 3, 37, 53)
        wanted = gradients(x, weights, "reference", torch.float64)
        got = gradients(x, weights, engine, torch.float32)
        names = ("y", "x", *ScanParameters._fields)
        errors = {
            name: float((a.double() - b).norm() / b.norm())
            for name, a, b in zip(names, got, wanted, strict=True)
        }
        rows.append({"channels": channels, **row, "relative_errors": errors})
    return rows


def gradients(x: Tensor, p: ScanParameters, engine: str, dtype: torch.dtype) -> list[Tensor]:
    """Scan, and give the result and the gradients of half its squares' sum."""
    leaves = [t.to(dtype).requires_grad_() for t in (x, *p)]
    y = selective_scan_2d(leaves[0], ScanParameters(*leaves[1:]), engine)
    return [y.detach(), *torch.autograd.grad(y.square().sum() / 2, leaves)]


def conformance(engine: str, vectors: Path) -> dict[str, float]:
    """Largest difference to each of the reference implementation's outputs."""
    with np.load(vectors) as archive:
        arrays = {name: torch.from_numpy(archive[name]) for name in archive.files}
    state = {name[6:]: a for name, a in arrays.items() if name.startswith("state/")}
    network = from_reference_state(state).cuda()
    network.engine = engine
    with torch.inference_mode():
        return {
            case: float(
                (network(arrays[f"in/{case}"].cuda()).cpu() - arrays[f"out/{case}"]).abs().max()
            )
            for case in "abc"
        }


def evaluations(network: nn.Module, repeats: int) -> list[dict[str, Any]]:
    """Reconstruct one picture of each size."""
    rows = []
    for height, width in PICTURES:
        picture = torch.rand(1, 3, height, width, device="cuda")
        with torch.inference_mode():
            row = measure(partial(network.eval(), picture), repeats)
        rows.append({"height": height, "width": width, **row})
    return rows


def training(network: nn.Module, repeats: int) -> dict[str, Any]:
    """One step of the paper's training: forward, L1 loss, backward, Adam."""
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    rgb = torch.rand(PATCHES, 3, SIDE, SIDE, device="cuda")
    cube = torch.rand(PATCHES, 31, SIDE, SIDE, device="cuda")

    def step() -> None:
        optimiser.zero_grad()
        (network(rgb) - cube).abs().mean().backward()
        optimiser.step()

    return {"patches": PATCHES, "side": SIDE, **measure(step, repeats)}


def whole(name: str, engine: str | None, repeats: int) -> dict[str, Any]:
    """Evaluate and train one network."""
    network = create(name).cuda()
    if engine is not None:
        network.engine = engine  # type: ignore[assignment]
    start = time.perf_counter()
    with torch.inference_mode():
        network.eval()(torch.rand(1, 3, 16, 16, device="cuda"))
    torch.cuda.synchronize()
    first = time.perf_counter() - start
    return {
        "first_picture_s": first,
        "evaluation": evaluations(network, repeats),
        "training_step": training(network, repeats),
    }


def installed(package: str) -> str:
    """Version of a package, or that it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def main() -> None:
    """Measure what was asked for and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engines", nargs="*", help="of GMSR-Net; all that can run if left out")
    parser.add_argument("--networks", nargs="*", default=["mstpp"], help="besides GMSR-Net")
    parser.add_argument("--vectors", type=Path, help="the reference implementation's vectors")
    parser.add_argument("--commit", default="")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    run: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "commit": options.commit,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "cuda": torch.version.cuda,
            **{name: installed(name) for name in ("napari-gmsr", "torch", "mamba-ssm")},
        },
    }
    kept = json.loads(options.output.read_text()) if options.output.exists() else {}
    engines, networks = kept.get("engines", {}), kept.get("networks", {})

    def write() -> None:
        report = {"engines": engines, "networks": networks}
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    for e in list_engines("cuda"):
        if not e.available or e.name not in (options.engines or [e.name]):
            continue
        row: dict[str, Any] = {"run": run, "reason": e.reason}
        row["network"] = whole("gmsr", e.name, options.repeats)
        if options.vectors is not None:
            row["largest_differences"] = conformance(e.name, options.vectors)
        row["scans_512x482"] = scans(e.name, options.repeats)
        engines[e.name] = row
        write()
    for name in options.networks:
        networks[name] = {"run": run, **whole(name, None, options.repeats)}
        write()
    print(options.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
