"""The table of a comparison: a row a model, what it costs and how wrong it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
)

from napari_gmsr.plugin.compare_controller import ComparedModel

if TYPE_CHECKING:
    from napari_gmsr.evaluate import Evaluation

__all__ = ["CompareTable", "MetricSet"]

MetricSet = Literal["paper", "standard"]

_MARKS = {"done": "✓ ", "failed": "✗ "}
_BEST = "★ "
_MODEL_WIDTH = 120
_LOWEST = 110
"""Height in pixels: a few rows, where the dock has no room for all."""


@dataclass(frozen=True)
class _Metric:
    title: str
    field: str
    decimals: int
    larger_is_better: bool = False


_METRICS = (
    _Metric("RMSE", "rmse", 4),
    _Metric("PSNR (dB)", "psnr_db", 2, larger_is_better=True),
    _Metric("SAM (°)", "sam_deg", 3),
    _Metric("MRAE", "mrae", 4),
)
_COST = {
    "Model": "The checkpoint.",
    "State": "How its run stands.",
    "Parameters": "The network's; of a classical baseline, its coefficients.",
    "GMAC": "Multiply-accumulates for this picture, in billions, with the scan.",
    "Seconds": "From start to cube; the first run on a device takes longer.",
}


class CompareTable(QTableWidget):
    """Cost, time and errors of each model; the best of each column has a star."""

    def __init__(self) -> None:
        titles = [*_COST, *(metric.title for metric in _METRICS)]
        super().__init__(0, len(titles))
        self.setHorizontalHeaderLabels(titles)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setSizeAdjustPolicy(QAbstractItemView.SizeAdjustPolicy.AdjustToContents)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)
        self.setMinimumHeight(_LOWEST)
        self.setAccessibleName("The models compared")
        self.setToolTip("★ is the best of a column; metrics need a truth of the same size.")
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert numbers is not None
        numbers.hide()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.setColumnWidth(0, _MODEL_WIDTH)
        for column, tip in enumerate(_COST.values()):
            heading = self.horizontalHeaderItem(column)
            assert heading is not None
            heading.setToolTip(tip)
        self._numbers: list[list[str]] = []

    def show_results(
        self,
        results: Sequence[ComparedModel],
        evaluations: Mapping[int, Evaluation],
        metrics: MetricSet,
        share: float,
    ) -> None:
        """Show a comparison as it stands.

        Parameters
        ----------
        results
            A row each.
        evaluations
            By row, where there is a truth.
        metrics
            Which set of metrics.
        share
            Of the model under way, what is done; 0 to 1.
        """
        values = [
            [_value(evaluations.get(row), metrics, metric) for metric in _METRICS]
            for row in range(len(results))
        ]
        best = [
            _best([row[column] for row in values], metric) for column, metric in enumerate(_METRICS)
        ]
        self.setRowCount(len(results))
        self._numbers = []
        for row, (result, errors) in enumerate(zip(results, values, strict=True)):
            self._show(row, 0, result.name, result.model)
            self._show(row, 1, _state(result, share), result.message)
            self._show(row, 2, _cell(result.parameters, ",d"))
            self._show(row, 3, _gigas(result.macs), _paper_tip(result))
            self._show(row, 4, _cell(result.seconds, ".2f"))
            for column, (metric, value) in enumerate(zip(_METRICS, errors, strict=True)):
                is_best = best[column] is not None and value == best[column]
                text = "" if value is None else f"{value:.{metric.decimals}f}"
                tip = "The best of this column." if is_best else ""
                self._show(row, len(_COST) + column, _BEST * is_best + text, tip, bold=is_best)
            known = (result.parameters, result.macs, result.seconds, *errors)
            cells = ["" if value is None else repr(value) for value in known]
            self._numbers.append([result.model, result.state, *cells, result.message])

    def to_csv(self) -> str:
        """Return the table as CSV, its numbers in full and MACs one by one."""
        header = ["model", "state", "parameters", "macs", "seconds"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*header, *(metric.field for metric in _METRICS), "message"])
        writer.writerows(self._numbers)
        return text.getvalue()

    def _show(self, row: int, column: int, text: str, tip: str = "", bold: bool = False) -> None:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column > 1:
                right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                item.setTextAlignment(right)
            self.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(tip)
        font = item.font()
        font.setBold(bold)
        item.setFont(font)


def _value(evaluation: Evaluation | None, metrics: MetricSet, metric: _Metric) -> float | None:
    if evaluation is None:
        return None
    return float(getattr(getattr(evaluation, metrics), metric.field))


def _best(values: Sequence[float | None], metric: _Metric) -> float | None:
    """Return the best of a column; none where there is nothing to compare it with."""
    known = [value for value in values if value is not None and not np.isnan(value)]
    if len(known) < 2:
        return None
    return max(known) if metric.larger_is_better else min(known)


def _state(result: ComparedModel, share: float) -> str:
    if result.state == "running" and share:
        return f"{100 * share:.0f} %"
    return _MARKS.get(result.state, "") + result.state


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _gigas(macs: int | None) -> str:
    return "" if macs is None else f"{macs / 1e9:.3g}"


def _paper_tip(result: ComparedModel) -> str:
    if result.macs_paper is None:
        return ""
    return f"{result.macs_paper / 1e9:.3g} as the paper's counter sees it."
