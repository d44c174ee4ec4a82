"""Choosing whose regions are summed up, and drawing new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels, Shapes
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.pins import PALETTE

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["RegionChoice"]

_MARK = "napari_gmsr_regions"
_EDGE = 1 / 250
"""Width of a new region's outline for the picture's height."""


class RegionChoice(QWidget):
    """A choice among the Shapes and Labels layers, and a button for a new one.

    Until the user chooses, it is the newest. Regions drawn in the new layer take colours in turn.

    Parameters
    ----------
    viewer
        The viewer whose layers are offered.
    parent
        Qt's parent.
    """

    chosen = Signal()
    """Another layer, or none, is chosen."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Shapes | Labels | None] = [None]
        self._by_user = False
        self._colored: Shapes | None = None
        self.layers = ElidingComboBox()
        self.layers.setToolTip(
            "A Shapes or Labels layer: the mean of each region is drawn in the region's colour, "
            "with a band of one standard deviation to either side. It follows what you draw."
        )
        self.draw = QPushButton("&Draw")
        self.draw.setToolTip(
            "Draw regions: rectangles first; napari's layer controls have other shapes. "
            "To pin pixels again, choose pan/zoom there, or another layer."
        )
        self.setFocusProxy(self.layers)  # for the mnemonic of the label beside
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.layers, 1)
        row.addWidget(self.draw)
        self.layers.activated.connect(self._on_activated)
        self.refresh()

    @property
    def layer(self) -> Shapes | Labels | None:
        """What is chosen."""
        return self._layers[max(0, self.layers.currentIndex())]

    def draw_over(self, cube: Image, height: int) -> Shapes:
        """Return the layer to draw in over a cube, made where there is none, with a tool in hand.

        Parameters
        ----------
        cube
            The cube's layer.
        height
            Of the cube in pixels.
        """
        layer = next(
            (one for one in self._layers if one is not None and _MARK in one.metadata), None
        )
        if layer is None:
            layer = Shapes(
                ndim=2,
                name="Region",
                scale=cube.scale[-2:],
                translate=cube.translate[-2:],
                units=cube.units[-2:],
                axis_labels=("y", "x"),
                edge_width=max(1, height * _EDGE),
                edge_color=PALETTE[-1],
                face_color="transparent",
                opacity=1,
                metadata={_MARK: True},
            )
            self._viewer.add_layer(layer)
        self._color(layer)
        self._by_user = True
        self.refresh()
        self._choose(layer)
        self._viewer.layers.selection = {layer}
        layer.mode = "add_rectangle"
        return layer

    def refresh(self, event: object = None) -> None:
        """Offer the layers that the viewer holds now."""
        before = self.layer
        found = [one for one in self._viewer.layers if isinstance(one, (Shapes, Labels))]
        self._layers = [None, *found]
        self._by_user = self._by_user and (before is None or before in found)
        with QSignalBlocker(self.layers):
            self.layers.clear()
            for index, layer in enumerate(self._layers):
                name = "none" if layer is None else layer.name
                self.layers.addItem(name)
                self.layers.setItemData(index, name, Qt.ItemDataRole.ToolTipRole)
            choice = before if self._by_user else self._layers[-1]
            self.layers.setCurrentIndex(self._layers.index(choice))
        if self.layer is not before:
            self.chosen.emit()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the layers while visible."""
        super().showEvent(event)
        events = self._viewer.layers.events
        for signal in (events.inserted, events.removed, events.renamed):
            signal.connect(self.refresh)
        self.refresh()
        self._color(self._own)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following."""
        events = self._viewer.layers.events
        for signal in (events.inserted, events.removed, events.renamed):
            signal.disconnect(self.refresh)
        self._color(None)
        super().hideEvent(event)

    @property
    def _own(self) -> Shapes | None:
        """The layer that the button made."""
        found = (one for one in self._layers if isinstance(one, Shapes) and _MARK in one.metadata)
        return next(found, None)

    def _choose(self, layer: Shapes) -> None:
        if self.layer is not layer:
            self.layers.setCurrentIndex(self._layers.index(layer))
            self.chosen.emit()

    def _on_activated(self, index: int) -> None:
        self._by_user = True
        self.chosen.emit()

    def _color(self, layer: Shapes | None) -> None:
        """Give the regions that are drawn in a layer colours in turn."""
        if layer is self._colored:
            return
        if self._colored is not None:
            self._colored.events.data.disconnect(self._on_drawn)
        self._colored = layer
        if layer is not None:
            layer.events.data.connect(self._on_drawn)

    def _on_drawn(self, event: object = None) -> None:
        layer = self._colored
        if layer is not None:
            # Pins take the colours from the start, regions from the end.
            color = PALETTE[-1 - len(layer.data) % len(PALETTE)]
            with layer.block_update_properties():
                layer.current_edge_color = color
