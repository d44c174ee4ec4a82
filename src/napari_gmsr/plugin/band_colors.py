"""Bands shown in their perceived colour: the colormap of a cube's layer follows the slider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap
from qtpy.QtWidgets import QApplication
from superqt.utils import qthrottled

from napari_gmsr.color import wavelength_to_rgb
from napari_gmsr.plugin.gl_programs import keep_programs
from napari_gmsr.plugin.layers import current_band, is_cube_layer, layer_wavelengths
from napari_gmsr.plugin.preferences import preferences

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image, Layer
    from napari.utils.events import Event

__all__ = ["BandColors", "band_colors", "color_current_viewer"]

_GREY = "gray"
_OURS = re.compile(r"\d+ nm")
_STEP_NM = 10
"""Colours are told apart in these steps: napari lists each colormap that was ever shown."""
_VISIBLE_NM = (380, 780)
_FOLLOW_MS = 40
"""A new colormap costs napari a shader, as long as a band step: not for each band rushed by."""


def band_colors(viewer: ViewerModel) -> BandColors:
    """Return the one that colours a viewer's bands, made where there is none yet.

    Parameters
    ----------
    viewer
        The viewer, or napari's proxy of it.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    found = _OF_VIEWER.get(viewer)
    if found is None:
        keep_programs()  # a cube is there, and maps with colour bars will come and go
        found = _OF_VIEWER[viewer] = BandColors(viewer)
    return found


def color_current_viewer() -> None:
    """Have the bands coloured in the viewer for which a reader is at work, where there is one."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        band_colors(viewer)


class BandColors:
    """Gives the cubes of a viewer the colour of the band that the slider shows.

    A cube is followed while its colormap is napari's grey or one of these colours. Whoever picks
    another keeps it; picking one of these colours (they are called as "540 nm") starts again.
    Layers that are taken for cubes only by their 31 planes are left alone.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._followed: set[object] = set()
        self._enabled = preferences().band_colors
        self._painting = False
        self._refresh_soon: Callable[[], object] = self.refresh
        if QApplication.instance() is not None:  # a viewer without a window has no timers
            self._refresh_soon = qthrottled(self.refresh, timeout=_FOLLOW_MS)
        viewer.dims.events.point.connect(self._on_point)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._connect(layer)
        self.refresh()

    @property
    def enabled(self) -> bool:
        """Whether bands are shown in their colour; else in grey."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        viewer = self._viewer()
        if enabled and viewer is not None:
            for layer in viewer.layers:
                self._adopt(layer)
        self._enabled = enabled
        self.refresh()

    def follows(self, layer: Layer) -> bool:
        """Say whether a layer's colormap is this one's business rather than the user's."""
        return layer.unique_id in self._followed

    def refresh(self) -> None:
        """Give the cubes in sight the colours of their bands."""
        viewer = self._viewer()
        if viewer is None:
            return
        for layer in viewer.layers:
            if layer.visible and self.follows(layer) and is_cube_layer(layer):
                band = current_band(layer, viewer.dims)
                if band is not None:
                    nm = float(layer_wavelengths(layer)[band])
                    self._paint(layer, _colormap(nm) if self._enabled else _GREY)

    def _paint(self, layer: Image, colormap: str) -> None:
        if layer.colormap.name != colormap:
            self._painting = True
            layer.colormap = colormap
            self._painting = False

    def _connect(self, layer: Layer) -> None:
        if _is_cube(layer):
            self._adopt(layer)
            layer.events.colormap.connect(self._on_colormap)
            layer.events.visible.connect(self._on_point)

    def _adopt(self, layer: Layer) -> None:
        """Follow a layer whose colormap nobody has chosen."""
        if _is_cube(layer) and (layer.colormap.name == _GREY or _is_ours(layer)):
            self._followed.add(layer.unique_id)

    def _on_inserted(self, event: Event) -> None:
        self._connect(event.value)
        self._refresh_soon()

    def _on_point(self, event: object = None) -> None:
        self._refresh_soon()

    def _on_colormap(self, event: Event) -> None:
        """Leave a layer that the user gave another colormap, and take it back with one of ours."""
        if self._painting:
            return
        layer = event.source
        if self._enabled and _is_ours(layer):
            self._followed.add(layer.unique_id)
            self._refresh_soon()
        else:
            self._followed.discard(layer.unique_id)


_OF_VIEWER: WeakKeyDictionary[ViewerModel, BandColors] = WeakKeyDictionary()


def _is_cube(layer: Layer) -> bool:
    """Say whether a layer is a cube by what is written on it, rather than by its 31 planes."""
    told = "wavelengths_nm" in layer.metadata or layer.axis_labels[0] == "wavelength"
    return told and is_cube_layer(layer)


def _is_ours(layer: Image) -> bool:
    return _OURS.fullmatch(layer.colormap.name) is not None


def _colormap(nm: float) -> str:
    """Return the name of a band's colormap, known to napari; grey where the eye sees nothing."""
    if not _VISIBLE_NM[0] <= nm <= _VISIBLE_NM[1]:
        return _GREY
    rounded = _STEP_NM * int(np.rint(nm / _STEP_NM))
    name = f"{rounded} nm"
    if name not in AVAILABLE_COLORMAPS:
        color = [*wavelength_to_rgb(rounded), 1.0]
        AVAILABLE_COLORMAPS[name] = Colormap([[0, 0, 0, 1], color], name=name)
    return name
