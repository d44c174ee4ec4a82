"""CUDA programs ready to be launched, and the scan's for one number of channels and rank."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from napari_gmsr.scan.cuda.nvrtc import Module, compile_cubin
from napari_gmsr.scan.parameters import STATE_SIZE

__all__ = [
    "SOURCES",
    "TILE",
    "Argument",
    "DeviceKernels",
    "Kernels",
    "Layout",
    "Program",
    "Walk",
    "backward_program",
    "by_value",
    "forward_program",
]

SOURCES = Path(__file__).parent
"""Folder of the scan's CUDA sources; `dense` serves other kernels too."""

TILE = 32
"""Steps that a block of the backward pass holds in shared memory at once."""

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
    def forward(self) -> tuple[int, int, int]:
        """Groups, pairs and steps at once of the forward kernels."""
        pairs = self.channels // 2
        most = max(192, -(-pairs // 32) * 32)
        while True:  # pad the pairs until some number of groups fills whole warps, three at least
            for groups in (1, 2, 4, 8, 16):
                if groups * pairs % 32 == 0 and 96 <= groups * pairs <= most:
                    return groups, pairs, 8 if groups == 16 else 16
            pairs += 1

    @property
    def forward_blocks(self) -> int:
        """Blocks a multiprocessor that leave 128 registers a thread, with which nothing spills."""
        groups, pairs, _ = self.forward
        return max(1, 512 // (groups * pairs))

    @property
    def forward_bytes(self) -> int:
        """Shared memory of a forward block."""
        groups, _, steps = self.forward
        depth, tiles = -(-self.channels // 8), 4 + -(-self.rank // 8)
        return depth * tiles * 512 + groups * steps * (8 * depth + 4 + 8 * tiles + 1) * 4

    @property
    def summary(self) -> tuple[int, int]:
        """Groups and pairs of the adjoint's summary."""
        return _fill(self.channels // 2, multiple=2)

    @property
    def backward(self) -> tuple[int, int]:
        """Groups and pairs of the backward kernel."""
        return _fill(self.channels // 2, multiple=self.reduced_pairs)

    @property
    def summary_bytes(self) -> int:
        """Shared memory of a block of the adjoint's summary."""
        return self._tile_bytes(self.summary)

    @property
    def backward_bytes(self) -> int:
        """Shared memory of a backward block."""
        groups, pairs = self.backward
        remembered = _STRETCHES * 2 * 4 * groups * pairs * 16
        return self._tile_bytes(self.backward) + remembered + self.rank * 2 * pairs * 4

    def _tile_bytes(self, fill: tuple[int, int]) -> int:
        groups, pairs = fill
        return TILE * groups * (24 * pairs + (self.row + 1) * 4)

    @property
    def macros(self) -> dict[str, int]:
        """What the sources are compiled with."""
        return {
            "CHANNELS": self.channels,
            "RANK": self.rank,
            "FORWARD_GROUPS": self.forward[0],
            "FORWARD_PAIRS": self.forward[1],
            "FORWARD_STEPS": self.forward[2],
            "FORWARD_BLOCKS": self.forward_blocks,
            "SUMMARY_GROUPS": self.summary[0],
            "SUMMARY_PAIRS": self.summary[1],
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


@dataclass(frozen=True)
class Program:
    """Kernels that are compiled together.

    Parameters
    ----------
    files
        Their sources, in order, after the primitives.
    macros
        Names and values that they are compiled with.
    """

    files: tuple[Path, ...]
    macros: tuple[tuple[str, int], ...]

    @property
    def source(self) -> str:
        """The program's text, without the primitives, for which something else may stand in."""
        return "\n".join(_read(file) for file in self.files)

    def compile(self, architecture: int) -> bytes:
        """Compile for a compute capability, 10 * major + minor."""
        source = _read(SOURCES / "primitives.cu") + self.source
        return compile_cubin(source, [f"-D{k}={v}" for k, v in self.macros], architecture)


def forward_program(layout: Layout) -> Program:
    """Return `summarise`, `carry` and `outputs`."""
    return _scan_program(layout, "dense", "common", "forward")


def backward_program(layout: Layout) -> Program:
    """Return `adjoint_summarise`, `carry` and `backward`."""
    return _scan_program(layout, "common", "tile", "backward")


def _scan_program(layout: Layout, *names: str) -> Program:
    files = tuple(SOURCES / f"{name}.cu" for name in names)
    return Program(files, tuple(layout.macros.items()))


Argument = Tensor | int | float | Walk
"""What kernels take: tensors by address, numbers of 32 bits."""


def by_value(argument: Argument) -> ctypes.c_void_p | ctypes.c_int | ctypes.c_float | Walk:
    """Return an argument as a kernel is given it."""
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_int(argument)
    return ctypes.c_float(argument) if isinstance(argument, float) else argument


class Kernels(Protocol):
    """Something that runs a program's kernels: a CUDA device."""

    multiprocessors: int

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Argument],
    ) -> None:
        """Run a kernel."""


class DeviceKernels:
    """A program on one CUDA device, launched on PyTorch's current stream; compiled when needed."""

    def __init__(self, program: Program, device: torch.device) -> None:
        self.program = program
        self.device = device
        self.multiprocessors = torch.cuda.get_device_properties(device).multi_processor_count
        self._lock = Lock()
        self._module: Module | None = None

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Argument],
    ) -> None:
        """Run a kernel on the current stream."""
        module = self._module or self.load()
        packed = [by_value(a) for a in arguments]
        index = self.device.index
        if index is None or index == torch.cuda.current_device():
            module.launch(name, grid, threads, shared_bytes, self._stream(), packed)
        else:
            with torch.cuda.device(index):
                module.launch(name, grid, threads, shared_bytes, self._stream(), packed)

    def _stream(self) -> int:
        stream: int = torch.cuda.current_stream().cuda_stream
        return stream

    def load(self) -> Module:
        """Compile and load the program where that has not been done; from any thread."""
        if self._module is None:
            with self._lock:
                if self._module is None:
                    major, minor = torch.cuda.get_device_capability(self.device)
                    cubin = self.program.compile(10 * major + minor)
                    with torch.cuda.device(self.device):
                        torch.cuda.current_stream().synchronize()  # makes the context current
                        self._module = Module(cubin)
        return self._module


@cache
def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
