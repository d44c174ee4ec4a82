"""The scan's kernels for one number of channels and rank, ready to be launched."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from napari_gmsr.scan.cuda.nvrtc import Module, compile_cubin
from napari_gmsr.scan.parameters import STATE_SIZE

__all__ = ["TILE", "DeviceKernels", "Kernels", "Layout", "Walk", "source"]

TILE = 32
"""Steps that a block holds in shared memory at once."""

_STRETCHES = 8  # of a tile in the backward pass, each with its remembered states


class Walk(ctypes.Structure):
    """How sequences run through the pictures, as the kernels' struct of this name."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in ("height", "width", "columns", "chunk_length", "chunks", "total")
    ]


@dataclass(frozen=True)
class Layout:
    """How a block is filled with chunks side by side (groups) and pairs of channels in each.

    Parameters
    ----------
    channels
        Channels of the scanned features, even.
    rank
        Rank of the step's projection.
    """

    channels: int
    rank: int

    @property
    def row(self) -> int:
        """Floats of a pixel's projection in one direction: B, C, the step's r, padding."""
        return 2 * STATE_SIZE + -(-self.rank // 4) * 4

    @property
    def reduced_pairs(self) -> int:
        """Pairs over which shuffles sum the gradients of B and C."""
        return 4

    @property
    def forward(self) -> tuple[int, int]:
        """Groups and pairs of the forward kernels."""
        return _fill(self.channels // 2, multiple=2)

    @property
    def backward(self) -> tuple[int, int]:
        """Groups and pairs of the backward kernel."""
        return _fill(self.channels // 2, multiple=self.reduced_pairs)

    def forward_bytes(self, *, gradient: bool = False) -> int:
        """Shared memory of a forward block, or of the adjoint's summary."""
        return self._tile_bytes(self.forward, gradient)

    @property
    def backward_bytes(self) -> int:
        """Shared memory of a backward block."""
        groups, pairs = self.backward
        remembered = _STRETCHES * 2 * 4 * groups * pairs * 16
        return self._tile_bytes(self.backward, True) + remembered + self.rank * 2 * pairs * 4

    def _tile_bytes(self, fill: tuple[int, int], gradient: bool) -> int:
        groups, pairs = fill
        points = groups * pairs * (24 if gradient else 16)
        return TILE * (points + groups * (self.row + 1) * 4)

    @property
    def macros(self) -> dict[str, int]:
        """What the sources are compiled with."""
        return {
            "CHANNELS": self.channels,
            "RANK": self.rank,
            "FORWARD_GROUPS": self.forward[0],
            "FORWARD_PAIRS": self.forward[1],
            "BACKWARD_GROUPS": self.backward[0],
            "BACKWARD_PAIRS": self.backward[1],
            "REDUCED_PAIRS": self.reduced_pairs,
            # Twelve warps a multiprocessor leave 168 registers a thread, with which nothing spills.
            "BACKWARD_BLOCKS": max(1, 12 * 32 // (4 * self.backward[0] * self.backward[1])),
        }


def _fill(pairs: int, multiple: int) -> tuple[int, int]:
    """Choose groups and padded pairs so that four lanes a pair fill whole warps, three at least."""
    padded = -(-pairs // multiple) * multiple
    groups = 1
    while padded * groups % 8 or padded * groups < 24:
        groups += 1
    return groups, padded


class Kernels(Protocol):
    """Something that runs the kernels of a layout: a CUDA device."""

    layout: Layout

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Tensor | int | Walk],
    ) -> None:
        """Run a kernel; tensors are passed by address."""


class DeviceKernels:
    """The kernels on one CUDA device, launched on PyTorch's current stream."""

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.layout = layout
        self.device = device
        major, minor = torch.cuda.get_device_capability(device)
        options = [f"-D{name}={value}" for name, value in layout.macros.items()]
        cubin = compile_cubin(source(), options, 10 * major + minor)
        with torch.cuda.device(device):
            torch.cuda.current_stream().synchronize()  # makes the device's context current
            self._module = Module(cubin)

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Tensor | int | Walk],
    ) -> None:
        """Run a kernel on the current stream; tensors are passed by address."""
        with torch.cuda.device(self.device):
            stream = torch.cuda.current_stream().cuda_stream
            packed = [_pack(a) for a in arguments]
            self._module.launch(name, grid, threads, shared_bytes, stream, packed)


def _pack(argument: Tensor | int | Walk) -> ctypes.c_void_p | ctypes.c_int | Walk:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_int(argument) if isinstance(argument, int) else argument


@cache
def source(*, primitives: bool = True) -> str:
    """Return the kernels' program, without the primitives where something stands in for them."""
    names = ("common", "forward", "backward")
    folder = Path(__file__).parent
    return "\n".join(
        (folder / f"{name}.cu").read_text(encoding="utf-8")
        for name in (("primitives", *names) if primitives else names)
    )
