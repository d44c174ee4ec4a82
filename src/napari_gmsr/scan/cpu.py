"""The scan on a CPU, compiled for the processor at hand; float32, without gradients.

The states are what costs: 16 for each channel, direction and pixel, each with an exponential. They
are advanced sixteen channels at a time in vector registers. The picture is walked in blocks that
fit a processor's cache: a block's projections (B, C and the low-rank step) are computed once, then
each group of sixteen channels is scanned over the block by whichever thread is free.

A direction and its reverse walk at the same time, one from the top and one from the bottom. Before
they meet in the middle each writes its half of y, from there on each adds to the other's. So one y
is enough, no two threads write to one place, and the order of the additions, and with it every bit,
depends on the picture's size alone. Columns are copied to lie one after the other, a block of them
at a time; no flipped or transposed picture exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_gmsr.scan.cpu_kernels import STATES, dense, gather, scan_block, scatter_add
from napari_gmsr.scan.cpu_lanes import LANES
from napari_gmsr.scan.cpu_runtime import Workers

if TYPE_CHECKING:
    from torch import Tensor

    from napari_gmsr.scan.parameters import ScanParameters

__all__ = ["PackedScan", "pack_dense", "padded", "scan_picture", "selective_scan_2d"]

Floats = npt.NDArray[np.float32]

# Pixels whose projections exist at once, for a direction: few enough for the cache, many enough to
# keep threads from waiting for each other.
_BLOCK = 8192
# Pieces into which the projection of a block is cut for the threads.
_PIECES = 4


def padded(channels: int) -> int:
    """Return how many floats a pixel of so many channels takes: whole vectors."""
    return -(-channels // LANES) * LANES


def pack_dense(matrix: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> Floats:
    """Lay out a matrix (outputs, inputs) and a bias for `dense`.

    For each group of 16 outputs the bias comes first, then the matrix' columns.
    """
    matrix = np.asarray(matrix, np.float64)
    outputs, inputs = matrix.shape
    packed = np.zeros((1 + inputs, padded(outputs)))
    packed[1:, :outputs] = matrix.T
    if bias is not None:
        packed[0, :outputs] = bias
    grouped = packed.reshape(1 + inputs, -1, LANES).transpose(1, 0, 2)
    return np.ascontiguousarray(grouped, np.float32).ravel()


@dataclass(frozen=True)
class PackedScan:
    """A scan's weights as the kernels read them."""

    channels: int
    rank: int
    projections: list[Floats]
    """For each direction, the matrix to B, C and the low-rank step."""
    weights: list[list[Floats]]
    """For each direction and 16 channels: log2(e) A, the step's bias, D, the step's projection."""

    @classmethod
    def from_parameters(cls, parameters: ScanParameters) -> PackedScan:
        """Pack weights, casting them to float32.

        Parameters
        ----------
        parameters
            Of any floating dtype, on the CPU.
        """
        x_proj, dt_proj, dt_bias, A_log, D = (p.detach().double().numpy() for p in parameters)
        channels, rank = dt_proj.shape[1:]
        # The kernels take powers of two.
        A = -np.exp(A_log) * np.log2(np.e)
        columns = np.concatenate([A, dt_bias[..., None], D[..., None], dt_proj], axis=2)
        columns = np.pad(columns, [(0, 0), (0, padded(channels) - channels), (0, 0)])
        grouped = columns.reshape(4, -1, LANES, columns.shape[2]).transpose(0, 1, 3, 2)
        return cls(
            channels,
            rank,
            [pack_dense(np.roll(matrix, -rank, axis=0)) for matrix in x_proj],
            [[np.ascontiguousarray(w, np.float32).ravel() for w in ws] for ws in grouped],
        )


def selective_scan_2d(
    x: Tensor, parameters: ScanParameters, *, threads: int | None = None
) -> Tensor:
    """Scan every picture in four directions and add the four results.

    Parameters
    ----------
    x
        (N, H, W, e), any floating dtype; computed in float32.
    parameters
        Weights of the scan.
    threads
        How many threads to use; ``None`` for as many as PyTorch does. The result does not depend on
        it, to the last bit.

    Returns
    -------
    Tensor
        (N, H, W, e) of x's dtype.
    """
    import torch

    height, width, channels = x.shape[1:]
    packed = PackedScan.from_parameters(parameters)
    lanes = padded(channels)
    result = torch.empty_like(x, memory_format=torch.contiguous_format)
    with Workers(threads) as workers:
        for source, target in zip(x.detach(), result, strict=True):
            features = np.zeros((height, width, lanes), np.float32)
            features[..., :channels] = source.float().numpy()
            y = np.empty_like(features)
            scan_picture(features.ravel(), y.ravel(), height, width, packed, workers)
            target.copy_(torch.from_numpy(y[..., :channels]))
    return result


def scan_picture(
    x: Floats, y: Floats, height: int, width: int, scan: PackedScan, workers: Workers
) -> None:
    """Scan one picture in four directions and write their sum to y.

    Parameters
    ----------
    x, y
        Flat, channel-last, each pixel's channels padded with zeros to `padded`; at least
        height * width pixels.
    height, width
        Of the picture.
    scan, workers
        Weights and threads.
    """
    for by_column in (False, True):
        picture = _Picture(x, y, height, width, padded(scan.channels), by_column)
        blocks = 2 * -(-height * width // (2 * _BLOCK))
        edges = [picture.units * block // blocks for block in range(blocks + 1)]
        capacity = picture.pixels_in_unit * max(b - a for a, b in pairwise(edges))
        forwards = _Side(picture, scan, int(by_column), False, capacity)
        backwards = _Side(picture, scan, int(by_column) + 2, True, capacity)
        for wave in range(blocks):
            forwards.go_to(edges[wave], edges[wave + 1])
            backwards.go_to(edges[-2 - wave], edges[-1 - wave])
            met = wave >= blocks // 2
            workers.run([*forwards.project(), *backwards.project()])
            workers.run([*forwards.scan(met), *backwards.scan(met)])
            workers.run([*forwards.merge(), *backwards.merge()])


@dataclass(frozen=True)
class _Picture:
    """Features and result of a picture, walked by pixel or by column."""

    x: Floats
    y: Floats
    height: int
    width: int
    lanes: int
    by_column: bool

    @property
    def pixels_in_unit(self) -> int:
        """Pixels that stay together: a column, or one."""
        return self.height if self.by_column else 1

    @property
    def units(self) -> int:
        return self.width if self.by_column else self.height * self.width


class _Side:
    """One direction on its way through a picture: its states, and the block that it works on."""

    def __init__(
        self, picture: _Picture, scan: PackedScan, direction: int, backwards: bool, capacity: int
    ) -> None:
        self._picture = picture
        self._channels, self._rank = scan.channels, scan.rank
        self._projection = scan.projections[direction]
        self._weights = scan.weights[direction]
        self._backwards = backwards
        self._states = [np.zeros(STATES * LANES, np.float32) for _ in self._weights]
        self._stride = padded(2 * STATES + scan.rank)
        self._projected = np.empty(capacity * self._stride, np.float32)
        self._x, self._y = picture.x, picture.y
        if picture.by_column:
            self._x = np.empty(capacity * picture.lanes, np.float32)
            self._y = np.empty(capacity * picture.lanes, np.float32)

    def go_to(self, first: int, last: int) -> None:
        """Take the pixels or columns from first up to last as the block."""
        self._first, self._last = first, last

    def project(self) -> Iterator[Callable[[], None]]:
        """Jobs that compute B, C and the low-rank step of the block."""
        units = self._last - self._first
        edges = [self._first + units * piece // _PIECES for piece in range(_PIECES + 1)]
        return (partial(self._project, a, b) for a, b in pairwise(edges) if a < b)

    def _project(self, first: int, last: int) -> None:
        p = self._picture
        here = (first - self._first) * p.pixels_in_unit
        source = first
        if p.by_column:
            source = here
            columns = last - first
            gather(p.x, p.height, p.width, p.lanes, first, columns, self._x, here * p.lanes)
        dense(
            self._x, source * p.lanes, p.lanes, (last - first) * p.pixels_in_unit, self._channels,
            self._projection, self._projected, here * self._stride, self._stride,
        )  # fmt: skip

    def scan(self, met: bool) -> Iterator[Callable[[], None]]:
        """Jobs that advance the states over the block, one for each group of channels."""
        p = self._picture
        start = 0 if p.by_column else self._first * p.lanes
        pixels = (self._last - self._first) * p.pixels_in_unit
        for group, (weights, state) in enumerate(zip(self._weights, self._states, strict=True)):
            yield partial(
                scan_block, self._x, self._y, start + group * LANES, p.lanes, pixels,
                self._projected, self._stride, weights, self._rank, state, self._backwards,
                met and not p.by_column,
            )  # fmt: skip

    def merge(self) -> Iterator[Callable[[], None]]:
        """Jobs that bring columns back to their places."""
        p = self._picture
        edges = [p.height * piece // _PIECES for piece in range(_PIECES + 1)]
        for rows in pairwise(edges) if p.by_column else ():
            columns = self._last - self._first
            yield partial(
                scatter_add, p.y, p.height, p.width, p.lanes, self._first, columns, *rows, self._y
            )
