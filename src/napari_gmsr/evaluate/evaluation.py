"""The result of an evaluation: both metric sets, as numbers, as JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError

__all__ = ["Evaluation", "MetricRow", "PaperMetrics", "StandardMetrics", "mean_evaluation"]

Bands = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class PaperMetrics:
    """The metrics as GMSR-Net's test script computes them, for comparison with the paper's tables.

    Parameters
    ----------
    rmse
        Root of the mean squared error over all bands and pixels.
    psnr_db
        Mean over bands of the peak signal-to-noise ratio, the peak being the truth's largest value
        in that band.
    assim
        Mean over bands of the structural similarity, whose data range is max - min of the truth.
    sam_deg
        Angle between *band images* over pixels, mean over bands, in degrees. It cannot see a gain
        from band to band.
    mrae
        Mean of ``|truth - cube| / (cube + 0.001)``: relative to the cube, not to the truth.
    bands
        The same for each band, float64 (band,), by metric.
    """

    rmse: float
    psnr_db: float
    assim: float
    sam_deg: float
    mrae: float
    bands: Bands = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class StandardMetrics:
    """The metrics as they are usually defined.

    Parameters
    ----------
    rmse
        Root of the mean squared error over all bands and pixels.
    psnr_db
        Peak signal-to-noise ratio of the whole cube, the peak being 1.
    ssim
        Mean over bands of the structural similarity, with a data range of 1.
    sam_deg
        Angle between *spectra* at a pixel, mean over pixels, in degrees.
    mrae
        Mean of ``|truth - cube| / (truth + 0.001)``.
    ergas
        Relative dimensionless global error (Wald 2000) in percent, at a resolution ratio of 1.
    back_projection
        RMSE of the linear RGB that the CIE 1964 observer sees of both, unclipped.
    bands
        The same for each band, float64 (band,), by metric; without those that need all bands.
    """

    rmse: float
    psnr_db: float
    ssim: float
    sam_deg: float
    mrae: float
    ergas: float
    back_projection: float
    bands: Bands = field(default_factory=dict, repr=False, compare=False)


class MetricRow(NamedTuple):
    """A row of the table: the metric's name, its two values as text, and what it means."""

    label: str
    paper: str
    standard: str
    meaning: str


# label, name in the paper set, name in the standard set, decimals, meaning
_ROWS = (
    ("RMSE", "rmse", "rmse", 4, "Root mean squared error. Smaller is better."),
    (
        "PSNR (dB)",
        "psnr_db",
        "psnr_db",
        2,
        "Peak signal-to-noise ratio. Larger is better. Paper: mean over bands, each with the "
        "truth's largest value as its peak. Standard: over the cube, with a peak of 1.",
    ),
    (
        "SSIM",
        "assim",
        "ssim",
        4,
        "Structural similarity, mean over bands. 1 is perfect. Paper (ASSIM): with the truth's "
        "range. Standard: with a range of 1.",
    ),
    (
        "SAM (°)",
        "sam_deg",
        "sam_deg",
        2,
        "Spectral angle. Smaller is better. Paper: between band images over pixels. "
        "Standard: between the spectra at a pixel.",
    ),
    (
        "MRAE",
        "mrae",
        "mrae",
        4,
        "Mean relative absolute error. Smaller is better. Paper: relative to the cube. "
        "Standard: relative to the truth.",
    ),
    (
        "ERGAS",
        "",
        "ergas",
        2,
        "Each band's RMSE relative to its mean, over all bands, in percent. Smaller is better.",
    ),
    (
        "RGB error",
        "",
        "back_projection",
        4,
        "Back-projection: RMSE of the linear RGB of cube and truth. Smaller is better.",
    ),
)


@dataclass(frozen=True)
class Evaluation:
    """How far a cube is from the truth, by both metric sets.

    Parameters
    ----------
    paper, standard
        The two sets.
    wavelengths_nm
        The bands of the sets' ``bands``, in nanometres.
    cube, truth
        Names of the two cubes.
    pictures
        How many pictures the values are the mean of.
    notes
        What to know about values that are infinite or not defined (NaN), one sentence each.
    """

    paper: PaperMetrics
    standard: StandardMetrics
    wavelengths_nm: npt.NDArray[np.float64]
    cube: str = "cube"
    truth: str = "truth"
    pictures: int = 1
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types only; values that are infinite or not defined are ``None``."""
        return {
            "cube": self.cube,
            "truth": self.truth,
            "pictures": self.pictures,
            "wavelengths_nm": self.wavelengths_nm.tolist(),
            "paper": _json(self.paper),
            "standard": _json(self.standard),
            "notes": list(self.notes),
        }

    def rows(self) -> list[MetricRow]:
        """Return the table's rows; a metric that a set does not have is an empty text."""
        return [
            MetricRow(
                label,
                _text(self.paper, in_paper, decimals),
                _text(self.standard, in_standard, decimals),
                meaning,
            )
            for label, in_paper, in_standard, decimals, meaning in _ROWS
        ]

    def to_text(self) -> str:
        """Return the table in plain text, with the notes below it."""
        title = f"{self.cube} against {self.truth}"
        lines = [title, f"{'':<12}{'paper':>10}{'standard':>10}"]
        lines += [f"{row.label:<12}{row.paper:>10}{row.standard:>10}" for row in self.rows()]
        return "\n".join([*lines, *self.notes])


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the mean over several pictures, metric by metric.

    Parameters
    ----------
    evaluations
        One a picture. A picture in which a metric is not defined (NaN) is left out of that metric.

    Returns
    -------
    Evaluation
        With the per-band means, where all pictures have the same bands; without them otherwise.

    Raises
    ------
    InputError
        Where there is none.
    """
    if not evaluations:
        raise InputError("there is no evaluation to average", fix="Evaluate at least one picture.")
    first = evaluations[0]
    same = all(
        np.array_equal(first.wavelengths_nm, other.wavelengths_nm) for other in evaluations[1:]
    )
    count = sum(evaluation.pictures for evaluation in evaluations)
    weights = [evaluation.pictures for evaluation in evaluations]
    return Evaluation(
        _mean([evaluation.paper for evaluation in evaluations], weights, with_bands=same),
        _mean([evaluation.standard for evaluation in evaluations], weights, with_bands=same),
        first.wavelengths_nm if same else np.empty(0),
        cube=f"mean of {count} picture{'s' if count > 1 else ''}",
        truth="their truths" if count > 1 else first.truth,
        pictures=count,
        notes=tuple(dict.fromkeys(f"{e.cube}: {note}" for e in evaluations for note in e.notes)),
    )


M = TypeVar("M", PaperMetrics, StandardMetrics)


def scalars(metrics: PaperMetrics | StandardMetrics) -> dict[str, float]:
    """Return a set's values by name, without those of the bands."""
    return {f.name: getattr(metrics, f.name) for f in fields(metrics) if f.name != "bands"}


def _mean(sets: list[M], weights: list[int], *, with_bands: bool) -> M:
    values = {
        name: float(_defined_mean([getattr(one, name) for one in sets], weights))
        for name in scalars(sets[0])
    }
    bands = {
        name: _defined_mean([one.bands[name] for one in sets], weights)
        for name in (sets[0].bands if with_bands else ())
    }
    return type(sets[0])(**values, bands=bands)


def _defined_mean(values: Sequence[npt.ArrayLike], weights: list[int]) -> npt.NDArray[np.float64]:
    """Return the weighted mean over the first axis of what is not NaN; NaN where nothing is."""
    stacked = np.asarray(values, dtype=np.float64)
    weight = np.reshape(weights, (-1,) + (1,) * (stacked.ndim - 1)) * ~np.isnan(stacked)
    total = np.where(weight > 0, stacked, 0.0)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no picture has the metric
        return np.asarray((total * weight).sum(axis=0) / weight.sum(axis=0))


def _json(metrics: PaperMetrics | StandardMetrics) -> dict[str, Any]:
    return {name: _number(value) for name, value in scalars(metrics).items()} | {
        "bands": {name: [_number(v) for v in values] for name, values in metrics.bands.items()}
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _text(metrics: PaperMetrics | StandardMetrics, name: str, decimals: int) -> str:
    if not name:
        return ""
    value = float(getattr(metrics, name))
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.{decimals}f}"
