"""Layers side by side in napari's grid, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_gmsr.plugin.pins import is_pins_layer

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

__all__ = ["SideBySide"]


class SideBySide:
    """Shows some layers alone in the grid, and the others again afterwards.

    In napari's grid every visible layer takes a cell of its own, also pins and the cubes that the
    maps belong to: maps to compare would be small and scattered. So the others are hidden until the
    grid is turned off, here or by napari's own button.

    Parameters
    ----------
    viewer
        The viewer whose grid is used.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._hidden: list[Layer] = []
        self._named: set[Layer] = set()

    def show(self, layers: Iterable[Layer]) -> None:
        """Show these layers alone, each in a cell under its name."""
        alone = set(layers)
        for layer in self._viewer.layers:
            if layer.visible and layer not in alone:
                layer.visible = False
                self._hidden.append(layer)
        for layer in alone:
            # Away from the colour bar, and small enough for a cell.
            layer.name_overlay.position = "bottom_left"
            layer.name_overlay.font_size = 9
            layer.name_overlay.visible = True
        self._named = alone
        grid = self._viewer.canvas.grid
        grid.enabled = True
        grid.events.enabled.connect(self._on_grid)
        self._viewer.layers.events.inserted.connect(self._on_inserted)
        self._viewer.reset_view()

    def end(self) -> None:
        """Turn the grid off and show what was hidden for it."""
        self._viewer.canvas.grid.enabled = False

    def _on_grid(self, event: object = None) -> None:
        grid = self._viewer.canvas.grid
        if grid.enabled:
            return
        grid.events.enabled.disconnect(self._on_grid)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        for layer in self._named:
            layer.name_overlay.visible = False
        for layer in self._hidden:
            layer.visible = True
        self._named = set()
        self._hidden.clear()
        self._viewer.reset_view()

    def _on_inserted(self, event: Event) -> None:
        """Hide the first pin's layer: what a map's pixel is pinned for, is no map."""
        if is_pins_layer(event.value):
            event.value.visible = False
            self._hidden.append(event.value)
