"""GMSR-Net as a whole on a CPU, compiled for the processor at hand; float32, without gradients.

The same numbers as `napari_gmsr.networks.gmsr` to float32's rounding, in few passes over memory.
For each block, from its expanded features a:

1. LayerNorm, input projection, depthwise convolution and SiLU: a -> x;
2. the four scans: x -> y (`napari_gmsr.scan.cpu`);
3. one pass over the gradients, for the maps that the spatial attention filters and the statistics
   of both attentions. Mean and maximum commute with the min-max normalisation, so no normalised
   gradient is ever stored;
4. everything else, and the next block's expansion. The gate branch z is computed again rather than
   kept, the output projection is folded into the fusion, the spectral gate into its third part.

For the paper's widths at most 170 floats a pixel are alive, the cube among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from napari_gmsr.networks.gmsr_cpu_kernels import (
    MARGIN,
    STATISTICS,
    attend_rows,
    filter_rows,
    fuse_rows,
    gradient_rows,
)
from napari_gmsr.scan.cpu import PackedScan, pack_dense, padded, scan_picture
from napari_gmsr.scan.cpu_kernels import dense
from napari_gmsr.scan.cpu_lanes import LANES
from napari_gmsr.scan.cpu_runtime import Workers

if TYPE_CHECKING:
    from torch import Tensor

    from napari_gmsr.networks.gmsr import GMSRNet, GradientMambaBlock, SpatialGradientAttention

__all__ = ["evaluate", "spatial_attention", "spectral_attention", "vss"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_ROWS = 32  # rows of a picture that one thread works on at a time
_NOTHING = np.empty(0, np.float32)


def evaluate(network: GMSRNet, rgb: Tensor, *, threads: int | None = None) -> Tensor:
    """Reconstruct spectra.

    Parameters
    ----------
    network
        In evaluation mode, on the CPU; weights of any floating dtype.
    rgb
        (N, 3, H, W) of any floating dtype, in [0, 1]; any H and W from 1.
    threads
        How many threads to use; ``None`` for as many as PyTorch does. The result does not depend on
        it, to the last bit.

    Returns
    -------
    Tensor
        (N, bands, H, W), of rgb's dtype, computed in float32.
    """
    import torch

    blocks = [_PackedBlock.from_block(cast("GradientMambaBlock", b)) for b in network.blocks]
    taps = _taps(network.spatial_attention)
    pictures, _, height, width = rgb.shape
    cubes = np.empty((pictures, network.bands, height, width), np.float32)
    with Workers(threads) as workers:
        for picture, cube in zip(rgb.detach().float(), cubes, strict=True):
            _evaluate_picture(blocks, taps, picture, cube, workers)
    return torch.from_numpy(cubes).to(rgb.dtype)


def vss(block: GradientMambaBlock, a: Floats, *, threads: int | None = None) -> Floats:
    """Evaluate the VSS branch of a block; (H, W, c) -> (H, W, c)."""
    height, width, channels = a.shape
    packed = _PackedBlock.from_block(block)
    out_proj = _double(block.vss.ss2d.out_proj.weight)
    only = pack_dense(np.pad(out_proj, [(0, 0), (0, 2 * channels)]))
    picture = _Picture(height, width, channels, _pad(a))
    result = np.empty((channels, height, width), np.float32)
    with Workers(threads) as workers:
        y = _scan(picture, packed, workers)
        gate = np.zeros(height * padded(width), np.float32)
        _fuse(picture, packed, y, gate, only, False, _NOTHING, result, workers)
    return result.transpose(1, 2, 0)


def spatial_attention(
    attention: SpatialGradientAttention, a: Floats, *, threads: int | None = None
) -> Floats:
    """Evaluate the spatial gradient attention; (H, W, c) -> (H, W, c)."""
    height, width, channels = a.shape
    with Workers(threads) as workers:
        picture = _Picture(height, width, channels, _pad(a))
        gate, _ = _gates(picture, _taps(attention), workers)
    weight: Floats = gate.reshape(height, -1)[:, :width, None]
    return a * weight


def spectral_attention(
    block: GradientMambaBlock, a: Floats, *, threads: int | None = None
) -> Floats:
    """Evaluate the spectral gradient attention of a block; (H, W, c) -> (H, W, c)."""
    with Workers(threads) as workers:
        picture = _Picture(a.shape[0], a.shape[1], a.shape[2], _pad(a))
        _, pooled = _gates(picture, np.zeros(98, np.float32), workers)
    return a * _spectral_gate(_PackedBlock.from_block(block), pooled).astype(np.float32)


@dataclass(frozen=True)
class _PackedBlock:
    """A block's weights as the kernels read them."""

    channels: int
    eps: float
    expansion: Floats
    inward: Floats
    """LayerNorm's scale and shift and the first half of the input projection."""
    gate: Floats
    """The same with the second half."""
    filters: Floats
    scan: PackedScan
    norm: Floats
    fusion: tuple[Doubles, Doubles, Doubles, Doubles]
    """For the gated scan (with the output projection), the two attentions; and the bias."""
    spectral: tuple[Doubles, Doubles]

    @classmethod
    def from_block(cls, block: GradientMambaBlock) -> _PackedBlock:
        ss2d, norm = block.vss.ss2d, block.vss.norm
        in_proj, out_proj = _double(ss2d.in_proj.weight), _double(ss2d.out_proj.weight)
        c = out_proj.shape[0]
        scaled, shifted = in_proj * _double(norm.weight), in_proj @ _double(norm.bias)
        filters = np.zeros((10, padded(2 * c)))
        filters[0, : 2 * c] = _double(ss2d.depthwise.bias)
        filters[1:, : 2 * c] = _double(ss2d.depthwise.weight).reshape(2 * c, 9).T
        after = np.zeros((2, padded(2 * c)), np.float32)
        after[0, : 2 * c], after[1, : 2 * c] = _double(ss2d.norm.weight), _double(ss2d.norm.bias)
        fuse = _double(block.fuse.weight)
        return cls(
            channels=c,
            eps=norm.eps,
            expansion=pack_dense(_double(block.expand.weight)),
            inward=pack_dense(scaled[: 2 * c], shifted[: 2 * c]),
            gate=pack_dense(scaled[2 * c :], shifted[2 * c :]),
            filters=np.ascontiguousarray(
                filters.reshape(10, -1, LANES).transpose(1, 0, 2), np.float32
            ).ravel(),
            scan=PackedScan.from_parameters(ss2d.scan_parameters),
            norm=after.ravel(),
            fusion=(
                fuse[:, :c] @ out_proj,
                fuse[:, c : 2 * c],
                fuse[:, 2 * c :],
                _double(block.fuse.bias),
            ),
            spectral=(
                _double(block.spectral_attention.fc[0].weight),
                _double(block.spectral_attention.fc[2].weight),
            ),
        )


@dataclass
class _Picture:
    """A block's expanded features."""

    height: int
    width: int
    channels: int
    a: Floats
    """Flat, channel-last, padded, and some floats longer, as kernels read on by one."""


def _evaluate_picture(
    blocks: list[_PackedBlock], taps: Floats, rgb: Tensor, cube: Floats, workers: Workers
) -> None:
    height, width = cube.shape[1:]
    a = _features(height * width, blocks[0].channels)
    _expand(rgb, blocks[0], a, workers)
    for block, following in pairwise(blocks):
        expanded = _features(height * width, following.channels)
        picture = _Picture(height, width, block.channels, a)
        _run_block(picture, block, taps, following.expansion, expanded, workers)
        a = expanded
    picture = _Picture(height, width, blocks[-1].channels, a)
    _run_block(picture, blocks[-1], taps, _NOTHING, cube, workers)


def _run_block(
    picture: _Picture,
    block: _PackedBlock,
    taps: Floats,
    expansion: Floats,
    out: Floats,
    workers: Workers,
) -> None:
    """From a block's expanded features to the next one's, or to the cube's planes."""
    y = _scan(picture, block, workers)
    gate, pooled = _gates(picture, taps, workers)
    gated, spatial, spectral, bias = block.fusion
    spectral = spectral * _spectral_gate(block, pooled)
    fusion = pack_dense(np.concatenate([gated, spatial, spectral], axis=1), bias)
    _fuse(picture, block, y, gate, fusion, True, expansion, out, workers)


def _expand(rgb: Tensor, block: _PackedBlock, a: Floats, workers: Workers) -> None:
    """Apply the first block's 1x1 convolution."""
    source = np.ascontiguousarray(rgb.movedim(0, -1).numpy())
    height, width, inputs = source.shape
    lanes = padded(block.channels)
    flat = source.ravel()
    workers.run(
        partial(
            dense, flat, first * width * inputs, inputs, (last - first) * width, inputs,
            block.expansion, a, first * width * lanes, lanes,
        )
        for first, last in _strips(height)
    )  # fmt: skip


def _scan(picture: _Picture, block: _PackedBlock, workers: Workers) -> Floats:
    """From the expanded features to the sum of the four directions; flat, padded."""
    height, width, channels = picture.height, picture.width, picture.channels
    x = _features(height * width, 2 * channels)
    workers.run(
        partial(
            filter_rows, picture.a, height, width, channels, *rows, block.eps, block.inward,
            block.filters, x,
        )
        for rows in _strips(height)
    )  # fmt: skip
    y = _features(height * width, 2 * channels)
    scan_picture(x, y, height, width, block.scan, workers)
    return y


@dataclass(frozen=True)
class _Pooled:
    """Mean and maximum over pixels of the normalised band differences, the last one doubled."""

    mean: Doubles
    maximum: Doubles


def _gates(picture: _Picture, taps: Floats, workers: Workers) -> tuple[Floats, _Pooled]:
    """Give the spatial gate, flat (height, `padded` width), and what makes the spectral one."""
    height, width, c = picture.height, picture.width, picture.channels
    # The filter reads whole vectors beyond the last row's end.
    maps = np.zeros(2 * (height + 2 * MARGIN) * (width + 2 * MARGIN) + LANES, np.float32)
    strips = list(_strips(height))
    statistics = np.empty((len(strips), STATISTICS, padded(c)), np.float32)
    workers.run(
        partial(gradient_rows, picture.a, height, width, c, *rows, maps, part.ravel())
        for rows, part in zip(strips, statistics, strict=True)
    )
    spatial_low = statistics[:, 0, :c].min()
    spatial_range = statistics[:, 1, :c].max() - spatial_low + np.float32(1e-8)
    planes = maps[:-LANES].reshape(2, height + 2 * MARGIN, width + 2 * MARGIN)
    inner = planes[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    inner -= spatial_low
    inner /= spatial_range
    gate = np.empty(height * padded(width), np.float32)
    workers.run(partial(attend_rows, maps, height, width, *rows, taps, gate) for rows in strips)

    low = float(statistics[:, 2, : c - 1].min())
    highest = statistics[:, 3, : c - 1].max(axis=0).astype(np.float64)
    sums = statistics[:, 4, : c - 1].sum(axis=0, dtype=np.float64)
    scale = 1 / (highest.max() - low + 1e-8)
    mean = (sums / (height * width) - low) * scale
    maximum = (highest - low) * scale
    return gate, _Pooled(np.append(mean, mean[-1]), np.append(maximum, maximum[-1]))


def _spectral_gate(block: _PackedBlock, pooled: _Pooled) -> Doubles:
    first, second = block.spectral

    def perceptron(v: Doubles) -> Doubles:
        return _sigmoid(second @ np.maximum(first @ v, 0))

    return _sigmoid(perceptron(pooled.mean) + perceptron(pooled.maximum))


def _sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def _fuse(
    picture: _Picture,
    block: _PackedBlock,
    y: Floats,
    gate: Floats,
    fusion: Floats,
    residual: bool,
    expansion: Floats,
    out: Floats,
    workers: Workers,
) -> None:
    plane = picture.height * picture.width
    workers.run(
        partial(
            fuse_rows, picture.a, y, gate, picture.width, picture.channels, *rows, block.eps,
            block.gate, block.norm, fusion, residual, expansion, out.reshape(-1), plane,
        )
        for rows in _strips(picture.height)
    )  # fmt: skip


def _strips(height: int) -> Iterator[tuple[int, int]]:
    """Rows from, up to, for one job each."""
    for row in range(0, height, _ROWS):
        yield row, min(row + _ROWS, height)


def _features(pixels: int, channels: int) -> Floats:
    return np.empty(pixels * padded(channels) + LANES, np.float32)


def _pad(a: Floats) -> Floats:
    """(H, W, c) as the kernels read it."""
    height, width, channels = a.shape
    flat = np.zeros(height * width * padded(channels) + LANES, np.float32)
    flat[:-LANES].reshape(height, width, -1)[..., :channels] = a
    return flat


def _taps(attention: SpatialGradientAttention) -> Floats:
    return _double(attention.conv.weight).astype(np.float32).ravel()


def _double(weight: Any) -> Doubles:
    # Any: a submodule's attribute is a tensor or a module to the type checker.

    result: Doubles = weight.detach().double().numpy()
    return result
