"""The block's operators as CUDA kernels with gradients, for training; float32.

Sums run in a fixed order, so that two runs give the same bits.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from napari_gmsr.networks.cuda.kernels import (
    BlockLayout,
    attention_program,
    convolution_program,
    depthwise_program,
    fusion_program,
    norm_program,
)
from napari_gmsr.networks.gmsr import Operators
from napari_gmsr.scan.cuda.kernels import Argument, DeviceKernels, Kernels, Program
from napari_gmsr.scan.cuda.linear import linear, linear_gradients, linear_program

__all__ = ["FusedOperators"]


class FusedOperators(Operators):
    """The same as `Operators` in fewer passes over memory, on a CUDA device."""

    def kernels(self, program: Program, device: torch.device) -> Kernels:
        """Give a program's kernels."""
        return _kernels(program, device)

    def project(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """Linear layer without bias; (N, H, W, c) -> (N, H, W, outputs)."""
        kernels = self.kernels(linear_program(*layer.weight.shape[::-1]), x.device)
        out: Tensor = _Linear.apply(kernels, x, layer.weight)  # type: ignore[no-untyped-call]
        return out

    def normalise(self, norm: nn.LayerNorm, a: Tensor) -> Tensor:
        """LayerNorm over channels; (N, H, W, c) -> (N, H, W, c)."""
        kernels = self.kernels(norm_program(a.shape[-1], gated=False), a.device)
        normed: Tensor = _Norm.apply(kernels, norm.eps, a, a, norm.weight, norm.bias)  # type: ignore[no-untyped-call]
        return normed

    def convolve(self, depthwise: nn.Conv2d, x: Tensor) -> Tensor:
        """Depthwise convolution and SiLU; (N, H, W, e) -> (N, H, W, e), x maybe a part."""
        kernels = self.kernels(depthwise_program(x.shape[-1]), x.device)
        out: Tensor = _Convolution.apply(kernels, x, depthwise.weight, depthwise.bias)  # type: ignore[no-untyped-call]
        return out

    def gate(self, norm: nn.LayerNorm, y: Tensor, z: Tensor) -> Tensor:
        """LayerNorm of y times SiLU of z; (N, H, W, e) each, z maybe a part of wider features."""
        kernels = self.kernels(norm_program(y.shape[-1], gated=True), y.device)
        gated: Tensor = _GatedNorm.apply(kernels, norm.eps, y, z, norm.weight, norm.bias)  # type: ignore[no-untyped-call]
        return gated

    def convolve_maps(self, conv: nn.Conv2d, maps: Tensor) -> Tensor:
        """7x7 convolution; (N, 2, H, W) -> (N, 1, H, W)."""
        kernels = self.kernels(convolution_program(), maps.device)
        out: Tensor = _MapConvolution.apply(kernels, maps, conv.weight)  # type: ignore[no-untyped-call]
        return out

    def pool_gradients(self, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of features, normalised and pooled: see `Operators.pool_gradients`."""
        kernels = self.kernels(attention_program(a.shape[-1]), a.device)
        maps, extremes, mean, maximum = _Pooling.apply(kernels, a)  # type: ignore[no-untyped-call]
        low, high, spectral_low, spectral_high = extremes[:, :, None].unbind(1)
        spatial_low, spatial_range = low[..., None, None], (high - low + 1e-8)[..., None, None]
        maps = (maps.movedim(-1, 1) - spatial_low) / spatial_range
        pooled = (
            (v - spectral_low) / (spectral_high - spectral_low + 1e-8) for v in (mean, maximum)
        )
        mean, maximum = (torch.cat([v, v[:, -1:]], dim=1) for v in pooled)
        return maps, mean, maximum

    def fuse(
        self,
        layer: nn.Linear,
        a: Tensor,
        scanned: Tensor,
        kept: Tensor,
        spatial: Tensor,
        spectral: Tensor,
    ) -> Tensor:
        """Gate, concatenate, fuse and add: see `Operators.fuse`."""
        kernels = self.kernels(fusion_program(a.shape[-1]), a.device)
        tensors = (a, scanned, kept, spatial, spectral, layer.weight, layer.bias)
        fused: Tensor = _Fusion.apply(kernels, *tensors)  # type: ignore[no-untyped-call]
        return fused


@cache
def _kernels(program: Program, device: torch.device) -> Kernels:
    return DeviceKernels(program, device)


def _norm(
    kernels: Kernels, eps: float, x: Tensor, z: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    out = torch.empty_like(x)
    pixels = x.numel() // x.shape[-1]
    if pixels:
        arguments = (x, z, z.stride(-2), weight, bias, out, pixels, eps)
        kernels.launch("normalise", (_blocks(kernels, pixels), 1, 1), 256, 0, arguments)
    return out


def _norm_gradients(
    kernels: Kernels,
    eps: float,
    x: Tensor,
    z: Tensor,
    weight: Tensor,
    bias: Tensor,
    gradient: Tensor,
    gz: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, weight and bias; that of z goes to gz."""
    gx = torch.empty_like(x)
    channels = x.shape[-1]
    pixels = x.numel() // channels
    if not pixels:
        return gx, torch.zeros_like(weight), torch.zeros_like(bias)
    blocks = _blocks(kernels, pixels)
    partials = x.new_empty(blocks, 2, channels)
    arrays = (x, z, z.stride(-2), weight, bias, gradient.contiguous(), gx, gz, partials)
    kernels.launch("normalise_backward", (blocks, 1, 1), 256, 0, (*arrays, pixels, eps))
    gweight, gbias = partials.sum(0)
    return gx, gweight, gbias


def _blocks(kernels: Kernels, pixels: int) -> int:
    return min(-(-pixels // 32), 8 * kernels.multiprocessors)


def _pixelwise(z: Tensor) -> Tensor:
    """Make z's pixels lie evenly, its channels together."""
    n, h, w, _ = z.shape
    step = z.stride(2)
    even = z.stride(3) == 1 and (h == 1 or z.stride(1) == w * step)
    return z if even and (n == 1 or z.stride(0) == h * w * step) else z.contiguous()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, weight: Tensor) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        ctx.kernels = kernels
        ctx.save_for_backward(x, weight)
        return linear(kernels, x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return None, *linear_gradients(ctx.kernels, x, weight, gradient.contiguous())


class _MapConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, maps: Tensor, weight: Tensor) -> Tensor:
        maps, weight = maps.contiguous(), weight.contiguous()
        ctx.kernels = kernels
        ctx.save_for_backward(maps, weight)
        pictures, _, height, width = maps.shape
        out = maps.new_empty(pictures, 1, height, width)
        if maps.numel():
            arguments = (maps, weight, out, height, width)
            kernels.launch("convolve_maps", _tiles(maps), 256, 0, arguments)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        gmaps = torch.empty_like(maps)
        grid = _tiles(maps)
        partials = maps.new_empty(prod(grid), *weight.shape)
        if maps.numel():
            arrays = (maps, weight, gradient.contiguous(), gmaps, partials)
            arguments = (*arrays, *maps.shape[2:])
            ctx.kernels.launch("convolve_maps_backward", grid, 256, 0, arguments)
        return None, gmaps, partials.sum(0)


def _tiles(maps: Tensor) -> tuple[int, int, int]:
    """Blocks, as in convolve_maps.cu."""
    pictures, _, height, width = maps.shape
    return -(-width // 32), -(-height // 32), pictures


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, eps: float, x: Tensor, _: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        x = x.contiguous()
        ctx.kernels, ctx.eps = kernels, eps
        ctx.save_for_backward(x, weight, bias)
        return _norm(kernels, eps, x, x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        gx, gweight, gbias = _norm_gradients(ctx.kernels, ctx.eps, x, x, weight, bias, gradient, x)
        return None, None, gx, None, gweight, gbias


class _GatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, eps: float, y: Tensor, z: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        y, z = y.contiguous(), _pixelwise(z)
        ctx.kernels, ctx.eps = kernels, eps
        ctx.save_for_backward(y, z, weight, bias)
        return _norm(kernels, eps, y, z, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, z, weight, bias = ctx.saved_tensors
        gz = torch.empty_like(y)
        gy, gweight, gbias = _norm_gradients(ctx.kernels, ctx.eps, y, z, weight, bias, gradient, gz)
        return None, None, gy, gz, gweight, gbias


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = _pixelwise(x)
        filters = torch.cat([weight.flatten(1).T, bias[None]])
        ctx.kernels = kernels
        ctx.save_for_backward(x, filters)
        out = x.new_empty(x.shape)
        if x.numel():
            arguments = (x, x.stride(-2), filters, out, *_extent(x))
            kernels.launch("depthwise", *_convolution_grid(x), 0, arguments)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, filters = ctx.saved_tensors
        grid, threads = _convolution_grid(x)
        gsum, gx = x.new_empty(x.shape), x.new_empty(x.shape)
        partials = x.new_empty(grid[0], *filters.shape)
        if x.numel():
            arrays = (x, x.stride(-2), filters, gradient.contiguous(), gsum, partials)
            ctx.kernels.launch("depthwise_backward", grid, threads, 0, (*arrays, *_extent(x)))
            arguments = (gsum, filters, gx, *_extent(x))
            ctx.kernels.launch("depthwise_transposed", grid, threads, 0, arguments)
        gfilters = partials.sum(0)
        return None, gx, gfilters[:9].T.reshape(-1, 1, 3, 3), gfilters[9]


def _extent(x: Tensor) -> tuple[int, int, int]:
    pictures, height, width, _ = x.shape
    return pictures * height * width, height, width


def _convolution_grid(x: Tensor) -> tuple[tuple[int, int, int], int]:
    """Blocks and threads, as in depthwise.cu."""
    abreast = max(1, 256 // x.shape[-1])
    return (-(-_extent(x)[0] // (16 * abreast)), 1, 1), abreast * x.shape[-1]


class _Pooling(torch.autograd.Function):
    """Pooled gradients before their normalisation, and the lows and highs that it needs."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, a: Tensor) -> tuple[Tensor, ...]:
        a = a.contiguous()
        pictures, height, width, c = a.shape
        blocks = min(-(-height // 16) * -(-width // 16), 4 * kernels.multiprocessors)
        layout = BlockLayout(c, 0)
        maps = a.new_empty(pictures, height, width, 2)
        partials = a.new_empty(pictures, blocks, layout.partials)
        kernels.launch(
            "gradients",
            (blocks, pictures, 1),
            256,
            layout.gradients_bytes,
            (a, maps, partials, height, width),
        )
        low, spectral_low = partials[..., 0].amin(1), partials[..., 2].amin(1)
        high, maximum = partials[..., 1].amax(1), partials[..., 3 + c : 2 + 2 * c].amax(1)
        mean = partials[..., 3 : 2 + c].double().sum(1).div(height * width).float()
        ctx.kernels = kernels
        extremes = torch.column_stack([low, high, spectral_low, maximum.amax(1)])
        ctx.save_for_backward(a, maps, torch.column_stack([extremes, maximum]))
        return maps, extremes, mean, maximum

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gmaps: Tensor, gextremes: Tensor, gmean: Tensor, gmaximum: Tensor
    ) -> tuple[Tensor | None, ...]:
        a, maps, extremes = ctx.saved_tensors
        pictures, height, width, c = a.shape
        shares, ga = torch.empty_like(maps), torch.empty_like(a)
        counts = torch.zeros(pictures, 3 + c, dtype=torch.int32, device=a.device)
        ctx.kernels.launch(
            "count_ties",
            (-(-height * width // 256), pictures, 1),
            256,
            0,
            (a, maps, extremes, gmaps.contiguous(), shares, counts, height, width),
        )
        gextremes = torch.column_stack([gextremes, gmaximum]) / counts
        gsums = (gmean / (height * width)).contiguous()
        ctx.kernels.launch(
            "gradients_backward",
            (-(-height * width // 32), pictures, 1),
            256,
            0,
            (a, maps, shares, extremes, gextremes, gsums, ga, height, width),
        )
        return None, ga


class _Fusion(torch.autograd.Function):
    """The end of a block; the concatenation is made again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, *inputs: Tensor) -> Tensor:
        tensors = [t.contiguous() for t in inputs]
        a = tensors[0]
        ctx.kernels = kernels
        ctx.save_for_backward(*tensors)
        out = torch.empty_like(a)
        if a.numel():
            grid, packed, staged = _fusion_layout(kernels, a)
            arguments: list[Argument] = [*tensors, out, prod(a.shape[1:3])]
            kernels.launch("fuse_branches", grid, 128, packed + staged[0], arguments)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, scanned, _, spatial, spectral, weight, _ = tensors = ctx.saved_tensors
        width = a.shape[-1]
        ga, gscanned, gspatial = map(torch.empty_like, (a, scanned, spatial))
        grid, packed, staged = _fusion_layout(ctx.kernels, a)
        products = a.new_zeros(len(a), width, 3 * width + 1)
        if a.numel():
            partials = a.new_empty(len(a), grid[0], width, 3 * width + 1)
            results = (ga, gscanned, gspatial, partials)
            arguments = (*tensors, gradient.contiguous(), *results, prod(a.shape[1:3]))
            shared_bytes = 2 * packed + sum(staged)
            ctx.kernels.launch("fuse_branches_backward", grid, 128, shared_bytes, arguments)
            products = partials.sum(1)
        # The spectral gate is above 1/2 and the same for all of a picture's pixels.
        gspectral = (products[:, :, 2 * width : -1] * weight[:, 2 * width :]).sum(1) / spectral
        total = products.sum(0)
        return None, ga, gscanned, None, gspatial, gspectral, total[:, :-1], total[:, -1]


def _fusion_layout(
    kernels: Kernels, a: Tensor
) -> tuple[tuple[int, int, int], int, tuple[int, int]]:
    """Blocks; bytes of the packed weights, and of the features and gradients of 64 pixels."""
    pictures, height, width, c = a.shape
    blocks = -(-2 * kernels.multiprocessors // max(1, pictures))
    grid = (max(1, min(-(-height * width // 64), blocks)), pictures, 1)
    in_tiles, out_tiles = -(-(3 * c + 1) // 8), -(-c // 8)
    staged = (64 * (8 * in_tiles + 4) * 4, 64 * (16 * -(-c // 16) + 4) * 4)
    return grid, in_tiles * out_tiles * 512, staged
