"""What a run will need, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch
from torch import nn

from napari_gmsr.errors import InputError
from napari_gmsr.reconstruct.costs import run_bytes, run_seconds
from napari_gmsr.reconstruct.devices import named_device_errors
from napari_gmsr.reconstruct.tiles import PAPER_TILE, paper_tile_count, tile_count

__all__ = ["MODES", "Plan", "plan"]

MODES = ("auto", "whole", "tiled", "paper")
"""How a picture is reconstructed; see `napari_gmsr.reconstruct`."""

# What a run may take of the memory that is free.
_SHARE = 0.6


@dataclass(frozen=True)
class Plan:
    """How a picture will be reconstructed.

    Parameters
    ----------
    mode
        ``whole``, ``tiled`` or ``paper``: ``auto`` has been decided.
    reason
        Why this mode, in a clause.
    tile, overlap
        Pixels; 0 for a whole picture.
    tiles
        Number of network runs, without a self-ensemble.
    peak_bytes
        Estimate of the memory that it takes on the device: one run of the network, and on a CPU the
        cubes that gather the results meanwhile (unless they are large enough to lie in files).
    free_bytes
        What was free on the device.
    seconds
        Rough estimate of the time that all runs take, once everything is compiled; None where
        nothing was measured on such a device.
    """

    mode: str
    reason: str
    tile: int
    overlap: int
    tiles: int
    peak_bytes: int
    free_bytes: int
    seconds: float | None = None


def plan(
    shape: tuple[int, int],
    mode: str,
    device: torch.device,
    engine: str,
    *,
    network: nn.Module | None = None,
    ensemble: bool = False,
    tile: int = 256,
    overlap: int = 32,
) -> Plan:
    """Decide how a picture is reconstructed, and estimate what it takes.

    Parameters
    ----------
    shape
        Height and width in pixels.
    mode
        One of `MODES`. ``auto`` is whole where that fits in 60 % of the free memory, and tiled
        otherwise.
    device
        Where the network runs.
    engine
        Name of the scan engine; a network without a scan is not asked for it.
    network
        None for GMSR-Net with the paper's widths.
    ensemble
        Whether the picture is reconstructed in eight orientations.
    tile, overlap
        For tiles; see `napari_gmsr.reconstruct.tiles.cuts`.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        Where the mode is unknown, or tile and overlap do not fit together.
    """
    if mode not in MODES:
        raise InputError(
            "there is no mode of this name",
            where=f"mode {mode!r}",
            fix=f"Choose one of {', '.join(MODES)}.",
        )
    if tile < 16 or not 0 <= overlap <= tile // 2:
        raise InputError(
            f"tiles of {tile} pixels with an overlap of {overlap}",
            fix="Give a tile of at least 16 pixels and an overlap of at most half a tile.",
        )
    height, width = shape
    free = _free_memory(device)
    size = height * width

    def needed(pixels: int, tiled: bool) -> int:
        peak = run_bytes(pixels, engine, network, device.type)
        if device.type != "cpu":
            return peak
        # Mean and deviations; then tiles are added to a cube that stands beside them.
        cube = 4 * getattr(network, "bands", 31) * size
        return peak + (0 if cube > free // 2 else cube * (2 * ensemble + tiled))

    def needed_seconds(pixels: int) -> float | None:
        return run_seconds(pixels * (8 if ensemble else 1), engine, device, network)

    whole = needed(size, False)
    if mode == "auto":
        fits = whole <= _SHARE * free
        mode = "whole" if fits else "tiled"
        reason = (
            f"the whole picture needs about {_gib(whole)} of {_gib(free)} free memory"
            if fits
            else f"the whole picture would need about {_gib(whole)}, and {_gib(free)} are free"
        )
    else:
        reason = "asked for"
    if mode == "whole":
        return Plan(mode, reason, 0, 0, 1, whole, free, needed_seconds(size))
    if mode == "paper":
        tile, overlap, tiles = PAPER_TILE, PAPER_TILE // 2, paper_tile_count(shape)
    else:
        tiles = tile_count(shape, tile, overlap)
    part = min(tile, height) * min(tile, width)
    seconds = needed_seconds(part * tiles)
    return Plan(mode, reason, tile, overlap, tiles, needed(part, True), free, seconds)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        with named_device_errors("", device):
            free = torch.cuda.mem_get_info(device)[0]
            # PyTorch keeps what earlier runs took, for the next one.
            kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + kept)
    return int(psutil.virtual_memory().available)


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
