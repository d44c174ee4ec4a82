"""The two metric tables: a row for each metric, a column for each cube."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_gmsr.evaluate import Evaluation

__all__ = ["MetricTables"]

_SETS: tuple[tuple[Literal["paper", "standard"], str, str], ...] = (
    (
        "paper",
        "Paper set",
        "As GMSR-Net's own test script computes them, to compare with its tables.",
    ),
    ("standard", "Standard set", "As these metrics are usually defined, to compare with others."),
)


class MetricTables(QWidget):
    """The *paper* and the *standard* set of metrics of one or several cubes, both by name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tables: dict[str, QTableWidget] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, title, explanation in _SETS:
            heading = QLabel(f"<b>{title}</b>")
            table = _make_table()
            for widget in (heading, table):
                widget.setToolTip(explanation)
            table.setAccessibleName(title)
            layout.addWidget(heading)
            layout.addWidget(table)
            self.tables[name] = table

    def show_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        """Fill both tables; one evaluation a column."""
        for name, table in self.tables.items():
            columns = [
                [(row.label, getattr(row, name), row.meaning) for row in evaluation.rows()]
                for evaluation in evaluations
            ]
            _fill(table, [evaluation.cube for evaluation in evaluations], columns)


def _make_table() -> QTableWidget:
    table = QTableWidget()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = table.horizontalHeader()
    assert header is not None
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(70)
    return table


def _fill(
    table: QTableWidget, names: list[str], columns: Sequence[Sequence[tuple[str, str, str]]]
) -> None:
    # A metric that this set does not have is no row of its table.
    kept = [index for index, (_, value, _) in enumerate(columns[0]) if value] if columns else []
    # "toy [photo]" and "toy [rootpoly]" differ in what a narrow column would cut off.
    shared = commonprefix(names).rfind(" ") + 1 if len(names) > 1 else 0  # noqa: RUF071
    table.setColumnCount(len(columns))
    table.setRowCount(len(kept))
    for column, (name, cells) in enumerate(zip(names, columns, strict=True)):
        heading = QTableWidgetItem(name[shared:])
        heading.setToolTip(name)
        table.setHorizontalHeaderItem(column, heading)
        for row, index in enumerate(kept):
            label, value, meaning = cells[index]
            table.setVerticalHeaderItem(row, QTableWidgetItem(label))
            item = QTableWidgetItem(value)
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(meaning)
            table.setItem(row, column, item)
    table.resizeRowsToContents()
    _fit_height(table)


def _fit_height(table: QTableWidget) -> None:
    """Show every row: these tables are short, and a scroll bar inside a dock is a nuisance."""
    header = table.horizontalHeader()
    assert header is not None
    rows = sum(table.rowHeight(row) for row in range(table.rowCount()))
    table.setFixedHeight(rows + header.sizeHint().height() + 2 * table.frameWidth() + 2)
