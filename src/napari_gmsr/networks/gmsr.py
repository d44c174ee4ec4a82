"""GMSR-Net: stacked gradient-guided Mamba blocks (Wang et al., arXiv 2405.07777, Fig. 2).

Modules carry the names of the paper's boxes. Where paper and reference implementation differ, the
numbers follow the implementation, except that normalisation is per picture: a result never depends
on its batch mates, and a flat picture stays finite. Features are kept channel-last, (N, H, W, c),
so that a pixel's channels lie together for the scan. What takes a part's place in the paper's
ablations is in `napari_gmsr.networks.ablated`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_gmsr.networks.ablations import ATTENTIONS, BRANCHES, WIDTHS, check_arguments
from napari_gmsr.scan.engines import choose_engine, selective_scan_2d
from napari_gmsr.scan.parameters import STATE_SIZE, ScanParameters

__all__ = [
    "SS2D",
    "WIDTHS",
    "Branch",
    "GMSRNet",
    "GradientMambaBlock",
    "Operators",
    "SpatialGradientAttention",
    "SpectralGradientAttention",
    "VSSBlock",
]


class Operators:
    """What of a block takes most of the time, in plain PyTorch: the specification of faster forms.

    Parameters
    ----------
    engine
        Of the scan.
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def scan(self, x: Tensor, parameters: ScanParameters) -> Tensor:
        """Scan in four directions; (N, H, W, e) -> (N, H, W, e)."""
        return selective_scan_2d(x, parameters, self.engine)

    def project(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """Linear layer without bias; (N, H, W, c) -> (N, H, W, outputs)."""
        projected: Tensor = layer(x)
        return projected

    def normalise(self, norm: nn.LayerNorm, a: Tensor) -> Tensor:
        """LayerNorm over channels; (N, H, W, c) -> (N, H, W, c)."""
        normed: Tensor = norm(a)
        return normed

    def convolve(self, depthwise: nn.Conv2d, x: Tensor) -> Tensor:
        """Depthwise convolution and SiLU; (N, H, W, e) -> (N, H, W, e), contiguous."""
        convolved: Tensor = depthwise(x.movedim(-1, 1)).movedim(1, -1)
        return F.silu(convolved).contiguous()

    def gate(self, norm: nn.LayerNorm, y: Tensor, z: Tensor) -> Tensor:
        """LayerNorm of y times SiLU of z; (N, H, W, e) each."""
        gated: Tensor = norm(y) * F.silu(z)
        return gated

    def convolve_maps(self, conv: nn.Conv2d, maps: Tensor) -> Tensor:
        """7x7 convolution; (N, 2, H, W) -> (N, 1, H, W)."""
        convolved: Tensor = conv(maps)
        return convolved

    def pool_gradients(self, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of features (N, H, W, c), normalised to [0, 1] for each picture, and pooled.

        Returns
        -------
        maps : Tensor
            Mean and maximum over channels of the spatial gradients, (N, 2, H, W).
        mean, maximum : Tensor
            Over pixels of the spectral gradients, the last one twice, (N, c) each.
        """
        spatial = torch.cat([_spatial_difference(a, 2), _spatial_difference(a, 1)], dim=-1)
        spatial = _min_max(spatial)  # (N, H, W, 2c)
        maps = torch.stack([spatial.mean(dim=-1), spatial.amax(dim=-1)], dim=1)
        spectral = _min_max(a.diff(dim=-1))  # (N, H, W, c - 1)
        spectral = torch.cat([spectral, spectral[..., -1:]], dim=-1)
        return maps, spectral.mean(dim=(1, 2)), spectral.amax(dim=(1, 2))

    def fuse(
        self,
        layer: nn.Linear,
        a: Tensor,
        scanned: Tensor,
        kept: Tensor,
        spatial: Tensor,
        spectral: Tensor,
    ) -> Tensor:
        """Concatenate three branches, fuse them and add: a + GELU(layer).

        Parameters
        ----------
        layer
            From 3c to c channels.
        a, scanned
            Features and what the scan made of them, (N, H, W, c) each.
        kept
            Factor of each picture's scanned branch, (N,).
        spatial, spectral
            Gates of a, (N, H, W) and (N, c).

        Returns
        -------
        Tensor
            (N, H, W, c).
        """
        branches = [
            scanned * kept[:, None, None, None],
            a * spatial[..., None],
            a * spectral[:, None, None],
        ]
        return a + F.gelu(layer(torch.cat(branches, dim=-1)))


class GMSRNet(nn.Module):
    """GMSR-Net, (N, 3, H, W) in [0, 1] -> (N, 31, H, W).

    Parameters
    ----------
    widths
        Channels of each Gradient Mamba block; the last is the number of bands. The paper's network
        is (10, 20, 31).
    drop_path
        Probability that a picture's VSS branch is dropped in training.
    branch, attention
        What the blocks are made of, for the paper's ablations: see
        `napari_gmsr.networks.ablations`.

    Attributes
    ----------
    bands
        Number of bands of the cube.
    complete
        Whether the blocks are the paper's, with all their parts.
    engine
        Name of the scan engine, or ``auto``: see `napari_gmsr.scan.choose_engine`. A network
        without a scan does not have it.

    Raises
    ------
    InputError
        Where an argument makes no network.
    """

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS[3],
        drop_path: float = 0.1,
        branch: str = "mamba",
        attention: str = "gradient",
    ) -> None:
        super().__init__()
        check_arguments(widths, drop_path, branch, attention)
        self.widths = tuple(widths)
        self.bands = self.widths[-1]
        self.branch = branch
        self.complete = (branch, attention) == (BRANCHES[0], ATTENTIONS[0])
        if branch == "mamba":
            self.engine = "auto"
        self.spatial_attention = SpatialGradientAttention()  # one module, shared by all blocks
        block: Callable[[int, int, float], nn.Module] = GradientMambaBlock
        if not self.complete:
            from napari_gmsr.networks.ablated import AblatedBlock

            block = partial(AblatedBlock, branch=branch, attention=attention)
            if attention in ("spectral", "none"):
                self.register_module("spatial_attention", None)
        self.blocks = nn.ModuleList(
            block(c_in, c, drop_path)
            for c_in, c in zip((3, *self.widths), self.widths, strict=False)
        )

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct spectra; (N, 3, H, W) -> (N, bands, H, W), neither clamped nor clipped."""
        gradients = self.training or (
            torch.is_grad_enabled()
            and (rgb.requires_grad or any(p.requires_grad for p in self.parameters()))
        )
        if not hasattr(self, "engine"):
            return self.run(rgb, Operators("reference"))
        engine = choose_engine(rgb.device, self.engine, gradients=gradients).name
        if engine == "cpu" and self.complete:
            from napari_gmsr.networks.gmsr_cpu import evaluate

            return evaluate(self, rgb)
        operators = Operators(engine)
        if engine == "fused" and max(self.widths) <= 32:
            from napari_gmsr.networks import gmsr_cuda, gmsr_cuda_training

            if self.complete and not gradients:
                return gmsr_cuda.evaluate(self, rgb)
            operators = gmsr_cuda_training.FusedOperators(engine)
        return self.run(rgb, operators)

    def run(self, rgb: Tensor, operators: Operators) -> Tensor:
        """Do what `forward` does, by the operators given."""
        x = rgb.movedim(1, -1).contiguous()  # (N, H, W, 3)
        for block in self.blocks:
            x = block(x, self.spatial_attention, operators)  # (N, H, W, c)
        return x.movedim(-1, 1).contiguous()

    @property
    def reference_parameter_count(self) -> int:
        """Parameters as the reference counts them: with two unused vectors of scales a block."""
        unused = 2 * sum(self.widths) if self.branch == "mamba" else 0
        return sum(p.numel() for p in self.parameters()) + unused


class GradientMambaBlock(nn.Module):
    """Gradient Mamba (GM) block: three branches side by side, concatenated and fused (Fig. 2b).

    Parameters
    ----------
    c_in, c
        Channels before and after.
    drop_path
        See `GMSRNet`.
    """

    def __init__(self, c_in: int, c: int, drop_path: float) -> None:
        super().__init__()
        self.expand = nn.Linear(c_in, c, bias=False)
        self.vss = VSSBlock(c, drop_path)
        self.spectral_attention = SpectralGradientAttention(c)
        self.fuse = nn.Linear(3 * c, c)

    def forward(
        self, x: Tensor, spatial_attention: SpatialGradientAttention, operators: Operators
    ) -> Tensor:
        """(N, H, W, c_in) -> (N, H, W, c)."""
        a = operators.project(self.expand, x)
        maps, mean, maximum = operators.pool_gradients(a)
        return operators.fuse(
            self.fuse,
            a,
            self.vss(a, operators),
            self.vss.kept(a),
            spatial_attention(maps, operators),
            self.spectral_attention(mean, maximum),
        )


class Branch(nn.Module):
    """The branch of a block that sees far; training drops it for some pictures.

    Parameters
    ----------
    drop_path
        See `GMSRNet`.
    """

    def __init__(self, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path

    def kept(self, a: Tensor) -> Tensor:
        """Draw which pictures keep this branch in training, and by what factor it grows; (N,)."""
        if not self.training or self.drop_path == 0:
            return a.new_ones(len(a))
        keep = 1 - self.drop_path
        return (torch.rand(len(a), device=a.device) < keep).to(a.dtype) / keep


class VSSBlock(Branch):
    """Visual state space block (Fig. 2c): normalise, scan. There is no residual inside.

    Parameters
    ----------
    c
        Channels.
    drop_path
        See `GMSRNet`.
    """

    def __init__(self, c: int, drop_path: float) -> None:
        super().__init__(drop_path)
        self.norm = nn.LayerNorm(c)
        self.ss2d = SS2D(c)

    def forward(self, a: Tensor, operators: Operators) -> Tensor:
        """(N, H, W, c) -> (N, H, W, c)."""
        scanned: Tensor = self.ss2d(operators.normalise(self.norm, a), operators)
        return scanned


class SS2D(nn.Module):
    """Gated selective scan in four directions, Eq. (1).

    Parameters
    ----------
    c
        Channels; inside there are e = 2c.
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        e, rank = 2 * c, math.ceil(c / 16)
        self.in_proj = nn.Linear(c, 2 * e, bias=False)
        self.depthwise = nn.Conv2d(e, e, 3, padding=1, groups=e)
        self.x_proj = nn.Parameter(torch.empty(4, rank + 2 * STATE_SIZE, e))
        self.dt_proj = nn.Parameter(torch.empty(4, e, rank))
        self.dt_bias = nn.Parameter(torch.empty(4, e))
        self.A_log = nn.Parameter(torch.empty(4, e, STATE_SIZE))
        self.D = nn.Parameter(torch.ones(4, e))
        self.norm = nn.LayerNorm(e)
        self.out_proj = nn.Linear(e, c, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the scan's weights as Mamba does: log-uniform steps in [1e-3, 0.1], A = -(1..16)."""
        with torch.no_grad():
            nn.init.uniform_(
                self.x_proj, -(self.x_proj.shape[-1] ** -0.5), self.x_proj.shape[-1] ** -0.5
            )
            nn.init.uniform_(
                self.dt_proj, -(self.dt_proj.shape[-1] ** -0.5), self.dt_proj.shape[-1] ** -0.5
            )
            dt = torch.exp(torch.rand_like(self.dt_bias) * math.log(0.1 / 0.001) + math.log(0.001))
            self.dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
            self.A_log.copy_(torch.log(torch.arange(1.0, STATE_SIZE + 1)).expand_as(self.A_log))

    def forward(self, x: Tensor, operators: Operators) -> Tensor:
        """(N, H, W, c) -> (N, H, W, c)."""
        x, z = operators.project(self.in_proj, x).chunk(2, dim=-1)  # (N, H, W, e) each
        y = operators.scan(operators.convolve(self.depthwise, x), self.scan_parameters)
        return operators.project(self.out_proj, operators.gate(self.norm, y, z))

    @property
    def scan_parameters(self) -> ScanParameters:
        """The scan's weights, stacked by direction."""
        return ScanParameters(self.x_proj, self.dt_proj, self.dt_bias, self.A_log, self.D)


class SpatialGradientAttention(nn.Module):
    """Spatial gradient attention, Eqs. (2) and (3); one module of 98 weights serves all blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, maps: Tensor, operators: Operators) -> Tensor:
        """From the maps of `Operators.pool_gradients`, (N, 2, H, W), the gate, (N, H, W)."""
        return torch.sigmoid(operators.convolve_maps(self.conv, maps)).squeeze(1)


class SpectralGradientAttention(nn.Module):
    """Spectral gradient attention, Eqs. (4) to (6).

    The implementation passes both pooled vectors through the same two 1x1 convolutions, and applies
    a second sigmoid to their sum, so that the gate lies in (0.5, 0.881).

    Parameters
    ----------
    c
        Channels.
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(c, c, bias=False), nn.ReLU(), nn.Linear(c, c, bias=False), nn.Sigmoid()
        )

    def forward(self, mean: Tensor, maximum: Tensor) -> Tensor:
        """From the rest of `Operators.pool_gradients`, (N, c) each, the gate, (N, c)."""
        return torch.sigmoid(self.fc(mean) + self.fc(maximum))


def _spatial_difference(a: Tensor, dim: int) -> Tensor:
    """Forward difference, as long as its input: reflection repeats the third last at the end.

    With two pixels there is one difference, and it is repeated; with one pixel it is zero.
    """
    n = a.shape[dim]
    if n == 1:
        return torch.zeros_like(a)
    difference = a.diff(dim=dim)
    return torch.cat([difference, difference.narrow(dim, max(n - 3, 0), 1)], dim=dim)


def _min_max(x: Tensor) -> Tensor:
    """Bring each picture's values to [0, 1]; a constant picture becomes zero."""
    axes = (1, 2, 3)
    low = x.amin(dim=axes, keepdim=True)
    return (x - low) / (x.amax(dim=axes, keepdim=True) - low + 1e-8)
