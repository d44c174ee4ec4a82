"""MSCNN: a U-Net of four levels, max pooling down and pixel shuffle up (Yan et al. 2018).

In training, batch normalisation couples the pictures of a batch. Modules carry the names of the
published weights, so that those load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_gmsr.networks.padding import reflected

__all__ = ["MSCNN"]

_MULTIPLE = 16  # four times halved


class MSCNN(nn.Module):
    """MSCNN, (N, 3, H, W) in [0, 1] -> (N, bands, H, W), not clipped.

    The original takes multiples of 16 only; here other pictures are padded by reflection and the
    cube is cropped.

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
        self.in_conv = _DoubleConvolution(3, 64)
        self.down1 = _Down(64, 128)
        self.down2 = _Down(128, 256)
        self.down3 = _Down(256, 512)
        self.bottleneck = _Down(512, 1024)
        self.up1 = _Up(1024, 512)
        self.up2 = _Up(512, 256)
        self.up3 = _Up(256, 128)
        self.out_conv = _Up(128, 64)
        self.out = nn.Conv2d(64, bands, 1, bias=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra."""
        height, width = rgb.shape[-2:]
        a0 = self.in_conv(reflected(rgb, _MULTIPLE))  # (N, 64, H, W)
        a1 = self.down1(a0)  # (N, 128, H/2, W/2)
        a2 = self.down2(a1)
        a3 = self.down3(a2)
        u = self.up1(self.bottleneck(a3), a3)  # (N, 512, H/8, W/8)
        u = self.up3(self.up2(u, a2), a1)
        cube: Tensor = self.out(self.out_conv(u, a0))
        return cube[..., :height, :width].contiguous()


class _DoubleConvolution(nn.Module):
    """Twice a 3x3 convolution, batch normalisation and ReLU."""

    def __init__(self, c_in: int, c: int) -> None:
        super().__init__()
        # The numbers of the published names leave room for activations and dropout.
        self.conv = nn.ModuleDict(
            {
                "0": nn.Conv2d(c_in, c, 3, padding=1, bias=False),
                "1": nn.BatchNorm2d(c),
                "4": nn.Conv2d(c, c, 3, padding=1, bias=False),
                "5": nn.BatchNorm2d(c),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c, H, W)."""
        x = F.relu(self.conv["1"](self.conv["0"](x)))
        return F.relu(self.conv["5"](self.conv["4"](x)))


class _Down(nn.Module):
    """Max pooling by 2, then a double convolution."""

    def __init__(self, c_in: int, c: int) -> None:
        super().__init__()
        self.down = nn.ModuleDict({"2": _DoubleConvolution(c_in, c)})

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c, H/2, W/2)."""
        half: Tensor = self.down["2"](F.max_pool2d(x, 2))
        return half


class _Up(nn.Module):
    """Pixel shuffle by 2, the skip connection beside it, then a double convolution."""

    def __init__(self, c_in: int, c: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"1": _DoubleConvolution(c_in // 4 + c, c)})

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, c_in, H, W), (N, c, 2H, 2W) -> (N, c, 2H, 2W)."""
        double: Tensor = self.conv["1"](torch.cat([F.pixel_shuffle(x, 2), skip], dim=1))
        return double
