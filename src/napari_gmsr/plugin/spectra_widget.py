"""The *Spectra* widget: point at a pixel and see its spectrum, beside the truth's."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils import notifications
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QWidget,
)
from superqt.utils import qthrottled

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import (
    check_comparable,
    current_band,
    is_comparable,
    layer_spectrum,
    layer_wavelengths,
    pixel_at,
)
from napari_gmsr.plugin.pins import Pins
from napari_gmsr.plugin.spectra_plot import SpectraPlot
from napari_gmsr.plugin.spectrum import PixelSpectrum, save_spectra

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["SpectraWidget"]

_NO_CUBE = "Open a cube or run Reconstruct, then click a pixel."
_NO_PIXEL = "Move the mouse over the picture to see a pixel's spectrum.\nClick to pin it."
_HOVER_MS = 30
_LARGEST_RADIUS = 50
_CLICK_SLACK_PX = 3
"""A hand moves the mouse a little while it clicks; beyond this it is a drag, which pans."""


class SpectraWidget(QWidget):
    """Spectra of the pixel under the mouse and of pinned pixels.

    Hovering previews a pixel's curve, a click pins it: the pin is a point of a layer of its own,
    and moving, recolouring or deleting the point does the same to the curve. With a truth, its
    curve is dashed, the strip below shows the residual, and the pixel's RMSE and spectral angle
    stand under the plot.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._hovered: PixelSpectrum | None = None
        self._pinned: list[PixelSpectrum] = []

        self._prediction = CubeComboBox(viewer)
        self._truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self._radius = QSpinBox()
        self._plot = SpectraPlot(viewer)
        self._pins = Pins(viewer, self)
        self._hint = QLabel(_NO_CUBE)
        self._readout = QLabel()
        self._save_csv = QPushButton("Save &CSV…")
        self._save_figure = QPushButton("Save &figure…")
        self._clear = QPushButton("C&lear pins")
        self._preview_soon = qthrottled(self._preview, timeout=_HOVER_MS, parent=self)
        self._lay_out()

        self._prediction.chosen.connect(self._on_prediction_chosen)
        self._truth.chosen.connect(self._on_truth_chosen)
        self._radius.valueChanged.connect(self._on_radius)
        self._pins.changed.connect(self._draw_pins)
        self._save_csv.clicked.connect(self._on_save_csv)
        self._save_figure.clicked.connect(self._on_save_figure)
        self._clear.clicked.connect(self._pins.clear)
        self._follow: Image | None = None
        self._draw_pins()

    @property
    def pinned(self) -> list[PixelSpectrum]:
        """The pinned spectra as they are drawn, oldest first."""
        return list(self._pinned)

    def _lay_out(self) -> None:
        self._prediction.setToolTip("The cube whose spectra are drawn, as solid lines.")
        self._truth.setToolTip(
            "Ground truth to compare with, dashed: a cube of the same size and wavelengths."
        )
        self._radius.setRange(0, _LARGEST_RADIUS)
        self._radius.setPrefix("radius ")
        self._radius.setSuffix(" px")
        self._radius.setToolTip(
            "Average over a square around the pixel: 0 is the pixel alone, 1 is 3 × 3 pixels."
        )
        self._save_csv.setToolTip("Save the pinned spectra, with truth and errors, as a table.")
        self._save_figure.setToolTip("Save the plot for print, as PNG or SVG.")
        self._clear.setToolTip("Remove all pins and their layer.")
        self._plot.setToolTip(
            "Solid: the prediction. Dashed: the truth. Below: prediction minus truth. "
            "The dotted line is the band the viewer shows."
        )
        self._readout.setToolTip(
            "Errors at the pixel under the mouse, or at the last pin: the root mean squared "
            "residual over the bands, and the angle between the two spectra, which brightness "
            "leaves alone."
        )
        form = QFormLayout()
        form.addRow("&Prediction", self._prediction)
        form.addRow("&Truth", self._truth)
        form.addRow("&Average", self._radius)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)

        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setMinimumHeight(self._plot.minimumSizeHint().height())
        self._pages = QStackedWidget()
        self._pages.addWidget(self._hint)
        self._pages.addWidget(self._plot)

        self._readout.setWordWrap(True)
        self._readout.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        for button in (self._save_csv, self._save_figure, self._clear):
            button.setMinimumWidth(60)
            buttons.addWidget(button)

        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(self._pages, 1)
        rows.addWidget(self._readout)
        rows.addLayout(buttons)

    # -- following the viewer, while visible ---------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow mouse, slider and layers while visible."""
        super().showEvent(event)
        self._viewer.mouse_move_callbacks.append(self._on_mouse_move)
        self._viewer.mouse_drag_callbacks.append(self._on_click)
        self._viewer.events.mouse_over_canvas.connect(self._on_leave)
        self._viewer.dims.events.point.connect(self._on_band)
        self._pins.start()
        self._on_prediction_chosen()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self._viewer.mouse_move_callbacks.remove(self._on_mouse_move)
        self._viewer.mouse_drag_callbacks.remove(self._on_click)
        self._viewer.events.mouse_over_canvas.disconnect(self._on_leave)
        self._viewer.dims.events.point.disconnect(self._on_band)
        self._pins.stop()
        self._follow_data(None)
        self._preview_soon.cancel()
        super().hideEvent(event)

    def _on_mouse_move(self, viewer: Viewer, event: Any) -> None:
        if event.is_dragging:
            self._end_preview()
        else:
            self._preview_soon(tuple(event.position))

    def _on_leave(self, event: object = None) -> None:
        if not self._viewer.mouse_over_canvas:
            self._end_preview()

    def _end_preview(self) -> None:
        """Show the pins alone, and the newest one's errors."""
        self._preview_soon.cancel()
        if self._hovered is not None:
            self._hovered = None
            self._plot.draw_preview(None)
            self._show_state()

    def _on_click(self, viewer: Viewer, event: Any) -> Generator[None, None, None]:
        """Pin on a click: a press and release of the left button without a drag between."""
        world, start = tuple(event.position), event.pos
        active = viewer.layers.selection.active
        busy = active is not None and active.mode not in ("pan_zoom", "transform")
        if event.button != 1 or event.modifiers or busy:
            return
        yield
        while event.type == "mouse_move":
            if np.abs(np.subtract(event.pos, start)).max() > _CLICK_SLACK_PX:
                return
            yield
        self._pin(world)

    def _on_band(self, event: object = None) -> None:
        layer = self._prediction.layer
        band = None if layer is None else current_band(layer, self._viewer.dims)
        self._plot.set_band(
            None if layer is None or band is None else layer_wavelengths(layer)[band]
        )

    # -- controls ------------------------------------------------------------------------------

    def _on_prediction_chosen(self) -> None:
        layer = self._prediction.layer
        self._follow_data(layer)
        if layer is not None:
            wavelengths = layer_wavelengths(layer)
            self._plot.set_range(wavelengths.min(), wavelengths.max())
        self._hovered = None
        self._plot.draw_preview(None)
        self._on_band()
        self._truth.refresh()
        self._on_truth_chosen()

    def _fits(self, truth: Image) -> bool:
        prediction = self._prediction.layer
        return prediction is not None and is_comparable(prediction, truth)

    def _on_truth_chosen(self) -> None:
        prediction, truth = self._prediction.layer, self._truth.layer
        if prediction is not None and truth is not None:
            try:
                check_comparable(prediction, truth)
            except GMSRError as error:
                self._truth.forget()
                notifications.show_warning(str(error))
        self._draw_pins()

    def _on_radius(self, radius: int) -> None:
        self._end_preview()
        self._draw_pins()

    def _on_save_csv(self) -> None:
        self._save("Save spectra", "spectra.csv", "Table (*.csv)", self._write_csv)

    def _on_save_figure(self) -> None:
        self._save(
            "Save figure",
            "spectra.svg",
            "Vector graphic (*.svg);;Picture (*.png)",
            self._write_figure,
        )

    def _write_csv(self, path: Path) -> Path:
        return save_spectra(self._pinned, path)

    def _write_figure(self, path: Path) -> Path:
        self._end_preview()
        return self._plot.save_figure(path)

    def _save(self, title: str, name: str, kinds: str, write: Callable[[Path], Path]) -> None:
        chosen, kind = QFileDialog.getSaveFileName(self, title, name, kinds)
        if not chosen:
            return
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix("." + kind.rsplit(".", 1)[-1].rstrip(")"))
        try:
            written = write(path)
        except GMSRError as error:
            notifications.show_error(str(error))
        else:
            notifications.show_info(f"Saved {written}")

    # -- pixels --------------------------------------------------------------------------------

    def _preview(self, world: tuple[float, ...]) -> None:
        layer = self._prediction.layer
        pixel = None if layer is None else pixel_at(layer, world)
        self._hovered = None if pixel is None else self._spectrum(*pixel, color="")
        self._plot.draw_preview(self._hovered)
        self._show_state()

    def _pin(self, world: tuple[float, ...]) -> None:
        layer = self._prediction.layer
        pixel = None if layer is None else pixel_at(layer, world)
        if layer is None or pixel is None:
            return
        # The curve first: napari takes its time to draw a point.
        self._pinned.append(self._spectrum(*pixel, color=self._pins.next_color))
        self._plot.draw_pins(self._pinned)
        self._show_state()
        self._plot.viewport().repaint()
        self._pins.add(layer, *pixel)

    def _spectrum(self, y: int, x: int, color: str) -> PixelSpectrum:
        """Read a pixel's spectrum from the chosen layers."""
        layer, truth, radius = self._prediction.layer, self._truth.layer, self._radius.value()
        assert layer is not None
        return PixelSpectrum(
            cube=layer.name,
            y=y,
            x=x,
            color=color,
            wavelengths_nm=layer_wavelengths(layer),
            response=layer_spectrum(layer, y, x, radius),
            truth=None if truth is None else layer_spectrum(truth, y, x, radius),
            radius=radius,
        )

    def _draw_pins(self, event: object = None) -> None:
        layer = self._prediction.layer
        self._pinned = []
        if layer is not None:
            for position, color in zip(self._pins.positions, self._pins.colors, strict=True):
                pixel = pixel_at(layer, position)
                if pixel is not None:
                    self._pinned.append(self._spectrum(*pixel, color=color))
        self._plot.draw_pins(self._pinned)
        self._show_state()

    def _show_state(self) -> None:
        """Say what there is to see, and offer what can be done with it."""
        self._hint.setText(_NO_CUBE if self._prediction.layer is None else _NO_PIXEL)
        shown = self._hovered or (self._pinned[-1] if self._pinned else None)
        if shown is not None or self._prediction.layer is None:
            self._pages.setCurrentWidget(self._hint if shown is None else self._plot)
        self._readout.setText(_describe(shown))
        self._save_csv.setEnabled(bool(self._pinned))
        self._save_figure.setEnabled(bool(self._pinned))
        self._clear.setEnabled(len(self._pins) > 0)

    def _follow_data(self, layer: Image | None) -> None:
        """Redraw when the layer's numbers change, as they do while tiles arrive."""
        if self._follow is not None:
            self._follow.events.data.disconnect(self._draw_pins)
        self._follow = layer
        if layer is not None:
            layer.events.data.connect(self._draw_pins)


def _describe(spectrum: PixelSpectrum | None) -> str:
    """Return a pixel's place and errors, in two lines at most."""
    if spectrum is None:
        return ""
    place = f"Pixel y {spectrum.y}, x {spectrum.x}"
    if spectrum.rmse is None:
        return f"{place}<br>Choose a truth to see the error"
    return (
        f"{place}<br>RMSE <b>{spectrum.rmse:.4f}</b> &nbsp; "
        f"spectral angle <b>{spectrum.angle_deg:.2f}°</b>"
    )
