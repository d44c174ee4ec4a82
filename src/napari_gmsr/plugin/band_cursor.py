"""The band that the slider shows of one cube, in nm: read it, go to another, step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_gmsr.plugin.layers import current_band, layer_wavelengths, show_band

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["BandCursor"]


class BandCursor(QObject):
    """The slider's band of a cube, whatever the spacing and order of its wavelengths.

    Parameters
    ----------
    viewer
        Whose slider it is.
    parent
        Qt's parent.
    """

    moved = Signal()
    """The slider or the cube has changed."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None

    @property
    def nm(self) -> float | None:
        """The band's wavelength; ``None`` without a cube, or where the slider shows none of its."""
        if self._layer is None:
            return None
        band = current_band(self._layer, self._viewer.dims)
        return None if band is None else float(layer_wavelengths(self._layer)[band])

    def follow(self, layer: Image | None) -> None:
        """Speak of this cube's bands from now on."""
        self._layer = layer
        self.moved.emit()

    def go_to(self, nm: float) -> None:
        """Move the slider to the band nearest to a wavelength."""
        if self._layer is not None:
            band = int(np.abs(layer_wavelengths(self._layer) - nm).argmin())
            if band != current_band(self._layer, self._viewer.dims):
                show_band(self._layer, self._viewer.dims, band)

    def step(self, steps: int) -> None:
        """Move the slider to the band so many bands on, in order of wavelength."""
        if self._layer is not None:
            ordered = np.sort(layer_wavelengths(self._layer))
            now = ordered[0] if self.nm is None else self.nm
            place = int(np.searchsorted(ordered, now)) + steps
            self.go_to(ordered[np.clip(place, 0, ordered.size - 1)])

    def start(self) -> None:
        """Follow the slider."""
        self._viewer.dims.events.point.connect(self._on_point)
        self.moved.emit()

    def stop(self) -> None:
        """Stop following."""
        self._viewer.dims.events.point.disconnect(self._on_point)

    def _on_point(self, event: object = None) -> None:
        self.moved.emit()
