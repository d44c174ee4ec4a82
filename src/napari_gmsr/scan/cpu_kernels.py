"""Compiled parts of the scan: a dense layer, the recurrence over one block, and copying columns.

Arrays are flat float32 with an offset (``..._at``) and a stride (floats from pixel to pixel); each
pixel's channels are padded with zeros to whole vectors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_gmsr.scan.cpu_functions import exp2, softplus
from napari_gmsr.scan.cpu_lanes import LANES, Lanes, broadcast, fma, load, splat, store
from napari_gmsr.scan.cpu_runtime import kernel

__all__ = ["STATES", "dense", "gather", "scan_block", "scatter_add"]

Floats = npt.NDArray[np.float32]

STATES = 16
"""States of each channel."""

# Offsets in the weights of a direction and channel group, after A of each state.
_BIAS = STATES * LANES
_DIRECT = _BIAS + LANES
_STEP = _DIRECT + LANES
# Pixels whose step is computed ahead of the recurrence; they stay in the first-level cache.
_AHEAD = 64


@kernel
def dense(
    x: Floats,
    x_at: int,
    x_stride: int,
    pixels: int,
    inputs: int,
    weights: Floats,
    y: Floats,
    y_at: int,
    y_stride: int,
) -> None:
    """Multiply pixels by a matrix: y = b + W x.

    `weights` holds for each group of 16 outputs the bias and then one vector for each input.
    """
    for group in range(weights.size // ((inputs + 1) * LANES)):
        panel = group * (inputs + 1) * LANES
        bias = load(weights, panel)
        begin = x_at
        at = y_at + group * LANES
        # Six pixels at a time fill the registers of AVX2, and hide the latency with AVX-512.
        for _ in range(pixels // 6):
            a, b, c = begin, begin + x_stride, begin + 2 * x_stride
            d, e, f = begin + 3 * x_stride, begin + 4 * x_stride, begin + 5 * x_stride
            sum_a = sum_b = sum_c = sum_d = sum_e = sum_f = bias
            for k in range(inputs):
                w = load(weights, panel + (k + 1) * LANES)
                sum_a = fma(w, broadcast(x, a + k), sum_a)
                sum_b = fma(w, broadcast(x, b + k), sum_b)
                sum_c = fma(w, broadcast(x, c + k), sum_c)
                sum_d = fma(w, broadcast(x, d + k), sum_d)
                sum_e = fma(w, broadcast(x, e + k), sum_e)
                sum_f = fma(w, broadcast(x, f + k), sum_f)
            store(y, at, sum_a)
            store(y, at + y_stride, sum_b)
            store(y, at + 2 * y_stride, sum_c)
            store(y, at + 3 * y_stride, sum_d)
            store(y, at + 4 * y_stride, sum_e)
            store(y, at + 5 * y_stride, sum_f)
            begin += 6 * x_stride
            at += 6 * y_stride
        for _ in range(pixels % 6):
            sum_a = bias
            for k in range(inputs):
                sum_a = fma(load(weights, panel + (k + 1) * LANES), broadcast(x, begin + k), sum_a)
            store(y, at, sum_a)
            begin += x_stride
            at += y_stride


@kernel
def scan_block(
    x: Floats,
    y: Floats,
    at: int,
    stride: int,
    pixels: int,
    projected: Floats,
    projected_stride: int,
    weights: Floats,
    rank: int,
    state: Floats,
    backwards: bool,
    add: bool,
) -> None:
    """Scan 16 channels over the pixels of a block; the state goes from one block to the next.

    With the step dt = softplus(W r + b): h = exp(dt A) h + dt x B and y = C h + D x.
    `projected` holds B, C and r of each pixel; `weights` log2(e) A of each state, b, D and the
    columns of W.
    """
    steps = np.empty(2 * _AHEAD * LANES, np.float32)
    direct = load(weights, _DIRECT)
    for begin in range(0, pixels, _AHEAD):
        count = min(_AHEAD, pixels - begin)
        first = pixels - begin - count if backwards else begin
        _steps(
            x, at + first * stride, stride, count, projected, first * projected_stride,
            projected_stride, weights, rank, steps,
        )  # fmt: skip
        for i in range(count):
            local = count - 1 - i if backwards else i
            here = at + (first + local) * stride
            B = (first + local) * projected_stride
            C = B + STATES
            dt = load(steps, 2 * local * LANES)
            drive = load(steps, (2 * local + 1) * LANES)
            even = direct * load(x, here)
            odd = splat(0.0)
            for n in range(0, STATES, 2):
                h = _advance(state, n, weights, dt, drive, broadcast(projected, B + n))
                even = fma(h, broadcast(projected, C + n), even)
                h = _advance(state, n + 1, weights, dt, drive, broadcast(projected, B + n + 1))
                odd = fma(h, broadcast(projected, C + n + 1), odd)
            total = even + odd
            store(y, here, total + load(y, here) if add else total)


@kernel
def _advance(state: Floats, n: int, weights: Floats, dt: Lanes, drive: Lanes, b: Lanes) -> Lanes:
    decay = exp2(dt, load(weights, n * LANES))
    h = fma(decay, load(state, n * LANES), drive * b)
    store(state, n * LANES, h)
    return h


@kernel
def _steps(
    x: Floats,
    at: int,
    stride: int,
    pixels: int,
    projected: Floats,
    projected_at: int,
    projected_stride: int,
    weights: Floats,
    rank: int,
    out: Floats,
) -> None:
    """Write dt and dt x of some pixels side by side.

    Apart from the recurrence, so that the long chain of operations of one pixel's softplus overlaps
    with the next one's.
    """
    bias = load(weights, _BIAS)
    for pixel in range(pixels):
        raw = bias
        for r in range(rank):
            low = broadcast(projected, projected_at + pixel * projected_stride + 2 * STATES + r)
            raw = fma(load(weights, _STEP + r * LANES), low, raw)
        dt = softplus(raw)
        store(out, 2 * pixel * LANES, dt)
        store(out, (2 * pixel + 1) * LANES, dt * load(x, at + pixel * stride))


@kernel
def gather(
    x: Floats,
    height: int,
    width: int,
    stride: int,
    column: int,
    columns: int,
    out: Floats,
    out_at: int,
) -> None:
    """Copy columns of a picture one after the other: out[w, h] = x[h, column + w]."""
    for h in range(height):
        for w in range(columns):
            a = (h * width + column + w) * stride
            b = out_at + (w * height + h) * stride
            for k in range(0, stride, LANES):
                store(out, b + k, load(x, a + k))


@kernel
def scatter_add(
    y: Floats,
    height: int,
    width: int,
    stride: int,
    column: int,
    columns: int,
    row: int,
    last_row: int,
    part: Floats,
) -> None:
    """Add columns that lie one after the other to a picture: y[h, column + w] += part[w, h]."""
    for h in range(row, last_row):
        for w in range(columns):
            a = (h * width + column + w) * stride
            b = (w * height + h) * stride
            for k in range(0, stride, LANES):
                store(y, a + k, load(y, a + k) + load(part, b + k))
