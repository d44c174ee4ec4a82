"""The legend above the curves: it wraps, and so never widens the plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QStyleOptionGraphicsItem, QWidget

__all__ = ["Legend", "LegendEntry"]

_FONT_PT = 8
_LINE = 34
"""Length in pixels of the line before each name: more than a period of the longest dashes."""
_GAP, _BETWEEN = 4, 12
"""Pixels between line and name, and between entries."""
_LONGEST = 190
"""Pixels of a name before it is cut in its middle, where names of one picture's cubes agree."""


@dataclass(frozen=True)
class LegendEntry:
    """A line and what it means.

    Parameters
    ----------
    pen
        As the curve is drawn.
    text
        A place or a cube.
    begins_row
        Whether it stands below those before, as the first of another kind.
    """

    pen: QPen
    text: str
    begins_row: bool = False


class Legend(pg.GraphicsWidget):  # type: ignore[misc]
    """Entries in rows, as many rows as the width asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._font = QFont()
        self._font.setPointSize(_FONT_PT)
        self._color = QColor("gray")
        self._entries: tuple[LegendEntry, ...] = ()
        self._width = 0.0
        self._look: object = None
        self._places: list[tuple[QPointF, LegendEntry, str]] = []
        self.setMaximumHeight(0)

    @property
    def texts(self) -> list[str]:
        """What the entries say, in full."""
        return [entry.text for entry in self._entries]

    def show_entries(self, entries: Sequence[LegendEntry], color: QColor, width: float) -> None:
        """Show entries in place of those before.

        Parameters
        ----------
        entries
            The entries.
        color
            Of their names.
        width
            In pixels, that they are wrapped to.
        """
        look = (tuple(entries), color, width)
        if look == self._look:
            return
        self._look = look
        self._entries, self._color, self._width = tuple(entries), color, width
        self._places = list(self._laid_out())
        rows = max((place.y() for place, _, _ in self._places), default=-self._row)
        self.setMinimumHeight(rows + self._row)
        self.setMaximumHeight(rows + self._row)
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802
        """Return what is painted."""
        return QRectF(0, 0, self._width, self.minimumHeight())

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionGraphicsItem | None,
        widget: QWidget | None = None,
    ) -> None:
        """Draw each entry's line and name."""
        if painter is None:
            return
        painter.setFont(self._font)
        middle = self._row / 2
        for place, entry, text in self._places:
            painter.setPen(entry.pen)
            start = place + QPointF(0, middle)
            painter.drawLine(start, start + QPointF(_LINE, 0))
            painter.setPen(self._color)
            room = QRectF(place + QPointF(_LINE + _GAP, 0), place + QPointF(self._width, self._row))
            painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    @property
    def _row(self) -> float:
        return QFontMetricsF(self._font).height() + 2

    def _laid_out(self) -> Iterator[tuple[QPointF, LegendEntry, str]]:
        metrics = QFontMetricsF(self._font)
        room = min(_LONGEST, max(40.0, self._width - _LINE - _GAP))
        x, y = 0.0, 0.0
        for entry in self._entries:
            text = metrics.elidedText(entry.text, Qt.TextElideMode.ElideMiddle, room)
            wide = _LINE + _GAP + metrics.horizontalAdvance(text)
            if x and (entry.begins_row or x + wide > self._width):
                x, y = 0.0, y + self._row
            yield QPointF(x, y), entry, text
            x += wide + _BETWEEN
