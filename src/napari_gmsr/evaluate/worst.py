"""Where a cube is at its worst: pixels well apart, and bands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.metrics import MRAE_EPSILON
from napari_gmsr.evaluate.pairs import as_pair

__all__ = ["band_errors", "worst_pixel"]


def worst_pixel(
    errors: npt.NDArray[np.floating], apart_from: Iterable[tuple[int, int]] = (), distance: int = 16
) -> tuple[int, int] | None:
    """Return the pixel with the largest error that lies apart from some others.

    Called again with what it has found, it gives the worst, the next worst, and so on, each in
    another part of the picture: the neighbours of a bad pixel are bad for the same reason.

    Parameters
    ----------
    errors
        An error map (y, x), as of `error_map`. NaN counts as no error.
    apart_from
        Rows and columns of pixels to keep away from.
    distance
        How far to keep away, in pixels along each axis.

    Returns
    -------
    tuple of int or None
        Row and column; ``None`` where no error is left.
    """
    left = np.where(np.isfinite(errors), errors, 0.0)
    for y, x in apart_from:
        rows = slice(max(0, y - distance), y + distance + 1)
        left[rows, max(0, x - distance) : x + distance + 1] = 0.0
    row, column = divmod(int(np.argmax(left)), left.shape[1])
    return (row, column) if left[row, column] > 0 else None


def band_errors(
    cube: SpectralCube | npt.ArrayLike,
    truth: SpectralCube | npt.ArrayLike,
    metric: Literal["rmse", "mrae"] = "rmse",
) -> npt.NDArray[np.float64]:
    """Return the error of each band.

    Parameters
    ----------
    cube, truth
        Cubes, or arrays (band, y, x), as for `evaluate`; one pixel is (band, 1, 1).
    metric
        ``"rmse"``: root mean squared error over pixels; ``"mrae"``: mean over pixels of
        ``|truth - cube| / (truth + 0.001)``.

    Returns
    -------
    ndarray
        float64 (band,); NaN where a band holds NaN or infinite values.

    Raises
    ------
    InputError
        Where the two differ in size or bands, or the metric is unknown.
    """
    if metric not in ("rmse", "mrae"):
        raise InputError(f"unknown error of a band '{metric}'", fix="Use rmse or mrae.")
    cube, truth = as_pair(cube, truth)
    result = np.empty(cube.shape[0])
    for band, (ours, true) in enumerate(zip(cube.data, truth.data, strict=True)):
        error = np.abs(true.astype(np.float64) - ours)
        if metric == "rmse":
            result[band] = np.sqrt(np.mean(error**2))
        else:
            result[band] = np.mean(error / (true + MRAE_EPSILON))
    result[~np.isfinite(result)] = np.nan
    return result
