"""AGD-Net: nine stages, each looking at what the estimate's RGB rendering still misses.

Deep amended gradient descent (Zhu et al., IEEE Transactions on Computational Imaging 2021). The
original registers each layer under two names; published weights load by either.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AGDNet"]

_STAGES = 9
_UNITS = 4
_GROWTH = 62


class AGDNet(nn.Module):
    """AGD-Net, (N, 3, H, W) in [0, 1] -> (N, 31, H, W), not clipped.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    """

    bands = 31

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_Stage(first=i == 0) for i in range(_STAGES))
        self.degradation = _named(nn.Conv2d(self.bands, 3, 3, padding=1, bias=False))
        self.register_load_state_dict_pre_hook(_with_one_name)  # type: ignore[no-untyped-call]

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra."""
        missed = rgb
        estimate = rgb.new_zeros(())
        for i, stage in enumerate(self.stages):
            if i > 0:
                missed = rgb - self.degradation["conv"](estimate)
            estimate = estimate + stage(missed)
        return estimate


def _with_one_name(_: nn.Module, state: dict[str, Any], *__: object) -> None:
    """Turn a published layer's second name into its first."""
    for name in list(state):
        owner, module, rest = name.partition(".Module.")
        if module:
            tensor = state.pop(name)
            state.setdefault(f"{owner}.conv.{rest.split('.')[-1]}", tensor)


def _named(convolution: nn.Conv2d) -> nn.ModuleDict:
    return nn.ModuleDict({"conv": convolution})


def _centred(x: Tensor) -> Tensor:
    """Subtract each pixel's mean over channels."""
    return x - x.mean(1, keepdim=True)


class _Stage(nn.Module):
    """Five densely connected units, (N, 3, H, W) -> (N, 31, H, W).

    Parameters
    ----------
    first
        The first stage has biases; the others centre features instead, and add what they start
        from.
    """

    def __init__(self, *, first: bool, bands: int = AGDNet.bands) -> None:
        super().__init__()
        self.first = first
        self.Upconv = _named(nn.Conv2d(3, bands, 3, padding=1, bias=False))
        widths = [bands + _GROWTH * j for j in range(_UNITS + 1)]
        self.denselayers = nn.ModuleList(
            _Unit(c, bands if j == _UNITS else _GROWTH, bias=first, last=j == _UNITS)
            for j, c in enumerate(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the increment of the estimate."""
        m: Tensor = self.Upconv["conv"](x)
        known = m
        *units, last = self.denselayers
        for unit in units:
            known = torch.cat([known, unit(known)], dim=1)
        d: Tensor = last(known)
        return d if self.first else d + m


class _Unit(nn.Module):
    """A 1x1 and a depthwise 3x3 convolution, each with ReLU; the last unit has none.

    Parameters
    ----------
    c_in, c
        Channels.
    bias
        Biases, or features centred before each convolution.
    last
        Neither centring nor ReLU.
    """

    def __init__(self, c_in: int, c: int, *, bias: bool, last: bool) -> None:
        super().__init__()
        self.centres = not bias and not last
        self.last = last
        self.compressLayer = _named(nn.Conv2d(c_in, c, 1, bias=bias))
        self.actlayer = _named(nn.Conv2d(c, c, 3, padding=1, groups=c, bias=bias))

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c, H, W)."""
        for layer in (self.compressLayer, self.actlayer):
            x = layer["conv"](_centred(x) if self.centres else x)
            x = x if self.last else F.relu(x)
        return x
