"""A cube and its truth: whether the two can be compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError

__all__ = ["WAVELENGTH_TOLERANCE_NM", "as_pair", "common_bands", "require_finite"]

WAVELENGTH_TOLERANCE_NM = 0.5
"""Bands whose centres lie at most this far apart are the same band."""


def as_pair(
    cube: SpectralCube | npt.ArrayLike, truth: SpectralCube | npt.ArrayLike
) -> tuple[SpectralCube, SpectralCube]:
    """Return both as cubes of one shape and the same bands.

    Parameters
    ----------
    cube, truth
        Cubes, or arrays (band, y, x). An array has the bands of the cube that it is compared with;
        two arrays have 31 bands from 400 to 700 nm.

    Raises
    ------
    InputError
        Where the two differ in size or in wavelengths.
    """
    if not isinstance(cube, SpectralCube):
        cube = _as_cube(cube, "the cube", truth)
    if not isinstance(truth, SpectralCube):
        truth = _as_cube(truth, "the truth", cube)
    where = f"{cube.name} and {truth.name}"
    if cube.shape[1:] != truth.shape[1:]:
        raise InputError(
            f"the cube has {cube.shape[1]} x {cube.shape[2]} pixels, "
            f"the truth {truth.shape[1]} x {truth.shape[2]}",
            where=where,
            fix="Compare cubes of the same scene and size: crop or resize one of them.",
        )
    if not _same_bands(cube, truth):
        shared = _matches(cube, truth).any(axis=1).sum()
        raise InputError(
            f"the cube has {_bands(cube)}, the truth {_bands(truth)}",
            where=where,
            fix=f"Keep the {shared} bands they share: "
            "from napari_gmsr.evaluate import common_bands; "
            "cube, truth = common_bands(cube, truth); on the command line --common-bands."
            if shared
            else "They share no band: choose the truth with the cube's wavelengths.",
        )
    return cube, truth


def common_bands(cube: SpectralCube, truth: SpectralCube) -> tuple[SpectralCube, SpectralCube]:
    """Return both cubes with only the bands that they share, in the cube's order.

    Parameters
    ----------
    cube, truth
        Two cubes. Bands are the same where their centres differ by at most 0.5 nm; of several such,
        the nearest.

    Raises
    ------
    InputError
        Where they share no band.
    """
    near = _matches(cube, truth)
    kept = np.flatnonzero(near.any(axis=1))
    if not kept.size:
        raise InputError(
            f"the cube has {_bands(cube)}, the truth {_bands(truth)}: no band is the same",
            where=f"{cube.name} and {truth.name}",
            fix="Choose the truth with the cube's wavelengths.",
        )
    distance = np.abs(cube.wavelengths_nm[:, None] - truth.wavelengths_nm)
    return _select(cube, kept), _select(truth, distance[kept].argmin(axis=1))


def require_finite(cube: SpectralCube, truth: SpectralCube) -> None:
    """Raise an InputError that names the cube which holds NaN or infinite values."""
    for one, other in ((cube, truth), (truth, cube)):
        broken = sum(int(np.count_nonzero(~np.isfinite(band))) for band in one.data)
        if broken:
            raise InputError(
                f"{broken} of {one.data.size} values are NaN or infinite, "
                f"so that it cannot be compared with {other.name}",
                where=one.name,
                fix="Crop those pixels away in both, or replace them, "
                "for example with numpy.nan_to_num.",
            )


def _as_cube(array: npt.ArrayLike, name: str, other: SpectralCube | npt.ArrayLike) -> SpectralCube:
    data = np.asarray(array, dtype=np.float32)
    if isinstance(other, SpectralCube) and data.shape[:1] == other.shape[:1]:
        return SpectralCube(data, other.wavelengths_nm, name=name)
    return SpectralCube(data, name=name)


def _select(cube: SpectralCube, bands: npt.NDArray[np.intp]) -> SpectralCube:
    return SpectralCube(
        cube.data[bands],
        cube.wavelengths_nm[bands],
        cube.name,
        cube.provenance,
        None if cube.spread is None else cube.spread[bands],
    )


def _same_bands(cube: SpectralCube, truth: SpectralCube) -> bool:
    if cube.shape[0] != truth.shape[0]:
        return False
    difference = np.abs(cube.wavelengths_nm - truth.wavelengths_nm)
    return bool((difference <= WAVELENGTH_TOLERANCE_NM).all())


def _matches(cube: SpectralCube, truth: SpectralCube) -> npt.NDArray[np.bool_]:
    """Return which bands are the same, bool (band of the cube, band of the truth)."""
    distance = np.abs(cube.wavelengths_nm[:, None] - truth.wavelengths_nm)
    return distance <= WAVELENGTH_TOLERANCE_NM


def _bands(cube: SpectralCube) -> str:
    nm = cube.wavelengths_nm
    return f"{nm.size} bands from {nm[0]:g} to {nm[-1]:g} nm"
