"""The smallest change of each spectrum that makes its re-projection exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import CameraResponse, rendering_matrix
from napari_gmsr.color.encoding import percent
from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage
from napari_gmsr.trust.reprojection import linear_picture, row_blocks

__all__ = ["exact_correction"]

Doubles = npt.NDArray[np.float64]

_TOLERANCE = 1e-9
_CHANNELS = tuple(chain.from_iterable(combinations(range(3), n) for n in range(4)))
"""All subsets of the three channels."""
_STIFFNESS = 1e-3
"""Of the norm beside the roughness: it keeps a constant change from costing nothing."""


def exact_correction(
    cube: SpectralCube | npt.ArrayLike,
    rgb: RGBImage | npt.ArrayLike,
    camera: CameraResponse | str | Path = "srgb",
    illuminant: str | None = "D65",
    *,
    smooth: bool = False,
) -> SpectralCube:
    """Return the nearest cube whose re-projection is exactly the picture.

    At each pixel the change ``d`` of the spectrum is the smallest, in the sense of least squares,
    with ``(s + d) @ matrix = rgb``: ``d = (rgb - s @ matrix) @ pinv(matrix)``, the spectrum's
    fundamental replaced and its metameric black kept [1]_. A clipped sample of the picture is no
    equation but a bound (1: "or more", 0: "or less"); a bound that holds asks for nothing. The
    picture's rounding and noise become part of the spectra, and a cube that is right elsewhere
    takes on errors of the stated camera.

    Parameters
    ----------
    cube
        The cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm.
    rgb, camera, illuminant
        As for `napari_gmsr.trust.reproject`.
    smooth
        Measure a change by its second differences instead of its values (with a thousandth of the
        norm): it follows no peak of the camera's, and reaches into the ends of the spectrum.

    Returns
    -------
    SpectralCube
        Of the same size. Values may leave [0, 1], where no spectrum within is near: the provenance
        says how many. Pixels with NaN stay as they are. A spread is dropped, as it is the other
        cube's.

    Raises
    ------
    InputError
        As `napari_gmsr.trust.reproject`.

    References
    ----------
    .. [1] J. B. Cohen and W. E. Kappauf, "Metameric color stimuli, fundamental metamers, and
           Wyszecki's metameric blacks", American Journal of Psychology 95(4), 1982.
    """
    if not isinstance(cube, SpectralCube):
        cube = SpectralCube(np.asarray(cube, dtype=np.float32))
    picture = linear_picture(cube, rgb)
    matrix = rendering_matrix(camera, illuminant, cube.wavelengths_nm)
    cost = _roughness(len(matrix)) if smooth else np.eye(len(matrix))
    corrected = np.array(cube.data, dtype=np.float32)
    for rows in row_blocks(picture.shape[:2]):
        wanted = picture[rows].reshape(-1, 3).astype(np.float64)
        spectra = cube.data[:, rows].reshape(len(matrix), -1).T.astype(np.float64)
        sound = np.isfinite(spectra).all(axis=1)
        spectra[sound] += _change(spectra[sound] @ matrix, wanted[sound], matrix, cost)
        corrected[:, rows] = spectra.T.reshape(corrected[:, rows].shape)
    return replace(
        cube,
        data=corrected,
        name=f"{cube.name} exact",
        spread=None,
        provenance={**cube.provenance, "exact_correction": _record(camera, illuminant, smooth)}
        | {"notes": [*cube.provenance.get("notes", ()), _sentence(corrected)]},
    )


def _change(seen: Doubles, wanted: Doubles, matrix: Doubles, cost: Doubles) -> Doubles:
    """Return the cheapest change (pixel, band) that takes what is seen (pixel, 3) to the wanted.

    Three bounds at most leave eight sets of channels that can be met with equality. The optimum is
    the cheapest change for one of them, so that the best of those that keep all bounds is it.
    """
    residual = wanted - seen
    above, below = wanted >= 1, wanted <= 0
    spread = np.linalg.solve(cost, matrix)
    best = np.full(len(seen), np.inf)
    change = np.zeros((len(seen), len(matrix)))
    for channels in _CHANNELS:
        met = np.isin(np.arange(3), channels)
        # A sample that is not clipped is always an equation.
        possible = np.flatnonzero((above | below | met).all(axis=1))
        if not possible.size:
            continue
        some = list(channels)
        if some:
            gram = matrix[:, some].T @ spread[:, some]
            solver = np.linalg.solve(gram, spread[:, some].T)
            own = residual[possible][:, some] @ solver
            price = np.einsum("ij,jk,ik->i", own, cost, own)
        else:
            own, price = np.zeros((possible.size, len(matrix))), np.zeros(possible.size)
        left = residual[possible] - own @ matrix
        held = np.where(above[possible], left <= _TOLERANCE, left >= -_TOLERANCE) | met
        better = held.all(axis=1) & (price < best[possible])
        best[possible[better]] = price[better]
        change[possible[better]] = own[better]
    return change


def _roughness(bands: int) -> Doubles:
    """Return the matrix of the sum of squared second differences, made definite."""
    differences = np.diff(np.eye(bands), n=min(2, bands - 1), axis=0)
    return np.asarray(differences.T @ differences + _STIFFNESS * np.eye(bands))


def _record(
    camera: CameraResponse | str | Path, illuminant: str | None, smooth: bool
) -> dict[str, Any]:
    name = camera.name if isinstance(camera, CameraResponse) else str(camera)
    return {"camera": name, "illuminant": illuminant, "smooth": smooth}


def _sentence(corrected: npt.NDArray[np.float32]) -> str:
    outside = float(np.mean((corrected < 0) | (corrected > 1)))
    return (
        "The smallest change was added to each spectrum that makes the re-projection exact; "
        f"{percent(outside)} of the values lie outside [0, 1]."
    )
