"""The weights of a four-direction selective scan."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["DIRECTIONS", "STATE_SIZE", "ScanParameters"]

STATE_SIZE = 16
"""States of each channel (N in the Mamba paper)."""

DIRECTIONS = ("rows", "columns", "rows reversed", "columns reversed")
"""Order of the directions in every stacked weight: by rows, by columns, and both backwards."""


class ScanParameters(NamedTuple):
    """Weights of the scan; the first axis is the direction, in the order of `DIRECTIONS`.

    For e channels and a step rank r (``ceil(e / 32)`` in GMSR-Net).
    """

    x_proj: Tensor
    """(4, r + 32, e): channels to the low-rank step r, then B (16), then C (16)."""
    dt_proj: Tensor
    """(4, e, r): low-rank step to the step of each channel."""
    dt_bias: Tensor
    """(4, e): added before the softplus that makes the step positive."""
    A_log: Tensor
    """(4, e, 16): the decay is ``A = -exp(A_log)``, per unit of step."""
    D: Tensor
    """(4, e): the direct path from input to output."""

    @property
    def rank(self) -> int:
        """The rank r of the step's projection."""
        return self.dt_proj.shape[-1]
