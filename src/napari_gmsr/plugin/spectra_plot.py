"""Spectral response curves of pixels, their truth dashed, and a strip of residuals below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import QWidget

from napari_gmsr.plugin.plots import ThemedPlot, set_up_frame
from napari_gmsr.plugin.spectrum import PixelSpectrum

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["SpectraPlot"]


class _WrappingLabel(pg.LabelItem):  # type: ignore[misc]
    """Text that wraps: its width never keeps the plot from getting narrower."""

    def updateMin(self) -> None:  # noqa: N802
        super().updateMin()
        self.setMinimumWidth(0)


class SpectraPlot(ThemedPlot):
    """Curves over wavelength: solid a cube's, dashed the truth's; residuals in a strip below.

    Parameters
    ----------
    viewer
        The viewer whose theme is followed.
    parent
        Qt's parent.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.ci.setContentsMargins(2, 6, 8, 2)
        self.ci.setSpacing(0)
        # Above the curves, where it never hides one.
        self._legend = _WrappingLabel("", justify="left")
        self.addItem(self._legend, row=0, col=0)
        self.responses: pg.PlotItem = self.addPlot(row=1, col=0, enableMenu=False)
        self.residuals: pg.PlotItem = self.addPlot(row=2, col=0, enableMenu=False)
        self.ci.layout.setRowStretchFactor(1, 3)
        self.ci.layout.setRowStretchFactor(2, 1)
        self._plots = (self.responses, self.responses, self.residuals)
        self._lines = [
            self._set_up(self.responses, "Response"),
            self._set_up(self.residuals, "Residual"),
        ]
        self.responses.getAxis("bottom").setStyle(showValues=False)
        self.residuals.setLabel("bottom", "Wavelength (nm)")
        self.residuals.setXLink(self.responses)
        self._label = pg.InfLineLabel(
            self._lines[0], "{value:.4g} nm", position=0.96, anchors=[(0, 0.5), (1, 0.5)]
        )
        self._zero = pg.InfiniteLine(pos=0, angle=0)
        self.residuals.addItem(self._zero, ignoreBounds=True)
        self._preview = self._curves()
        self._pinned: list[list[pg.PlotDataItem]] = []
        self._spectra: Sequence[PixelSpectrum] = ()
        self._legend_look: tuple[object, ...] = ()
        self.paint_items()

    def paint_items(self) -> None:
        """Colour frame, guides and the preview with ``self.colors``."""
        super().paint_items()
        text, muted = self.colors.text, self.colors.muted
        for line in self._lines:
            line.setPen(pg.mkPen(text, width=1, style=Qt.PenStyle.DotLine))
        self._label.setColor(text)
        self._zero.setPen(pg.mkPen(muted, width=1))
        self._label.fill = pg.mkBrush(self.colors.background)
        self._write_legend()
        _set_color(self._preview, text, width=1.5)

    def set_band(self, nm: float | None) -> None:
        """Mark the wavelength that the viewer shows; ``None`` where it shows none of the cube's."""
        for line in self._lines:
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

    def draw_pins(self, spectra: Sequence[PixelSpectrum]) -> None:
        """Draw the pinned spectra in place of those drawn before."""
        drawn = self._spectra
        while len(self._pinned) > len(spectra):
            for plot, curve in zip(self._plots, self._pinned.pop(), strict=True):
                plot.removeItem(curve)
        for index, spectrum in enumerate(spectra):
            # Making and filling curves is what takes time: what is drawn already stays.
            if index >= len(self._pinned):
                self._pinned.append(self._curves(spectrum.color))
            elif index < len(drawn) and spectrum.looks_like(drawn[index]):
                continue
            else:
                _set_color(self._pinned[index], spectrum.color)
            _set_data(self._pinned[index], spectrum)
        self._spectra = tuple(spectra)
        self._write_legend()

    def draw_preview(self, spectrum: PixelSpectrum | None) -> None:
        """Draw the spectrum under the mouse, or take it away."""
        _set_data(self._preview, spectrum)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Wrap the legend to the new width."""
        super().resizeEvent(event)
        # Qt sends the first one from within the base class's constructor.
        if hasattr(self, "_spectra"):
            self._write_legend()

    def _set_up(self, plot: pg.PlotItem, label: str) -> pg.InfiniteLine:
        """Put up a plot's frame and return its line at the current band."""
        set_up_frame(plot, label)
        line = pg.InfiniteLine(angle=90)
        plot.addItem(line, ignoreBounds=True)
        return line

    def _curves(self, color: str = "w") -> list[pg.PlotDataItem]:
        """Add empty curves: response, truth, residual."""
        curves = [plot.plot(antialias=True) for plot in self._plots]
        _set_color(curves, color)
        return curves

    def _write_legend(self) -> None:
        entries = [
            f'<span style="color:{s.color}">━━</span>&nbsp;y&nbsp;{s.y},&nbsp;x&nbsp;{s.x}'
            for s in self._spectra
        ]
        if any(spectrum.truth is not None for spectrum in self._spectra):
            entries.append("╍╍&nbsp;truth")
        text = "&nbsp;&nbsp; ".join(entries)
        look = (text, self.colors.text, self.width())
        if look == self._legend_look:
            return
        self._legend_look = look
        self._legend.setText(text, color=self.colors.text, size="8pt")
        self._legend.item.setTextWidth(max(100, self.width() - 20))
        self._legend.updateMin()
        self._legend.setMaximumHeight(self._legend.item.boundingRect().height())


def _set_color(curves: Sequence[pg.PlotDataItem], color: str | QColor, width: float = 2) -> None:
    """Give a spectrum's three curves their colour: the truth dashed, the others solid."""
    solid, dashed = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
    for curve, style in zip(curves, (solid, dashed, solid), strict=True):
        curve.setPen(pg.mkPen(color, width=width, style=style))


def _set_data(curves: Sequence[pg.PlotDataItem], spectrum: PixelSpectrum | None) -> None:
    """Put a spectrum into its three curves; what is missing is left empty."""
    nothing = np.empty(0)
    values = (
        (None, None, None)
        if spectrum is None
        else (spectrum.response, spectrum.truth, spectrum.residual)
    )
    for curve, value in zip(curves, values, strict=True):
        if spectrum is None or value is None:
            curve.setData(nothing, nothing)
        else:
            curve.setData(spectrum.wavelengths_nm, value)
