"""MST++: three U-Nets of spectral attention in sequence (Cai et al., arXiv 2204.07908).

Attention is between channels, over all pixels of a picture: a tile's result is not a crop of the
whole picture's. Modules carry the names of the published weights, so that those load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_gmsr.errors import InputError
from napari_gmsr.networks.padding import reflected

__all__ = ["MSTPlusPlus", "MultiHeadSpectralAttention", "SpectralAttentionBlock", "SpectralUNet"]

_MULTIPLE = 8


def _conv(
    c_in: int, c: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(c_in, c, kernel, stride, padding, groups=groups, bias=False)


class MSTPlusPlus(nn.Module):
    """MST++, (N, 3, H, W) in [0, 1] -> (N, 31, H, W), neither clamped nor clipped.

    Parameters
    ----------
    bands
        Bands of the cube, which is also the number of features and of each head's channels.
    stages
        U-Nets in sequence.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    """

    def __init__(self, bands: int = 31, stages: int = 3) -> None:
        super().__init__()
        if bands < 1 or stages < 1:
            raise InputError(
                f"{bands} bands and {stages} stages make no network", fix="Give at least one each."
            )
        self.bands = bands
        self.conv_in = _conv(3, bands, 3, padding=1)
        self.body = nn.Sequential(*(SpectralUNet(bands) for _ in range(stages)))
        self.conv_out = _conv(bands, bands, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra; the picture is padded to multiples of 8 by reflection."""
        height, width = rgb.shape[-2:]
        features = self.conv_in(reflected(rgb, _MULTIPLE))
        cube: Tensor = self.conv_out(self.body(features)) + features
        return cube[..., :height, :width].contiguous()


class SpectralUNet(nn.Module):
    """A U-Net of three levels, (N, c, H, W) -> (N, c, H, W) for multiples of 4; adds its input.

    Parameters
    ----------
    c
        Channels at full size; each level down has twice as many, and heads of c channels.
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.embedding = _conv(c, c, 3, padding=1)
        self.encoder_layers = nn.ModuleList(
            nn.ModuleList([_Blocks(width, c), _conv(width, 2 * width, 4, stride=2, padding=1)])
            for width in (c, 2 * c)
        )
        self.bottleneck = _Blocks(4 * c, c)
        self.decoder_layers = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.ConvTranspose2d(2 * width, width, 2, stride=2),
                    _conv(2 * width, width, 1),
                    _Blocks(width, c),
                ]
            )
            for width in (2 * c, c)
        )
        self.mapping = _conv(c, c, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Go down, through the bottleneck, and up again."""
        x = self.embedding(z)
        skips = []
        for layer in self.encoder_layers:
            blocks, down = layer.children()
            x = blocks(x)
            skips.append(x)
            x = down(x)
        x = self.bottleneck(x)
        for layer in self.decoder_layers:
            up, fuse, blocks = layer.children()
            x = blocks(fuse(torch.cat([up(x), skips.pop()], dim=1)))
        result: Tensor = self.mapping(x) + z
        return result


class _Blocks(nn.Module):
    """One block, in a list as in the published weights."""

    def __init__(self, c: int, head: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([SpectralAttentionBlock(c, head)])

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        for block in self.blocks:
            x = block(x)
        return x


class SpectralAttentionBlock(nn.ModuleList):
    """Spectral attention, then a feed-forward of normalised features; each adds to its input.

    Parameters
    ----------
    c, head
        Channels, and those of a head.
    """

    def __init__(self, c: int, head: int) -> None:
        super().__init__([MultiHeadSpectralAttention(c, head), _NormalisedFeedForward(c)])

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        for part in self:
            x = x + part(x)
        return x


class MultiHeadSpectralAttention(nn.Module):
    """Attention between the channels of a head, each a vector over all pixels.

    Parameters
    ----------
    c, head
        Channels, and those of a head; c is a multiple.
    """

    def __init__(self, c: int, head: int) -> None:
        super().__init__()
        self.heads = c // head
        self.to_q = nn.Linear(c, c, bias=False)
        self.to_k = nn.Linear(c, c, bias=False)
        self.to_v = nn.Linear(c, c, bias=False)
        self.rescale = nn.Parameter(torch.ones(self.heads, 1, 1))
        self.proj = nn.Linear(c, c)
        self.pos_emb = nn.Sequential(
            _conv(c, c, 3, padding=1, groups=c), nn.GELU(), _conv(c, c, 3, padding=1, groups=c)
        )
        for linear in (self.to_q, self.to_k, self.to_v, self.proj):
            nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        q, k, v = (_over_pixels(x, to) for to in (self.to_q, self.to_k, self.to_v))
        q, k = (F.normalize(self._split(t), dim=-1) for t in (q, k))
        attention = torch.softmax(self.rescale * (k @ q.mT), dim=-1)  # (N, heads, keys, queries)
        mixed = (attention @ self._split(v)).reshape(x.shape)
        out: Tensor = _over_pixels(mixed, self.proj).reshape(x.shape)
        neighbours: Tensor = self.pos_emb(v.reshape(x.shape))
        return out + neighbours

    def _split(self, x: Tensor) -> Tensor:
        """(N, c, pixels) -> (N, heads, c / heads, pixels)."""
        return x.reshape(len(x), self.heads, -1, x.shape[-1])


def _over_pixels(x: Tensor, linear: nn.Linear) -> Tensor:
    """Apply a linear map to the channels of (N, c, H, W); give (N, c, pixels)."""
    y: Tensor = linear.weight @ x.flatten(2)
    return y if linear.bias is None else y + linear.bias[:, None]


class _NormalisedFeedForward(nn.Module):
    """LayerNorm over channels, then the feed-forward."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.fn = _FeedForward(c)
        self.norm = nn.LayerNorm(c)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        normed: Tensor = self.fn(self.norm(x.movedim(1, -1)).movedim(-1, 1))
        return normed


class _FeedForward(nn.Module):
    """To four times the channels, over the neighbours, and back."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            _conv(c, 4 * c, 1),
            nn.GELU(),
            _conv(4 * c, 4 * c, 3, padding=1, groups=4 * c),
            nn.GELU(),
            _conv(4 * c, c, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        y: Tensor = self.net(x)
        return y
