"""Padding of pictures whose size a network cannot take."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["reflected"]


def reflected(x: Tensor, multiple: int, before: int = 0) -> Tensor:
    """Append rows and columns up to a multiple of a number, mirrored at the last one.

    Parameters
    ----------
    x
        (..., H, W).
    multiple
        What the new height and width are multiples of. Where there are fewer lines than are
        needed, they are mirrored back and forth.
    before
        Rows and columns of these that go in front, mirrored at the first one.

    Returns
    -------
    Tensor
        x itself where nothing is missing.
    """
    return _lengthened(_lengthened(x, -2, multiple, before), -1, multiple, before)


def _lengthened(x: Tensor, axis: int, multiple: int, before: int) -> Tensor:
    length = x.shape[axis]
    after = -(before + length) % multiple
    if before == after == 0:
        return x
    positions = torch.arange(-before, length + after, device=x.device)
    period = max(2 * length - 2, 1)
    positions = positions % period
    return x.index_select(axis, torch.minimum(positions, period - positions) % length)
