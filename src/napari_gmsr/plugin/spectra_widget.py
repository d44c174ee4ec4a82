"""The *Spectra* widget: point at a pixel and see its spectrum, beside the truth's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from napari_gmsr.plugin.band_cursor import BandCursor
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.pins import Pins
from napari_gmsr.plugin.pixel_pointer import PixelPointer
from napari_gmsr.plugin.regions import Regions
from napari_gmsr.plugin.save_dialog import save_as
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.spectra_choices import SpectraChoices
from napari_gmsr.plugin.spectra_plot import SpectraPlot
from napari_gmsr.plugin.spectra_table import save_spectra
from napari_gmsr.plugin.spectra_texts import describe
from napari_gmsr.plugin.spectrum import PixelSpectrum, Spectrum
from napari_gmsr.plugin.wavelength_box import WavelengthBox

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.plugin.spectra_sources import Sources

__all__ = ["SpectraWidget"]

_NO_CUBE = "Open a cube or run Reconstruct, then click a pixel."
_NO_PIXEL = "Move the mouse over the picture to see a pixel's spectrum.\nClick to pin it."
_ERRORS_PX = 190
"""Width of the errors beside the cubes' names."""
_SHORTEST = 8


class SpectraWidget(QWidget):
    """Spectra of the pixel under the mouse, of pinned pixels and of drawn regions.

    Hovering previews a pixel's curves, a click pins them: the pin is a point of a layer of its own,
    and moving, recolouring or deleting the point does the same to the curves. With a truth, its
    curve is dashed, the strip below shows the residuals, and the pixel's RMSE, MRAE and spectral
    angle stand under the plot. The line at the band is dragged to change it.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._sources: Sources | None = None
        self._followed: list[Image] = []
        self._hovered: list[PixelSpectrum] = []
        self._pinned: list[PixelSpectrum] = []
        self._region_was_last = False

        self.choices = SpectraChoices(viewer)
        self.plot = SpectraPlot(viewer)
        self.pins = Pins(viewer, self)
        self.pointer = PixelPointer(viewer, self)
        self.regions = Regions(self)
        self._cursor = BandCursor(viewer, self)
        self.wavelength = WavelengthBox(self._cursor)
        self._hint = QLabel(_NO_CUBE)
        self.readout = QLabel()
        self.save_csv = QPushButton("Save &CSV…")
        self.save_figure = QPushButton("Save fi&gure…")
        self.clear = QPushButton("Clear pin&s")
        self._lay_out()

        self.choices.chosen.connect(self._on_chosen)
        self._cursor.moved.connect(self._on_band)
        self.plot.band_wanted.connect(self._cursor.go_to)
        self.plot.step_wanted.connect(self._cursor.step)
        self.pointer.hovered.connect(self._preview)
        self.pointer.left.connect(self._end_preview)
        self.pointer.clicked.connect(self._pin)
        self.pins.changed.connect(self._draw_pins)
        self.regions.changed.connect(self._on_regions)
        self.save_csv.clicked.connect(self._on_save_csv)
        self.save_figure.clicked.connect(self._on_save_figure)
        self.clear.clicked.connect(self.pins.clear)
        self._on_chosen()

    @property
    def pinned(self) -> list[PixelSpectrum]:
        """The pinned spectra as they are drawn: pin by pin, oldest first, and cube by cube."""
        return list(self._pinned)

    def _lay_out(self) -> None:
        self.save_csv.setToolTip("Save the drawn spectra, with truth and errors, as a table.")
        self.save_figure.setToolTip("Save the plot for print, as PNG or SVG.")
        self.clear.setToolTip("Remove all pins and their layer.")
        self.plot.setToolTip(
            "Solid: the prediction. Dashed: the truth. Below: prediction minus truth. "
            "The dotted line is the band the viewer shows: drag it to another one, "
            "or press ← and → in the plot."
        )
        self.readout.setToolTip(
            "Errors at the pixel under the mouse, or at the last pin, of the spectra as measured: "
            "the root mean squared residual over the bands, the mean absolute residual relative to "
            "the truth, and the angle between the spectra (SAM), which brightness leaves alone."
        )
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setMinimumHeight(self.plot.minimumSizeHint().height())
        self._pages = QStackedWidget()
        self._pages.addWidget(self._hint)
        self._pages.addWidget(self.plot)

        self.choices.form.addRow("&Band", self.wavelength)
        self.readout.setWordWrap(True)
        self.readout.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        for button in (self.save_csv, self.save_figure, self.clear):
            button.setMinimumWidth(60)
            buttons.addWidget(button)

        rows = ScrollingBody(self).rows
        rows.addWidget(self.choices)
        rows.addWidget(self._pages, 1)
        rows.addWidget(self.readout)
        rows.addLayout(buttons)

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return read_controls(self.choices.controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        write_controls(self.choices.controls(), saved)

    # -- following the viewer, while visible ---------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow mouse, slider and layers while visible."""
        super().showEvent(event)
        self.pointer.start()
        self._cursor.start()
        self.pins.start()
        self.choices.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self.pointer.stop()
        self._cursor.stop()
        self.pins.stop()
        self.regions.follow(None, None)
        self._follow([])
        super().hideEvent(event)

    def _follow(self, layers: list[Image]) -> None:
        """Redraw when the layers' numbers change, as they do while tiles arrive."""
        for layer in self._followed:
            layer.events.data.disconnect(self._on_data)
        self._followed = layers
        for layer in layers:
            layer.events.data.connect(self._on_data)

    def _on_data(self, event: object = None) -> None:
        if self._sources is not None and self._sources.still_fit():
            self._draw_pins()
            self.regions.refresh()
        else:
            self.choices.refresh()

    def _on_band(self) -> None:
        self.plot.set_band(self._cursor.nm)

    # -- what is drawn -------------------------------------------------------------------------

    def _on_chosen(self) -> None:
        """Take other cubes, another radius or another view."""
        sources = self._sources = self.choices.sources()
        self._cursor.follow(None if sources is None else sources.prediction)
        if sources is not None:
            self.plot.set_range(*sources.range_nm)
            self.plot.set_label(sources.view.label)
        if self.isVisible():
            self._follow([] if sources is None else sources.layers)
            self.regions.follow(self.choices.regions.layer, sources)
        self._end_preview()
        self._draw_pins()

    def _preview(self, world: tuple[float, ...]) -> None:
        self._hovered = [] if self._sources is None else self._sources.pixel(world)
        self.plot.draw_preview(self._hovered)
        self._show_state()

    def _end_preview(self) -> None:
        """Show the pins alone, and the newest one's errors."""
        if self._hovered:
            self._hovered = []
            self.plot.draw_preview([])
            self._show_state()

    def _pin(self, world: tuple[float, ...]) -> None:
        if self._sources is None:
            return
        spectra = self._sources.pixel(world, self.pins.next_color)
        if not spectra:
            return
        # The curves first: napari takes its time to draw a point.
        self._pinned += spectra
        self._region_was_last = False
        self._draw()
        viewport = self.plot.viewport()
        assert viewport is not None
        viewport.repaint()
        self.pins.add(self._sources.prediction, spectra[0].y, spectra[0].x)

    def _draw_pins(self) -> None:
        sources = self._sources
        self._pinned = []
        if sources is not None:
            for position, color in zip(self.pins.positions, self.pins.colors, strict=True):
                self._pinned += sources.pixel(position, color)
        self._draw()

    def _on_regions(self) -> None:
        self._region_was_last = bool(self.regions.spectra)
        self._draw()

    def _draw(self) -> None:
        self.plot.draw([*self._pinned, *self.regions.spectra])
        self._show_state()

    def _shown(self) -> list[Spectrum]:
        """Return the spectra to speak of: under the mouse, or of the last pin or region."""
        if self._hovered:
            return list(self._hovered)
        regions: list[Spectrum] = list(self.regions.spectra)
        by_region = bool(regions) and (self._region_was_last or not self._pinned)
        drawn = regions if by_region else list[Spectrum](self._pinned)
        firsts = [index for index, spectrum in enumerate(drawn) if spectrum.rank == 0]
        return drawn[firsts[-1] :] if firsts else []

    def _show_state(self) -> None:
        """Say what there is to see, and offer what can be done with it."""
        self._hint.setText(_NO_CUBE if self._sources is None else _NO_PIXEL)
        shown = self._shown()
        if shown or self._sources is None:
            self._pages.setCurrentWidget(self.plot if shown else self._hint)
        room = (self.readout.width() - _ERRORS_PX) // self.readout.fontMetrics().averageCharWidth()
        self.readout.setText(describe(shown, self.regions.left_out, max(_SHORTEST, room)))
        self.save_csv.setEnabled(bool(self.plot.spectra))
        self.save_figure.setEnabled(bool(self.plot.spectra))
        self.clear.setEnabled(len(self.pins) > 0)

    # -- saving --------------------------------------------------------------------------------

    def _on_save_csv(self) -> None:
        save_as(self, "Save spectra", "spectra.csv", "Table (*.csv)", self._write_csv)

    def _on_save_figure(self) -> None:
        kinds = "Vector graphic (*.svg);;Picture (*.png)"
        save_as(self, "Save figure", "spectra.svg", kinds, self._write_figure)

    def _write_csv(self, path: Path) -> Path:
        return save_spectra(self.plot.spectra, path, self._provenance())

    def _write_figure(self, path: Path) -> Path:
        self._end_preview()
        return self.plot.save_figure(path, json.dumps(self._provenance(), sort_keys=True))

    def _provenance(self) -> dict[str, dict[str, Any]]:
        """Return where the drawn cubes come from, by their names."""
        layers = self._viewer.layers
        return {
            name: dict(layers[name].metadata.get("provenance", {}))
            for name in {spectrum.cube for spectrum in self.plot.spectra}
            if name in layers
        }
