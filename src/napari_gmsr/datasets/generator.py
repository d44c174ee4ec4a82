"""Training patches without end: simulated scenes made in batches on any device, from a seed.

Spatial structure comes from photographs and from random fields of flat regions; the spectra of a
patch are mixtures from its own random palette of measured reflectances, so that metamers differ
between patches; then shading, highlights, dark backgrounds, exposure, and the dark signal of a
spectral camera. Colours are rendered from the finished cube, so that both agree exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmsr.datasets.simulation_camera import Capture, jpeg
from napari_gmsr.errors import DatasetError
from napari_gmsr.image import Encoding

__all__ = ["Recipe", "SceneGenerator"]

BANDS = 31


@dataclass(frozen=True)
class Recipe:
    """What simulated patches are made of. Shares are probabilities of a patch.

    Parameters
    ----------
    palette
        Spectra in a patch's palette.
    mixed
        Share of the palette's spectra that are mixtures of two measured ones.
    photographs
        Share of patches with a photograph's structure; the others are random fields.
    backgrounds
        Share of patches with regions of almost no light.
    highlights
        Share of patches with highlights in the colour of the light.
    stops
        Range of the exposure, in powers of two; at 0 a perfect white in full light gives 1.
    dimmed
        Share of patches that are then dimmed as a whole, with their dark signal: the same scene at
        a shorter exposure, whose spectra shall come out the same but for the factor.
    dimming
        Range of that, in powers of two. Real scenes are dark already; at a quarter of their
        exposure they must not leave what was learnt.
    dark_signal
        Largest level that a spectral camera's dark signal adds. Divided by a sensitivity that falls
        towards both ends of the range, as the calibration does, it rises there.
    noise
        Largest standard deviation of noise in the encoded picture, in half of the patches.
    capture
        What the camera does to every picture; ideal by default.
    """

    palette: int = 24
    mixed: float = 0.3
    photographs: float = 0.4
    backgrounds: float = 0.25
    highlights: float = 0.15
    stops: tuple[float, float] = (-2.2, 0.1)
    dimmed: float = 0.5
    dimming: tuple[float, float] = (-2.5, 0.0)
    dark_signal: float = 0.01
    noise: float = 0.0
    capture: Capture = field(default_factory=Capture)


class SceneGenerator:
    """Batches of pairs, RGB and cube, of simulated scenes.

    Parameters
    ----------
    photographs
        Linear pictures (3, side, side) within [0, 1], all of one size; where there are none, every
        patch is a random field.
    spectra
        Reflectances (n, 31) within [0, 1], and
    weights
        how often each is drawn, (n,), in any scale.
    matrix
        Spectra to linear RGB, (31, 3), as from `napari_gmsr.color.rendering_matrix`.
    encoding
        ``"linear"``, or ``"srgb"``: encoded and rounded to 8 bits.
    recipe
        Shares and ranges.
    seed
        Of everything random here. A seed gives the same patches again on the same kind of device.
    device
        Where patches are made.

    Raises
    ------
    DatasetError
        Where the shapes do not fit together.
    """

    def __init__(
        self,
        photographs: Sequence[Tensor],
        spectra: Tensor,
        weights: Tensor,
        matrix: Tensor,
        *,
        encoding: Encoding = "linear",
        recipe: Recipe | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        shapes = {tuple(p.shape) for p in photographs}
        if shapes and (len(shapes) != 1 or len(set(shapes.pop()[1:])) != 1):
            raise DatasetError(
                "the photographs are not squares of one size", fix="Crop them to one size."
            )
        if spectra.shape != (weights.numel(), BANDS) or matrix.shape != (BANDS, 3):
            raise DatasetError(
                f"spectra {tuple(spectra.shape)}, weights {tuple(weights.shape)} and matrix "
                f"{tuple(matrix.shape)} do not fit together",
                fix=f"Give (n, {BANDS}), (n,) and ({BANDS}, 3).",
            )
        self.device = torch.device(device)
        # One below the other, (3, count * side, side): see _crops.
        column = torch.cat(list(photographs), 1) if photographs else torch.zeros(3, 0, 1)
        self.photographs = column.to(self.device, torch.float32)
        self.spectra = spectra.to(self.device, torch.float32)
        self.cumulative = weights.double().cumsum(0).to(self.device)
        self.matrix = matrix.to(self.device, torch.float32)
        self.encoding = encoding
        self.recipe = recipe or Recipe()
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def batch(self, n: int, size: int) -> tuple[Tensor, Tensor]:
        """Return n patches: RGB (n, 3, size, size) and cubes (n, 31, size, size), within [0, 1]."""
        recipe = self.recipe
        palette = self._palettes(n)
        of_photographs = round(n * recipe.photographs) if self.photographs.numel() else 0
        regions = []
        if of_photographs > 0:
            regions.append(self._photograph_regions(palette[:of_photographs], size))
        if of_photographs < n:
            regions.append(self._random_regions(n - of_photographs, size))
        shares, shading = (torch.cat(parts) for parts in zip(*regions, strict=True))
        cube = torch.einsum("nkb,nkyx->nbyx", palette, shares)
        highlights = self._blobs(n, size, 8).sub(0.75).clamp_min(0) * 4
        highlights *= self._often(n, recipe.highlights) * self._uniform(n, 0, 0.5)
        cube = (cube + highlights) * shading
        in_light = self._blobs(n, size, 3) > self._uniform(n, 0.2, 0.7)
        dimmed = torch.where(in_light, 1.0, self._uniform(n, 0.0, 0.06))
        cube = cube * torch.where(self._often(n, recipe.backgrounds), dimmed, 1.0)
        cube = cube * torch.exp2(self._uniform(n, *recipe.stops)) + self._dark_signal(n)
        dimming = torch.exp2(self._uniform(n, *recipe.dimming))
        cube = cube.clamp_(0, 1) * torch.where(self._often(n, recipe.dimmed), dimming, 1.0)
        return self._picture(cube), cube

    def _picture(self, cube: Tensor) -> Tensor:
        rgb = torch.einsum("nbyx,bc->ncyx", cube, self.matrix).clamp_(0, 1)
        capture = self.recipe.capture
        rgb = capture.expose(rgb, self.generator)
        if self.encoding == "srgb":
            foot = rgb <= 0.0031308
            rgb = torch.where(foot, 12.92 * rgb, 1.055 * rgb.clamp_min(1e-4) ** (1 / 2.4) - 0.055)
        if self.recipe.noise > 0:
            n = len(rgb)
            strength = self._often(n, 0.5) * self._uniform(n, 0, self.recipe.noise)
            rgb = (rgb + strength * self._normal(*rgb.shape)).clamp_(0, 1)
        if capture.jpeg is not None:
            low, high = capture.jpeg
            drawn = torch.randint(
                low, high + 1, (len(rgb),), generator=self.generator, device=self.device
            )
            return jpeg(rgb, drawn.tolist())
        return (rgb * 255).round_() / 255 if self.encoding == "srgb" else rgb

    def _palettes(self, n: int) -> Tensor:
        """Return random palettes (n, palette, 31)."""
        shape = (n, self.recipe.palette)
        first, second = self._measured(*shape), self._measured(*shape)
        mixed = self._random(*shape, 1) < self.recipe.mixed
        return torch.lerp(first, second, self._random(*shape, 1) * mixed)

    def _measured(self, *shape: int) -> Tensor:
        draws = self._random(*shape).double() * self.cumulative[-1]
        index = torch.searchsorted(self.cumulative, draws, right=True)
        return self.spectra[index.clamp_max_(len(self.spectra) - 1)]

    def _photograph_regions(self, palette: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Return each spectrum's share (n, palette, y, x) and the shading (n, 1, y, x)."""
        n, count, _ = palette.shape
        crop = self._crops(n, size)
        brightness = crop.sum(1, keepdim=True)
        chroma = crop[:, :2] / brightness.clamp_min(1e-3)
        # The photograph's chromaticities are spread over the palette's, turned by a random angle:
        # what is alike in the photograph gets the same spectrum, but no object its own colour.
        mean = chroma.mean((2, 3), keepdim=True)
        spread = chroma.std((2, 3), keepdim=True).clamp_min(0.01)
        angle = self._uniform(n, 0, 2 * torch.pi)[:, 0]
        u, v = ((chroma - mean) / spread).unbind(1)
        turned = torch.stack([u * angle.cos() - v * angle.sin(), u * angle.sin() + v * angle.cos()])
        colours = palette @ self.matrix
        points = colours[..., :2] / colours.sum(-1, keepdim=True).clamp_min(1e-4)
        points = (points - points.mean(1, keepdim=True)) / points.std(1, keepdim=True).clamp_min(
            1e-3
        )
        distance = torch.zeros(n, count, size, size, device=self.device)
        for pixel, point in zip(turned, points.unbind(-1), strict=True):
            distance += (pixel[:, None] - point[:, :, None, None]) ** 2
        width = 0.05 * torch.exp2(self._uniform(n, 0, 4))
        shares = torch.softmax(-distance / (2 * width**2), dim=1)
        full = brightness.amax((2, 3), keepdim=True).clamp_min(1e-3)
        return shares, (brightness / full) ** self._uniform(n, 0.5, 1.5)

    def _random_regions(self, n: int, size: int) -> tuple[Tensor, Tensor]:
        """Return the same for flat regions: Voronoi cells, a chart's patches where unjittered."""
        count = self.recipe.palette
        side = int(count**0.5)
        grid = torch.arange(count, device=self.device)
        centres = torch.stack([grid % side, grid // side], -1) / side + 0.5 / side
        jitter = self._often(n, 0.8)[:, 0] * self._uniform(n, 0.2, 1.0)[:, 0]
        centres = centres + jitter * (self._random(n, count, 2) - 0.5)
        steps = (torch.arange(size, device=self.device) + 0.5) / size
        zoom = torch.exp2(self._uniform(n, -1.5, 0.5))
        distance = (zoom * steps[:, None] - centres[:, :, None, None, 0]) ** 2
        distance = distance + (zoom * steps - centres[:, :, None, None, 1]) ** 2
        # Cells a little out of focus, like edges in a photograph.
        shares = torch.softmax(-distance * torch.exp2(self._uniform(n, 9, 13)), dim=1)
        flat = self._often(n, 0.5)
        dimming = self._uniform(n, 0, 0.9) * self._blobs(n, size, 4)
        return shares, torch.where(flat, 1.0, 1 - dimming)

    def _crops(self, n: int, size: int) -> Tensor:
        """Return random crops (n, 3, size, size) of photographs, turned, flipped and zoomed."""
        _, column, side = self.photographs.shape
        count = column // side
        chosen = torch.randint(count, (n,), generator=self.generator, device=self.device)
        zoom = torch.exp2(self._uniform(n, -1, 1))[:, 0, 0, 0].clamp_max(0.9 * side / size)
        zoom = zoom * size / side
        turn = self._uniform(n, -torch.pi, torch.pi)[:, 0, 0, 0]
        flip = 1 - 2 * self._often(n, 0.5)[:, 0, 0, 0].float()
        shift = self._random(n, 2) * 1.6 - 0.8
        cos, sin = zoom * turn.cos(), zoom * turn.sin()
        first = torch.stack([cos * flip, -sin, shift[:, 0]], -1)
        second = torch.stack([sin * flip, cos, shift[:, 1]], -1)
        steps = (2 * torch.arange(size, device=self.device) + 1) / size - 1
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        grid = (
            torch.stack([x, y, torch.ones_like(x)], -1) @ torch.stack([first, second], -1)[:, None]
        )
        # Reflected into the photograph, then moved to where it lies in the column of all of them:
        # a view of the column serves every patch, no photograph is copied.
        grid = (((grid + 1) % 4 - 2).abs() - 1) * (1 - 1 / side)
        grid[..., 1] = (2 * chosen[:, None, None] + 1 + grid[..., 1]) / count - 1
        return F.grid_sample(
            self.photographs.expand(n, 3, column, side), grid, align_corners=False
        ).clamp_(0, 1)

    def _dark_signal(self, n: int) -> Tensor:
        """Return a level (n, 31, 1, 1) that rises towards both ends of the range."""
        band = torch.arange(BANDS, device=self.device)[:, None, None]
        short = self._uniform(n, 0, 5) * torch.exp(-band / self._uniform(n, 0.6, 1.6))
        long = self._uniform(n, 0, 3) * torch.exp((band - BANDS + 1) / self._uniform(n, 0.6, 1.6))
        return self._uniform(n, 0, self.recipe.dark_signal) * (1 + short + long)

    def _blobs(self, n: int, size: int, cells: int) -> Tensor:
        """Return a smooth random field (n, 1, size, size) within [0, 1]."""
        coarse = self._random(n, 1, cells, cells)
        return F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * self._random(n, 1, 1, 1)

    def _often(self, n: int, share: float) -> Tensor:
        return self._random(n, 1, 1, 1) < share
