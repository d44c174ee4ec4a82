"""The spectrum of a pixel or a region in one cube, with what the truth says about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.spectra import spectral_angle

__all__ = ["Curve", "PixelSpectrum", "RegionSpectrum", "Spectrum"]

_MRAE_EPSILON = 1e-3
"""As in the error maps: keeps a black truth from making the relative error infinite."""

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Curve:
    """Values over the bands, in one view of them.

    Parameters
    ----------
    response
        float (band,).
    truth
        The same of the ground truth, where one is chosen that has the same bands.
    spread
        Standard deviation around the response, where it is a mean.
    """

    response: Values
    truth: Values | None = None
    spread: Values | None = None

    @cached_property
    def residual(self) -> Values | None:
        """Response minus truth, (band,)."""
        return None if self.truth is None else self.response - self.truth

    @cached_property
    def response_span(self) -> tuple[float, float] | None:
        """Least and greatest value of response, spread and truth; ``None`` where there is none."""
        spread = (
            ()
            if self.spread is None
            else (self.response - self.spread, self.response + self.spread)
        )
        truth = () if self.truth is None else (self.truth,)
        return _span(self.response, *spread, *truth)

    @cached_property
    def residual_span(self) -> tuple[float, float] | None:
        """Least and greatest residual, and 0, where there is one."""
        span = None if self.residual is None else _span(self.residual)
        return None if span is None else (min(span[0], 0.0), max(span[1], 0.0))

    def same_as(self, other: Curve) -> bool:
        """Say whether two curves have the same values."""
        pairs = (
            (self.response, other.response),
            (self.truth, other.truth),
            (self.spread, other.spread),
        )
        return all(one is two or _equal(one, two) for one, two in pairs)


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """A spectrum in one cube.

    Parameters
    ----------
    cube
        Name of the cube.
    color
        ``#rrggbb`` of its place: cubes at one place share it.
    wavelengths_nm
        float64 (band,), rising.
    measured
        The values in the cube.
    shown
        The values in the chosen view.
    view
        Name of that view.
    rank
        Which of the cubes that are drawn together this is: 0 is the prediction.
    """

    cube: str
    color: str
    wavelengths_nm: npt.NDArray[np.float64]
    measured: Curve
    shown: Curve
    view: str = "as measured"
    rank: int = 0

    @property
    def place(self) -> str:
        """Where it is, as the user reads it."""
        raise NotImplementedError

    @property
    def response(self) -> Values:
        """As measured, (band,)."""
        return self.measured.response

    @property
    def truth(self) -> Values | None:
        """As measured, (band,)."""
        return self.measured.truth

    @property
    def residual(self) -> Values | None:
        """Response minus truth as measured, (band,)."""
        return self.measured.residual

    @property
    def rmse(self) -> float | None:
        """Root of the mean squared residual over the bands; ``None`` without truth."""
        residual = self.residual
        return None if residual is None else _mean_root(residual)

    @property
    def mrae(self) -> float | None:
        """Mean of ``|truth - response| / (truth + 0.001)`` over the bands."""
        if self.truth is None or self.residual is None:
            return None
        return _mean(np.abs(self.residual) / (self.truth.astype(np.float64) + _MRAE_EPSILON))

    @property
    def angle_deg(self) -> float | None:
        """Spectral angle to the truth in degrees; ``None`` without truth."""
        return None if self.truth is None else float(spectral_angle(self.response, self.truth))

    def looks_like(self, other: Spectrum) -> bool:
        """Say whether two spectra are drawn alike."""
        return (
            (self.color, self.rank) == (other.color, other.rank)
            and _equal(self.wavelengths_nm, other.wavelengths_nm)
            and self.shown.same_as(other.shown)
        )


@dataclass(frozen=True, kw_only=True)
class PixelSpectrum(Spectrum):
    """The spectrum at a pixel.

    Parameters
    ----------
    y, x
        Row and column of the pixel in its cube.
    radius
        The spectrum is averaged over a square of ``2 radius + 1`` pixels a side.
    """

    y: int
    x: int
    radius: int = 0

    @property
    def place(self) -> str:
        """Row and column."""
        return f"y {self.y}, x {self.x}"


@dataclass(frozen=True, kw_only=True)
class RegionSpectrum(Spectrum):
    """The mean spectrum of a region.

    Parameters
    ----------
    region
        The region's name.
    pixels
        How many of the cube's pixels it holds.
    """

    region: str
    pixels: int

    @property
    def place(self) -> str:
        """The region's name."""
        return self.region


def _span(*values: Values) -> tuple[float, float] | None:
    every = np.concatenate(values)
    finite = every[np.isfinite(every)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _equal(one: npt.NDArray[Any] | None, two: npt.NDArray[Any] | None) -> bool:
    return one is not None and two is not None and np.array_equal(one, two, equal_nan=True)


def _mean(values: Values) -> float:
    """Return the mean over the bands that are there; NaN where none is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if finite.size else float("nan")


def _mean_root(values: Values) -> float:
    return float(np.sqrt(_mean(np.square(values, dtype=np.float64))))
