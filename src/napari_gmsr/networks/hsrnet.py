"""HSRnet: eight unrolled iterations around an estimate of the cube (He et al., IEEE TNNLS 2021).

Two paddings and two slopes coexist in the original; they are kept. Modules carry the names of the
published weights, so that those load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["HSRNet"]

_ITERATIONS = 8


class HSRNet(nn.Module):
    """HSRnet, (N, 3, H, W) in [0, 1] -> (N, 31, H, W), not clipped.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    """

    bands = 31

    def __init__(self) -> None:
        super().__init__()
        # (6, 10, 15): the short, middle and long wavelengths' channels of the first estimate.
        self.conv_B, self.convinputb = _replicating(5, 6), _pointwise(6)
        self.conv_G, self.convinputg = _replicating(5, 10), _pointwise(10)
        self.conv_R, self.convinputr = _replicating(5, 15), _pointwise(15)
        for j in range(1, _ITERATIONS + 1):
            self.add_module(f"conv{j}", _replicating(31, 31))
            self.add_module(f"e{j}", ChannelGate())
            self.add_module(f"HSI{j}", _ResidualBlock())
            self.add_module(f"en{j}", ChannelGate())
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)  # sqrt(2 / fan in)

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra."""
        first, second, third = rgb.unbind(1)
        g = torch.stack(
            [first, (second - first).abs(), second, (third - second).abs(), third], dim=1
        )
        heads = (
            self.convinputb(_act(self.conv_B(g))),
            self.convinputg(_act(self.conv_G(g))),
            self.convinputr(_act(self.conv_R(g))),
        )
        start = _act(torch.cat(heads, dim=1))  # (N, 31, H, W)
        f = start
        for j in range(1, _ITERATIONS + 1):
            improve, gate, residual, gate_residual = (
                self.get_submodule(f"{name}{j}") for name in ("conv", "e", "HSI", "en")
            )
            f = _act(improve(f)) + start * gate(f) + residual(f) * gate_residual(f)
        return f


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.01)


def _replicating(c_in: int, c: int) -> nn.Sequential:
    """Return a 3x3 convolution that repeats the border, named as in the published weights."""
    return nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(c_in, c, 3))


def _pointwise(c: int) -> nn.Sequential:
    return nn.Sequential(nn.Identity(), nn.Conv2d(c, c, 1))


class ChannelGate(nn.Module):
    """A gate in (0, 1) a channel, from its mean and maximum; (N, 31, H, W) -> (N, 31, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(31, 31, 1, bias=False)
        self.fc2 = nn.Conv2d(31, 31, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gate."""
        pooled = (x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True))
        mean, maximum = (self.fc2(_act(self.fc1(p))) for p in pooled)
        return torch.sigmoid(mean + maximum)


class _ResidualBlock(nn.Module):
    """To 128 channels and back, added, then mixed between the bands: 31 -> 31 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _replicating(31, 128)
        self.conv2 = nn.Conv2d(128, 31, 3, padding=1)
        self.conv3 = _pointwise(31)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 31, H, W) -> (N, 31, H, W)."""
        added = self.conv2(F.leaky_relu(self.conv1(x), 0.2))
        return F.leaky_relu(self.conv3(_act(x + added)), 0.2)
