"""What one spectrum is drawn with: its curves, and how the curves of several cubes differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPen

from napari_gmsr.plugin.spectrum import Spectrum

__all__ = ["SpectrumItems", "rank_pen", "truth_pen"]

_DASHES: tuple[Sequence[float] | None, ...] = (
    None,
    (1, 2),
    (6, 2, 1, 2),
    (3, 2, 1, 2, 1, 2),
)
"""Lines of the cubes drawn together, in widths of the line: the prediction's is solid."""
_TRUTH_DASHES = (4, 2)
_OPACITIES = (1.0, 0.5, 0.25)
"""Of the cubes beyond those: the lines come round again, paler."""
_BAND_OPACITY = 50
_NOTHING = np.empty(0)


def rank_pen(color: str | QColor, rank: int = 0, width: float = 2) -> QPen:
    """Return the pen of a cube's curve: its colour tells the place, its line the cube.

    Parameters
    ----------
    color
        Of the place.
    rank
        Of the cube; 0 is the prediction.
    width
        Of the prediction's line in pixels.
    """
    color = QColor(color)
    color.setAlphaF(_OPACITIES[rank // len(_DASHES) % len(_OPACITIES)])
    pen: QPen = pg.mkPen(color, width=width)
    _dash(pen, _DASHES[rank % len(_DASHES)])
    return pen


def truth_pen(color: str | QColor, width: float = 2) -> QPen:
    """Return the pen of a truth's curve."""
    pen: QPen = pg.mkPen(QColor(color), width=width)
    _dash(pen, _TRUTH_DASHES)
    return pen


class SpectrumItems:
    """The curves of one spectrum: response, truth, residual, and the spread around the response.

    Parameters
    ----------
    responses, residuals
        The plots that the curves are added to.
    width
        Of the lines in pixels.
    """

    def __init__(self, responses: pg.PlotItem, residuals: pg.PlotItem, width: float = 2) -> None:
        self._responses, self._residuals, self._width = responses, residuals, width
        self._response, self._truth, self._residual = (
            pg.PlotCurveItem(antialias=True, connect="finite") for _ in range(3)
        )
        responses.addItem(self._response)
        responses.addItem(self._truth)
        residuals.addItem(self._residual)
        self._spread: pg.FillBetweenItem | None = None
        self._drawn: Spectrum | None = None
        self._look: tuple[str, int] | None = None

    def draw(self, spectrum: Spectrum | None, color: QColor | None = None) -> None:
        """Draw a spectrum in place of the one before; ``None`` draws nothing.

        Parameters
        ----------
        spectrum
            The spectrum.
        color
            In place of the spectrum's own.
        """
        if spectrum is not None:
            self._set_look(QColor(spectrum.color) if color is None else color, spectrum.rank)
        # Filling curves is what takes time: what is drawn already stays.
        before, self._drawn = self._drawn, spectrum
        if spectrum is before or (spectrum and before and spectrum.looks_like(before)):
            return
        shown = None if spectrum is None else spectrum.shown
        # One truth is drawn once, beside the prediction.
        truth = shown.truth if spectrum is not None and shown and spectrum.rank == 0 else None
        for curve, values in (
            (self._response, shown and shown.response),
            (self._truth, truth),
            (self._residual, shown and shown.residual),
        ):
            if spectrum is None or values is None:
                curve.setData(_NOTHING, _NOTHING)
            else:
                curve.setData(spectrum.wavelengths_nm, values)
        self._draw_spread(spectrum)

    def remove(self) -> None:
        """Take the curves out of the plots."""
        for item in (self._response, self._truth, *([self._spread] if self._spread else [])):
            self._responses.removeItem(item)
        self._residuals.removeItem(self._residual)

    def _set_look(self, color: QColor, rank: int) -> None:
        """Colour the curves; the line follows from the cube."""
        if self._look == (color.name(), rank):
            return
        self._look = color.name(), rank
        pen = rank_pen(color, rank, self._width)
        self._response.setPen(pen)
        self._residual.setPen(pen)
        self._truth.setPen(truth_pen(color, self._width))

    def _draw_spread(self, spectrum: Spectrum | None) -> None:
        spread = None if spectrum is None or spectrum.rank > 0 else spectrum.shown.spread
        if self._spread is not None:
            self._spread.setVisible(spread is not None)
        if spectrum is None or spread is None or self._look is None:
            return
        if self._spread is None:
            self._edges = (pg.PlotCurveItem(), pg.PlotCurveItem())
            self._spread = pg.FillBetweenItem(*self._edges)
            self._responses.addItem(self._spread)
        for edge, side in zip(self._edges, (-1, 1), strict=True):
            # The filling has no gaps: a missing band has no spread.
            there = np.isfinite(spectrum.shown.response + spread)
            values = spectrum.shown.response[there] + side * spread[there]
            edge.setData(spectrum.wavelengths_nm[there], values)
        color = QColor(self._look[0])
        color.setAlpha(_BAND_OPACITY)
        self._spread.setBrush(color)


def _dash(pen: QPen, pattern: Sequence[float] | None) -> None:
    if pattern is not None:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern(list(pattern))
