"""The learning rate over a run, and the optimiser that it drives."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_gmsr.training.config import TrainingConfig

__all__ = ["learning_rate", "make_optimiser", "set_learning_rate"]

_POWER = 1.5
_FLOOR = 0.01


def learning_rate(config: TrainingConfig, done: float) -> float:
    """Return the learning rate where the fraction ``done`` of the run is over.

    A linear warm-up first; then constant, half a cosine down to a hundredth (Loshchilov and Hutter,
    2017), or ``(1 - done) ** 1.5``.
    """
    peak = config.optimiser.learning_rate
    if done < config.warm_up:
        return peak * max(done / config.warm_up, _FLOOR)
    rest = min(1.0, (done - config.warm_up) / (1 - config.warm_up))
    if config.schedule == "cosine":
        return peak * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * rest)))
    if config.schedule == "polynomial":
        return float(peak * (1 - rest) ** _POWER)
    return peak


def make_optimiser(config: TrainingConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay is for matrices and kernels alone."""
    settings = config.optimiser
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    cls = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return cls(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set it, without waiting for the device where the rate is kept there."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
