"""Which engine runs the scan of a network, and why."""

from __future__ import annotations

import torch
from torch import nn

from napari_gmsr.scan.engines import EngineStatus, choose_engine

__all__ = ["network_engine"]


def network_engine(
    network: nn.Module,
    device: torch.device | str,
    requested: str = "auto",
    *,
    gradients: bool = False,
) -> EngineStatus:
    """Choose the engine for a network.

    The engines ``fused`` and ``cpu`` know the whole of the paper's GMSR-Net. Of a network that has
    its scan in other blocks they run the scan alone, and PyTorch the rest.

    Parameters
    ----------
    network
        Any of `napari_gmsr.networks`.
    device, requested, gradients
        See `napari_gmsr.scan.choose_engine`.

    Returns
    -------
    EngineStatus
        Its name is ``none`` for a network without a scan.

    Raises
    ------
    EngineError
        Where the requested engine cannot run on the device, whether the network needs it or not.
    """
    chosen = choose_engine(device, requested, gradients=gradients)
    if not hasattr(network, "engine"):
        return EngineStatus("none", True, "the network has no scan")
    if chosen.name in ("cpu", "fused") and not getattr(network, "complete", False):
        reason = f"{chosen.reason}; of an ablated network only the scan"
        return EngineStatus(chosen.name, True, reason)
    return chosen
