"""The table of a batch: a row a picture, as its work goes on."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_gmsr.jobs import BatchResult

__all__ = ["BatchTable"]

_COLUMNS = ("Picture", "State", "Seconds", "Message")
_MARKS = {"done": "✓ ", "failed": "✗ "}


class BatchTable(QTableWidget):
    """Name, state, seconds and message of every picture; a double click opens its cube."""

    wanted = Signal(str)
    """The cube of this path is to be opened."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumHeight(160)
        self.setToolTip("Double-click, or press Enter on, a finished picture to open its cube.")
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert numbers is not None
        numbers.hide()
        self.setWordWrap(False)
        for column, mode in enumerate(
            (
                QHeaderView.ResizeMode.Interactive,
                QHeaderView.ResizeMode.ResizeToContents,
                QHeaderView.ResizeMode.ResizeToContents,
                QHeaderView.ResizeMode.Stretch,
            )
        ):
            header.setSectionResizeMode(column, mode)
        self._results: list[BatchResult] = []
        self.activated.connect(lambda index: self._on_activated(index.row()))

    def show_results(self, results: list[BatchResult]) -> None:
        """Show a batch from its beginning."""
        self._results = list(results)
        self.setRowCount(len(results))
        for row, result in enumerate(results):
            self.update_row(row, result)

    def update_row(self, row: int, result: BatchResult, share: float = 0.0) -> None:
        """Show how one picture stands; ``share`` is what is done of one under way."""
        self._results[row] = result
        state = _MARKS.get(result.state, "") + result.state
        if result.state == "running" and share:
            state = f"{100 * share:.0f} %"
        seconds = "" if result.seconds is None else f"{result.seconds:.1f}"
        texts = (Path(result.picture).name, state, seconds, result.message)
        tips = (result.picture, "", "", result.message)
        for column, (text, tip) in enumerate(zip(texts, tips, strict=True)):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                self.setItem(row, column, item)
            item.setText(text)
            item.setToolTip(tip)
        if result.state == "running":
            self.scrollToItem(self.item(row, 0))

    def _on_activated(self, row: int) -> None:
        if 0 <= row < len(self._results) and self._results[row].state in ("done", "skipped"):
            self.wanted.emit(self._results[row].cube)
