"""Choosing among the viewer's cubes, one or several, from lists that keep themselves up to date."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.layers import cube_layers, is_spread_layer

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["CubeComboBox", "CubeList", "looks_like_truth"]


def looks_like_truth(name: str) -> bool:
    """Say whether a layer's name speaks of ground truth: "truth", or the word "gt"."""
    return re.search(r"truth|(?<![a-z])gt(?![a-z])", name.lower()) is not None


class CubeComboBox(ElidingComboBox):
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
    fits
        Which layers may be chosen without being asked for; all by default.
    parent
        Qt's parent.
    """

    chosen = Signal()
    """The choice has changed, by the user or because the layers did."""

    def __init__(
        self,
        viewer: Viewer,
        *,
        truth: bool = False,
        fits: Callable[[Image], bool] = lambda layer: True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._truth = truth
        self._fits = fits
        self._layers: list[Image | None] = []
        self._by_user = False
        self.activated.connect(self._on_activated)
        self.refresh()

    @property
    def layer(self) -> Image | None:
        """The chosen layer, ``None`` where there is none."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Image | None) -> None:
        """Choose a layer as if the user did."""
        self.refresh()
        self.setCurrentIndex(self._layers.index(layer))
        self._on_activated()

    def forget(self) -> None:
        """Give up the user's choice and take the one that suggests itself."""
        self._by_user = False
        self.refresh()

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
        if not self._layers:
            self.addItem("no cube yet")
        self.setEnabled(bool(self._layers))
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
        for signal in _layer_signals(self._viewer):
            signal.connect(self.refresh)
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a hidden dock widget must not slow the viewer."""
        for signal in _layer_signals(self._viewer):
            signal.disconnect(self.refresh)
        super().hideEvent(event)

    def _on_activated(self, index: int = 0) -> None:
        self._by_user = True
        self.chosen.emit()

    def _default(self) -> Image | None:
        offered = reversed(self._layers)
        cubes = [
            layer
            for layer in offered
            if layer is not None and self._fits(layer) and not is_spread_layer(layer)
        ]
        named = [layer for layer in cubes if looks_like_truth(layer.name) == self._truth]
        if named or self._truth:
            return named[0] if named else None
        return cubes[0] if cubes else None


class CubeList(QListWidget):
    """A choice of several among the cubes of a viewer: a list with a box to tick for each.

    Until the user ticks, the newest cube is chosen whose name does not speak of truth.

    Parameters
    ----------
    viewer
        The viewer whose layers are offered.
    offered
        Which layers are offered; all cubes by default.
    suggest
        Whether to choose one until the user does.
    parent
        Qt's parent.
    """

    chosen = Signal()
    """The choice has changed, by the user or because the layers did."""

    def __init__(
        self,
        viewer: Viewer,
        *,
        offered: Callable[[Image], bool] = lambda layer: True,
        suggest: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._offered = offered
        self._suggest = suggest
        self._layers: list[Image] = []
        self._by_user = False
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setFixedHeight(4 * self.fontMetrics().height() + 14)
        self.itemChanged.connect(self._on_ticked)
        self.refresh()

    @property
    def layers(self) -> list[Image]:
        """The ticked layers, in the viewer's order."""
        return [layer for row, layer in enumerate(self._layers) if self._is_ticked(row)]

    def choose(self, layers: Iterable[Image]) -> None:
        """Tick exactly these layers, as if the user did."""
        self._by_user = True
        self._layers = self._cubes()
        self._fill(list(layers))
        self.chosen.emit()

    def refresh(self, event: object = None) -> None:
        """Offer the cubes that the viewer holds now."""
        before = self.layers
        self._layers = self._cubes()
        kept = [layer for layer in before if layer in self._layers]
        self._by_user = self._by_user and bool(kept)
        if self._suggest and not self._by_user:
            judged = [layer for layer in self._layers if _is_prediction(layer)]
            kept = judged[-1:]
        self._fill(kept)
        if kept != before:
            self.chosen.emit()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the layers while visible."""
        super().showEvent(event)
        for signal in _layer_signals(self._viewer):
            signal.connect(self.refresh)
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following."""
        for signal in _layer_signals(self._viewer):
            signal.disconnect(self.refresh)
        super().hideEvent(event)

    @property
    def offered(self) -> list[Image]:
        """All layers of the list, in the viewer's order."""
        return list(self._layers)

    def _cubes(self) -> list[Image]:
        return [layer for layer in cube_layers(self._viewer.layers) if self._offered(layer)]

    def _fill(self, ticked: list[Image]) -> None:
        self.blockSignals(True)
        self.clear()
        for layer in self._layers:
            item = QListWidgetItem(layer.name)
            item.setToolTip(layer.name)
            item.setCheckState(
                Qt.CheckState.Checked if layer in ticked else Qt.CheckState.Unchecked
            )
            self.addItem(item)
        self.blockSignals(False)

    def _is_ticked(self, row: int) -> bool:
        item = self.item(row)
        return item is not None and item.checkState() == Qt.CheckState.Checked

    def _on_ticked(self, item: QListWidgetItem) -> None:
        self._by_user = True
        self.chosen.emit()


def _is_prediction(layer: Image) -> bool:
    return not looks_like_truth(layer.name) and not is_spread_layer(layer)


def _layer_signals(viewer: Viewer) -> tuple[Any, ...]:
    """Return what tells that the choice of layers may have changed."""
    events = viewer.layers.events
    return events.inserted, events.removed, events.renamed
