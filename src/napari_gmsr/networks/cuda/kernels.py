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

__all__ = [
    "WIDEST",
    "BlockKernels",
    "BlockLayout",
    "Provider",
    "attention_program",
    "block_program",
    "convolution_program",
    "depthwise_program",
    "fusion_program",
    "norm_program",
    "on_device",
]

WIDEST = 32
"""Channels of a block at most."""

_FILTER_ROWS, _SLICE = 192, 36  # as in features.cu
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
    def fuse_fill(self) -> tuple[int, int]:
        """Warps of a block of `fuse`, and blocks a multiprocessor: registers and memory decide."""
        if self.width <= 12:
            return 8, 3
        return (8, 2) if self.width <= 24 else (6, 2)

    @property
    def fuse_bytes(self) -> int:
        """Shared memory of `fuse`."""
        width, following = -(-self.width // 8), -(-self.following // 8)
        inward, expanded = self.columns, self.expanded_columns
        tiles = inward * (expanded + 2 * width + following) + expanded * width
        row = 8 * inward + 4 + max(8 * expanded, 8 * following) + 4
        return tiles * 512 + 4 * (16 * expanded + 8 * inward + self.fuse_fill[0] * 16 * row)

    @property
    def macros(self) -> dict[str, int]:
        """What the sources are compiled with."""
        warps, blocks = self.fuse_fill
        sizes = {"WIDTH": self.width, "NEXT": self.following}
        return {**sizes, "FUSE_WARPS": warps, "FUSE_BLOCKS": blocks}


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
    own = (folder / f"{name}.cu" for name in ("lanes", "features", "attention", "fuse"))
    return Program((SOURCES / "dense.cu", *own), tuple(layout.macros.items()))


def attention_program(width: int) -> Program:
    """Return `gradients`, `count_ties` and `gradients_backward` for a number of channels."""
    folder = Path(__file__).parent
    names = ("lanes", "features", "attention", "attention_backward")
    own = (folder / f"{name}.cu" for name in names)
    return Program((SOURCES / "dense.cu", *own), (("WIDTH", width),))


def norm_program(channels: int, *, gated: bool) -> Program:
    """Return `normalise` and `normalise_backward` for a number of channels."""
    files = tuple(Path(__file__).parent / f"{name}.cu" for name in ("lanes", "norm"))
    return Program(files, (("CHANNELS", channels), ("GATED", int(gated))))


def convolution_program() -> Program:
    """Return `convolve_maps` and `convolve_maps_backward`."""
    return Program((Path(__file__).parent / "convolve_maps.cu",), ())


def depthwise_program(channels: int) -> Program:
    """Return `depthwise`, `depthwise_backward` and `depthwise_transposed`."""
    files = tuple(Path(__file__).parent / f"{name}.cu" for name in ("lanes", "depthwise"))
    return Program(files, (("CHANNELS", channels),))


def fusion_program(width: int) -> Program:
    """Return `fuse_branches` and `fuse_branches_backward` for a number of channels."""
    files = (
        SOURCES / "dense.cu",
        SOURCES / "linear.cu",
        Path(__file__).parent / "fuse_branches.cu",
    )
    return Program(files, (("WIDTH", width), ("IN", 3 * width + 1), ("OUT", width)))


@cache
def on_device(device: torch.device) -> Provider:
    """Return what gives kernels for a CUDA device; they are compiled when first used."""

    @cache
    def provide(layout: BlockLayout) -> BlockKernels:
        own = DeviceKernels(block_program(layout), device)
        return BlockKernels(layout, own, scan_kernels(2 * layout.width, layout.rank, device))

    return provide
