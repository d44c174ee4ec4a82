"""The plots of training: loss, PSNR and SAM of several runs, and spectra that approach a truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QPen
from qtpy.QtWidgets import QWidget

from napari_gmsr.plugin.pins import PALETTE
from napari_gmsr.plugin.plots import ThemedPlot, set_up_frame
from napari_gmsr.plugin.train_history import Series, smoothed
from napari_gmsr.training.events import Preview

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["CurvesPlot", "ProbePlot", "RunCurves"]

_FAINT = 70
"""Opacity of 255 of what is smoothed, behind its smooth curve."""
_OLDER = 110
"""Opacity of the prediction before the newest; older ones fade further."""


@dataclass(frozen=True)
class RunCurves:
    """The curves of one run.

    Parameters
    ----------
    color
        ``#rrggbb``.
    loss, psnr, sam
        Over the steps; PSNR in dB, SAM in degrees.
    """

    color: str
    loss: Series
    psnr: Series
    sam: Series


class _LogAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis of decimal logarithms that has labels within a decade, too."""

    def tickValues(  # noqa: N802
        self, minVal: float, maxVal: float, size: float
    ) -> list[tuple[float, list[float]]]:
        """Return ticks at 1, 2 and 5 times a power of ten; closer ones where that gives few."""
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(range(10, 100, 2))):
            unit = 10 if digits[0] == 10 else 1
            decades = range(int(np.floor(minVal)) - 1, int(np.ceil(maxVal)) + 1)
            ticks = [d + float(np.log10(f / unit)) for d in decades for f in digits]
            ticks = [tick for tick in ticks if minVal <= tick <= maxVal]
            if len(ticks) >= min(4, size / 25):
                break
        return [(1.0, ticks)]

    def tickStrings(  # noqa: N802
        self, values: list[float], scale: float, spacing: float
    ) -> list[str]:
        """Return the numbers whose logarithms the ticks are."""
        return [f"{10**value:.3g}" for value in values]


class CurvesPlot(ThemedPlot):
    """Loss, PSNR and SAM over the steps, one above another, for every run in its colour.

    Parameters
    ----------
    viewer
        The viewer whose theme is followed.
    parent
        Qt's parent.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.ci.setContentsMargins(2, 4, 8, 2)
        self.ci.setSpacing(2)
        self.loss: pg.PlotItem = self.addPlot(
            row=0, col=0, enableMenu=False, axisItems={"left": _LogAxis("left")}
        )
        self.psnr: pg.PlotItem = self.addPlot(row=1, col=0, enableMenu=False)
        self.sam: pg.PlotItem = self.addPlot(row=2, col=0, enableMenu=False)
        plots = (self.loss, self.psnr, self.sam)
        for plot, label in zip(plots, ("Loss", "PSNR (dB)", "SAM (°)"), strict=True):
            set_up_frame(plot, label)
            if plot is not self.loss:
                plot.setXLink(self.loss)
            plot.getAxis("bottom").setStyle(showValues=plot is self.sam)
        self.sam.setLabel("bottom", "Step")
        self._curves: list[tuple[_Curve, _Curve, _Curve]] = []
        self.paint_items()

    def draw(self, runs: Sequence[RunCurves], smoothing: float = 0.0) -> None:
        """Draw runs in place of what was drawn.

        Parameters
        ----------
        runs
            The later lie above.
        smoothing
            Weight of the past in the moving average of the loss, within [0, 1).
        """
        while len(self._curves) > len(runs):
            for curve in self._curves.pop():
                curve.remove()
        while len(self._curves) < len(runs):
            plots = (self.loss, self.psnr, self.sam)
            self._curves.append((_Curve(plots[0]), _Curve(plots[1]), _Curve(plots[2])))
        for run, (loss, psnr, sam) in zip(runs, self._curves, strict=True):
            steps, values = run.loss.arrays()
            positive = values > 0
            loss.draw(steps[positive], np.log10(values[positive]), run.color, smoothing)
            # Few points each: a dot shows where the network was looked at.
            psnr.draw(*run.psnr.arrays(), run.color, dots=True)
            sam.draw(*run.sam.arrays(), run.color, dots=True)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size at which three plots are readable."""
        return QSize(300, 290)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest readable size."""
        return QSize(220, 270)


class _Curve:
    """A curve with its unsmoothed self faintly behind it."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._raw = plot.plot()
        self._smooth = plot.plot(antialias=True)

    def draw(
        self,
        steps: npt.NDArray[np.float64],
        values: npt.NDArray[np.float64],
        color: str,
        smoothing: float = 0.0,
        dots: bool = False,
    ) -> None:
        faint = QColor(color)
        faint.setAlpha(_FAINT)
        nothing = np.empty(0)
        raw = (steps, values) if smoothing else (nothing, nothing)
        self._raw.setData(*raw, pen=pg.mkPen(faint, width=1))
        self._smooth.setData(
            steps,
            smoothed(values, smoothing),
            pen=pg.mkPen(color, width=1.5),
            symbol="o" if dots else None,
            symbolSize=4,
            symbolBrush=pg.mkBrush(color),
            symbolPen=None,
        )

    def remove(self) -> None:
        self._plot.removeItem(self._raw)
        self._plot.removeItem(self._smooth)


class ProbePlot(ThemedPlot):
    """Spectra of probe pixels: the truth dashed, the newest prediction solid, older ones fading.

    Parameters
    ----------
    viewer
        The viewer whose theme is followed.
    parent
        Qt's parent.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.ci.setContentsMargins(2, 4, 8, 2)
        self.spectra: pg.PlotItem = self.addPlot(row=0, col=0, enableMenu=False)
        set_up_frame(self.spectra, "Response")
        self.spectra.setLabel("bottom", "Wavelength (nm)")
        self._band = pg.InfiniteLine(angle=90)
        self._band.setVisible(False)
        self.spectra.addItem(self._band, ignoreBounds=True)
        self._curves: list[pg.PlotDataItem] = []
        self.paint_items()

    def paint_items(self) -> None:
        """Colour frame and guide with ``self.colors``."""
        super().paint_items()
        self._band.setPen(pg.mkPen(self.colors.text, width=1, style=Qt.PenStyle.DotLine))

    def draw(self, previews: Sequence[Preview]) -> None:
        """Draw previews of one picture in place of what was drawn.

        Parameters
        ----------
        previews
            Oldest first. Each pixel gets a colour of its own, in the order of the newest's probes.
        """
        lines = _lines(previews)
        while len(self._curves) > len(lines):
            self.spectra.removeItem(self._curves.pop())
        while len(self._curves) < len(lines):
            self._curves.append(self.spectra.plot(antialias=True))
        for curve, line in zip(self._curves, lines, strict=True):
            curve.setData(line.wavelengths_nm, line.values, pen=line.pen)
            curve.setZValue(line.depth)
        self._band.setVisible(bool(lines))
        if lines:
            self._band.setValue(previews[-1].band_nm)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that fits below the curves."""
        return QSize(300, 180)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest readable size."""
        return QSize(220, 165)


class _Line(NamedTuple):
    wavelengths_nm: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    pen: QPen
    depth: int


def _lines(previews: Sequence[Preview]) -> list[_Line]:
    """Return what to draw: for each pixel the truth, the newest prediction, and older ones."""
    lines = []
    for age, preview in enumerate(reversed(previews)):
        nm = np.asarray(preview.wavelengths_nm)
        for number, probe in enumerate(preview.probes):
            color = QColor(PALETTE[number % len(PALETTE)])
            if age == 0:
                dashed = pg.mkPen(color, width=1.5, style=Qt.PenStyle.DashLine)
                lines.append(_Line(nm, np.asarray(probe.truth), dashed, 1))
            else:
                color.setAlpha(int(_OLDER * (1 - age / len(previews))))
            pen = pg.mkPen(color, width=1 if age else 2)
            lines.append(_Line(nm, np.asarray(probe.prediction), pen, -age))
    return lines
