"""Other ways to look at spectra: smoothed, differentiated, normalised, without their continuum.

Every function returns new values at the same bands, in the order given. Bands may come in any order
of wavelength and at any spacing. A band that is NaN or infinite in a spectrum is left out of that
spectrum, and NaN in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError

__all__ = [
    "NORMALISATIONS",
    "Normalisation",
    "derivative",
    "normalise",
    "remove_continuum",
    "smooth",
]

Values = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.floating[Any]]
Normalisation = Literal["maximum", "area", "vector", "snv"]

NORMALISATIONS: Mapping[Normalisation, Callable[[Values, Values], Values]] = MappingProxyType(
    {
        "maximum": lambda values, nm: values.max(axis=0),
        "area": lambda values, nm: np.asarray(np.trapezoid(values, nm, axis=0)),
        "vector": lambda values, nm: np.asarray(np.linalg.norm(values, axis=0)),
        # A flat spectrum's deviation is rounding, and no shape.
        "snv": lambda values, nm: np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 0.0),
    }
)
"""What a spectrum (band, n) at its wavelengths is divided by, under the name of the kind."""


def smooth(
    spectra: npt.ArrayLike, wavelengths_nm: npt.ArrayLike, window: int = 7, degree: int = 2
) -> Spectra:
    """Smooth spectra by polynomials fitted to neighbouring bands.

    This is the filter of Savitzky and Golay (Analytical Chemistry 36, 1964), by fits at the bands'
    own wavelengths, since theirs presupposes even spacing. At the ends, the outermost window's
    polynomial goes on. On evenly spaced bands it equals ``scipy.signal.savgol_filter``.

    Parameters
    ----------
    spectra
        (band, ...).
    wavelengths_nm
        (band,), all different.
    window
        How many bands each fit takes: odd. Of spectra with fewer, all.
    degree
        Of the polynomial: less than ``window``. Spectra of no more than ``degree`` bands stay as
        they are.

    Returns
    -------
    ndarray
        (band, ...), in the spectra's unit and floating type.

    Raises
    ------
    InputError
        Where window and degree do not fit together, or the wavelengths do not fit the spectra.
    """
    if window < 1 or window % 2 == 0 or not 0 <= degree < window:
        raise InputError(
            f"no smoothing by polynomials of degree {degree} over {window} bands",
            fix="Give an odd number of bands, and a degree of 0 or more below it.",
        )

    def fit(values: Values, nm: Values) -> Values:
        size = min(window, nm.size)
        if nm.size <= degree:
            return values
        firsts = np.clip(np.arange(nm.size) - window // 2, 0, nm.size - size)
        places = firsts[:, None] + np.arange(size)
        # Centred and scaled, so that the powers stay near one; the constant term is the value.
        offsets = nm[places] - nm[:, None]
        offsets /= np.abs(offsets).max(axis=1, keepdims=True).clip(np.finfo(float).tiny)
        weights = np.linalg.pinv(offsets[..., None] ** np.arange(degree + 1))[:, 0]
        matrix = np.zeros((nm.size, nm.size))
        np.put_along_axis(matrix, places, weights, axis=1)
        smoothed: Values = matrix @ values
        return smoothed

    return _each(spectra, wavelengths_nm, fit)


def derivative(spectra: npt.ArrayLike, wavelengths_nm: npt.ArrayLike) -> Spectra:
    """Return the first derivative of spectra by wavelength.

    Differences of second order at the bands' own spacing (``numpy.gradient``): exact for parabolas,
    at the ends too.

    Parameters
    ----------
    spectra
        (band, ...).
    wavelengths_nm
        (band,), all different.

    Returns
    -------
    ndarray
        (band, ...), in the spectra's unit per nm. NaN for a spectrum of one band.

    Raises
    ------
    InputError
        Where the wavelengths do not fit the spectra.
    """

    def differ(values: Values, nm: Values) -> Values:
        if nm.size < 2:
            return np.full_like(values, np.nan)
        order: Literal[1, 2] = 2 if nm.size > 2 else 1
        return np.asarray(np.gradient(values, nm, axis=0, edge_order=order))

    return _each(spectra, wavelengths_nm, differ)


def normalise(
    spectra: npt.ArrayLike, wavelengths_nm: npt.ArrayLike, by: Normalisation = "maximum"
) -> Spectra:
    """Scale spectra so that their shapes can be compared, whatever their brightness.

    Parameters
    ----------
    spectra
        (band, ...).
    wavelengths_nm
        (band,), all different.
    by
        ``"maximum"``: the greatest value becomes 1. ``"area"``: the integral over wavelength (by
        trapezoids) becomes 1. ``"vector"``: the root of the summed squares becomes 1. ``"snv"``,
        standard normal variate: the mean becomes 0 and the standard deviation 1 (Barnes and others,
        Applied Spectroscopy 43, 1989).

    Returns
    -------
    ndarray
        (band, ...); for an area per nm, otherwise without a unit. NaN where there is nothing
        positive to divide by: in a black spectrum, or for ``"snv"`` in a flat one.

    Raises
    ------
    InputError
        Where the kind is unknown, or the wavelengths do not fit the spectra.
    """
    if by not in NORMALISATIONS:
        raise InputError(
            f"unknown normalisation '{by}'", fix=f"Use one of {', '.join(NORMALISATIONS)}."
        )

    def scale(values: Values, nm: Values) -> Values:
        divisor = NORMALISATIONS[by](values, nm)
        return _over(values - values.mean(axis=0) if by == "snv" else values, divisor)

    return _each(spectra, wavelengths_nm, scale)


def remove_continuum(spectra: npt.ArrayLike, wavelengths_nm: npt.ArrayLike) -> Spectra:
    """Divide spectra by their upper convex hull, so that absorption bands stand alone.

    Clark and Roush, Journal of Geophysical Research 89 (1984).

    Parameters
    ----------
    spectra
        (band, ...); not negative.
    wavelengths_nm
        (band,), all different.

    Returns
    -------
    ndarray
        (band, ...), within [0, 1]: 1 where the spectrum touches its hull. NaN where the hull is not
        positive.

    Raises
    ------
    InputError
        Where the wavelengths do not fit the spectra.
    """
    return _each(spectra, wavelengths_nm, lambda values, nm: _over(values, _upper_hull(values, nm)))


def _upper_hull(values: Values, nm: Values) -> Values:
    """Return the upper convex hull of each column, by wrapping round all columns at once."""
    hull = values.copy()
    bands = np.arange(nm.size)[:, None]
    corner = np.zeros(values.shape[1], dtype=np.intp)
    while (corner < nm.size - 1).any():
        height = np.take_along_axis(values, corner[None], axis=0)
        distance = nm[:, None] - nm[corner]
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where(bands > corner, (values - height) / distance, -np.inf)
        steepest = slopes.argmax(axis=0)
        # A column that has arrived at its last band stays there.
        following = np.where(corner < nm.size - 1, steepest, corner)
        between = (bands > corner) & (bands < following)
        slope = np.take_along_axis(slopes, steepest[None], axis=0)
        hull = np.where(between, height + np.where(between, slope, 0) * distance, hull)
        corner = following
    return hull


def _over(values: Values, by: Values) -> Values:
    """Divide, with NaN where there is nothing positive to divide by."""
    with np.errstate(over="ignore"):
        return values / np.where(by > np.finfo(np.float64).tiny, by, np.nan)


def _each(
    spectra: npt.ArrayLike,
    wavelengths_nm: npt.ArrayLike,
    change: Callable[[Values, Values], Values],
) -> Spectra:
    """Change spectra by a function of float64 (band, n) that are finite, at rising wavelengths.

    Spectra that miss the same bands go together, so that missing bands, as instruments have them,
    cost nothing.
    """
    given = np.asarray(spectra)
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    _require_bands(given, nm)
    order = np.argsort(nm)
    nm, values = nm[order], given[order].reshape(nm.size, -1).astype(np.float64)
    finite = np.isfinite(values)
    changed = np.full_like(values, np.nan)
    if finite.all():
        changed = change(values, nm)
    else:
        patterns, members = np.unique(finite, axis=1, return_inverse=True)
        for index, bands in enumerate(patterns.T):
            if bands.any():
                place = np.ix_(bands, members == index)
                changed[place] = change(values[place], nm[bands])
    kind = given.dtype if np.issubdtype(given.dtype, np.floating) else np.dtype(np.float64)
    result = np.empty(given.shape, dtype=kind)
    result[order] = changed.reshape(given.shape)
    return result


def _require_bands(spectra: npt.NDArray[Any], nm: Values) -> None:
    if spectra.ndim < 1 or nm.shape != spectra.shape[:1]:
        raise InputError(
            f"spectra of the shape {spectra.shape}, but wavelengths of the shape {nm.shape}",
            fix="Give the band axis first, and one wavelength in nm for each band.",
        )
    if not np.isfinite(nm).all() or np.unique(nm).size != nm.size:
        raise InputError(
            "the wavelengths are not all different",
            fix="Give each band a finite wavelength in nm of its own.",
        )
