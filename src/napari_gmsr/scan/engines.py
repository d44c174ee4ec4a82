"""Which engine runs the scan, and why."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from napari_gmsr.errors import EngineError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_gmsr.scan.parameters import ScanParameters

__all__ = ["ENGINES", "EngineStatus", "choose_engine", "list_engines", "selective_scan_2d"]

ENGINES = ("fused", "mamba_ssm", "cpu", "reference")
"""Names of the engines, the fastest first."""


@dataclass(frozen=True)
class EngineStatus:
    """Whether an engine can run on a device, and why (not)."""

    name: str
    available: bool
    reason: str


def list_engines(device: torch.device | str, *, gradients: bool = False) -> list[EngineStatus]:
    """Say of every engine whether it can run here.

    Parameters
    ----------
    device
        Where the tensors are.
    gradients
        Whether gradients are needed; the ``cpu`` engine has none.

    Returns
    -------
    list of EngineStatus
        The fastest first.
    """
    return [_engine(name, device, gradients) for name in ENGINES]


def _engine(name: str, device: torch.device | str, gradients: bool) -> EngineStatus:
    return EngineStatus(name, *_status(name, str(device).split(":")[0], gradients))


def _status(name: str, device: str, gradients: bool) -> tuple[bool, str]:
    if name == "reference":
        return True, "plain PyTorch, runs on any device"
    if name == "cpu":
        if device != "cpu":
            return False, f"runs on the CPU, and the device is {device}"
        if gradients:
            return False, "has no gradients, and training needs them"
        return True, "the network compiled for this processor by numba"
    if device != "cuda":
        return False, f"needs a CUDA device, and the device is {device}"
    available, reason = import_module(f"napari_gmsr.scan.{name}").status()
    return bool(available), str(reason)


def choose_engine(
    device: torch.device | str, requested: str = "auto", *, gradients: bool = False
) -> EngineStatus:
    """Choose the fastest engine that can run, or check the one that was asked for.

    Raises
    ------
    EngineError
        Where the requested engine cannot run here; the error lists every engine with its reason.
    """
    # No engine is asked in vain: mamba_ssm takes seconds to answer.
    if requested == "auto":
        engines = (_engine(name, device, gradients) for name in ENGINES)
        return next(engine for engine in engines if engine.available)
    found = _engine(requested, device, gradients) if requested in ENGINES else None
    if found is not None and found.available:
        return EngineStatus(found.name, True, f"asked for; {found.reason}")
    what = found.reason if found else "there is no engine of this name"
    listing = "; ".join(
        f"{e.name}: {'yes' if e.available else 'no'}, {e.reason}"
        for e in list_engines(device, gradients=gradients)
    )
    raise EngineError(
        what,
        where=f"engine {requested!r}",
        fix=f"Choose 'auto' or one that can run here ({listing}).",
    )


def selective_scan_2d(x: Tensor, parameters: ScanParameters, engine: str = "auto") -> Tensor:
    """Scan every picture in four directions and add the four results.

    Parameters
    ----------
    x
        (N, H, W, e) floating-point features.
    parameters
        Weights of the scan, on the same device.
    engine
        Name of an engine, or ``auto``.

    Returns
    -------
    Tensor
        (N, H, W, e).

    Raises
    ------
    EngineError
        Where the engine cannot run on the tensor's device.
    """
    gradients = _needs_gradients(x, *parameters)
    name = choose_engine(x.device, engine, gradients=gradients).name
    scanned: Tensor = import_module(f"napari_gmsr.scan.{name}").selective_scan_2d(x, parameters)
    return scanned


def _needs_gradients(*tensors: Tensor) -> bool:
    import torch

    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
