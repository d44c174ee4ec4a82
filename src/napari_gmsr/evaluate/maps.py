"""Where a cube is wrong: error maps."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.metrics import MRAE_EPSILON, spectral_angles_deg
from napari_gmsr.evaluate.pairs import WAVELENGTH_TOLERANCE_NM, as_pair, require_finite

__all__ = ["PAPER_COLORMAP", "MapMetric", "error_map"]

PAPER_COLORMAP = "turbo"
"""The heatmaps' blue to red, by the name that Matplotlib and napari both know."""

MapMetric = Literal["rmse", "sam", "mrae"]


def error_map(
    cube: SpectralCube | npt.ArrayLike,
    truth: SpectralCube | npt.ArrayLike,
    metric: MapMetric = "rmse",
    band_nm: float | None = None,
) -> npt.NDArray[np.float32]:
    """Return the error at each pixel.

    Parameters
    ----------
    cube, truth
        Cubes, or arrays (band, y, x), as for `evaluate`.
    metric
        ``"rmse"``: root mean squared error over bands; ``"sam"``: angle between the two spectra in
        degrees; ``"mrae"``: mean over bands of ``|truth - cube| / (truth + 0.001)``.
    band_nm
        Take only the band nearest to this wavelength in nm, where RMSE is the absolute difference;
        ``None`` takes all bands. An angle needs all bands.

    Returns
    -------
    ndarray
        float32 (y, x), 0 where the two agree.

    Raises
    ------
    InputError
        Where the two differ in size or bands, or hold NaN or infinite values (in that band), the
        metric is unknown, or the wavelength lies outside the cube's.
    """
    if metric not in get_args(MapMetric):
        names = ", ".join(get_args(MapMetric))
        raise InputError(f"unknown error map '{metric}'", fix=f"Use one of {names}.")
    cube, truth = as_pair(cube, truth)
    if band_nm is not None:
        if metric == "sam":
            raise InputError(
                "a spectral angle needs all bands",
                fix="Leave the band out, or use rmse or mrae.",
            )
        cube, truth = _one_band(cube, band_nm), _one_band(truth, band_nm)
    require_finite(cube, truth)
    if metric == "sam":
        return spectral_angles_deg(cube, truth).astype(np.float32)
    total = np.zeros(cube.shape[1:])
    for ours, true in zip(cube.data, truth.data, strict=True):
        error = np.abs(true.astype(np.float64) - ours)
        total += error**2 if metric == "rmse" else error / (true + MRAE_EPSILON)
    mean = total / cube.shape[0]
    return (np.sqrt(mean) if metric == "rmse" else mean).astype(np.float32)


def _one_band(cube: SpectralCube, nm: float) -> SpectralCube:
    first, last = cube.wavelengths_nm.min(), cube.wavelengths_nm.max()
    if not first - WAVELENGTH_TOLERANCE_NM <= nm <= last + WAVELENGTH_TOLERANCE_NM:
        raise InputError(
            f"there is no band at {nm:g} nm",
            where=cube.name,
            fix=f"Choose a wavelength between {first:g} and {last:g} nm.",
        )
    band = cube.band_index(nm)
    return SpectralCube(cube.data[band : band + 1], cube.wavelengths_nm[band : band + 1], cube.name)
