"""What a training run has told so far, as curves and sentences; knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from napari_gmsr.training.events import (
    Epoch,
    Event,
    Failed,
    Finished,
    Paused,
    Preview,
    Resumed,
    Started,
    Step,
    Validation,
    Warning_,
)

__all__ = ["RunHistory", "Series", "State", "smoothed"]

State = Literal["starting", "running", "paused", "done", "stopped", "failed"]

Array = npt.NDArray[np.float64]

_MOST_POINTS = 2000
"""Points of a curve that are kept: about as many as a screen has columns."""
_MOST_PREVIEWS = 8
"""Earlier previews that are kept, spread over the run."""


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
        self._pending: list[tuple[float, float]] = []
        self._merged = 1

    def __len__(self) -> int:
        return len(self._points)

    def add(self, step: float, value: float) -> None:
        """Append a point; a value that is not finite is left out."""
        if not np.isfinite(value):
            return
        self._pending.append((step, value))
        if len(self._pending) < self._merged:
            return
        self._points.append(_mean(self._pending))
        self._pending.clear()
        if len(self._points) >= 2 * self._most:
            pairs = range(0, len(self._points), 2)
            self._points = [_mean(self._points[first : first + 2]) for first in pairs]
            self._merged *= 2

    def cut(self, step: float) -> None:
        """Forget what came after a step: a run that was taken up again tells it anew."""
        self._points = [point for point in self._points if point[0] <= step]
        self._pending.clear()

    def arrays(self) -> tuple[Array, Array]:
        """Return steps and values, float64 (n,) each."""
        both = np.array(self._points, dtype=np.float64).reshape(-1, 2)
        return both[:, 0], both[:, 1]


class RunHistory:
    """What a run has told, event by event."""

    def __init__(self) -> None:
        self.state: State = "starting"
        self.loss = Series()
        """Of the training patches."""
        self.psnr = Series()
        """dB, paper set, mean over the validation pictures."""
        self.sam = Series()
        """Degrees, standard set, mean over the validation pictures."""
        self.started: Started | None = None
        self.step: Step | None = None
        """The newest."""
        self.epoch: int | None = None
        """Epochs that are over; None where patches are endless, or the first is not over yet."""
        self.best: Validation | None = None
        self.previews: list[Preview] = []
        """Some, oldest first; the last is the newest."""
        self.warnings: list[Warning_] = []
        self.finished: Finished | None = None
        self.failed: Failed | None = None
        self._every = 1
        self._previews_seen = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.state in ("done", "stopped", "failed")

    @property
    def seconds_left(self) -> float | None:
        """How long it will take still; None where nothing is known yet."""
        if self.step is None or self.ended or self.step.done <= 0:
            return None
        return self.step.seconds * (1 - self.step.done) / self.step.done

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case Started():
                self.started, self.state = event, "running"
                self.finished = self.failed = None
            case Step():
                self.step, self.state = event, "running"
                self.loss.add(event.step, event.loss)
            case Epoch():
                self.epoch = event.epoch
            case Validation():
                self._validated(event)
            case Preview():
                self._show(event)
            case Warning_():
                self.warnings.append(event)
            case Paused():
                self.state = "paused"
            case Resumed():
                self.state = "running"
                self._forget(event.step)
            case Finished():
                self.finished = event
                self.state = "stopped" if event.reason == "stopped" else "done"
            case Failed():
                self.failed, self.state = event, "failed"

    def _validated(self, event: Validation) -> None:
        self.psnr.add(event.step, event.mean.get("paper", {}).get("psnr_db", np.nan))
        self.sam.add(event.step, event.mean.get("standard", {}).get("sam_deg", np.nan))
        if event.best:
            self.best = event

    def _show(self, event: Preview) -> None:
        # Between the kept ones, only the newest stands: it gives way to the next.
        if self.previews and (self._previews_seen - 1) % self._every:
            self.previews.pop()
        self.previews.append(event)
        self._previews_seen += 1
        if len(self.previews) > _MOST_PREVIEWS:
            *kept, newest = self.previews
            self.previews = [*kept[::2], newest]
            self._every *= 2

    def _forget(self, step: int) -> None:
        for series in (self.loss, self.psnr, self.sam):
            series.cut(step)
        self.previews = [preview for preview in self.previews if preview.step <= step]
        if self.best is not None and self.best.step > step:
            self.best = None


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
    if weight == 0 or values.size == 0:
        return values
    average: Array = lfilter([1 - weight], [1, -weight], values)
    return average / (1 - weight ** np.arange(1, values.size + 1))


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    steps, values = zip(*points, strict=True)
    return sum(steps) / len(steps), sum(values) / len(values)
