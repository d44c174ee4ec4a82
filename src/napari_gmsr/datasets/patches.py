"""Batches of training patches: what every source promises, and patches of cached scenes."""

from __future__ import annotations

import threading
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_gmsr.datasets.cache import FULL_SCALE, CubeCache
from napari_gmsr.errors import DatasetError, InputError
from napari_gmsr.image import Encoding

__all__ = ["CachedPatches", "PatchSource"]


class PatchSource(Protocol):
    """Pairs of RGB and cube, in batches that are a pure function of seed, step and rank.

    A run that resumes at step k therefore sees what an unbroken one sees, and no state of a sampler
    is stored. ``batch`` may be called from several threads at once, in any order of steps.
    """

    @property
    def wavelengths_nm(self) -> npt.NDArray[np.float64]:
        """Centre of each band in nm, (bands,)."""
        ...

    @property
    def encoding(self) -> Encoding:
        """How the RGB's numbers relate to light."""
        ...

    @property
    def camera(self) -> str:
        """The camera response that the RGB was rendered with; empty where it is not known."""
        ...

    @property
    def illuminant(self) -> str:
        """The light of the RGB; empty where it is not known."""
        ...

    @property
    def licences(self) -> tuple[tuple[str, str], ...]:
        """Name and licence of all that the patches come from."""
        ...

    @property
    def patches_per_epoch(self) -> int:
        """Patches over all ranks that make an epoch; 0 where there is no end."""
        ...

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return RGB (n, 3, s, s) and cube (n, bands, s, s), float32 within [0, 1].

        They lie on the source's device. ``rank`` is the process's number among ``world``; each
        draws its own patches.
        """
        ...


class CachedPatches:
    """Patches cut from cached scenes, and varied on the device.

    Parameters
    ----------
    cache
        The scenes.
    patch
        Side of a patch in pixels.
    batch
        Patches a batch and rank.
    seed
        Of everything random here.
    order
        ``"random"``: a scene, every one as likely, then a position in it. ``"grid"``: every patch
        of the regular grid once an epoch, shuffled by seed and epoch, shared out among the ranks.
    stride
        Of the grid, in pixels.
    flips
        Turn and mirror each patch in one of the eight ways of a square.
    exposure
        Smallest and largest factor, within (0, 1], drawn uniformly in its logarithm; RGB and cube
        are dimmed together. For linear RGB that is exact wherever the RGB was not clipped; sRGB is
        decoded, dimmed, encoded and rounded to 8 bits again. ``None``: as they are.
    device
        Where batches are made.

    Raises
    ------
    DatasetError
        Where a picture is smaller than the patch.
    InputError
        Where a size is below 1 or the exposure outside (0, 1].
    """

    def __init__(
        self,
        cache: CubeCache,
        *,
        patch: int = 128,
        batch: int = 20,
        seed: int = 0,
        order: Literal["random", "grid"] = "random",
        stride: int = 64,
        flips: bool = True,
        exposure: tuple[float, float] | None = (0.25, 1.0),
        device: torch.device | str = "cpu",
    ) -> None:
        if min(patch, batch, stride) < 1 or order not in ("random", "grid"):
            raise InputError(
                f"patch {patch}, batch {batch}, stride {stride}, order '{order}'",
                fix="Give sizes of at least 1, and the order 'random' or 'grid'.",
            )
        if exposure is not None and not 0 < exposure[0] <= exposure[1] <= 1:
            raise InputError(
                f"exposure from {exposure[0]} to {exposure[1]}",
                fix="Give factors within (0, 1], the smaller one first.",
            )
        for name, (height, width) in zip(cache.names, cache.shapes, strict=True):
            if min(height, width) < patch:
                raise DatasetError(
                    f"{height} x {width} pixels, smaller than the patch of {patch} x {patch}",
                    where=name,
                    fix="Choose a smaller patch, or remove the scene.",
                )
        self.cache, self.patch, self.size, self.seed = cache, patch, batch, seed
        self.order, self.flips, self.exposure = order, flips, exposure
        self.device = torch.device(device)
        self.wavelengths_nm = cache.wavelengths_nm
        self.encoding: Encoding = cache.encoding
        self.camera, self.illuminant = cache.camera, cache.illuminant
        self.licences: tuple[tuple[str, str], ...] = ((cache.dataset, cache.licence),)
        self._room = np.array(cache.shapes) - patch + 1
        self._grid = np.array(
            [
                (scene, y, x)
                for scene, (rows, columns) in enumerate(self._room.tolist())
                for y in range(0, rows, stride)
                for x in range(0, columns, stride)
            ]
        )
        self._shuffled: tuple[int, npt.NDArray[np.int64]] | None = None
        self._lock = threading.Lock()

    @property
    def patches_per_epoch(self) -> int:
        """The grid's patches; in random order as many as cover the scenes' area once."""
        if self.order == "grid":
            return len(self._grid)
        area = sum(height * width for height, width in self.cache.shapes)
        return max(1, area // self.patch**2)

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return RGB (n, 3, s, s) and cube (n, bands, s, s), float32 within [0, 1].

        Positions and variations follow from seed, step and rank alone (in grid order also from
        ``world``). See `PatchSource`.
        """
        random = np.random.default_rng((self.seed, step, rank))
        places = self._places(random, step, rank, world)
        ways = torch.from_numpy(random.integers(0, 2, (3, self.size)).astype(bool))
        factors = random.uniform(0, 1, self.size)
        depth = 3 + len(self.wavelengths_nm)
        dtype = torch.uint16 if self.cache.dtype == np.uint16 else torch.float32
        pinned = self.device.type == "cuda"
        side = self.patch
        host = torch.empty(self.size, side, side, depth, dtype=dtype, pin_memory=pinned)
        for (scene, y, x), out in zip(places.tolist(), host.numpy(), strict=True):
            self.cache.read(scene, y, x, out)
        values = host.to(self.device, non_blocking=True)
        if self.flips:
            values = _turned(values, ways)
        rgb, cube = _planes(values[..., :3]), _planes(values[..., 3:])
        if self.exposure is not None:
            low, high = np.log(self.exposure)
            dimming = np.exp(low + (high - low) * factors).astype(np.float32)
            k = torch.from_numpy(dimming).to(self.device)[:, None, None, None]
            rgb = _dimmed_srgb(rgb, k) if self.encoding == "srgb" else rgb.mul_(k)
            cube.mul_(k)
        return rgb, cube

    def _places(
        self, random: np.random.Generator, step: int, rank: int, world: int
    ) -> npt.NDArray[np.int64]:
        """Return scene, row and column of each patch, (n, 3)."""
        if self.order == "random":
            scenes = random.integers(len(self.cache), size=self.size)
            corners = random.integers(self._room[scenes])
            return np.column_stack([scenes, corners])
        first = (step * world + rank) * self.size
        epochs, positions = np.divmod(np.arange(first, first + self.size), len(self._grid))
        orders = {epoch: self._permutation(epoch) for epoch in np.unique(epochs).tolist()}
        chosen = [orders[e][p] for e, p in zip(epochs.tolist(), positions.tolist(), strict=True)]
        return self._grid[chosen]

    def _permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        with self._lock:
            if self._shuffled is None or self._shuffled[0] != epoch:
                # The third number keeps this apart from the draws of any step and rank.
                random = np.random.default_rng((self.seed, epoch, 0, 1))
                self._shuffled = epoch, random.permutation(len(self._grid))
            return self._shuffled[1]


def _turned(values: Tensor, ways: Tensor) -> Tensor:
    """Mirror rows, columns, diagonal of the patches (n, s, s, c) that ways (3, n) names."""
    rows, columns, diagonal = ways.to(values.device)[:, :, None, None, None]
    # Only moved, not computed with: PyTorch moves int16, but not every kernel takes uint16.
    moved = values.view(torch.int16) if values.dtype == torch.uint16 else values
    moved = torch.where(rows, moved.flip(1), moved)
    moved = torch.where(columns, moved.flip(2), moved)
    moved = torch.where(diagonal, moved.transpose(1, 2), moved)
    return moved.view(values.dtype)


def _planes(values: Tensor) -> Tensor:
    """Return stored values (n, s, s, c) as float32 (n, c, s, s) within [0, 1]."""
    planes = torch.empty_like(
        values.permute(0, 3, 1, 2), dtype=torch.float32, memory_format=torch.contiguous_format
    ).copy_(values.permute(0, 3, 1, 2))
    return planes.div_(FULL_SCALE) if values.dtype == torch.uint16 else planes.clamp_(0, 1)


def _dimmed_srgb(rgb: Tensor, k: Tensor) -> Tensor:
    """Dim sRGB values (IEC 61966-2-1) in linear light; 8 bits, as a camera writes them."""
    light = k * torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    curve = 1.055 * light.clamp_min(1e-4) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, curve).mul_(255).round_().div_(255)
