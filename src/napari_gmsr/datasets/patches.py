"""Batches of training patches: what every source of them promises."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_gmsr.image import Encoding

__all__ = ["PatchSource"]


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
