"""Simulated patches as a source of training batches, each a function of seed, step and rank."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_gmsr.color import rendering_matrix
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.datasets.generator import Recipe, SceneGenerator
from napari_gmsr.datasets.simulation_sources import SimulationSources
from napari_gmsr.errors import DatasetError
from napari_gmsr.image import Encoding

__all__ = ["SIZES", "TARGETS", "SimulatedPatches", "Target"]

SIZES: Mapping[int, float] = MappingProxyType({64: 0.6, 128: 0.3, 256: 0.1})
"""Sides of patches in pixels with their shares of batches. Min-max, pooling and scans see a patch's
extent: a network must meet several."""

PIXELS = 12 * 128 * 128  # of a batch, about
SIDE = 640  # of the square that is kept of a photograph, in pixels


@dataclass(frozen=True)
class Target:
    """What pictures shall look like: a camera, a light, an encoding.

    Parameters
    ----------
    camera
        A name or a file (CSV, npz), as for `napari_gmsr.color.camera_response`.
    illuminant
        As for `napari_gmsr.color.illuminant`; empty: equal power at every band.
    encoding
        ``"linear"``, or ``"srgb"`` of 8 bits.
    recipe
        Shares and ranges of the scenes.
    """

    camera: str | Path = "cie_1964"
    illuminant: str = ""
    encoding: Encoding = "linear"
    recipe: Recipe = field(default_factory=Recipe)

    def matrix(self) -> Tensor:
        """Return the matrix from spectra to linear RGB, float64 (31, 3)."""
        return torch.from_numpy(rendering_matrix(self.camera, self.illuminant or None))


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "photo": Target("srgb", "D65", "srgb", Recipe(stops=(-2.2, 0.5), noise=0.006)),
        "ntire2020-clean": Target(),
    }
)
"""The targets of the shipped checkpoints."""


class SimulatedPatches:
    """Batches of simulated patches without end; the `PatchSource` of training without data.

    A batch depends on the seed, the step and the rank alone: a run that is continued meets the
    batches that an unbroken one meets. All ranks of a step have patches of one extent, so that none
    waits for another.

    Parameters
    ----------
    sources
        Photographs and reflectances; by default those of `SimulationSources.defaults`.
    sizes
        Sides of patches in pixels, with their shares of batches.
    pixels
        Of a batch, about: it has ``max(1, pixels // side**2)`` patches.
    seed
        Of everything random here.
    target
        A name of `TARGETS`, or one of your own.
    recipe
        In place of the target's.
    device
        Where patches are made.

    Raises
    ------
    DatasetError
        Where the target is unknown, or sizes and shares are none.
    """

    def __init__(
        self,
        sources: SimulationSources | None = None,
        *,
        sizes: Mapping[int, float] = SIZES,
        pixels: int = PIXELS,
        seed: int = 0,
        target: str | Target = "photo",
        recipe: Recipe | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if isinstance(target, str):
            if target not in TARGETS:
                raise DatasetError(
                    f"unknown target '{target}'", fix=f"Use one of {', '.join(TARGETS)}."
                )
            target = TARGETS[target]
        if not sizes or min(sizes) < 1 or min(sizes.values()) < 0 or sum(sizes.values()) <= 0:
            raise DatasetError(
                f"no sizes of patches: {dict(sizes)}", fix="Give sides in pixels with shares."
            )
        sources = sources or SimulationSources.defaults()
        self.wavelengths_nm: npt.NDArray[np.float64] = WAVELENGTHS_NM
        self.encoding: Encoding = target.encoding
        self.camera = str(target.camera)
        self.illuminant = target.illuminant
        self.licences = sources.licences
        self.patches_per_epoch = 0  # without end
        self.recipe = recipe or target.recipe
        self.seed = seed
        self.pixels = pixels
        self.sizes = dict(sizes)
        self._generator = SceneGenerator(
            [torch.from_numpy(square) for square in sources.squares(SIDE)],
            torch.from_numpy(sources.spectra),
            torch.from_numpy(sources.weights),
            target.matrix(),
            encoding=target.encoding,
            recipe=self.recipe,
            device=device,
        )
        self._lock = threading.Lock()

    def size(self, step: int) -> int:
        """Return the side of the patches of a step, in pixels."""
        shares = np.array(list(self.sizes.values()))
        rng = np.random.default_rng([self.seed, step])
        return int(rng.choice(list(self.sizes), p=shares / shares.sum()))

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return a step's patches for a rank.

        Parameters
        ----------
        step
            Number of the batch, from 0.
        rank, world
            Which of how many processes asks.

        Returns
        -------
        rgb : Tensor
            float32 (n, 3, side, side) within [0, 1], on the device.
        cube : Tensor
            float32 (n, 31, side, side) within [0, 1].
        """
        size = self.size(step)
        # One seed for all that follows; SeedSequence spreads neighbouring steps and ranks apart.
        state = np.random.SeedSequence([self.seed, step, 1 + rank]).generate_state(1, np.uint64)
        with self._lock:  # several threads may ask, of one stream of random numbers
            self._generator.generator.manual_seed(int(state[0] >> np.uint64(1)))
            return self._generator.batch(max(1, self.pixels // size**2), size)
