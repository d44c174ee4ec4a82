"""The last state of a run: all that is needed to go on. Safetensors; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_gmsr.errors import CheckpointError
from napari_gmsr.io import atomic_output

__all__ = ["Position", "read_state", "write_state"]

_KEY = "state"


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Parameters
    ----------
    step
        Steps that were done.
    seconds
        Of training, without pauses.
    best, best_step
        The best value of what is selected by, and where that was; lower is better always.
    world
        Processes that trained together.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    best_step: int = 0
    world: int = 1


def write_state(
    path: Path,
    position: Position,
    network: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write a state; the one before stays until this one is whole and on the disk."""
    from safetensors.torch import save

    tensors = {f"network/{n}": t for n, t in network.state_dict().items()}
    if averaged is not network:
        tensors |= {f"averaged/{n}": t for n, t in averaged.state_dict().items()}
    for index, entries in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{n}": torch.as_tensor(t) for n, t in entries.items()}
    content = save(
        {name: t.detach().cpu().contiguous() for name, t in tensors.items()},
        metadata={_KEY: json.dumps(asdict(position))},
    )
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_bytes(content)


def read_state(
    path: Path,
    network: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> Position:
    """Put a run's last state into its parts and return where it stands.

    Raises
    ------
    CheckpointError
        Where the file is damaged or of another architecture.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as file:
            position = Position(**json.loads((file.metadata() or {})[_KEY]))
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the run's last state cannot be read ({error})",
            where=path,
            fix="Start a new run from its best checkpoint.",
        ) from error
    try:
        network.load_state_dict(_part(tensors, "network/"))
        if averaged is not network:
            averaged.load_state_dict(_part(tensors, "averaged/"))
    except RuntimeError as error:
        raise CheckpointError(
            "the run's last state is of another architecture",
            where=path,
            fix="Resume with the configuration that the run began with.",
        ) from error
    entries: dict[int, dict[str, Any]] = {}
    for name, tensor in _part(tensors, "optimiser/").items():
        index, key = name.split("/", 1)
        entries.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": entries, "param_groups": groups})
    return position


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
