"""A table of a report, and how it is written: CSV, JSON, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

__all__ = ["FORMATS", "Cell", "Column", "Row", "Table", "latex_text", "markdown_text"]

CHECK = "✓"
DASH = "–"


@dataclass(frozen=True)
class Column:
    """A column.

    Parameters
    ----------
    title
        Its head.
    group
        What several columns stand under: a dataset, or nothing.
    decimals
        Of its numbers.
    """

    title: str
    group: str = ""
    decimals: int = 4


@dataclass(frozen=True)
class Cell:
    """A cell: a number, or a text in its place.

    Parameters
    ----------
    value, spread
        The number and its spread; NaN for none.
    mark
        Whether it is the best or the second best of its column.
    text
        In place of the number.
    """

    value: float = math.nan
    spread: float = math.nan
    mark: Literal["", "best", "second"] = ""
    text: str = ""

    def plain(self, decimals: int, plus_minus: str = " ± ") -> str:
        """Return what is printed."""
        if self.text or math.isnan(self.value):
            return self.text or DASH
        number = f"{self.value:.{decimals}f}"
        if math.isnan(self.spread):
            return number
        return f"{number}{plus_minus}{self.spread:.{decimals}f}"


@dataclass(frozen=True)
class Row:
    """A row: its label and a cell for each column."""

    label: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    name
        Of its files.
    title
        Short, for a heading.
    caption
        What it shows, in a sentence or two.
    head
        Of the labels.
    columns, rows
        Its content.
    notes
        What to know of it, one sentence each.
    """

    name: str
    title: str
    caption: str
    head: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def to_csv(self) -> str:
        """Return numbers in full, a spread beside its mean."""
        spread = [
            any(not math.isnan(row.cells[i].spread) for row in self.rows)
            for i in range(len(self.columns))
        ]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        head = [self.head]
        for column, has_spread in zip(self.columns, spread, strict=True):
            title = f"{column.group} {column.title}".strip()
            head += [title, f"{title} spread"] if has_spread else [title]
        writer.writerow(head)
        for row in self.rows:
            line = [row.label]
            for cell, has_spread in zip(row.cells, spread, strict=True):
                line.append(cell.text or _number(cell.value))
                line += [_number(cell.spread)] if has_spread else []
            writer.writerow(line)
        return out.getvalue()

    def to_json(self) -> str:
        """Return everything."""
        rows = [
            {
                self.head: row.label,
                "cells": [
                    _cell(column, cell)
                    for column, cell in zip(self.columns, row.cells, strict=True)
                ],
            }
            for row in self.rows
        ]
        record = {"caption": self.caption, "rows": rows, "notes": list(self.notes)}
        return json.dumps(record, indent=1, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Return a table for people: the best bold, the second in italics."""
        heads = [self.head, *(" ".join([c.group, c.title]).strip() for c in self.columns)]
        marks = {"": "{}", "best": "**{}**", "second": "_{}_"}
        lines = [
            [markdown_text(head) for head in heads],
            ["---", *["---:"] * len(self.columns)],
            *(
                [
                    markdown_text(row.label),
                    *(
                        marks[cell.mark].format(markdown_text(cell.plain(column.decimals)))
                        for column, cell in zip(self.columns, row.cells, strict=True)
                    ),
                ]
                for row in self.rows
            ),
        ]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "\n".join(f"- {markdown_text(note)}" for note in self.notes)
        caption = markdown_text(self.caption)
        return f"{caption}\n\n{table}\n" + (f"\n{notes}\n" if notes else "")

    def to_latex(self) -> str:
        r"""Return a ``table*``; the best bold, the second underlined."""
        marks = {"": "{}", "best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}
        groups, rules, at = [""], [], 2
        for group, columns in groupby(self.columns, key=lambda column: column.group):
            count = len(list(columns))
            groups.append(rf"\multicolumn{{{count}}}{{c}}{{{latex_text(group)}}}")
            if group:
                rules.append(rf"\cmidrule(lr){{{at}-{at + count - 1}}}")
            at += count
        titles = [latex_text(title) for title in [self.head, *(c.title for c in self.columns)]]
        body = [
            [
                latex_text(row.label),
                *(
                    marks[cell.mark].format(latex_text(cell.plain(column.decimals)))
                    for column, cell in zip(self.columns, row.cells, strict=True)
                ),
            ]
            for row in self.rows
        ]
        grouped = [" & ".join(groups) + r" \\", " ".join(rules)] if rules else []
        notes = " ".join(latex_text(note) for note in self.notes)
        lines = [
            "% needs \\usepackage{booktabs, amssymb, graphicx}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{latex_text(self.caption)}}}",
            rf"\label{{tab:{self.name}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * len(self.columns)}}}",
            r"\toprule",
            *grouped,
            " & ".join(titles) + r" \\",
            r"\midrule",
            *(" & ".join(line) + r" \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}}",
            *([rf"\par\footnotesize {notes}"] if notes else []),
            r"\end{table*}",
        ]
        return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[Table], str]] = {
    ".csv": Table.to_csv,
    ".json": Table.to_json,
    ".md": Table.to_markdown,
    ".tex": Table.to_latex,
}
"""What writes a table, by suffix."""

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "°": r"$^\circ$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "Δ": r"$\Delta$",
        "−": r"$-$",
        "✓": r"$\checkmark$",
        "–": "--",
        "…": r"\dots{}",
    }
)
_MARKDOWN = str.maketrans({each: f"\\{each}" for each in "\\`*_[]<>|"})


def latex_text(text: str) -> str:
    """Return a text on one line with everything that means something to LaTeX escaped."""
    return " ".join(text.split()).translate(_LATEX)


def markdown_text(text: str) -> str:
    """Return a text on one line with everything that means something to Markdown escaped."""
    return " ".join(text.split()).translate(_MARKDOWN)


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _cell(column: Column, cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"group": column.group, "column": column.title}
    if cell.text:
        return {**found, "text": cell.text}
    found["value"] = None if math.isnan(cell.value) else cell.value
    if not math.isnan(cell.spread):
        found["spread"] = cell.spread
    if cell.mark:
        found["mark"] = cell.mark
    return found
