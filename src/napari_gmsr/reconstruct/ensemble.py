"""The eight flips and rotations of a picture, and the mean over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TRANSFORMS", "SelfEnsemble", "Transform"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Transform:
    """One of the square's eight symmetries: a transposition or none, then flips or none."""

    transpose: bool
    flip_y: bool
    flip_x: bool

    def apply(self, picture: Floats) -> Floats:
        """(y, x, 3) -> the transformed picture, as a view."""
        view = picture.swapaxes(0, 1) if self.transpose else picture
        return view[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def undo(self, cube: Floats) -> Floats:
        """(band, y, x) of the transformed picture -> in the picture's orientation, as a view."""
        view = cube[:, :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return view.swapaxes(1, 2) if self.transpose else view


TRANSFORMS = tuple(
    Transform(transpose, flip_y, flip_x)
    for transpose in (False, True)
    for flip_y in (False, True)
    for flip_x in (False, True)
)
"""All eight; the first changes nothing."""


class SelfEnsemble:
    """Running mean and standard deviation of cubes (Welford's recurrence), in two cubes' memory.

    Parameters
    ----------
    mean
        float32 (band, y, x); holds the mean.
    keep_spread
        Whether the standard deviation is wanted.
    """

    def __init__(self, mean: Floats, *, keep_spread: bool) -> None:
        self.mean = mean
        self._squares = np.zeros_like(mean) if keep_spread else None
        self._count = 0

    def add(self, cube: Floats) -> None:
        """Count one more cube in, band by band to spare memory."""
        self._count += 1
        for i, band in enumerate(cube):
            difference = band - self.mean[i]
            self.mean[i] += difference / self._count
            if self._squares is not None:
                self._squares[i] += difference * (band - self.mean[i])

    def spread(self) -> Floats | None:
        """Return the standard deviation over the cubes, float32 (band, y, x)."""
        if self._squares is None:
            return None
        return np.asarray(np.sqrt(self._squares / self._count), dtype=np.float32)
