"""RepCPSI: eight blocks of convolutions with branches, and a gate of rows and columns.

Wu et al., IEEE Transactions on Geoscience and Remote Sensing 2023. The branches fold into one
convolution (`MultiBranchConvolution.folded`). The gate pools over whole rows and columns: a tile's
result is not a crop of the whole picture's. Modules carry the names of the published weights, so
that those load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["MultiBranchConvolution", "RepCPSI"]


class RepCPSI(nn.Module):
    """RepCPSI, (N, 3, H, W) in [0, 1] -> (N, bands, H, W), not clipped.

    Parameters
    ----------
    bands
        Bands of the cube.
    width
        Channels of the features.
    blocks
        Number of blocks.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    """

    def __init__(self, bands: int = 31, width: int = 80, blocks: int = 8) -> None:
        super().__init__()
        self.bands = bands
        self.in_conv2D = nn.Conv2d(3, width, 3, padding=1)
        self.seq_spaspe = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.out_conv2D = nn.Conv2d(width, bands, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra."""
        z = self.in_conv2D(rgb)  # (N, width, H, W)
        cube: Tensor = self.out_conv2D(self.seq_spaspe(z) + z)
        return cube


class _Block(nn.Module):
    """Two multi-branch convolutions and a gate, added to the input."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.stage1_conv = MultiBranchConvolution(c)
        self.relu = nn.PReLU()
        self.stage2_conv = MultiBranchConvolution(c)
        self.att_spe = _Gate()

    def forward(self, z: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        added: Tensor = self.att_spe(self.stage2_conv(self.relu(self.stage1_conv(z))))
        return z + added


class MultiBranchConvolution(nn.Module):
    """1x1, 3x3, and 3x3 followed by 1x1, side by side and added; (N, c, H, W) -> (N, c, H, W).

    Parameters
    ----------
    c
        Channels.
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.spe_conv = nn.Conv2d(c, c, 1)
        self.spa_conv = nn.Conv2d(c, c, 3, padding=1)
        self.spa_spe_conv = _SpatialThenSpectral(c)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branches; in evaluation as the one convolution that they are."""
        if not torch.is_grad_enabled():
            return F.conv2d(x, *self.folded(), padding=1)
        added: Tensor = self.spe_conv(x) + self.spa_conv(x) + self.spa_spe_conv(x)
        return added

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight (c, c, 3, 3) and bias (c,) of the one 3x3 convolution that does the same.

        Exact up to rounding, at the borders too: padding comes before each 3x3, and 1x1 after it.
        """
        spatial, spectral = self.spa_spe_conv.spa, self.spa_spe_conv.spe
        mixing = spectral.weight[:, :, 0, 0]
        weight = self.spa_conv.weight + F.pad(self.spe_conv.weight, (1, 1, 1, 1))
        weight = weight + torch.einsum("om,mcyx->ocyx", mixing, spatial.weight)
        biases = [c.bias for c in (self.spa_conv, self.spe_conv, spectral, spatial)]
        direct, pointwise, after, before = (b for b in biases if b is not None)
        return weight, direct + pointwise + after + mixing @ before


class _SpatialThenSpectral(nn.Module):
    """3x3, then 1x1, with nothing between; (N, c, H, W) -> (N, c, H, W)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.spa = nn.Conv2d(c, c, 3, padding=1)
        self.spe = nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        y: Tensor = self.spe(self.spa(x))
        return y


class _Gate(nn.Module):
    """A gate for each column and channel times one for each row and channel.

    The logits are means over the rows (the columns), filtered along the channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate_h = nn.Conv2d(1, 1, (7, 1), padding=(3, 0), bias=False)
        self.gate_w = nn.Conv2d(1, 1, (1, 7), padding=(0, 3), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        columns = self.gate_h(x.mean(2)[:, None])[:, 0, :, None, :]  # (N, c, 1, W)
        rows = x.mean(3).mT[:, None]  # (N, 1, H, c)
        rows = self.gate_w(rows)[:, 0].mT[..., None]  # (N, c, H, 1)
        return x * torch.sigmoid(columns) * torch.sigmoid(rows)
