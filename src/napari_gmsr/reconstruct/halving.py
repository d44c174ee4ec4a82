"""Going on with smaller tiles where memory runs out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import OutOfMemoryError
from napari_gmsr.reconstruct.tiles import Predict, cuts

__all__ = ["LEAST_TILE", "Halving"]

Floats = npt.NDArray[np.float32]

LEAST_TILE = 32
"""Pixels; a tile is never made smaller."""


class Halving:
    """A network that reconstructs in parts what does not fit in memory; itself a `Predict`.

    A tile that fails is cut into two along each axis, which overlap by an eighth of it and are
    blended within it, so that it fits among its neighbours as if it had not failed: what is
    finished stays. Later tiles of its size are cut at once.

    Parameters
    ----------
    predict
        The network.
    check
        Called before every part; raises to stop the run.
    on_failure
        Called when memory has run out, with the side of what did not fit in pixels, once what the
        failed run held is free.
    """

    def __init__(
        self, predict: Predict, check: Callable[[], None], on_failure: Callable[[int], None]
    ) -> None:
        self._predict, self._check, self._on_failure = predict, check, on_failure
        self._too_large: int | None = None

    def attempt(self, picture: Floats) -> Floats | None:
        """Reconstruct (y, x, 3) -> (band, y, x) at once; None where memory does not suffice.

        Raises
        ------
        OutOfMemoryError
            Where memory does not suffice for what is too small to be cut.
        """
        side = max(picture.shape[:2])
        if self._too_large is not None and side >= self._too_large:
            return None
        try:
            return self._predict(picture)
        except OutOfMemoryError as error:
            if _half(side)[0] < LEAST_TILE:
                raise OutOfMemoryError(
                    f"{error.what}, even with {side} pixels a side",
                    where=error.where,
                    fix="Close what else takes memory there, or choose another device.",
                ) from error
        # Behind the handler: the error no longer holds the frames that hold the memory.
        self._too_large = side
        self._on_failure(side)
        return None

    def __call__(self, picture: Floats) -> Floats:
        """Reconstruct (y, x, 3) -> (band, y, x), in parts where that is necessary.

        Raises
        ------
        OutOfMemoryError
            Where not even the smallest parts fit.
        """
        cube = self.attempt(picture)
        return self._in_parts(picture, *_half(max(picture.shape[:2]))) if cube is None else cube

    def _in_parts(self, picture: Floats, tile: int, overlap: int) -> Floats:
        cube: Floats | None = None
        for row in cuts(picture.shape[0], tile, overlap):
            for column in cuts(picture.shape[1], tile, overlap):
                self._check()
                part = self(picture[row.slice, column.slice])
                if cube is None:
                    cube = np.zeros((len(part), *picture.shape[:2]), np.float32)
                part *= row.weight[:, None] * column.weight
                cube[:, row.slice, column.slice] += part
        assert cube is not None
        return cube


def _half(side: int) -> tuple[int, int]:
    """Give tile and overlap that cut a side in two."""
    overlap = side // 8
    return (side + overlap + 1) // 2, overlap
