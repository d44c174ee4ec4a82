"""What a training run has told so far, as curves and spectra to draw; knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Probe", "ProbeSpectra", "Series", "smoothed"]

_MOST_POINTS = 2000
"""Points of a curve that are kept: about as many as a screen has columns."""

Array = npt.NDArray[np.float64]


class Series:
    """A curve that grows point by point and never gets long.

    Where it has grown to twice as many points as a screen shows, neighbours are averaged in pairs.

    Parameters
    ----------
    most
        Points to keep at least, once there were as many.
    """

    def __init__(self, most: int = _MOST_POINTS) -> None:
        self._most = most
        self._points: list[tuple[float, float]] = []
        self._merged = 1
        self._pending: list[tuple[float, float]] = []

    def __len__(self) -> int:
        return len(self._points)

    def add(self, step: float, value: float) -> None:
        """Append a point; one that is not finite is left out."""
        if not np.isfinite(value):
            return
        self._pending.append((step, value))
        if len(self._pending) < self._merged:
            return
        self._points.append(_mean(self._pending))
        self._pending.clear()
        if len(self._points) >= 2 * self._most:
            self._points = [_mean(self._points[i : i + 2]) for i in range(0, len(self._points), 2)]
            self._merged *= 2

    def truncate(self, step: float) -> None:
        """Forget what came after a step: a resumed run tells it again."""
        self._points = [point for point in self._points if point[0] <= step]
        self._pending.clear()

    def arrays(self) -> tuple[Array, Array]:
        """Return steps and values, float64 (n,) each."""
        both = np.array(self._points, dtype=np.float64).reshape(-1, 2)
        return both[:, 0], both[:, 1]


@dataclass(frozen=True)
class ProbeSpectra:
    """One pixel's prediction at one step.

    Parameters
    ----------
    step
        Steps done when it was made.
    values
        float64 (band,).
    """

    step: int
    values: Array


@dataclass
class Probe:
    """A pixel of a validation picture, whose spectrum approaches the truth.

    Parameters
    ----------
    y, x
        Row and column.
    truth
        float64 (band,).
    predictions
        Oldest first.
    """

    y: int
    x: int
    truth: Array
    predictions: list[ProbeSpectra] = field(default_factory=list)


def smoothed(values: Array, weight: float) -> Array:
    """Return an exponential moving average that starts without bias.

    Parameters
    ----------
    values
        float64 (n,).
    weight
        What the past counts, within [0, 1); 0 leaves the values alone.

    Returns
    -------
    ndarray
        float64 (n,). The sum of the weights is divided out, as in Adam (Kingma and Ba, 2015), so
        that the first values are not drawn towards zero.
    """
    from scipy.signal import lfilter

    if weight == 0 or values.size == 0:
        return values
    average: Array = lfilter([1 - weight], [1, -weight], values)
    return average / (1 - weight ** np.arange(1, values.size + 1))


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    steps, values = zip(*points, strict=True)
    return sum(steps) / len(steps), sum(values) / len(values)
