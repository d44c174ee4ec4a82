"""The kernels of one Gradient Mamba block, ready to be launched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from napari_gmsr.scan.cuda.kernels import SOURCES, DeviceKernels, Kernels, Program
from napari_gmsr.scan.fused import ScanKernels, scan_kernels

__all__ = ["WIDEST", "BlockKernels", "BlockLayout", "Provider", "block_program", "on_device"]

WIDEST = 32
"""Channels of a block at most."""

_FILTER_ROWS, _SLICE = 192, 36  # as in features.cu
_FUSE_WARPS = 6  # as in fuse.cu
_SIDE = 16  # as in attention.cu


@dataclass(frozen=True)
class BlockLayout:
    """How the kernels of a block lie in memory.

    Parameters
    ----------
    width
        Channels of the block.
    following
        Channels of the next block; 0 after the last.
    """

    width: int
    following: int

    @property
    def columns(self) -> int:
        """Columns of a pixel's channels, with the one that carries biases, in eights."""
        return self.width // 8 + 1

    @property
    def expanded_columns(self) -> int:
        """Columns of a pixel's scanned channels, in eights."""
        return -(-2 * self.width // 8)

    @property
    def rank(self) -> int:
        """Rank of the scan's steps."""
        return -(-self.width // 16)

    @property
    def filter_bytes(self) -> int:
        """Shared memory of `filter`."""
        return _FILTER_ROWS * (8 * self.columns + 4 + _SLICE) * 4

    @property
    def gradients_bytes(self) -> int:
        """Shared memory of `gradients`, besides what it declares."""
        return (_SIDE + 1) ** 2 * (self.width | 1) * 4

    @property
    def partials(self) -> int:
        """Statistics that a block of `gradients` leaves."""
        return 3 + 2 * self.width

    @property
    def gates(self) -> int:
        """Floats that `spectral_gate` leaves for a picture."""
        return 2 + 8 * self.columns

    @property
    def fuse_threads(self) -> int:
        """Threads of a block of `fuse`."""
        return 32 * _FUSE_WARPS

    @property
    def fuse_bytes(self) -> int:
        """Shared memory of `fuse`."""
        width, following = -(-self.width // 8), -(-self.following // 8)
        inward, scanned = self.columns, self.expanded_columns
        tiles = inward * (scanned + 2 * width + following) + scanned * width
        rows = 16 * (8 * inward + 4 + 8 * scanned + 4)
        return tiles * 512 + 4 * (16 * scanned + 8 * inward + _FUSE_WARPS * rows)


class BlockKernels(NamedTuple):
    """The kernels of a block and of its scan."""

    layout: BlockLayout
    own: Kernels
    scan: ScanKernels


Provider = Callable[[BlockLayout], BlockKernels]
"""What gives a layout's kernels."""


def block_program(layout: BlockLayout) -> Program:
    """Return `expand`, `filter`, `gradients`, `spectral_gate`, `spatial_gate` and `fuse`."""
    folder = Path(__file__).parent
    own = (folder / f"{name}.cu" for name in ("features", "attention", "fuse"))
    macros = (("WIDTH", layout.width), ("NEXT", layout.following))
    return Program((SOURCES / "dense.cu", *own), macros)


@cache
def on_device(device: torch.device) -> Provider:
    """Return what gives kernels for a CUDA device; they are compiled when first used."""

    @cache
    def provide(layout: BlockLayout) -> BlockKernels:
        own = DeviceKernels(block_program(layout), device)
        return BlockKernels(layout, own, scan_kernels(2 * layout.width, layout.rank, device))

    return provide
