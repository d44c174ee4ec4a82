"""How often the truth lies within the spread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf
from scipy.stats import spearmanr

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.pairs import as_pair, require_finite

__all__ = ["FACTORS", "SIGMAS", "Calibration", "calibrate", "measured_factor", "widen"]

SIGMAS = (1, 2, 3)
"""Standard deviations within which the truth is looked for."""
FACTORS = Path(__file__).with_name("spread_factors.json")
"""By what the spread over turns was too narrow on real scenes; from ``benchmarks/trust.py``."""
_ONE_SIGMA = float(erf(1 / np.sqrt(2)))
_SAMPLES = 200_000


@dataclass(frozen=True)
class Calibration:
    """How far a spread can be believed, measured against a truth.

    Parameters
    ----------
    within
        Share of the values whose truth lies within 1, 2 and 3 standard deviations of the mean; if
        errors were normal and the spread were right, 0.683, 0.954 and 0.997.
    scale
        By how much the spread has to be multiplied for 68.3 % of the truth to lie within.
    rank_correlation
        Spearman's, between the spread and the absolute error: 1 where the spread knows which
        values are the worse ones, 0 where it does not.
    spread, error
        Root mean squares of both.
    """

    within: Mapping[int, float]
    scale: float
    rank_correlation: float
    spread: float
    error: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON types."""
        return asdict(self) | {"within": {str(k): share for k, share in self.within.items()}}


def calibrate(
    cube: SpectralCube, truth: SpectralCube | npt.ArrayLike, scale: float = 1.0
) -> Calibration:
    """Compare a cube's spread with its error.

    Parameters
    ----------
    cube
        With a ``spread``, as from `napari_gmsr.trust.uncertainty`.
    truth
        The cube that it should be, or an array of its shape.
    scale
        The spread is multiplied by it first: a factor that was fitted elsewhere is tested so.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        Where the cube has no spread, the two do not fit together, or hold NaN.
    """
    if cube.spread is None:
        raise InputError(
            "the cube has no spread",
            where=cube.name,
            fix="Reconstruct with ensemble=True, or with napari_gmsr.trust.uncertainty.",
        )
    cube, truth = as_pair(cube, truth)
    require_finite(cube, truth)
    assert cube.spread is not None
    error = np.abs(cube.data.astype(np.float64) - truth.data).ravel()
    spread = scale * cube.spread.astype(np.float64).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / spread)
    every = max(1, error.size // _SAMPLES)
    constant = np.ptp(spread[::every]) == 0 or np.ptp(error[::every]) == 0
    return Calibration(
        {k: float(np.mean(ratio <= k)) for k in SIGMAS},
        float(scale * np.quantile(ratio, _ONE_SIGMA, method="inverted_cdf")),
        0.0 if constant else float(spearmanr(spread[::every], error[::every]).statistic),
        float(np.sqrt(np.mean(spread**2))),
        float(np.sqrt(np.mean(error**2))),
    )


def measured_factor(model: str) -> float | None:
    """Return by how much a shipped checkpoint's spread over turns was too narrow on real scenes.

    Parameters
    ----------
    model
        Its name.

    Returns
    -------
    float or None
        `Calibration.scale`, the median over the scenes that chose the weights; ``None`` for a
        checkpoint of which nothing was measured.
    """
    return _factors().get(model)


def widen(cube: SpectralCube, factor: float) -> SpectralCube:
    """Return a cube with its spread multiplied, as for `measured_factor`.

    Raises
    ------
    InputError
        Where the cube has no spread, or the factor is not above 0.
    """
    if cube.spread is None or not 0 < factor < float("inf"):
        raise InputError(
            "the cube has no spread" if cube.spread is None else f"a factor of {factor:g}",
            where=cube.name,
            fix="Give a cube from napari_gmsr.trust.uncertainty, and a factor above 0.",
        )
    note = f"The spread was multiplied by {factor:.3g}."
    return replace(
        cube,
        spread=cube.spread * np.float32(factor),
        provenance={
            **cube.provenance,
            "spread_factor": factor,
            "notes": [*cube.provenance.get("notes", ()), note],
        },
    )


@cache
def _factors() -> dict[str, float]:
    factors: dict[str, float] = json.loads(FACTORS.read_text(encoding="utf-8"))
    return factors
