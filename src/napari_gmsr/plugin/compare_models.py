"""The models to compare: a list with a box to tick for each, and files beside those with a name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_gmsr.errors import GMSRError
from napari_gmsr.weights import list_models

__all__ = ["ModelChoice"]

_ROWS = 5


class ModelChoice(QWidget):
    """A choice of several checkpoints: shipped ones, the user's own, and files.

    A file may hold any network of the registry, the classical baselines among them.
    """

    chosen = Signal()
    """Others are ticked."""

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setToolTip("The checkpoints to compare; tick them, or press Space on one.")
        self.list.setAccessibleName("Checkpoints to compare")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setFixedHeight(_ROWS * self.list.fontMetrics().height() + 24)
        self.add_files = QPushButton("&Add files…")
        self.add_files.setToolTip(
            "Offer checkpoints from files: networks that you trained, or classical baselines."
        )
        self.setFocusProxy(self.list)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.list)
        rows.addWidget(self.add_files)
        try:
            cards = list_models()
        except GMSRError as error:
            show_error(str(error))
            cards = []
        for card in cards:
            self._offer(card.name, card.name, card.summary, ticked=True)
        self.list.itemChanged.connect(lambda _: self.chosen.emit())
        self.add_files.clicked.connect(self._on_add_files)

    @property
    def models(self) -> tuple[str, ...]:
        """The ticked checkpoints, by name or path."""
        return tuple(
            self._model(item)
            for item in self._items()
            if item.checkState() == Qt.CheckState.Checked
        )

    def choose(self, models: Iterable[str | Path]) -> None:
        """Tick exactly these; files that were not offered yet are from then on."""
        wanted = [str(model) for model in models]
        self.list.blockSignals(True)
        for item in self._items():
            ticked = self._model(item) in wanted
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        offered = {self._model(item) for item in self._items()}
        for model in dict.fromkeys(wanted):
            if model not in offered:
                self._offer(Path(model).name, model, model, ticked=True)
        self.list.blockSignals(False)
        self.chosen.emit()

    def _on_add_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(
            self, "Choose checkpoints", "", "Checkpoints (*.safetensors *.pth *.pt *.ckpt)"
        )
        if files:
            self.choose([*self.models, *files])

    def _offer(self, text: str, model: str, tip: str, *, ticked: bool) -> None:
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.UserRole, model)
        item.setToolTip(tip)
        item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        self.list.addItem(item)

    def _items(self) -> list[QListWidgetItem]:
        items = (self.list.item(row) for row in range(self.list.count()))
        return [item for item in items if item is not None]

    @staticmethod
    def _model(item: QListWidgetItem) -> str:
        return str(item.data(Qt.ItemDataRole.UserRole))
