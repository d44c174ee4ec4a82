"""Padding of pictures whose size a network cannot take."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["reflected"]


def reflected(x: Tensor, multiple: int) -> Tensor:
    """Append rows and columns up to a multiple of a number, mirrored at the last one.

    Parameters
    ----------
    x
        (..., H, W).
    multiple
        What the new height and width are multiples of. Where there are fewer lines than are
        needed, they are mirrored back and forth.

    Returns
    -------
    Tensor
        x itself where nothing is missing.
    """
    return _lengthened(_lengthened(x, -2, multiple), -1, multiple)


def _lengthened(x: Tensor, axis: int, multiple: int) -> Tensor:
    length = x.shape[axis]
    positions = torch.arange(-(-length // multiple) * multiple, device=x.device)
    if len(positions) == length:
        return x
    period = max(2 * length - 2, 1)
    positions = positions % period
    return x.index_select(axis, torch.minimum(positions, period - positions) % length)
