"""Compiled parts of GMSR-Net beside the scan, each over some rows of a picture.

Arrays are flat float32, channel-last, each pixel's channels padded with zeros to whole vectors, as
in `napari_gmsr.scan.cpu_kernels`. Rows are worked on in tiles that stay in a processor's cache.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_gmsr.scan.cpu_functions import gelu, sigmoid
from napari_gmsr.scan.cpu_kernels import dense
from napari_gmsr.scan.cpu_lanes import (
    LANES,
    Lanes,
    broadcast,
    fma,
    largest,
    load,
    maximum,
    minimum,
    splat,
    store,
    total,
)
from napari_gmsr.scan.cpu_runtime import kernel

__all__ = ["MARGIN", "STATISTICS", "attend_rows", "filter_rows", "fuse_rows", "gradient_rows"]

Floats = npt.NDArray[np.float32]

MARGIN = 3
"""Zeros around the maps of the spatial gradient, for the 7x7 filter."""
STATISTICS = 5
"""What `gradient_rows` finds: spatial minimum and maximum, spectral minimum, maximum and sum."""

_TILE = 64
_HUGE = 3e38


@kernel
def _normalise(
    x: Floats, x_at: int, stride: int, pixels: int, channels: int, eps: float, y: Floats
) -> None:
    """Bring each pixel's channels to mean 0 and variance 1."""
    scale = np.float32(1.0) / np.float32(channels)
    padding = np.float32(stride - channels)
    for pixel in range(pixels):
        a = x_at + pixel * stride
        b = pixel * stride
        s = splat(0.0)
        for k in range(0, stride, LANES):
            s = s + load(x, a + k)
        mean = total(s) * scale
        s = splat(0.0)
        for k in range(0, stride, LANES):
            d = load(x, a + k) - mean
            s = fma(d, d, s)
        # The padding's zeros deviate by the mean, too.
        variance = (total(s) - padding * mean * mean) * scale
        factor = np.float32(1.0) / np.sqrt(np.float32(variance + np.float32(eps)))
        for k in range(0, stride, LANES):
            store(y, b + k, (load(x, a + k) - mean) * factor)


@kernel
def filter_rows(
    a: Floats,
    height: int,
    width: int,
    channels: int,
    first: int,
    last: int,
    eps: float,
    weights: Floats,
    filters: Floats,
    x: Floats,
) -> None:
    """LayerNorm, input projection, depthwise 3x3 and SiLU: a -> x.

    `weights` are a dense layer's; `filters` hold the bias and the nine taps of each group of 16
    channels.
    """
    stride = -(-channels // LANES) * LANES
    groups = weights.size // ((1 + channels) * LANES)
    lanes = groups * LANES
    line = (_TILE + 2) * lanes
    ring = np.empty(3 * line, np.float32)
    normal = np.empty((_TILE + 2) * stride, np.float32)
    for column in range(0, width, _TILE):
        count = min(_TILE, width - column)
        left = max(column - 1, 0)
        inside = min(column + count + 1, width) - left
        for row in range(first - 1, last + 1):
            at = row % 3 * line
            if row < 0 or row >= height:
                ring[at : at + line] = 0.0
            else:
                _normalise(a, (row * width + left) * stride, stride, inside, channels, eps, normal)
                skip = (left - column + 1) * lanes
                ring[at : at + skip] = 0.0
                ring[at + skip + inside * lanes : at + line] = 0.0
                dense(
                    normal, 0, stride, inside, channels, weights,
                    ring, at + skip, lanes,
                )  # fmt: skip
            if row > first:
                for group in range(groups):
                    _depthwise(
                        ring, (row - 2) % 3 * line, (row - 1) % 3 * line, at, lanes, group,
                        count, filters, x, ((row - 1) * width + column) * lanes,
                    )  # fmt: skip


@kernel
def _depthwise(
    ring: Floats,
    above: int,
    here: int,
    below: int,
    lanes: int,
    group: int,
    count: int,
    filters: Floats,
    x: Floats,
    x_at: int,
) -> None:
    f = group * 10 * LANES
    bias = load(filters, f)
    for w in range(count):
        k = w * lanes + group * LANES
        s = fma(load(filters, f + 1 * LANES), load(ring, above + k), bias)
        s = fma(load(filters, f + 2 * LANES), load(ring, above + k + lanes), s)
        s = fma(load(filters, f + 3 * LANES), load(ring, above + k + 2 * lanes), s)
        t = load(filters, f + 4 * LANES) * load(ring, here + k)
        t = fma(load(filters, f + 5 * LANES), load(ring, here + k + lanes), t)
        t = fma(load(filters, f + 6 * LANES), load(ring, here + k + 2 * lanes), t)
        t = fma(load(filters, f + 7 * LANES), load(ring, below + k), t)
        t = fma(load(filters, f + 8 * LANES), load(ring, below + k + lanes), t)
        t = fma(load(filters, f + 9 * LANES), load(ring, below + k + 2 * lanes), t)
        s = s + t
        store(x, x_at + k, s * sigmoid(s))


@kernel
def gradient_rows(
    a: Floats,
    height: int,
    width: int,
    channels: int,
    first: int,
    last: int,
    maps: Floats,
    statistics: Floats,
) -> None:
    """Pool the spatial differences over channels, and find what the normalisations need.

    Differences are forward ones; reflection makes the last column (or row) repeat the third last
    difference. Where there is only one difference it is repeated, where there is none it is zero.
    `maps` receives mean and maximum, two planes with a margin; `statistics` has `STATISTICS` rows
    of padded channels.
    """
    stride = -(-channels // LANES) * LANES
    line = width + 2 * MARGIN
    plane = line * (height + 2 * MARGIN)
    scale = np.float32(0.5) / np.float32(channels)
    unused = np.zeros(stride, np.float32)
    unused[channels:] = -_HUGE
    for k in range(0, stride, LANES):
        store(statistics, k, splat(_HUGE))
        store(statistics, stride + k, splat(-_HUGE))
        store(statistics, 2 * stride + k, splat(_HUGE))
        store(statistics, 3 * stride + k, splat(-_HUGE))
        store(statistics, 4 * stride + k, splat(0.0))
    for h in range(first, last):
        top = h if h < height - 1 else max(height - 3, 0)
        bottom = min(top + 1, height - 1)
        for w in range(width):
            left = w if w < width - 1 else max(width - 3, 0)
            right = min(left + 1, width - 1)
            here = (h * width + w) * stride
            s = splat(0.0)
            m = splat(-_HUGE)
            for k in range(0, stride, LANES):
                gx = load(a, (h * width + right) * stride + k) - load(
                    a, (h * width + left) * stride + k
                )
                gy = load(a, (bottom * width + w) * stride + k) - load(
                    a, (top * width + w) * stride + k
                )
                g = load(a, here + k + 1) - load(a, here + k)
                high = maximum(gx, gy)
                s = s + (gx + gy)
                m = maximum(m, high + load(unused, k))
                _keep_smaller(statistics, k, minimum(gx, gy))
                _keep_larger(statistics, stride + k, high)
                _keep_smaller(statistics, 2 * stride + k, g)
                _keep_larger(statistics, 3 * stride + k, g)
                store(statistics, 4 * stride + k, load(statistics, 4 * stride + k) + g)
            at = (h + MARGIN) * line + w + MARGIN
            maps[at] = total(s) * scale
            maps[plane + at] = largest(m)


@kernel
def _keep_smaller(x: Floats, at: int, value: Lanes) -> None:
    store(x, at, minimum(value, load(x, at)))


@kernel
def _keep_larger(x: Floats, at: int, value: Lanes) -> None:
    store(x, at, maximum(value, load(x, at)))


@kernel
def attend_rows(
    maps: Floats, height: int, width: int, first: int, last: int, taps: Floats, gate: Floats
) -> None:
    """Filter the two maps with 7x7 taps each and pass the sum through a sigmoid.

    The rows of `gate` are padded to whole vectors.
    """
    line = width + 2 * MARGIN
    plane = line * (height + 2 * MARGIN)
    gate_line = -(-width // LANES) * LANES
    for h in range(first, last):
        for w in range(0, width, LANES):
            s = splat(0.0)
            for channel in range(2):
                for dy in range(7):
                    at = channel * plane + (h + dy) * line + w
                    for dx in range(7):
                        s = fma(
                            load(maps, at + dx), broadcast(taps, (channel * 7 + dy) * 7 + dx), s
                        )
            store(gate, h * gate_line + w, sigmoid(s))


@kernel
def fuse_rows(
    a: Floats,
    y: Floats,
    gate: Floats,
    width: int,
    channels: int,
    first: int,
    last: int,
    eps: float,
    gate_weights: Floats,
    norm: Floats,
    fusion: Floats,
    residual: bool,
    expansion: Floats,
    out: Floats,
    out_plane: int,
) -> None:
    """From the scan's y to the block's end, and on through the next block's expansion.

    With z the input projection's second half of LayerNorm(a) and u = LayerNorm(y) SiLU(z), f is
    [u, gate a, a] through the dense layer `fusion`, then, where `residual`, f = a + GELU(f). It
    goes to `out` through the dense layer `expansion`, channel-last, or, where that is empty, as it
    is to planes of `out_plane` pixels. `norm` holds the scale and shift of y's LayerNorm.
    """
    stride = -(-channels // LANES) * LANES
    wide = 2 * channels
    lanes = norm.size // 2
    gate_line = -(-width // LANES) * LANES
    row = lanes + 2 * stride
    next_stride = expansion.size // (1 + channels)
    normal = np.empty(_TILE * stride, np.float32)
    z = np.empty(_TILE * lanes, np.float32)
    u = np.empty(_TILE * lanes, np.float32)
    parts = np.empty(_TILE * row, np.float32)
    f = np.empty(_TILE * stride, np.float32)
    for h in range(first, last):
        for column in range(0, width, _TILE):
            count = min(_TILE, width - column)
            pixel = h * width + column
            _normalise(a, pixel * stride, stride, count, channels, eps, normal)
            dense(normal, 0, stride, count, channels, gate_weights, z, 0, lanes)
            _normalise(y, pixel * lanes, lanes, count, wide, eps, u)
            for i in range(count):
                # Each part overwrites the padding of the one before it.
                for k in range(0, lanes, LANES):
                    normed = fma(load(u, i * lanes + k), load(norm, k), load(norm, lanes + k))
                    v = load(z, i * lanes + k)
                    store(parts, i * row + k, normed * (v * sigmoid(v)))
                weight = gate[h * gate_line + column + i]
                for k in range(0, stride, LANES):
                    value = load(a, (pixel + i) * stride + k)
                    store(parts, i * row + wide + k, value * weight)
                for k in range(0, stride, LANES):
                    value = load(a, (pixel + i) * stride + k)
                    store(parts, i * row + wide + channels + k, value)
            dense(parts, 0, row, count, 4 * channels, fusion, f, 0, stride)
            if residual:
                for k in range(0, count * stride, LANES):
                    store(f, k, load(a, pixel * stride + k) + gelu(load(f, k)))
            if expansion.size:
                dense(
                    f, 0, stride, count, channels, expansion,
                    out, pixel * next_stride, next_stride,
                )  # fmt: skip
            else:
                for c in range(channels):
                    for i in range(count):
                        out[c * out_plane + pixel + i] = f[i * stride + c]
