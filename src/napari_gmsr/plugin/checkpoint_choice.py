"""A list of checkpoints to choose from: those that have a name, and files."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.preferences import preferences
from napari_gmsr.weights import ModelCard, list_models

__all__ = ["CheckpointChoice"]


class CheckpointChoice(ElidingComboBox):
    """A choice among checkpoints; its data are names, or paths of files.

    It starts from the preferences' checkpoint. The cards of files are read elsewhere, since that
    may need torch: see :meth:`learn`.
    """

    chosen = Signal()
    """A checkpoint was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("The checkpoint: what the network was trained for.")
        try:
            cards = list_models()
        except GMSRError as error:
            show_error(str(error))
            cards = []
        for card in cards:
            self.addItem(card.name, card.name)
            self.setItemData(self.count() - 1, card.summary, Qt.ItemDataRole.ToolTipRole)
        self.addItem("From file…", None)
        self._cards = {card.name: card for card in cards}
        self._before = self.currentIndex()
        self._start_from(preferences().model)
        self.activated.connect(self._on_activated)

    @property
    def checkpoint(self) -> str | None:
        """The chosen name or path; ``None`` where there is none to choose."""
        data = self.currentData()
        return data if isinstance(data, str) else None

    @property
    def card(self) -> ModelCard | None:
        """The chosen checkpoint's card, as far as it is known."""
        return None if self.checkpoint is None else self._cards.get(self.checkpoint)

    def choose(self, model: str | Path) -> None:
        """Choose a name, or a checkpoint file, which is offered from then on."""
        index = self.findData(str(model))
        if index < 0:
            index = self.count() - 1
            self.insertItem(index, Path(model).name, str(model))
            self.setItemData(index, str(model), Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(index)
        self._on_activated()

    def learn(self, card: ModelCard) -> None:
        """Take what was read of the chosen checkpoint."""
        if self.checkpoint is not None:
            self._cards[self.checkpoint] = card

    def _start_from(self, preferred: str) -> None:
        path = Path(preferred).expanduser()
        if preferred in self._cards:
            self.choose(preferred)
        elif path.is_file():
            self.choose(path)
        elif preferred:
            show_warning(
                f"The checkpoint of the preferences is not there ({preferred}): choose another in "
                "File > Preferences > GMSR spectra from RGB."
            )

    def _on_activated(self, index: int = 0) -> None:
        if self.checkpoint is not None:
            self._before = self.currentIndex()
            self.chosen.emit()
            return
        self.setCurrentIndex(self._before)
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a checkpoint", "", "Checkpoints (*.safetensors *.pth *.pt *.ckpt)"
        )
        if path:
            self.choose(path)
