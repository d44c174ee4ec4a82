"""Pinned pixels: a Points layer in which every point is a spectrum in the point's colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.layers import Points
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor

from napari_gmsr.plugin.layers import layer_size

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

__all__ = ["PALETTE", "Pins", "is_pins_layer"]

PALETTE = (
    "#f28e2b",
    "#4a90e2",
    "#3aa655",
    "#e15759",
    "#a06fdc",
    "#17a9b8",
    "#d65fb0",
    "#a8901c",
)
"""Colours of pins: apart from each other, and readable on dark and light ground and on paper."""

_MARK = "napari_gmsr_pins"
_LEAST_PX, _OF_HEIGHT = 6, 1 / 30
"""Diameter of a pin in the picture's pixels: to be seen where the whole picture is in sight."""


def is_pins_layer(layer: Layer) -> bool:
    """Say whether a layer holds pins."""
    return _MARK in layer.metadata


class Pins(QObject):
    """The pins of a viewer.

    The layer is made with the first pin and found again by its metadata, so that pins outlive a
    closed widget. Points that the user adds, moves, recolours or deletes with napari's own tools
    count as well.

    Parameters
    ----------
    viewer
        The viewer that holds the layer.
    parent
        Qt's parent.
    """

    changed = Signal()
    """A pin came, went, moved or took another colour."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Points | None = None

    def __len__(self) -> int:
        return 0 if self._layer is None else len(self._layer.data)

    @property
    def positions(self) -> list[npt.NDArray[np.float64]]:
        """World positions (y, x) of the pins, oldest first."""
        layer = self._layer
        return [] if layer is None else [np.asarray(layer.data_to_world(p)) for p in layer.data]

    @property
    def colors(self) -> list[str]:
        """``#rrggbb`` of each pin."""
        if self._layer is None:
            return []
        return [QColor.fromRgbF(*map(float, rgba[:3])).name() for rgba in self._layer.face_color]

    @property
    def next_color(self) -> str:
        """``#rrggbb`` of the next pin: the colour that the fewest have."""
        return min(PALETTE, key=self.colors.count)

    def add(self, cube: Layer, y: int, x: int) -> None:
        """Pin a pixel of a cube's layer, in the next colour."""
        layer = self._layer
        if layer is None:
            layer = self._make_layer(cube)
        with layer.block_update_properties():
            layer.current_face_color = self.next_color
        layer.add(layer.world_to_data(cube.data_to_world((0, y, x))[-2:]))
        layer.selected_data = set()

    def clear(self) -> None:
        """Remove all pins and their layer."""
        if self._layer is not None:
            self._viewer.layers.remove(self._layer)

    def start(self) -> None:
        """Follow the viewer's layers; finds pins that are there already."""
        self._viewer.layers.events.inserted.connect(self._on_layers)
        self._viewer.layers.events.removed.connect(self._on_layers)
        self._on_layers()

    def stop(self) -> None:
        """Stop following."""
        self._viewer.layers.events.inserted.disconnect(self._on_layers)
        self._viewer.layers.events.removed.disconnect(self._on_layers)
        self._follow(None)

    def _on_layers(self, event: object = None) -> None:
        ours = [layer for layer in self._viewer.layers if is_pins_layer(layer)]
        self._follow(ours[0] if ours else None)

    def _follow(self, layer: Points | None) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_points)
            self._layer.events.face_color.disconnect(self._on_points)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_points)
            layer.events.face_color.connect(self._on_points)
        self.changed.emit()

    def _on_points(self, event: object = None) -> None:
        action = getattr(event, "action", None)
        if action is not None and str(action).endswith("ing"):
            return
        self.changed.emit()

    def _make_layer(self, cube: Layer) -> Points:
        layer = Points(
            ndim=2,
            name="Pinned spectra",
            scale=cube.scale[-2:],
            translate=cube.translate[-2:],
            units=cube.units[-2:],
            axis_labels=("y", "x"),
            symbol="disc",
            size=max(_LEAST_PX, layer_size(cube)[0] * _OF_HEIGHT),
            border_color="white",
            border_width=0.06,
            # Half of the lower limit is the thinnest border that is drawn at the upper one.
            canvas_size_limits=(2, 16),
            metadata={_MARK: True},
        )
        selected = set(self._viewer.layers.selection)
        self._viewer.add_layer(layer)
        self._follow(layer)
        # The user goes on working with the layer they had in hand.
        if selected:
            self._viewer.layers.selection = selected
        return layer
