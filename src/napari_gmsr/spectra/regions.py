"""The spectra of a region: their mean and their spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError

__all__ = ["region_spectrum"]

_AT_ONCE = 1 << 16
"""Pixels that are looked at together: a region may be a whole large picture."""


def region_spectrum(
    cube: SpectralCube | npt.NDArray[Any],
    mask: npt.ArrayLike,
    view: Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean and the spread of a region's spectra.

    Parameters
    ----------
    cube
        A cube, or an array (band, y, x); of a lazy one (dask, zarr), only the region's box is read.
    mask
        bool (y, x), true within the region.
    view
        How to look at the pixels' spectra, (band, n) to (band, n), before they are summed up: a
        partial call of one of this package's functions. As they are by default.

    Returns
    -------
    mean, spread
        float64 (band,): mean and standard deviation over the region's pixels that are finite in
        that band; NaN where there is none.

    Raises
    ------
    InputError
        Where mask and cube differ in size, or the mask is empty.
    """
    data = cube.data if isinstance(cube, SpectralCube) else cube
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != tuple(data.shape[1:]):
        raise InputError(
            f"a region of {' x '.join(map(str, mask.shape))} pixels in a cube of "
            f"{' x '.join(map(str, data.shape[1:]))}",
            fix="Give the region as a mask of the cube's height and width.",
        )
    if not mask.any():
        raise InputError("the region holds no pixel of the cube", fix="Draw it over the picture.")
    rows, columns = (
        slice(lit[0], lit[-1] + 1) for lit in (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    )
    box = np.asarray(data[:, rows, columns], dtype=np.float32)
    pixels = box[:, mask[rows, columns]]
    if view is not None:
        starts = range(0, pixels.shape[1], _AT_ONCE)
        pixels = np.concatenate([view(pixels[:, i : i + _AT_ONCE]) for i in starts], axis=1)
    return _mean_and_spread(pixels)


def _mean_and_spread(
    pixels: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum up band by band: numpy's own functions for NaN would warn of bands without a value."""
    summed = np.full((2, pixels.shape[0]), np.nan)
    for band, values in enumerate(pixels):
        finite = values[np.isfinite(values)]
        if finite.size:
            summed[:, band] = finite.mean(dtype=np.float64), finite.std(dtype=np.float64)
    return summed[0], summed[1]
