"""The list of training runs: which are drawn, in which colour, and which is in hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_gmsr.jobs import RunSummary
from napari_gmsr.plugin.pins import PALETTE
from napari_gmsr.plugin.train_history import RunHistory

__all__ = ["RunTable"]

_PATH = Qt.ItemDataRole.UserRole
_NAME, _STATE, _PSNR, _SAM = range(4)
_ROWS = 6


class RunTable(QTreeWidget):
    """Runs, the newest first. A checked one is drawn; the selected one is what buttons act on."""

    chosen = Signal()
    """Another run is selected."""
    checked = Signal()
    """Other runs are checked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colors: dict[Path, str] = {}
        self.setHeaderLabels(["Run", "State", "PSNR", "SAM"])
        self.setToolTip("Check the runs to draw; select one to stop, resume or use it.")
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setUniformRowHeights(True)
        header = self.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.currentItemChanged.connect(lambda *_: self.chosen.emit())
        self.itemChanged.connect(self._on_item)
        self._fit_height()

    @property
    def runs(self) -> tuple[Path, ...]:
        """All runs, from the top."""
        return tuple(self._path(item) for item in self._items())

    @property
    def current(self) -> Path | None:
        """The selected run."""
        item = self.currentItem()
        return None if item is None else self._path(item)

    @property
    def drawn(self) -> dict[Path, str]:
        """The checked runs and their colours, ``#rrggbb``."""
        return {run: self._colors[run] for run in self.runs if run in self._colors}

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """List runs in place of those listed before; selection and checks stay."""
        before = self.current
        self.blockSignals(True)
        self.clear()
        for run in runs:
            item = QTreeWidgetItem([run.name, run.state])
            item.setData(_NAME, _PATH, str(run.path))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            tip = f"{run.path}\n{run.network} on {run.dataset}, {run.started:%Y-%m-%d %H:%M}"
            item.setToolTip(_NAME, f"{tip}\n{run.problem}".strip())
            for column in (_PSNR, _SAM):
                item.setTextAlignment(
                    column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                )
            self.addTopLevelItem(item)
            psnr = run.metrics.get("paper", {}).get("psnr_db")
            sam = run.metrics.get("standard", {}).get("sam_deg")
            _show_figures(item, psnr, sam)
            self._mark(item)
            if run.path == before:
                self.setCurrentItem(item)
        self._colors = {run: color for run, color in self._colors.items() if run in self.runs}
        self.blockSignals(False)
        self._fit_height()
        if self.current != before:
            self.chosen.emit()

    def choose(self, run: Path) -> None:
        """Select a run and check it."""
        for item in self._items():
            if self._path(item) == run:
                item.setCheckState(_NAME, Qt.CheckState.Checked)
                self.setCurrentItem(item)

    def show_history(self, run: Path, history: RunHistory) -> None:
        """Show how a run goes."""
        for item in self._items():
            if self._path(item) != run:
                continue
            self.blockSignals(True)
            step, best = history.step, history.best
            going = not history.ended and step is not None
            item.setText(
                _STATE, f"{history.state} {step.done:.0%}" if going and step else history.state
            )
            if best is not None:
                _show_figures(
                    item,
                    best.mean.get("paper", {}).get("psnr_db"),
                    best.mean.get("standard", {}).get("sam_deg"),
                )
            self.blockSignals(False)

    def _on_item(self, item: QTreeWidgetItem) -> None:
        run = self._path(item)
        checked = item.checkState(_NAME) == Qt.CheckState.Checked
        if checked == (run in self._colors):
            return
        if checked:
            self._colors[run] = min(PALETTE, key=list(self._colors.values()).count)
        else:
            del self._colors[run]
        self.blockSignals(True)
        self._mark(item)
        self.blockSignals(False)
        self.checked.emit()

    def _mark(self, item: QTreeWidgetItem) -> None:
        color = self._colors.get(self._path(item))
        item.setCheckState(
            _NAME, Qt.CheckState.Unchecked if color is None else Qt.CheckState.Checked
        )
        swatch = QPixmap(10, 10)
        swatch.fill(QColor(color) if color else QColor(0, 0, 0, 0))
        item.setIcon(_NAME, QIcon(swatch))

    def _items(self) -> list[QTreeWidgetItem]:
        items = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return [item for item in items if item is not None]

    def _path(self, item: QTreeWidgetItem) -> Path:
        return Path(item.data(_NAME, _PATH))

    def _fit_height(self) -> None:
        header = self.header()
        assert header is not None
        row = self.sizeHintForRow(0) if self.topLevelItemCount() else self.fontMetrics().height()
        rows = min(max(self.topLevelItemCount(), 1), _ROWS)
        self.setFixedHeight(header.sizeHint().height() + rows * row + 2 * self.frameWidth() + 2)


def _show_figures(item: QTreeWidgetItem, psnr: float | None, sam: float | None) -> None:
    """Show what the best checkpoint reaches."""
    for column, value, digits, unit in ((_PSNR, psnr, 2, " dB"), (_SAM, sam, 2, "°")):
        known = value is not None and np.isfinite(value)
        item.setText(column, f"{value:.{digits}f}" if known else "–")
        item.setToolTip(column, f"Of the best checkpoint: {value:.4f}{unit}" if known else "")
