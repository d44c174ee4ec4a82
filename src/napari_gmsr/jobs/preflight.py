"""What is known of a reconstruction before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_gmsr.weights import ModelCard

__all__ = ["Preflight"]


@dataclass(frozen=True)
class Preflight:
    """What a reconstruction would do and take, asked of the process that would do it.

    Parameters
    ----------
    card
        The checkpoint's model card.
    device, device_reason
        Where it would run, and why there.
    engine, engine_reason
        The scan engine, and why that one.
    mode, mode_reason
        ``whole``, ``tiled`` or ``paper``, and why; empty where no picture was given.
    runs
        How often the network runs: tiles, times eight for a self-ensemble.
    peak_bytes, free_bytes
        Estimate of the working memory on the device, and what is free there.
    seconds
        About how long it would take; ``None`` where nothing is known of the device.
    devices
        Every device that is there, with a name for people.
    """

    card: ModelCard
    device: str
    device_reason: str
    engine: str
    engine_reason: str
    mode: str = ""
    mode_reason: str = ""
    runs: int = 0
    peak_bytes: int = 0
    free_bytes: int = 0
    seconds: float | None = None
    devices: Mapping[str, str] = field(default_factory=dict)
