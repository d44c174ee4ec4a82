"""An upright axis that fits what is drawn, and keeps still while the mouse moves."""

from __future__ import annotations

from collections.abc import Iterable

import pyqtgraph as pg

__all__ = ["FittedAxis"]

_MARGIN = 0.06
"""Room above and below, of the height of what is drawn."""
_TOO_SMALL = 0.4
"""What fills less of the axis than this is fitted anew."""


class FittedAxis:
    """The upright axis of a plot.

    pyqtgraph's own fits at every change. Under a moving mouse that is hard to read, since the ticks
    never rest, and takes longer than drawing the curves.

    Parameters
    ----------
    plot
        The plot.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._box = plot.getViewBox()
        self._box.disableAutoRange()
        self._span = (0.0, 1.0)

    def fit(self, spans: Iterable[tuple[float, float] | None], *, steady: bool = False) -> None:
        """Fit the axis to the least and the greatest of some values.

        Parameters
        ----------
        spans
            Least and greatest value of each curve; ``None`` where it has none. Nothing changes
            where no curve has any.
        steady
            Keep the axis where the values lie within it and do not look small.
        """
        there = [span for span in spans if span is not None]
        if not there:
            return
        least, most = min(span[0] for span in there), max(span[1] for span in there)
        low, high = self._span
        within = low <= least and most <= high
        if steady and within and most - least > _TOO_SMALL * (high - low):
            return
        # A flat curve has no height, and lies in the middle.
        margin = _MARGIN * (most - least) or abs(most) or 1.0
        if self._span != (least - margin, most + margin):
            self._span = least - margin, most + margin
            self._box.setYRange(*self._span, padding=0)
