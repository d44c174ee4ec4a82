"""A cube as a picture for the eye: true colour, false colour, and light exchanged for other light.

A **reflectance** cube holds what a surface sends back of the light on it, 1 for a perfect white: it
needs an illuminant to have a colour. A **radiance** cube holds light already: its illuminant is
``None`` here, and it is shown as it is. Nothing in the numbers tells the two apart; whoever made
the cube knows. A reconstructed cube is what its checkpoint's card says: reflectance where the card
names an illuminant (``photo``: D65), radiance where it names none (``ntire2020-clean``).

The exposure never follows the picture unless asked to: a spectrum of 1 in every band, a perfect
white, has luminance 1 under every illuminant, so that cubes can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_gmsr.color.encoding import XYZ_TO_SRGB, linear_to_srgb
from napari_gmsr.color.illuminants import illuminant as illuminant_power
from napari_gmsr.color.illuminants import illuminant_table
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError

__all__ = [
    "Observer",
    "auto_exposure",
    "display_matrix",
    "display_picture",
    "false_color",
    "relight",
    "true_color",
]

Observer = Literal["cie_1931", "cie_1964"]

_OBSERVERS = {
    "cie_1931": "CIE 1931 2 Degree Standard Observer",
    "cie_1964": "CIE 1964 10 Degree Standard Observer",
}
_VISIBLE_NM = (380.0, 780.0)
_HIGHLIGHTS = 99.0
"""Percentile of the pixels that an automatic exposure keeps below full scale."""
_BLOCK_PIXELS = 6144
"""Pixels at a time of an array in memory: their bands stay in a processor's cache."""
_LAZY_BYTES = 2**28
"""Bytes at a time of an array that is read or computed when sliced."""
_SAMPLE = 256
"""Pixels a side from which percentiles are estimated."""
_LEVELS = 2**14
"""Steps of linear light that are told apart: less than a quarter of an sRGB level each."""


def display_matrix(
    wavelengths_nm: npt.ArrayLike,
    *,
    illuminant: str | None = "D65",
    observer: Observer = "cie_1931",
    adapted: bool = False,
) -> npt.NDArray[np.float64]:
    """Return the matrix that takes spectra to linear sRGB: ``rgb = spectra @ matrix``.

    Between its bands a spectrum is taken as linear, beyond the first and the last as constant (CIE
    15:2018, 7.2); its product with illuminant and observer is summed at every nanometre that
    the observer sees. So bands may be few or many, uneven and in any order, and the lines of a
    fluorescent lamp are not missed between them. Bands outside the visible range get no weight.

    Parameters
    ----------
    wavelengths_nm
        (band,), in nanometres.
    illuminant
        The light on a reflectance cube, as for `napari_gmsr.color.illuminant`; ``None`` for a cube
        that holds radiance.
    observer
        ``"cie_1931"`` (2 degrees) or ``"cie_1964"`` (10 degrees).
    adapted
        Show the scene as by an eye that has adapted to the illuminant: a perfect white is white
        (Bradford, to D65). Otherwise the light keeps its cast, as lamps seen from a daylit place.

    Returns
    -------
    ndarray
        float64 (band, 3); the spectrum that is 1 in every band has luminance 1.

    Raises
    ------
    InputError
        Where a name is unknown, or no band is visible.
    """
    if observer not in _OBSERVERS:
        raise InputError(f"unknown observer '{observer}'", fix=f"Use {' or '.join(_OBSERVERS)}.")
    nm = np.atleast_1d(np.asarray(wavelengths_nm, dtype=np.float64))
    if not ((nm >= _VISIBLE_NM[0]) & (nm <= _VISIBLE_NM[1])).any():
        raise InputError(
            f"no band is visible to the eye: they lie between {nm.min():g} and {nm.max():g} nm",
            fix="Show three of its bands in false colour.",
        )
    grid, functions = _observer(observer)
    light = functions
    if illuminant is not None:
        light = functions * np.interp(grid, *illuminant_table(illuminant), left=0, right=0)[:, None]
    order = np.argsort(nm)
    # The column of a band is the spectrum that is 1 in it and 0 in the others.
    hats = np.stack([np.interp(grid, nm[order], hat) for hat in np.eye(nm.size)], axis=1)
    weights = np.empty((nm.size, 3))
    weights[order] = hats.T @ light / light[:, 1].sum()
    return np.asarray(weights @ _to_srgb(weights.sum(axis=0), adapted).T, dtype=np.float64)


def display_picture(
    data: Any, matrix: npt.NDArray[np.float64], exposure: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Return the sRGB picture of a cube by a matrix, in blocks, so that any cube fits in memory.

    Parameters
    ----------
    data
        (band, y, x): an array in memory, memory-mapped or lazy (dask, zarr). Bands without weight
        are not read.
    matrix
        (band, 3), to linear sRGB: see `display_matrix`.
    exposure
        A factor on the light.

    Returns
    -------
    ndarray
        uint8 (y, x, 3), sRGB. What is brighter than full scale, or outside the gamut, is clipped;
        pixels with a NaN are black.
    """
    bands = np.flatnonzero(matrix.any(axis=1))
    first, last = (int(bands[0]), int(bands[-1]) + 1) if bands.size else (0, 1)
    _, height, width = data.shape
    levels = np.ascontiguousarray(matrix[first:last].T * (exposure * (_LEVELS - 1)), np.float32)
    used = np.flatnonzero(levels.any(axis=0))
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    if not used.size:
        return picture
    table = _srgb_table()
    for begin, end in _blocks(data, last - first):
        block = np.asarray(data[first:last, begin:end], dtype=np.float32)
        if used.size < last - first:  # a band without weight may be NaN
            block = block[used]
        linear = levels[:, used] @ block.reshape(used.size, -1)
        np.nan_to_num(linear, copy=False, nan=0.0)
        np.clip(linear, 0, _LEVELS - 1, out=linear)
        encoded = table[(linear + np.float32(0.5)).astype(np.uint16)]
        picture[begin:end] = np.moveaxis(encoded.reshape(3, end - begin, width), 0, -1)
    return picture


def true_color(
    cube: SpectralCube | npt.ArrayLike,
    *,
    observer: Observer = "cie_1931",
    illuminant: str | None = "D65",
    adapted: bool = False,
    exposure: float | Literal["auto"] = 1.0,
) -> npt.NDArray[np.uint8]:
    """Return the colours that an observer sees in a cube.

    Parameters
    ----------
    cube
        A cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm. A band that is NaN
        everywhere is left out, and the spectrum taken as linear across it.
    observer, illuminant, adapted
        As for `display_matrix`: an illuminant for a reflectance cube, ``None`` for radiance.
    exposure
        A factor on the light; at 1 a perfect white is at full scale. ``"auto"`` takes that of
        `auto_exposure`, for radiance of an arbitrary scale.

    Returns
    -------
    ndarray
        uint8 (y, x, 3), sRGB: see `display_picture`.

    Raises
    ------
    InputError
        Where the array is no cube, a name is unknown, or no band is visible.

    See Also
    --------
    napari_gmsr.color.render_rgb : what a camera makes of a cube, as numbers to compute with.
    """
    cube = _as_cube(cube)
    matrix = matrix_of(
        cube.data,
        cube.wavelengths_nm,
        illuminant=illuminant,
        observer=observer,
        adapted=adapted,
    )
    if exposure == "auto":
        exposure = auto_exposure(cube.data, matrix)
    return display_picture(cube.data, matrix, exposure)


def matrix_of(
    data: Any, wavelengths_nm: npt.NDArray[np.float64], **standards: Any
) -> npt.NDArray[np.float64]:
    """Return `display_matrix` for an array (band, y, x), without its bands that are all NaN."""
    finite = np.isfinite(np.asarray(_thinned(data))).any(axis=(1, 2))
    if not finite.any():  # the picture is black rather than missing
        finite[:] = True
    matrix = np.zeros((finite.size, 3))
    matrix[finite] = display_matrix(wavelengths_nm[finite], **standards)
    return matrix


def false_color(
    cube: SpectralCube | npt.ArrayLike,
    bands_nm: Sequence[float] = (650.0, 550.0, 450.0),
    *,
    stretch: tuple[float, float] | None = (1.0, 99.0),
) -> npt.NDArray[np.uint8]:
    """Return three bands of a cube as red, green and blue.

    Parameters
    ----------
    cube
        A cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm.
    bands_nm
        Wavelengths of red, green and blue in nanometres; the nearest bands are taken.
    stretch
        Percentiles of each band that become black and full scale; ``None`` for 0 and 1.

    Returns
    -------
    ndarray
        uint8 (y, x, 3): the bands' own numbers, not encoded, as a band shows in grey. NaN is black.

    Raises
    ------
    InputError
        Where the array is no cube, there are not three wavelengths, or the percentiles do not rise
        within 0 and 100.
    """
    cube = _as_cube(cube)
    return false_picture(cube.data, cube.wavelengths_nm, bands_nm, stretch)


def false_picture(
    data: Any,
    wavelengths_nm: npt.NDArray[np.float64],
    bands_nm: Sequence[float],
    stretch: tuple[float, float] | None,
) -> npt.NDArray[np.uint8]:
    """Return `false_color` of an array (band, y, x) that may be lazy; three bands are read."""
    if len(bands_nm) != 3 or not np.isfinite(bands_nm).all():
        raise InputError(
            f"false colour needs three wavelengths in nm, not {list(bands_nm)}",
            fix="Give red, green and blue, such as 650, 550, 450.",
        )
    if stretch is not None and not 0 <= stretch[0] < stretch[1] <= 100:
        raise InputError(
            f"a stretch from {stretch[0]:g} to {stretch[1]:g} % is none",
            fix="Give two rising percentiles between 0 and 100, such as 1 and 99.",
        )
    picture = np.empty((*data.shape[1:], 3), dtype=np.uint8)
    for channel, nm in enumerate(bands_nm):
        band = np.asarray(data[int(np.argmin(np.abs(wavelengths_nm - nm)))], dtype=np.float32)
        black, white = 0.0, 1.0
        if stretch is not None:
            sample = _thinned(band)
            sample = sample[np.isfinite(sample)]
            black, white = np.percentile(sample, stretch) if sample.size else (0.0, 1.0)
        # A flat band has no range to stretch: all of it is black.
        gain = 255 / (white - black) if white > black else 0.0
        scaled = np.nan_to_num((band - np.float32(black)) * np.float32(gain), nan=0.0)
        picture[..., channel] = np.rint(np.clip(scaled, 0, 255))
    return picture


def auto_exposure(data: Any, matrix: npt.NDArray[np.float64]) -> float:
    """Return the exposure that brings the brightest hundredth of a picture to full scale.

    Parameters
    ----------
    data
        (band, y, x), as for `display_picture`.
    matrix
        (band, 3), as for `display_picture`.

    Returns
    -------
    float
        1 over the 99th percentile of the pixels' strongest channels; 1 for a black picture.
    """
    bands = np.flatnonzero(matrix.any(axis=1))
    first, last = (int(bands[0]), int(bands[-1]) + 1) if bands.size else (0, 1)
    sample = np.asarray(_thinned(data)[first:last], dtype=np.float32)[bands - first]
    strongest = np.tensordot(matrix[bands].T, sample, 1).max(axis=0)
    strongest = strongest[np.isfinite(strongest)]
    white = float(np.percentile(strongest, _HIGHLIGHTS)) if strongest.size else 0.0
    return 1 / white if white > 0 else 1.0


def relight(
    cube: SpectralCube | npt.ArrayLike, from_illuminant: str | None, to_illuminant: str | None
) -> SpectralCube:
    """Return a cube as it would be under other light.

    Every band is multiplied by the ratio of the two lights' power there, with one common factor: a
    perfect white keeps its luminance. Interreflection, fluorescence and the noise of bands in which
    the first light is weak stay what they are, or grow.

    Parameters
    ----------
    cube
        A cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm.
    from_illuminant
        The light it holds, as for `napari_gmsr.color.illuminant`; ``None`` for a reflectance cube.
    to_illuminant
        The light it shall hold; ``None`` for reflectance.

    Returns
    -------
    SpectralCube
        Of the same size and bands; its ``provenance["relit"]`` names the two lights.

    Raises
    ------
    InputError
        Where a name is unknown, a band lies outside an illuminant's table, no band is visible, or
        the first light has no power at a band.
    """
    cube = _as_cube(cube)
    nm = cube.wavelengths_nm
    before, after = (
        np.ones(nm.size) if name is None else illuminant_power(name, nm)
        for name in (from_illuminant, to_illuminant)
    )
    if not before.all():
        dark = nm[before == 0]
        raise InputError(
            f"illuminant {from_illuminant} has no power at {dark[0]:g} nm, so nothing is known "
            "of the surface there",
            where=cube.name,
            fix="Leave those bands out first.",
        )
    luminance = display_matrix(nm, illuminant=None) @ np.linalg.inv(XYZ_TO_SRGB)[1]
    ratio = after / before * ((before @ luminance) / (after @ luminance))
    return replace(
        cube,
        data=cube.data * ratio[:, None, None].astype(np.float32),
        spread=None,
        provenance={**cube.provenance, "relit": {"from": from_illuminant, "to": to_illuminant}},
    )


def _as_cube(cube: SpectralCube | npt.ArrayLike) -> SpectralCube:
    if isinstance(cube, SpectralCube):
        return cube
    return SpectralCube(np.asarray(cube, dtype=np.float32))


def _thinned(data: Any) -> Any:
    """Return about `_SAMPLE` pixels a side."""
    rows, columns = (slice(None, None, max(1, side // _SAMPLE)) for side in data.shape[-2:])
    return data[..., rows, columns]


def _blocks(data: Any, bands: int) -> list[tuple[int, int]]:
    """Return the rows, from and to, of each block of a cube."""
    _, height, width = data.shape
    pixels = _BLOCK_PIXELS if isinstance(data, np.ndarray) else _LAZY_BYTES // (4 * bands)
    rows = max(1, pixels // width)
    return [(begin, min(height, begin + rows)) for begin in range(0, height, rows)]


@cache
def _observer(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return wavelengths at every nanometre and the colour-matching functions (nm, 3) there."""
    from colour import MSDS_CMFS

    functions = MSDS_CMFS[_OBSERVERS[name]]
    return np.asarray(functions.wavelengths), np.asarray(functions.values)


@cache
def _srgb_table() -> npt.NDArray[np.uint8]:
    """Return the sRGB level of each of `_LEVELS` steps of linear light."""
    encoded = linear_to_srgb(np.linspace(0, 1, _LEVELS))
    return np.asarray(np.rint(255 * encoded), dtype=np.uint8)


def _to_srgb(white: npt.NDArray[np.float64], adapted: bool) -> npt.NDArray[np.float64]:
    """Return the matrix from XYZ to linear sRGB, where asked for with the eye's adaptation."""
    if not adapted:
        return XYZ_TO_SRGB
    from colour.adaptation import matrix_chromatic_adaptation_VonKries

    display_white = np.linalg.inv(XYZ_TO_SRGB).sum(axis=1)
    bradford = matrix_chromatic_adaptation_VonKries(white, display_white, transform="Bradford")
    return np.asarray(XYZ_TO_SRGB @ bradford, dtype=np.float64)
