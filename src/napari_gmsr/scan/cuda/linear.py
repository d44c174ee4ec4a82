"""Linear layers on the tensor cores, exact to float32, with gradients (`linear.cu`)."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from napari_gmsr.scan.cuda.kernels import SOURCES, DeviceKernels, Kernels, Program

__all__ = ["linear", "linear_gradients", "linear_kernels", "linear_program"]

_ROWS, _THREADS = 64, 128  # of a block, as in linear.cu


def linear_program(inputs: int, outputs: int) -> Program:
    """Return `linear` and `linear_backward` for a number of inputs and outputs."""
    files = (SOURCES / "dense.cu", SOURCES / "linear.cu")
    return Program(files, (("IN", inputs), ("OUT", outputs)))


@cache
def linear_kernels(inputs: int, outputs: int, device: torch.device) -> Kernels:
    """Kernels of a linear layer on a CUDA device; compiled when first used."""
    return DeviceKernels(linear_program(inputs, outputs), device)


def linear(kernels: Kernels, x: Tensor, weight: Tensor) -> Tensor:
    """Multiply x (..., inputs) by weight (outputs, inputs).T; contiguous, without gradients."""
    outputs, inputs = weight.shape
    y = x.new_empty(*x.shape[:-1], outputs)
    rows = x.numel() // inputs
    if rows:
        grid = (min(-(-rows // _ROWS), 4 * kernels.multiprocessors), 1, 1)
        packed = -(-inputs // 8) * -(-outputs // 8) * 512
        kernels.launch("linear", grid, _THREADS, packed, (x, weight, y, rows))
    return y


def linear_gradients(
    kernels: Kernels, x: Tensor, weight: Tensor, gradient: Tensor, gx: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Gradients of x and weight from that of `linear`; all contiguous.

    The gradient of x is added to `gx` where that is given. Sums have a fixed order.
    """
    outputs, inputs = weight.shape
    onto = gx is not None
    gx = torch.empty_like(x) if gx is None else gx
    rows = x.numel() // inputs
    if not rows:
        return gx, torch.zeros_like(weight)
    in_tiles, out_tiles, out_halves = -(-inputs // 8), -(-outputs // 8), -(-outputs // 16)
    staged = _ROWS * (8 * in_tiles + 4 + 16 * out_halves + 4) * 4
    blocks = min(-(-rows // _ROWS), 3 * kernels.multiprocessors)
    partials = x.new_empty(blocks, outputs, inputs)
    arguments = (x, weight, gradient, gx, partials, rows, int(onto))
    shared_bytes = in_tiles * out_tiles * 512 + staged
    kernels.launch("linear_backward", (blocks, 1, 1), _THREADS, shared_bytes, arguments)
    return gx, partials.sum(0)
