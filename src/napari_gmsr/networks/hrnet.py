"""HRNet, the hierarchical regression network: four resolutions, each lifting the next finer one.

Zhao et al., CVPR Workshops 2020. The original's global blocks own a channel gate whose result
is thrown away: 195,840 parameters without influence. They are left out here, and skipped where
published weights are read; modules carry the published names otherwise.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_gmsr.networks.padding import reflected

__all__ = ["GlobalBlock", "HRNet"]

_MULTIPLE = 8
_SLOPE = 0.2


class HRNet(nn.Module):
    """HRNet, (N, 3, H, W) in [0, 1] -> (N, bands, H, W), after a leaky ReLU.

    31,509,023 parameters; the original's 31,704,863 (Table I's 3.1705 M is a slip) count the
    195,840 that have no influence.

    Parameters
    ----------
    bands
        Bands of the cube.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    """

    def __init__(self, bands: int = 31) -> None:
        super().__init__()
        self.bands = bands
        self.top1 = _Convolution(192, 512)
        self.top21 = _ResidualDenseBlock(512)
        self.top22 = GlobalBlock(512)
        self.top3 = _Convolution(512, 512, 1)
        self.mid1 = _Convolution(48, 256)
        self.mid2 = _Convolution(256 + 128, 256)
        self.mid31 = _ResidualDenseBlock(256)
        self.mid32 = GlobalBlock(256)
        self.mid4 = _Convolution(256, 256)
        self.bot1 = _Convolution(12, 128)
        self.bot2 = _Convolution(128 + 64, 128)
        self.bot31 = _ResidualDenseBlock(128)
        self.bot32 = _ResidualDenseBlock(128)
        self.bot33 = GlobalBlock(128)
        self.bot4 = _Convolution(128, 128)
        self.main1 = _Convolution(3, 64)
        self.main2 = _Convolution(64 + 32, 64)
        self.main31 = _ResidualDenseBlock(64)
        self.main32 = _ResidualDenseBlock(64)
        self.main33 = _ResidualDenseBlock(64)
        self.main34 = _ResidualDenseBlock(64)
        self.main35 = GlobalBlock(64)
        self.main4 = _Convolution(64, bands)
        self.register_load_state_dict_pre_hook(_without_gates)  # type: ignore[no-untyped-call]

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra; the picture is padded to multiples of 8 by reflection."""
        height, width = rgb.shape[-2:]
        x = reflected(rgb, _MULTIPLE)

        top = self.top1(F.pixel_unshuffle(x, 8))  # (N, 512, H/8, W/8)
        top = self.top3(self.top22(self.top21(top)))

        middle = self.mid1(F.pixel_unshuffle(x, 4))  # (N, 256, H/4, W/4)
        middle = self.mid2(torch.cat([middle, F.pixel_shuffle(top, 2)], dim=1))
        middle = self.mid4(self.mid32(self.mid31(middle)))

        bottom = self.bot1(F.pixel_unshuffle(x, 2))  # (N, 128, H/2, W/2)
        bottom = self.bot2(torch.cat([bottom, F.pixel_shuffle(middle, 2)], dim=1))
        bottom = self.bot4(self.bot33(self.bot32(self.bot31(bottom))))

        main = self.main1(x)  # (N, 64, H, W)
        main = self.main2(torch.cat([main, F.pixel_shuffle(bottom, 2)], dim=1))
        main = self.main34(self.main33(self.main32(self.main31(main))))
        cube: Tensor = self.main4(self.main35(main))
        return cube[..., :height, :width].contiguous()

    @property
    def reference_parameter_count(self) -> int:
        """Parameters as the original counts them: with the gates that have no influence."""
        gates = sum(
            9 * m.conv1.conv2d.in_channels**2 // 16
            for m in self.modules()
            if isinstance(m, GlobalBlock)
        )
        return sum(p.numel() for p in self.parameters()) + gates


def _without_gates(_: nn.Module, state: dict[str, Any], *__: object) -> None:
    """Drop the weights of the gates that have no influence from published weights."""
    for name in [name for name in state if ".fc." in name]:
        del state[name]


class _Convolution(nn.Module):
    """Convolution with bias, then a leaky ReLU."""

    def __init__(self, c_in: int, c: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(c_in, c, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c, H, W)."""
        return F.leaky_relu(self.conv2d(x), _SLOPE)


class _ResidualDenseBlock(nn.Module):
    """Five convolutions, each of the input and all results before it; a tenth is added."""

    def __init__(self, c: int) -> None:
        super().__init__()
        growth = c // 2
        self.conv1 = _Convolution(c, growth)
        self.conv2 = _Convolution(c + growth, growth)
        self.conv3 = _Convolution(c + 2 * growth, growth)
        self.conv4 = _Convolution(c + 3 * growth, growth)
        self.conv5 = _Convolution(c + 4 * growth, c)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        known = x
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            known = torch.cat([known, convolution(known)], dim=1)
        added: Tensor = self.conv5(known)
        return x + 0.1 * added


class GlobalBlock(nn.Module):
    """Two convolutions, of which a tenth is added."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv1 = _Convolution(c, c)
        self.conv2 = _Convolution(c, c)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        added: Tensor = self.conv2(self.conv1(x))
        return x + 0.1 * added
