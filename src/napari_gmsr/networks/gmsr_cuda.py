"""GMSR-Net as a whole on an NVIDIA card, in fused kernels; float32, without gradients.

The same numbers as `napari_gmsr.networks.gmsr` to float32's rounding, in few passes over memory.
For each block, from its expanded features a:

1. LayerNorm, input projection, depthwise convolution and SiLU: a -> x;
2. the four scans: x -> y (`napari_gmsr.scan.fused`);
3. one pass over the gradients, for the maps that the spatial attention filters and the statistics
   of both attentions; then both gates. No gradient is stored;
4. everything else, and the next block's expansion. The gate branch z is computed again rather than
   kept, and the output projection is folded into the fusion.

Products with weights run on the tensor cores, each factor as the sum of two TF32 numbers, which is
exact to float32's rounding. For the paper's widths about 180 floats a pixel are alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmsr.networks.cuda.kernels import (
    BlockKernels,
    BlockLayout,
    Provider,
    on_device,
)
from napari_gmsr.scan.cuda.dense import pack
from napari_gmsr.scan.fused import ForwardWeights, scan

if TYPE_CHECKING:
    from napari_gmsr.networks.gmsr import GMSRNet, GradientMambaBlock

__all__ = ["BlockWeights", "evaluate", "filter_features", "fuse_branches", "gates"]


def evaluate(network: GMSRNet, rgb: Tensor, provider: Provider | None = None) -> Tensor:
    """Reconstruct spectra.

    Parameters
    ----------
    network
        The paper's, of at most 32 channels a block, in evaluation mode, on a CUDA device; weights
        of any floating dtype. They are arranged when a network is first evaluated and when they
        have been replaced or written to since.
    rgb
        (N, 3, H, W) of any floating dtype, in [0, 1], on the same device; any H and W from 1.
    provider
        What gives the kernels; by default those of the device.

    Returns
    -------
    Tensor
        (N, bands, H, W), of rgb's dtype, computed in float32.
    """
    pictures, _, height, width = rgb.shape
    if not rgb.numel():
        return rgb.new_empty(pictures, network.bands, height, width)
    provider = provider or on_device(rgb.device)
    layouts = [BlockLayout(c, following) for c, following in pairwise((*network.widths, 0))]
    weights = _arranged(network)
    a = _expand(provider(layouts[0]), weights[0], rgb.detach().float().contiguous())
    for layout, block in zip(layouts, weights, strict=True):
        a = _run_block(provider(layout), block, a)
    return a.to(rgb.dtype)


@dataclass(frozen=True)
class BlockWeights:
    """A block's weights as the kernels read them; products of weights are made in float64."""

    eps: float
    scan_eps: float
    expansion: Tensor
    inward: Tensor
    """LayerNorm's scale and shift and the first half of the input projection, packed."""
    filters: Tensor
    """Depthwise taps and bias, (10, 2c)."""
    scan: ForwardWeights
    taps: Tensor
    spectral: tuple[Tensor, Tensor]
    norm: Tensor
    """Scale and shift of the LayerNorm after the scan, padded."""
    fusion: Tensor
    """For the gate branch, the gated scan (with the output projection), both attentions (with the
    bias) and the next block's expansion; packed, one after the other."""

    @classmethod
    def from_block(
        cls, block: GradientMambaBlock, taps: Tensor, following: GradientMambaBlock | None
    ) -> BlockWeights:
        """Arrange a block's weights.

        Parameters
        ----------
        block
            The block.
        taps
            The spatial attention's weights.
        following
            The next block, or None after the last.
        """
        ss2d, norm = block.vss.ss2d, block.vss.norm
        in_proj, out_proj = _double(ss2d.in_proj.weight), _double(ss2d.out_proj.weight)
        c = out_proj.shape[0]
        inward = torch.column_stack([in_proj * _double(norm.weight), in_proj @ _double(norm.bias)])
        fuse, bias = _double(block.fuse.weight), _double(block.fuse.bias)
        fusion = [
            inward[2 * c :],
            fuse[:, :c] @ out_proj,
            _with_bias(fuse[:, c : 2 * c]),
            _with_bias(fuse[:, 2 * c :], bias),
        ]
        if following is not None:
            fusion.append(_with_bias(_double(following.expand.weight)))
        after = torch.stack([_double(ss2d.norm.weight), _double(ss2d.norm.bias)])
        depthwise = _double(ss2d.depthwise.weight).flatten(1).T
        fc = block.spectral_attention.fc
        return cls(
            eps=norm.eps,
            scan_eps=ss2d.norm.eps,
            expansion=_single(_double(block.expand.weight)),
            inward=pack(F.pad(inward[: 2 * c], (0, 0, 0, -2 * c % 32))),
            filters=_single(torch.cat([depthwise, _double(ss2d.depthwise.bias)[None]])),
            scan=ForwardWeights.from_parameters(
                type(ss2d.scan_parameters)(*(_single(p) for p in ss2d.scan_parameters))
            ),
            taps=_single(taps).flatten(),
            spectral=(_single(_double(fc[0].weight)), _single(_double(fc[2].weight))),
            norm=_single(F.pad(after, (0, -2 * c % 8))),
            fusion=torch.cat([pack(weight).flatten() for weight in fusion]),
        )


_kept: WeakKeyDictionary[GMSRNet, tuple[object, list[BlockWeights]]] = WeakKeyDictionary()


def _arranged(network: GMSRNet) -> list[BlockWeights]:
    """Arrange a network's weights, unless they are as they were."""
    parameters = list(network.parameters())
    state = None
    if not any(p.is_inference() for p in parameters):  # whose changes nobody counts
        state = [(p.data_ptr(), p.device, p.dtype, p._version) for p in parameters]
    kept = _kept.get(network)
    if kept is not None and state is not None and kept[0] == state:
        return kept[1]
    blocks = [cast("GradientMambaBlock", block) for block in network.blocks]
    taps = network.spatial_attention.conv.weight
    weights = [BlockWeights.from_block(b, taps, n) for b, n in pairwise([*blocks, None]) if b]
    _kept[network] = (state, weights)
    return weights


def _run_block(kernels: BlockKernels, weights: BlockWeights, a: Tensor) -> Tensor:
    """From a block's expanded features to the next one's, or to the cube."""
    y = scan(kernels.scan, filter_features(kernels, weights, a), weights.scan)
    spatial, spectral = gates(kernels, weights, a)
    return fuse_branches(kernels, weights, a, y, spatial, spectral)


def _expand(kernels: BlockKernels, weights: BlockWeights, rgb: Tensor) -> Tensor:
    """Apply the first block's 1x1 convolution; (N, 3, H, W) -> (N, H, W, c)."""
    pictures, _, height, width = rgb.shape
    pixels = height * width
    a = rgb.new_empty(pictures, height, width, kernels.layout.width)
    grid = (-(-pixels * 8 // 256), pictures, 1)
    kernels.own.launch("expand", grid, 256, 0, (rgb, weights.expansion, a, pixels))
    return a


def filter_features(kernels: BlockKernels, weights: BlockWeights, a: Tensor) -> Tensor:
    """LayerNorm, input projection, depthwise convolution, SiLU; (N, H, W, c) -> (N, H, W, 2c)."""
    pictures, height, width, c = a.shape
    x = a.new_empty(pictures, height, width, 2 * c)
    kernels.own.launch(
        "filter",
        (-(-width // 16), -(-height // 8), pictures),
        128,
        kernels.layout.filter_bytes,
        (a, weights.inward, weights.filters, x, height, width, weights.eps),
    )
    return x


def gates(kernels: BlockKernels, weights: BlockWeights, a: Tensor) -> tuple[Tensor, Tensor]:
    """Gate both gradient attentions.

    Returns
    -------
    spatial : Tensor
        (N, H, W).
    spectral : Tensor
        Of each picture two numbers, the c channels' gates, then ones.
    """
    pictures, height, width, _ = a.shape
    layout, own, _ = kernels
    blocks = min(-(-height // 16) * -(-width // 16), 4 * own.multiprocessors)
    maps = a.new_empty(pictures, height, width, 2)
    partials = a.new_empty(pictures, blocks, layout.partials)
    spectral = a.new_empty(pictures, layout.gates)
    spatial = a.new_empty(pictures, height, width)
    size = (height, width)
    own.launch(
        "gradients",
        (blocks, pictures, 1),
        256,
        layout.gradients_bytes,
        (a, maps, partials, *size),
    )
    perceptron = (*weights.spectral, spectral)
    own.launch(
        "spectral_gate",
        (pictures, 1, 1),
        512,
        0,
        (partials, blocks, float(height * width), *perceptron),
    )
    own.launch(
        "spatial_gate",
        (-(-width // 32), -(-height // 8), pictures),
        256,
        0,
        (maps, spectral, weights.taps, spatial, *size),
    )
    return spatial, spectral


def fuse_branches(
    kernels: BlockKernels,
    weights: BlockWeights,
    a: Tensor,
    y: Tensor,
    spatial: Tensor,
    spectral: Tensor,
) -> Tensor:
    """Gate, concatenate, fuse, add; then expand for the next block, or put the bands in planes."""
    pictures, height, width, _ = a.shape
    layout, own, _ = kernels
    following = layout.following
    shape = (height, width, following) if following else (layout.width, height, width)
    out = a.new_empty(pictures, *shape)
    pixels = height * width
    warps, resident = layout.fuse_fill
    most = -(-resident * own.multiprocessors // pictures)
    arrays = (a, y, spatial, spectral, weights.fusion, weights.norm, out)
    own.launch(
        "fuse",
        (min(-(-pixels // (16 * warps)), most), pictures, 1),
        32 * warps,
        layout.fuse_bytes,
        (*arrays, pixels, weights.eps, weights.scan_eps),
    )
    return out


def _double(weight: Any) -> Tensor:
    # Any: a submodule's attribute is a tensor or a module to the type checker.
    result: Tensor = weight.detach().double()
    return result


def _single(weight: Tensor) -> Tensor:
    return weight.detach().float().contiguous()


def _with_bias(weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Append the weights of the column of ones."""
    return torch.column_stack([weight, weight.new_zeros(len(weight)) if bias is None else bias])
