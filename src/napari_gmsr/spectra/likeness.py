"""How like two spectra are, whatever their brightness."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError

__all__ = ["similarity_map", "spectral_angle"]

Slab = npt.NDArray[Any]
_AT_ONCE = 1 << 20
"""Values that are looked at together."""


def spectral_angle(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the angle between spectra as vectors over the bands that both have.

    Brightness leaves it alone, as it scales a vector and does not turn it (Kruse and others, Remote
    Sensing of Environment 44, 1993). The arctangent form (Kahan, 2006) keeps its digits where two
    spectra nearly agree.

    Parameters
    ----------
    one, other
        (band, ...), of shapes that NumPy broadcasts against each other; NaN or infinite where a
        band is missing.

    Returns
    -------
    ndarray
        float64 (...), degrees from 0, alike, to 90 for spectra that are not negative. As in
        `napari_gmsr.evaluate`, 0 between two black spectra and 90 between a black one and another.
        NaN where no band is common.

    Raises
    ------
    InputError
        Where the two differ in bands.
    """
    one, other = np.asarray(one), np.asarray(other)
    if one.shape[:1] != other.shape[:1]:
        raise InputError(
            f"spectra of {one.shape[0]} and of {other.shape[0]} bands",
            fix="Compare spectra of the same bands; resample one of them.",
        )
    shape = np.broadcast_shapes(one.shape[1:], other.shape[1:])
    common, lengths = np.zeros(shape, dtype=np.intp), np.zeros((2, *shape))
    for u, v, both in _slabs(one, other):
        common += both.sum(axis=0)
        lengths[0] += (u**2).sum(axis=0)
        lengths[1] += (v**2).sum(axis=0)
    lengths = np.sqrt(lengths)
    black = lengths == 0
    scales = 1 / np.where(black, 1, lengths)
    apart, together = np.zeros((2, *shape))
    for u, v, _ in _slabs(one, other):
        u, v = u * scales[0], v * scales[1]
        apart += ((u - v) ** 2).sum(axis=0)
        together += ((u + v) ** 2).sum(axis=0)
    angle = np.degrees(2 * np.arctan2(np.sqrt(apart), np.sqrt(together)))
    angle = np.where(black.all(axis=0), 0.0, np.where(black.any(axis=0), 90.0, angle))
    return np.where(common > 0, angle, np.nan)


def similarity_map(
    cube: SpectralCube | npt.ArrayLike, spectrum: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Map how like each pixel's spectrum is to one spectrum.

    Parameters
    ----------
    cube
        A cube, or an array (band, y, x).
    spectrum
        (band,), at the cube's bands.

    Returns
    -------
    ndarray
        float32 (y, x): the spectral angle in degrees, 0 where the two are alike; see
        :func:`spectral_angle`.

    Raises
    ------
    InputError
        Where the spectrum has other bands than the cube.
    """
    data = cube.data if isinstance(cube, SpectralCube) else np.asarray(cube)
    one = np.asarray(spectrum)
    return spectral_angle(data, one.reshape(one.shape + (1,) * (data.ndim - 1))).astype(np.float32)


def _slabs(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Iterator[tuple[Slab, Slab, Slab]]:
    """Yield some bands of the two, with zeros where either misses one, and where neither does.

    Not all at once, since a cube in double precision may not fit in memory.
    """
    pixels = max(1, *(math.prod(array.shape[1:]) for array in (one, other)))
    step = max(1, _AT_ONCE // pixels)
    for first in range(0, one.shape[0], step):
        u, v = one[first : first + step], other[first : first + step]
        both = np.isfinite(u) & np.isfinite(v)
        yield (
            np.where(both, u, 0).astype(np.float64),
            np.where(both, v, 0).astype(np.float64),
            both,
        )
