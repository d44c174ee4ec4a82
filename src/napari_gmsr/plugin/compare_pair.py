"""Two cubes against each other: in turn under one key, and their difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_gmsr.errors import InputError
from napari_gmsr.plugin.derived_layers import derived_layer, show_derived
from napari_gmsr.plugin.layers import (
    LayerCube,
    current_band,
    is_comparable,
    layer_cube,
    layer_wavelengths,
)
from napari_gmsr.plugin.pins import is_pins_layer

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["DifferenceLayer", "Flicker", "check_pair"]

_KIND = "difference"
_COLORMAP = "RdBu_r"
_HIGHLIGHTS = 99.5
"""Percentile of the differences in full colour: one broken pixel must not pale the rest."""
_SAMPLE = 128
"""Pixels a side from which the scale over all bands is estimated."""


def check_pair(first: Image | None, second: Image | None) -> tuple[Image, Image]:
    """Return two cubes' layers that can be shown against each other.

    Raises
    ------
    InputError
        Where one is missing, both are one, or they differ in size or wavelengths.
    """
    if first is None or second is None or first is second:
        raise InputError("two different cubes are needed", fix="Choose a first and a second cube.")
    if not is_comparable(first, second):
        raise InputError(
            f"'{first.name}' and '{second.name}' differ in size or wavelengths",
            fix="Choose two cubes of the same picture with the same bands.",
        )
    return first, second


class Flicker:
    """Shows one of two cubes alone, and the other the next time.

    What covers them is hidden meanwhile, and comes back at the end.

    Parameters
    ----------
    viewer
        The viewer that holds the cubes.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._before: dict[Image, bool] = {}
        self.shown: Image | None = None
        """The cube of the two that is shown; ``None`` while nothing flickers."""

    def swap(self, first: Image, second: Image) -> None:
        """Show the first of two cubes, or the other than is shown."""
        self._viewer.canvas.grid.enabled = False  # one place, for the eye to rest on
        shown = second if self.shown is first else first
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                self._before.setdefault(layer, layer.visible)
                layer.visible = layer is shown
                layer.name_overlay.visible = layer is shown
        self.shown = shown

    def end(self) -> None:
        """Show again what was hidden."""
        self.shown = None
        before, self._before = self._before, {}
        for layer, visible in before.items():
            if layer in self._viewer.layers:
                layer.visible = visible
                layer.name_overlay.visible = False


class DifferenceLayer:
    """The difference of two cubes at the slider's band, as a layer above all but pins.

    Red is where the first is brighter, blue the second; the limits are symmetric, and of all bands.

    Parameters
    ----------
    viewer
        The viewer that holds the cubes.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._pair: tuple[Image, Image] | None = None

    @property
    def layer(self) -> Image | None:
        """The layer; ``None`` where there is none."""
        if self._pair is None:
            return None
        return derived_layer(self._viewer.layers, self._pair[0], _KIND)

    def show(self, first: Image, second: Image) -> Image:
        """Show the difference of two cubes, in place of an earlier one.

        Raises
        ------
        InputError
            Where the slider is outside the bands.
        """
        if self.layer is not None and self._pair != (first, second):
            self._viewer.layers.remove(self.layer)
        self._pair = first, second
        limit = _limit(layer_cube(first), layer_cube(second))
        layer = self._draw(first, second)
        layer.contrast_limits_range = (-limit, limit)
        layer.contrast_limits = (-limit, limit)
        layer.colorbar.visible = True
        layer.visible = True
        self._raise(layer)
        return layer

    def _raise(self, layer: Image) -> None:
        """Lay it over all but pins: the second cube may cover the first."""
        layers = self._viewer.layers
        place = len(layers)
        while is_pins_layer(layers[place - 1]):
            place -= 1
        layers.move(layers.index(layer), place)

    def follow(self) -> None:
        """Go to the slider's band, where there is a layer and both its cubes are there still."""
        if self._pair is None:
            return
        first, second = self._pair
        layers = self._viewer.layers
        if self.layer is None or first not in layers or second not in layers:
            self._pair = None
        elif is_comparable(first, second) and current_band(first, self._viewer.dims) is not None:
            self._draw(first, second)

    def _draw(self, first: Image, second: Image) -> Image:
        band = current_band(first, self._viewer.dims)
        if band is None:
            raise InputError(
                "the slider is outside the cube's bands",
                where=first.name,
                fix="Move the slider to one of its bands.",
            )
        nm = float(layer_wavelengths(first)[band])
        ours, theirs = (layer_cube(one).read(nm).data[0] for one in (first, second))
        name = f"{first.name} − {second.name}"
        return show_derived(self._viewer, first, _KIND, ours - theirs, name, colormap=_COLORMAP)


def _limit(first: LayerCube, second: LayerCube) -> float:
    ours, theirs = (_thinned(cube) for cube in (first, second))
    size = np.abs(ours - theirs)
    finite = size[np.isfinite(size)]
    limit = float(np.percentile(finite, _HIGHLIGHTS)) if finite.size else 0.0
    # Two equal cubes have no difference, and a colour scale needs a width.
    return limit if limit > 0 else 1.0


def _thinned(cube: LayerCube) -> np.ndarray:
    steps = (max(1, side // _SAMPLE) for side in cube.array.shape[1:])
    rows, columns = (slice(None, None, step) for step in steps)
    return replace(cube, array=cube.array[:, rows, columns]).read().data
