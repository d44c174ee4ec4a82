"""Weights as the kernels' matrix products read them (`dense.cu`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["pack"]


def pack(weight: Tensor) -> Tensor:
    """Split weights into two TF32 numbers each and put them in the order of a warp's lanes.

    Parameters
    ----------
    weight
        (..., outputs, inputs); padded with zeros to multiples of 8.

    Returns
    -------
    Tensor
        (..., inputs / 8, outputs / 8, 32, 4) float32: of lane 4 g + t, the weights from input t and
        t + 4 of these eight to output g, first their leading parts, then the rests.
    """
    outputs, inputs = weight.shape[-2:]
    padded = F.pad(weight.detach(), (0, -inputs % 8, 0, -outputs % 8))
    shape = (*padded.shape[:-2], -1, 8, padded.shape[-1] // 8, 2, 4)  # (..., n, g, k, half, t)
    lanes = padded.reshape(shape).movedim(-3, -5).transpose(-1, -2).flatten(-3, -2)
    leading = _leading(lanes.float())
    return torch.cat([leading, _leading((lanes - leading).float())], dim=-1).contiguous()


def _leading(x: Tensor) -> Tensor:
    """Round to TF32's eleven significant bits."""
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)
