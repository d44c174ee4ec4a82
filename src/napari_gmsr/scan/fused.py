"""The scan as fused CUDA kernels, forward and backward, for NVIDIA cards.

A picture's four sequences are cut into chunks that run side by side (the recurrence is that of Gu
and Dao, arXiv 2312.00752): each chunk's end state from zero, a prefix scan over the chunks, then
the outputs from the state that truly enters. The backward pass keeps nothing but its inputs and
computes the states anew. Sums run in a fixed order, so that two runs give the same bits.

A direction and its reverse share their pixels and are handled together. Forward, the projections to
B, C and the step's r are made in the kernels and never stored; backward, those of one such pair of
directions exist at once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_gmsr.errors import EngineError
from napari_gmsr.scan.cuda.dense import pack
from napari_gmsr.scan.cuda.kernels import (
    TILE,
    DeviceKernels,
    Kernels,
    Layout,
    Walk,
    backward_program,
    forward_program,
)
from napari_gmsr.scan.cuda.linear import linear, linear_gradients, linear_kernels
from napari_gmsr.scan.cuda.nvrtc import nvrtc_version, supported_architectures
from napari_gmsr.scan.parameters import STATE_SIZE, ScanParameters

__all__ = [
    "ForwardWeights",
    "ScanKernels",
    "scan",
    "scan_gradients",
    "scan_kernels",
    "selective_scan_2d",
    "status",
]

_LOG2E = 1.4426950408889634
_OLDEST = (8, 0)  # the first with matrix products in TF32


def status(device: torch.device | str = "cuda") -> tuple[bool, str]:
    """Say whether the engine can run on a CUDA device, and why (not)."""
    if not torch.cuda.is_available():
        return False, "PyTorch sees no CUDA device"
    return _status(torch.cuda.current_device() if str(device) == "cuda" else device)


@cache
def _status(device: torch.device | str | int) -> tuple[bool, str]:
    capability = torch.cuda.get_device_capability(device)
    name = torch.cuda.get_device_name(device)
    if capability < _OLDEST:
        return False, f"{name} is too old (compute capability {capability[0]}.{capability[1]})"
    try:
        version, architectures = nvrtc_version(), supported_architectures()
    except EngineError as error:
        return False, error.what
    if 10 * capability[0] + capability[1] not in architectures:
        return False, f"NVRTC {version[0]}.{version[1]} does not know {name}"
    return True, f"fused kernels for {name}, compiled by NVRTC {version[0]}.{version[1]}"


def selective_scan_2d(x: Tensor, parameters: ScanParameters) -> Tensor:
    """Scan every picture in four directions and add the four results.

    Parameters
    ----------
    x
        (N, H, W, e) float32 on a CUDA device, e even.
    parameters
        Weights of the scan, on the same device.

    Returns
    -------
    Tensor
        (N, H, W, e) float32.

    Raises
    ------
    EngineError
        Where the tensors are not float32 on a CUDA device.
    """
    if not x.is_cuda or x.dtype != torch.float32 or x.shape[-1] % 2:
        raise EngineError(
            f"it scans float32 on a CUDA device with an even number of channels, not {x.dtype} on "
            f"{x.device} with {x.shape[-1]}",
            where="engine 'fused'",
            fix="Choose the reference engine.",
        )
    kernels = scan_kernels(x.shape[-1], parameters.rank, x.device)
    y: Tensor = _Scan.apply(kernels, x, *parameters)  # type: ignore[no-untyped-call]
    return y


class ScanKernels(NamedTuple):
    """The kernels of one layout."""

    layout: Layout
    forward: Kernels
    backward: Kernels
    projection: Kernels
    """The linear layer to a pair of directions' B, C and r, for the backward pass."""


@cache
def scan_kernels(channels: int, rank: int, device: torch.device) -> ScanKernels:
    """Kernels for a number of channels and a rank on a CUDA device; compiled when first used."""
    layout = Layout(channels, rank)
    return ScanKernels(
        layout,
        DeviceKernels(forward_program(layout), device),
        DeviceKernels(backward_program(layout), device),
        linear_kernels(channels, 2 * layout.row, device),
    )


class _Scan(torch.autograd.Function):
    """The scan with its gradient."""

    @staticmethod
    def forward(ctx: Any, kernels: ScanKernels, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.kernels = kernels
        x = x.contiguous()
        ctx.save_for_backward(x, *parameters)
        return scan(kernels, x, ForwardWeights.from_parameters(ScanParameters(*parameters)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        gradients = scan_gradients(
            ctx.kernels, x, ScanParameters(*parameters), gy.float().contiguous()
        )
        return (None, *gradients)


class ForwardWeights(NamedTuple):
    """The scan's weights as the forward kernels read them."""

    projection: Tensor
    """The projections in the order B, r, C, packed."""
    rates: Tensor
    """Decay rates for powers of two, (4, e, 16)."""
    dt_proj: Tensor
    dt_bias: Tensor
    skip: Tensor

    @classmethod
    def from_parameters(cls, p: ScanParameters) -> ForwardWeights:
        """Arrange the scan's weights."""
        step, B, C = torch.split(p.x_proj, [p.rank, STATE_SIZE, STATE_SIZE], dim=1)
        padding = step.new_zeros(4, -p.rank % 8, step.shape[-1])
        return cls(pack(torch.cat([B, step, padding, C], dim=1)), *_coefficients(p))


def scan(
    kernels: ScanKernels, x: Tensor, weights: ForwardWeights, chunk_length: int | None = None
) -> Tensor:
    """Forward scan of x (N, H, W, e), contiguous; chunks are a multiple of 16 steps long."""
    y = torch.empty_like(x)
    if not x.numel():
        return y
    layout, forward = kernels[:2]
    groups, pairs, _ = layout.forward
    projection, rates, dt_proj, dt_bias, skip = weights
    if chunk_length is None:
        resident = forward.multiprocessors * layout.forward_blocks * groups
        chunk_length = _chunk_length(resident, len(x), x.shape[1] * x.shape[2])
    for columns in (0, 1):
        walk = _walk(x, columns, chunk_length)
        blocks = -(-walk.total // groups)
        states = x.new_empty(2, walk.total, STATE_SIZE, layout.channels)
        sums = x.new_empty(2, walk.total, layout.channels)
        size = (groups * pairs, layout.forward_bytes)
        common = (x, projection, rates, dt_proj, dt_bias)
        forward.launch("summarise", (blocks, 2, 1), *size, (*common, states, sums, walk))
        _carry(forward, layout, states, sums, rates, walk, arrays=1)
        forward.launch("outputs", (blocks, 1, 1), *size, (*common, skip, states, y, walk))
    return y


@cache
def _chunk_length(resident: int, images: int, length: int) -> int:
    """Choose the chunks' length so that the blocks of `outputs` fill the device evenly.

    `resident` chunks are walked at once.
    """

    def cost(chunk_length: int) -> float:
        chunks = images * -(-length // chunk_length)
        # In steps: the chunks' own, what a chunk costs besides, and the scan over a picture's.
        return -(-chunks // resident) * (chunk_length + 12) + 0.002 * chunks / images

    return min(range(32, 528, 16), key=cost)


def scan_gradients(
    kernels: ScanKernels, x: Tensor, p: ScanParameters, gy: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x and of the five parameters, from that of y; both (N, H, W, e) contiguous."""
    if not x.numel():
        return torch.empty_like(x), *(torch.zeros_like(t) for t in p)  # type: ignore[return-value]
    layout, _, backward, projection = kernels
    channels, rank = layout.channels, layout.rank
    groups, pairs = layout.backward
    weights = _projection(layout, p.x_proj)
    rates, dt_proj, dt_bias, skip = _coefficients(p)
    gx = torch.empty_like(x)
    gweights = torch.empty_like(weights)
    gcoefficients = x.new_empty(4, STATE_SIZE + 2 + rank, channels)
    pixels = x.reshape(-1, channels)
    for columns in (0, 1):
        walk = _walk(x, columns, TILE)
        weight = weights[columns::2].flatten(0, 1)
        projected = linear(projection, pixels, weight)
        states = x.new_empty(2, 2, walk.total, STATE_SIZE, channels)  # the adjoint's come second
        sums = x.new_empty(2, walk.total, channels)
        common = (x, gy, projected, rates, dt_proj, dt_bias)
        backward.launch(
            "adjoint_summarise",
            (-(-walk.total // layout.summary[0]), 2, 1),
            4 * layout.summary[0] * layout.summary[1],
            layout.summary_bytes,
            (*common, states, sums, walk),
        )
        _carry(backward, layout, states, sums, rates, walk, arrays=2)
        rounds = max(1, min(8, walk.total // (groups * 1536)))
        blocks = -(-walk.total // (groups * rounds))
        gprojected = torch.empty_like(projected)
        partials = x.new_empty(2, blocks * groups, STATE_SIZE + 2 + rank, channels)
        backward.launch(
            "backward",
            (blocks, 1, 1),
            4 * groups * pairs,
            layout.backward_bytes,
            (*common, skip, states, gx, gprojected, partials, walk, rounds),
        )
        gcoefficients[columns::2] = partials.sum(1)
        _, gweight = linear_gradients(projection, pixels, weight, gprojected, gx.view(-1, channels))
        gweights[columns::2] = gweight.view(2, -1, channels)
    grates, gskip, gbias = torch.split(gcoefficients, [STATE_SIZE, 1, 1 + rank], dim=1)
    return (
        gx,
        torch.cat([gweights[:, 2 * STATE_SIZE :][:, :rank], gweights[:, : 2 * STATE_SIZE]], dim=1),
        gbias[:, 1:].transpose(1, 2).contiguous(),
        gbias[:, 0].contiguous(),
        grates.transpose(1, 2) * -torch.exp(p.A_log),
        gskip[:, 0].contiguous(),
    )


def _walk(x: Tensor, columns: int, chunk_length: int) -> Walk:
    images, height, width, _ = x.shape
    chunks = -(-height * width // chunk_length)
    return Walk(height, width, columns, chunk_length, chunks, images * chunks)


def _carry(
    kernels: Kernels,
    layout: Layout,
    states: Tensor,
    sums: Tensor,
    rates: Tensor,
    walk: Walk,
    arrays: int,
) -> None:
    images = walk.total // walk.chunks
    many = images * layout.channels * arrays >= 2 * kernels.multiprocessors
    name, abreast = ("carry_wide", 32) if many else ("carry", 8)
    grid = (2 * images, STATE_SIZE * layout.channels // abreast, arrays)
    kernels.launch(name, grid, 1024, 0, (states, sums, rates, walk))


def _projection(layout: Layout, x_proj: Tensor) -> Tensor:
    """x_proj in the order of the kernels' rows, B, C, r, zeros: (4, row, e)."""
    rank = layout.rank
    padding = x_proj.new_zeros(4, layout.row - 2 * STATE_SIZE - rank, layout.channels)
    return torch.cat([x_proj[:, rank:], x_proj[:, :rank], padding], dim=1)


def _coefficients(p: ScanParameters) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decay rates for powers of two, and the other weights, contiguous."""
    rates = torch.exp(p.A_log) * -_LOG2E
    return rates.contiguous(), p.dt_proj.contiguous(), p.dt_bias.contiguous(), p.D.contiguous()
