"""Spectral response curves, their truth dashed, and a strip of residuals below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QWidget

from napari_gmsr.plugin.fitted_axis import FittedAxis
from napari_gmsr.plugin.plots import ThemedPlot, set_up_frame
from napari_gmsr.plugin.spectra_items import SpectrumItems, rank_pen, truth_pen
from napari_gmsr.plugin.spectra_legend import Legend, LegendEntry
from napari_gmsr.plugin.spectrum import Spectrum

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["SpectraPlot"]

_GRIP_PX = 8
"""How far from the line at the band the mouse still takes hold of it."""
_PREVIEW_WIDTH = 1.5


class _BandLine(pg.InfiniteLine):  # type: ignore[misc]
    """The line at the band: thin, and yet easy to take hold of."""

    def __init__(self) -> None:
        super().__init__(angle=90, movable=True)
        self._maxMarkerSize = _GRIP_PX
        self.setCursor(Qt.CursorShape.SizeHorCursor)


class SpectraPlot(ThemedPlot):
    """Curves over wavelength: solid a cube's, dashed the truth's; residuals in a strip below.

    The line at the band is dragged to another one; with the keyboard, the arrow keys do it.

    Parameters
    ----------
    viewer
        The viewer whose theme is followed.
    parent
        Qt's parent.
    """

    band_wanted = Signal(float)
    """The line was dragged to this wavelength in nm."""
    step_wanted = Signal(int)
    """A key asks for the band so many bands on."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.ci.setContentsMargins(2, 6, 8, 2)
        self.ci.setSpacing(0)
        # Above the curves, where it never hides one.
        self.legend = Legend()
        self.addItem(self.legend, row=0, col=0)
        self.responses: pg.PlotItem = self.addPlot(row=1, col=0, enableMenu=False)
        self.residuals: pg.PlotItem = self.addPlot(row=2, col=0, enableMenu=False)
        self.ci.layout.setRowStretchFactor(1, 3)
        self.ci.layout.setRowStretchFactor(2, 1)
        self.lines = [
            self._set_up(self.responses, "Response"),
            self._set_up(self.residuals, "Residual"),
        ]
        self._upright = (FittedAxis(self.responses), FittedAxis(self.residuals))
        self.responses.getAxis("bottom").setStyle(showValues=False)
        self.residuals.setLabel("bottom", "Wavelength (nm)")
        self.residuals.setXLink(self.responses)
        self._label = pg.InfLineLabel(
            self.lines[0], "{value:.4g} nm", position=0.96, anchors=[(0, 0.5), (1, 0.5)]
        )
        self._zero = pg.InfiniteLine(pos=0, angle=0)
        self.residuals.addItem(self._zero, ignoreBounds=True)
        self._preview: list[SpectrumItems] = []
        self._previewed: tuple[Spectrum, ...] = ()
        self._drawn: list[SpectrumItems] = []
        self._spectra: tuple[Spectrum, ...] = ()
        self._band_nm: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.paint_items()

    @property
    def spectra(self) -> tuple[Spectrum, ...]:
        """What is drawn beside the preview."""
        return self._spectra

    def paint_items(self) -> None:
        """Colour frame, guides and the preview with ``self.colors``."""
        super().paint_items()
        text, muted = self.colors.text, self.colors.muted
        for line in self.lines:
            line.setPen(pg.mkPen(text, width=1, style=Qt.PenStyle.DotLine))
            line.setHoverPen(pg.mkPen(text, width=2))
        self._label.setColor(text)
        self._zero.setPen(pg.mkPen(muted, width=1))
        self._label.fill = pg.mkBrush(self.colors.background)
        self._write_legend()
        self.draw_preview(self._previewed)

    def set_label(self, label: str) -> None:
        """Say what the curves show."""
        self.responses.setLabel("left", label)

    def set_band(self, nm: float | None) -> None:
        """Mark the wavelength that the viewer shows; ``None`` where it shows none of the cube's."""
        self._band_nm = nm
        for line in self.lines:
            line.setVisible(nm is not None)
            if nm is not None:
                line.setValue(nm)

    def set_range(self, first_nm: float, last_nm: float) -> None:
        """Set the span of the wavelength axis, in nm."""
        self.responses.setXRange(first_nm, last_nm, padding=0.04)
        step = 50 if last_nm - first_nm <= 350 else 100 * np.ceil((last_nm - first_nm) / 700)
        ticks = np.arange(np.ceil(first_nm / step) * step, last_nm + 1e-6, step)
        labelled = [(nm, f"{nm:g}") for nm in ticks]
        for plot in (self.responses, self.residuals):
            plot.getAxis("bottom").setTicks([labelled])

    def draw(self, spectra: Sequence[Spectrum]) -> None:
        """Draw spectra in place of those drawn before."""
        while len(self._drawn) > len(spectra):
            self._drawn.pop().remove()
        while len(self._drawn) < len(spectra):
            self._drawn.append(SpectrumItems(self.responses, self.residuals))
        for items, spectrum in zip(self._drawn, spectra, strict=True):
            items.draw(spectrum)
        self._spectra = tuple(spectra)
        self._write_legend()
        self._fit()

    def draw_preview(self, spectra: Sequence[Spectrum]) -> None:
        """Draw the spectra under the mouse; none takes them away."""
        while len(self._preview) < len(spectra):
            self._preview.append(SpectrumItems(self.responses, self.residuals, _PREVIEW_WIDTH))
        for place, items in enumerate(self._preview):
            items.draw(spectra[place] if place < len(spectra) else None, self.colors.text)
        self._previewed = tuple(spectra)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which the legend takes nothing from the curves."""
        return super().sizeHint() + self._above()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest readable size."""
        return super().minimumSizeHint() + self._above()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Step through the bands: the arrow keys, Page, Home and End."""
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_PageDown: -5,
            Qt.Key.Key_PageUp: 5,
            Qt.Key.Key_Home: -(10**6),
            Qt.Key.Key_End: 10**6,
        }
        if event is not None and event.key() in steps:
            self.step_wanted.emit(steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Wrap the legend to the new width."""
        super().resizeEvent(event)
        # Qt sends the first one from within the base class's constructor.
        if hasattr(self, "_spectra"):
            self._write_legend()

    def _set_up(self, plot: pg.PlotItem, label: str) -> _BandLine:
        """Put up a plot's frame and return its line at the current band."""
        set_up_frame(plot, label)
        line = _BandLine()
        line.sigDragged.connect(self._on_dragged)
        plot.addItem(line, ignoreBounds=True)
        return line

    def _fit(self) -> None:
        """Fit the upright axes to what is drawn; a preview moves them only where it has to.

        Axes that change with every move of the mouse are hard to read, and slow to draw.
        """
        curves = [spectrum.shown for spectrum in (*self._spectra, *self._previewed)]
        steady = bool(self._previewed)
        self._upright[0].fit((curve.response_span for curve in curves), steady=steady)
        self._upright[1].fit((curve.residual_span for curve in curves), steady=steady)

    def _on_dragged(self, line: pg.InfiniteLine) -> None:
        self.band_wanted.emit(float(line.value()))
        self.set_band(self._band_nm)  # the line stands at a band, never between two

    def _write_legend(self) -> None:
        """Name the places by their colours, and cubes, where there are several, by their lines."""
        entries = [
            LegendEntry(rank_pen(spectrum.color), spectrum.place)
            for spectrum in self._spectra
            if spectrum.rank == 0
        ]
        text = self.colors.text
        cubes = {spectrum.rank: spectrum.cube for spectrum in self._spectra}
        if len(cubes) > 1:
            entries += [
                LegendEntry(rank_pen(text, rank), cubes[rank], begins_row=rank == 0)
                for rank in sorted(cubes)
            ]
        if any(spectrum.truth is not None for spectrum in self._spectra if spectrum.rank == 0):
            entries.append(LegendEntry(truth_pen(text), "truth"))
        before = self._above()
        self.legend.show_entries(entries, text, max(100, self.width() - 20))
        if self._above() != before:
            self.updateGeometry()

    def _above(self) -> QSize:
        return QSize(0, round(self.legend.minimumHeight()))
