"""A choice among the ways in which a network sees a picture."""

from __future__ import annotations

from qtpy.QtCore import Qt

from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.preferences import preferences
from napari_gmsr.plugin.reconstruct_texts import MODES

__all__ = ["ModeChoice"]


class ModeChoice(ElidingComboBox):
    """A choice among the modes of :func:`.reconstruct`, starting from the preferences."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("Whether the network sees the whole picture or tiles of it.")
        for mode, (label, tip) in MODES.items():
            self.addItem(label, mode)
            self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(self.findData(preferences().mode))
