"""What a run will need, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from napari_gmsr.errors import InputError
from napari_gmsr.reconstruct.tiles import PAPER_TILE, paper_tile_count, tile_count

__all__ = ["MODES", "Plan", "plan"]

MODES = ("auto", "whole", "tiled", "paper")
"""How a picture is reconstructed; see `napari_gmsr.reconstruct`."""

# Working memory of one run of GMSR-Net: bytes at least, and bytes for each pixel, cube included.
# Measured by benchmarks/cpu_engine.py (cpu, reference) and on an H100 (fused).
_BYTES = {"cpu": (50e6, 650), "reference": (0.7e9, 2800), "fused": (0.1e9, 2900)}
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
        Estimate of the memory that one run of the network takes on the device.
    free_bytes
        What was free on the device.
    """

    mode: str
    reason: str
    tile: int
    overlap: int
    tiles: int
    peak_bytes: int
    free_bytes: int


def plan(
    shape: tuple[int, int],
    mode: str,
    device: torch.device,
    engine: str,
    *,
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
        Name of the scan engine.
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
    whole = _working_memory(height * width, engine)
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
        return Plan(mode, reason, 0, 0, 1, whole, free)
    if mode == "paper":
        tile, overlap, tiles = PAPER_TILE, PAPER_TILE // 2, paper_tile_count(shape)
    else:
        tiles = tile_count(shape, tile, overlap)
    peak = _working_memory(min(tile, height) * min(tile, width), engine)
    return Plan(mode, reason, tile, overlap, tiles, peak, free)


def _working_memory(pixels: int, engine: str) -> int:
    least, each = _BYTES[engine]
    return int(least + each * pixels)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
