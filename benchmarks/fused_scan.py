"""Time the fused scan, forward and backward, stage by stage of the paper's network, on one GPU."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from napari_gmsr.scan import ScanParameters, fused

STAGES = ((20, 1), (40, 2), (62, 2))
TRAINING = ((20, 128, 128), (64, 64, 64))
PICTURES = ((1, 512, 482), (1, 2048, 2048))


def median_ms(work: Callable[[], object], repeats: int = 9) -> float:
    """Median time, with its launches, after three warm-up runs."""
    times = []
    for i in range(repeats + 3):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if i >= 3:
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def random_parameters(e: int, rank: int) -> ScanParameters:
    """Weights of the size the network's initial ones have."""
    A_log = torch.log(torch.arange(1.0, 17, device="cuda")).expand(4, e, 16)
    return ScanParameters(
        torch.randn(4, rank + 32, e, device="cuda") * e**-0.5,
        torch.randn(4, e, rank, device="cuda"),
        torch.randn(4, e, device="cuda") - 4,
        A_log.contiguous(),
        torch.ones(4, e, device="cuda"),
    )


def main() -> None:
    """Print one JSON object a line."""
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__}))
    for e, rank in STAGES:
        weights = [w.requires_grad_() for w in random_parameters(e, rank)]
        for shape in TRAINING + PICTURES:
            x = torch.randn(*shape, e, device="cuda", requires_grad=shape in TRAINING)

            def forward(x: torch.Tensor = x, weights: list[torch.Tensor] = weights) -> torch.Tensor:
                return fused.selective_scan_2d(x, ScanParameters(*weights))

            with torch.no_grad():
                row = {"e": e, "shape": shape, "forward_ms": median_ms(forward)}
            if shape in TRAINING:
                y = forward()
                gy = torch.randn_like(y)
                gradient = partial(torch.autograd.grad, y, x, gy, retain_graph=True)
                row["backward_ms"] = median_ms(gradient)
            print(json.dumps(row))


if __name__ == "__main__":
    main()
