"""A list of the viewer's cubes to choose from, that keeps itself up to date."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QComboBox, QWidget

from napari_gmsr.plugin.layers import cube_layers

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["CubeComboBox", "looks_like_truth"]


def looks_like_truth(name: str) -> bool:
    """Say whether a layer's name speaks of ground truth: "truth", or the word "gt"."""
    return re.search(r"truth|(?<![a-z])gt(?![a-z])", name.lower()) is not None


class CubeComboBox(QComboBox):
    """A choice among the cubes of a viewer.

    Until the user chooses, it follows the layers: a prediction is the newest cube whose name does
    not speak of truth, a truth the newest whose name does. A choice of the user's stays while its
    layer does.

    Parameters
    ----------
    viewer
        The viewer whose layers are offered.
    truth
        Offer "none" first, and prefer layers named as truth.
    parent
        Qt's parent.
    """

    chosen = Signal()
    """The choice has changed, by the user or because the layers did."""

    def __init__(
        self, viewer: Viewer, *, truth: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._truth = truth
        self._layers: list[Image | None] = []
        self._by_user = False
        # A long layer name must not widen the dock.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.activated.connect(self._on_activated)
        self.refresh()

    @property
    def layer(self) -> Image | None:
        """The chosen layer, ``None`` where there is none."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Image | None) -> None:
        """Choose a layer as if the user did."""
        self.setCurrentIndex(self._layers.index(layer))
        self._on_activated()

    def refresh(self, event: object = None) -> None:
        """Offer the cubes that the viewer holds now."""
        before = self.layer
        cubes: list[Image | None] = list(cube_layers(self._viewer.layers))
        self._by_user = self._by_user and (before in cubes or (self._truth and before is None))
        self._layers = [None, *cubes] if self._truth else cubes
        self.blockSignals(True)
        self.clear()
        for index, layer in enumerate(self._layers):
            name = "none" if layer is None else layer.name
            self.addItem(name)
            self.setItemData(index, name, Qt.ItemDataRole.ToolTipRole)
        choice = before if self._by_user else self._default()
        if choice in self._layers:
            self.setCurrentIndex(self._layers.index(choice))
        self.blockSignals(False)
        if self.layer is not before:
            self.chosen.emit()

    def showPopup(self) -> None:  # noqa: N802
        """Open the list, with the layers as they are now."""
        self.refresh()
        super().showPopup()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the layers while visible."""
        super().showEvent(event)
        for signal in self._layer_signals():
            signal.connect(self.refresh)
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a hidden dock widget must not slow the viewer."""
        for signal in self._layer_signals():
            signal.disconnect(self.refresh)
        super().hideEvent(event)

    def _layer_signals(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.renamed

    def _on_activated(self, index: int = 0) -> None:
        self._by_user = True
        self.chosen.emit()

    def _default(self) -> Image | None:
        cubes = [layer for layer in reversed(self._layers) if layer is not None]
        named = [layer for layer in cubes if looks_like_truth(layer.name) == self._truth]
        if named or self._truth:
            return named[0] if named else None
        return cubes[0] if cubes else None
