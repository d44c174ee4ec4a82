"""A list of the viewer's RGB layers to choose from, that keeps itself up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent

from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.derived_layers import is_derived
from napari_gmsr.plugin.pictures import picture_layers

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["PictureComboBox"]


class PictureComboBox(ElidingComboBox):
    """A choice among the RGB layers of a viewer.

    Until the user chooses, it is the newest that is not itself a cube's colours. A choice of the
    user's stays while its layer does.

    Parameters
    ----------
    viewer
        The viewer whose layers are offered.
    """

    chosen = Signal()
    """The choice has changed, by the user or because the layers did."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers: list[Image] = []
        self._by_user = False
        self._suggested = ""
        self.activated.connect(self._on_activated)
        self.refresh()

    @property
    def layer(self) -> Image | None:
        """The chosen layer; ``None`` where there is none."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def suggest(self, name: str) -> None:
        """Take the layer of this name, where there is one, until the user chooses another."""
        if self.findText(name) >= 0:
            self._suggested, self._by_user = name, False
            self.refresh()

    def refresh(self, event: object = None) -> None:
        """Offer the RGB layers that the viewer holds now."""
        before = self.layer
        self._layers = picture_layers(self._viewer.layers)
        self._by_user = self._by_user and before in self._layers
        self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in self._layers])
        if not self._layers:
            self.addItem("no RGB layer" if len(self._viewer.layers) else "open a picture first")
        elif self._by_user and before is not None:
            self.setCurrentIndex(self._layers.index(before))
        else:
            named = [layer for layer in self._layers if layer.name == self._suggested]
            brought = [layer for layer in self._layers if not is_derived(layer)]
            self.setCurrentIndex(self._layers.index((named or brought or self._layers)[-1]))
        self.setEnabled(bool(self._layers))
        self.blockSignals(False)
        # Also where nothing is chosen still: why not may have changed.
        if self.layer is not before or self.layer is None:
            self.chosen.emit()

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

    def _on_activated(self, index: int) -> None:
        self._by_user = True
        self.chosen.emit()
