"""The band that the slider shows, in nanometres and in its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_gmsr.color import wavelength_to_rgb
from napari_gmsr.plugin.layers import cube_layers, current_band, layer_wavelengths

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["BandReadout"]


class BandReadout(QWidget):
    """Shows "540 nm", a swatch of that light, and whose band it is; follows slider and selection.

    It speaks of the active layer where that is a cube, else of the topmost visible cube.

    Parameters
    ----------
    viewer
        Whose slider it follows.
    parent
        Qt's parent.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setToolTip(
            "The wavelength of the band that the slider shows, and its colour to the eye. "
            "The slider itself counts bands from 0."
        )
        self.swatch = QFrame()
        self.swatch.setFixedSize(40, 40)
        self.wavelength = QLabel()
        # napari's style sheet outranks a font that is set on the label.
        self.wavelength.setStyleSheet("font-size: 20px; font-weight: bold;")
        self.layer_name = QElidingLabel()
        # Else a long name makes the dock as wide as itself.
        self.layer_name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(self.wavelength)
        text.addWidget(self.layer_name)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.swatch)
        layout.addLayout(text, stretch=1)
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """Show the band that the slider is at now."""
        layer = self._cube_layer()
        band = None if layer is None else current_band(layer, self._viewer.dims)
        if layer is None or band is None:
            self.wavelength.setText("– nm")
            self.layer_name.setText("no cube at this position" if layer else "no cube yet")
            self.swatch.setStyleSheet("border: 1px solid gray; border-radius: 4px;")
            return
        wavelengths = layer_wavelengths(layer)
        nm = float(wavelengths[band])
        self.wavelength.setText(f"{nm:.4g} nm")
        self.layer_name.setText(f"band {band + 1} of {wavelengths.size}, {layer.name}")
        red, green, blue = np.rint(255 * wavelength_to_rgb(nm)).astype(int)
        self.swatch.setStyleSheet(f"background: rgb({red}, {green}, {blue}); border-radius: 4px;")

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the viewer while visible."""
        super().showEvent(event)
        for signal in self._signals():
            signal.connect(self.refresh)
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a hidden dock widget must not slow the slider."""
        for signal in self._signals():
            signal.disconnect(self.refresh)
        super().hideEvent(event)

    def _signals(self) -> tuple[Any, ...]:
        layers = self._viewer.layers
        return (
            self._viewer.dims.events.point,
            layers.events.inserted,
            layers.events.removed,
            layers.events.renamed,
            layers.selection.events.active,
        )

    def _cube_layer(self) -> Image | None:
        active = self._viewer.layers.selection.active
        cubes = cube_layers(self._viewer.layers)
        if active in cubes:
            return active
        return next((layer for layer in reversed(cubes) if layer.visible), None)
