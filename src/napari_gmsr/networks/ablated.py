"""What the blocks of the paper's ablations are made of (Table II).

The paper names its variants and describes none. Here a part that is taken away leaves no weights
behind: the fusion takes fewer channels. What stands in the place of the Mamba branch has as many
parameters, within a twentieth, in each block; CBAM has exactly those of the two attentions that it
replaces.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_gmsr.networks.gmsr import (
    Branch,
    Operators,
    SpatialGradientAttention,
    SpectralGradientAttention,
    VSSBlock,
)
from napari_gmsr.networks.padding import reflected

__all__ = ["AblatedBlock", "ConvolutionBranch", "TransformerBranch", "pool_features"]

_WINDOW = 8


class AblatedBlock(nn.Module):
    """A Gradient Mamba block in which something is missing or replaced.

    Parameters
    ----------
    c_in, c, drop_path
        As of `napari_gmsr.networks.gmsr.GradientMambaBlock`.
    branch, attention
        See `napari_gmsr.networks.ablations`.
    """

    def __init__(self, c_in: int, c: int, drop_path: float, branch: str, attention: str) -> None:
        super().__init__()
        branches = {"mamba": VSSBlock, "transformer": TransformerBranch, "cnn": ConvolutionBranch}
        spectral = {
            "gradient": SpectralGradientAttention,
            "spectral": SpectralGradientAttention,
            "cbam": ChannelAttention,
        }
        self.pools_features = attention == "cbam"
        self.expand = nn.Linear(c_in, c, bias=False)
        self.branch = branches[branch](c, drop_path) if branch != "none" else None
        self.spectral_attention = spectral[attention](c) if attention in spectral else None
        spatial = attention not in ("spectral", "none")
        parts = spatial + sum(p is not None for p in (self.branch, self.spectral_attention))
        self.fuse = nn.Linear(parts * c, c)

    def forward(
        self, x: Tensor, spatial_attention: SpatialGradientAttention | None, operators: Operators
    ) -> Tensor:
        """(N, H, W, c_in) -> (N, H, W, c)."""
        a = operators.project(self.expand, x)
        parts = []
        if self.branch is not None:
            parts.append(self.branch(a, operators) * self.branch.kept(a)[:, None, None, None])
        if spatial_attention is not None or self.spectral_attention is not None:
            pool = pool_features if self.pools_features else operators.pool_gradients
            maps, mean, maximum = pool(a)
            if spatial_attention is not None:
                parts.append(a * spatial_attention(maps, operators)[..., None])
            if self.spectral_attention is not None:
                parts.append(a * self.spectral_attention(mean, maximum)[:, None, None])
        return a + F.gelu(self.fuse(torch.cat(parts, dim=-1)))


class TransformerBranch(Branch):
    """A Transformer's layer: self-attention in windows of 8x8 pixels, then a perceptron.

    Two heads of c channels each, whose windows lie half a window apart, so that each bridges the
    other's borders; a learnt bias for each relative position (Liu et al., Swin
    Transformer, ICCV 2021). Both parts are normalised before and added after. Pictures are mirrored
    at the edges up to whole windows. The perceptron's width makes up the Mamba branch's parameters.

    Parameters
    ----------
    c
        Channels.
    drop_path
        See `napari_gmsr.networks.GMSRNet`.
    """

    def __init__(self, c: int, drop_path: float) -> None:
        super().__init__(drop_path)
        self.norm = nn.LayerNorm(c)
        self.heads = nn.ModuleList(_WindowHead(c, shift) for shift in (0, _WINDOW // 2))
        self.proj = nn.Linear(2 * c, c)
        self.feed_norm = nn.LayerNorm(c)
        spent = sum(p.numel() for p in self.parameters())
        hidden = _hidden(mamba_parameters(c) - spent, each=2 * c + 1, fixed=c)
        self.feed = nn.Sequential(nn.Linear(c, hidden), nn.GELU(), nn.Linear(hidden, c))

    def forward(self, a: Tensor, operators: Operators) -> Tensor:
        """(N, H, W, c) -> (N, H, W, c)."""
        normed = operators.normalise(self.norm, a)
        a = a + self.proj(torch.cat([head(normed) for head in self.heads], dim=-1))
        fed: Tensor = self.feed(operators.normalise(self.feed_norm, a))
        return a + fed


class _WindowHead(nn.Module):
    """A head of self-attention in windows, (N, H, W, c) -> (N, H, W, c)."""

    positions: Tensor

    def __init__(self, c: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.qkv = nn.Linear(c, 3 * c, bias=False)
        self.bias = nn.Parameter(torch.empty((2 * _WINDOW - 1) ** 2))
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.register_buffer("positions", _relative_positions(), persistent=False)

    def forward(self, a: Tensor) -> Tensor:
        """Attend within each window."""
        _, height, width, c = a.shape
        padded = reflected(a.movedim(-1, 1), _WINDOW, self.shift).movedim(1, -1)
        pictures, rows, columns, _ = padded.shape
        grid = (pictures, rows // _WINDOW, columns // _WINDOW)
        windows = padded.reshape(grid[0], grid[1], _WINDOW, grid[2], _WINDOW, c)
        windows = windows.transpose(2, 3).reshape(-1, _WINDOW**2, c)  # (windows, 64, c)
        q, k, v = self.qkv(windows).chunk(3, dim=-1)
        attention = torch.softmax(q @ k.mT * c**-0.5 + self.bias[self.positions], dim=-1)
        mixed = (attention @ v).reshape(*grid, _WINDOW, _WINDOW, c)
        whole = mixed.transpose(2, 3).reshape(padded.shape)
        shift = slice(self.shift, None)
        cropped: Tensor = whole[:, shift, shift][:, :height, :width]
        return cropped


class ConvolutionBranch(Branch):
    """Normalise, then two 3x3 convolutions with GELU between them, the plainest of CNNs.

    It sees five pixels across; the width between the convolutions makes up the Mamba branch's
    parameters.

    Parameters
    ----------
    c
        Channels.
    drop_path
        See `napari_gmsr.networks.GMSRNet`.
    """

    def __init__(self, c: int, drop_path: float) -> None:
        super().__init__(drop_path)
        self.norm = nn.LayerNorm(c)
        hidden = _hidden(mamba_parameters(c) - 2 * c, each=18 * c + 1, fixed=c)
        self.convolutions = nn.Sequential(
            nn.Conv2d(c, hidden, 3, padding=1), nn.GELU(), nn.Conv2d(hidden, c, 3, padding=1)
        )

    def forward(self, a: Tensor, operators: Operators) -> Tensor:
        """(N, H, W, c) -> (N, H, W, c)."""
        planes = operators.normalise(self.norm, a).movedim(-1, 1)
        convolved: Tensor = self.convolutions(planes).movedim(1, -1)
        return convolved


class ChannelAttention(SpectralGradientAttention):
    """CBAM's channel attention: the same perceptron, and one sigmoid (Woo et al., ECCV 2018).

    CBAM's perceptron narrows to a sixteenth of the channels, which is less than two here; this one
    does not narrow, as the spectral gradient attention's does not.
    """

    def forward(self, mean: Tensor, maximum: Tensor) -> Tensor:
        """From the rest of `pool_features`, (N, c) each, the gate, (N, c)."""
        perceptron = self.fc[:-1]
        return torch.sigmoid(perceptron(mean) + perceptron(maximum))


def pool_features(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pool features as CBAM does: `Operators.pool_gradients` without gradients.

    Parameters
    ----------
    a
        (N, H, W, c).

    Returns
    -------
    maps : Tensor
        Mean and maximum over channels, (N, 2, H, W).
    mean, maximum : Tensor
        Over pixels, (N, c) each.
    """
    maps = torch.stack([a.mean(dim=-1), a.amax(dim=-1)], dim=1)
    return maps, a.mean(dim=(1, 2)), a.amax(dim=(1, 2))


@cache
def mamba_parameters(c: int) -> int:
    """Count the parameters of the Mamba branch of c channels."""
    with torch.device("meta"):
        return sum(p.numel() for p in VSSBlock(c, 0.0).parameters())


def _hidden(budget: int, each: int, fixed: int) -> int:
    """Return the width of a hidden layer that comes closest to a budget of parameters."""
    return max(1, round((budget - fixed) / each))


def _relative_positions() -> Tensor:
    """Return the index of each pair of a window's pixels in the biases, (64, 64)."""
    line = torch.arange(_WINDOW**2)
    rows, columns = line // _WINDOW, line % _WINDOW
    down = rows[:, None] - rows + _WINDOW - 1
    right = columns[:, None] - columns + _WINDOW - 1
    return down * (2 * _WINDOW - 1) + right
