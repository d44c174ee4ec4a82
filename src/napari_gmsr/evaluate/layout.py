"""Where the parts of a figure lie: by hand, so that all pictures of a row and a column line up."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

__all__ = ["BAR_WIDTH", "GAP", "MARGIN", "Layout", "Rect"]

Rect = tuple[float, float, float, float]
"""Left, bottom, width and height in fractions of the figure."""

# All lengths are inches.
MARGIN, GAP, BAR_WIDTH = 0.12, 0.07, 0.11

_WIDTH = 9.6
_LABEL_UPRIGHT, _LABEL_LEVEL = 0.28, 0.95  # room for a row's name, written upwards or level
_LOWEST_UPRIGHT = 1.0  # a row must be this high for a name written upwards
_TITLE, _HEAD, _HEAD_LINE, _BAR_ROOM = 0.42, 0.16, 0.14, 0.62
_PICTURE_HEIGHT, _PICTURE_WIDTH, _CELL_HEIGHT = 3.1, 3.84, 2.4  # at most
_SPECTRUM_HEAD, _SPECTRUM_FOOT, _SPECTRUM_LEFT = 0.2, 0.5, 0.68
_SPECTRUM_GAP_X, _SPECTRUM_GAP_Y, _SPECTRUM_HEIGHT = 0.42, 0.38, 0.75  # the height at least
_MOST_OBLONG = 3.0  # a longer or taller picture is drawn squeezed


@dataclass(frozen=True)
class Layout:
    """The picture and the spectra above, a grid of bands below; in inches.

    Parameters
    ----------
    height
        Of the whole figure.
    left
        Left edge of all pictures.
    top_height
        Of the part with the picture and the spectra.
    picture, cell
        Width and height of the RGB picture, and of each band.
    rows, columns
        Of the grid of bands.
    spectra
        How many spectra there are.
    level_labels
        Whether the rows' names are written level, as the rows are too low for upright ones.
    """

    height: float
    left: float
    top_height: float
    picture: tuple[float, float]
    cell: tuple[float, float]
    rows: int
    columns: int
    spectra: int
    level_labels: bool
    width: float = _WIDTH

    @classmethod
    def of(
        cls, shape: tuple[int, int], *, rows: int, columns: int, spectra: int, head_lines: int = 1
    ) -> Layout:
        """Return the layout for pictures of a shape (y, x), its columns' names of some lines."""
        aspect = float(np.clip(shape[0] / shape[1], 1 / _MOST_OBLONG, _MOST_OBLONG))

        def cell_width(label: float) -> float:
            # With few bands the columns do not grow beyond those of four.
            width = (_WIDTH - MARGIN - label - _BAR_ROOM) / max(columns, 4) - GAP
            return min(width, _CELL_HEIGHT / aspect)

        level = cell_width(_LABEL_UPRIGHT) * aspect < _LOWEST_UPRIGHT
        label = _LABEL_LEVEL if level else _LABEL_UPRIGHT
        cell = cell_width(label), cell_width(label) * aspect
        picture_width = min(_PICTURE_HEIGHT / aspect, _PICTURE_WIDTH)
        picture = picture_width, picture_width * aspect
        spectrum_rows = ceil(spectra / 2)
        spectra_height = spectrum_rows * (_SPECTRUM_HEIGHT + _SPECTRUM_GAP_Y)
        top_height = max(picture[1], spectra_height)
        head = _HEAD + head_lines * _HEAD_LINE
        height = _TITLE + top_height + _SPECTRUM_FOOT + head + rows * (cell[1] + GAP) + MARGIN
        left = MARGIN + label
        return cls(height, left, top_height, picture, cell, rows, columns, spectra, level)

    @property
    def title_height(self) -> float:
        """Where the middle of the title line lies, as a fraction from the bottom."""
        return 1 - (MARGIN + _TITLE) / 2 / self.height

    @property
    def spectrum_columns(self) -> int:
        """How many spectra stand side by side."""
        return min(self.spectra, 2)

    def picture_rect(self) -> Rect:
        """Return where the RGB picture lies."""
        return self._rect(self.left, _TITLE, *self.picture)

    def spectrum_rect(self, index: int) -> Rect:
        """Return where the axes of a spectrum lie."""
        columns = self.spectrum_columns
        rows = ceil(self.spectra / columns)
        left = self.left + self.picture[0] + _SPECTRUM_LEFT
        width = (self.width - MARGIN - left + _SPECTRUM_GAP_X) / columns - _SPECTRUM_GAP_X
        height = (self.top_height - _SPECTRUM_HEAD + _SPECTRUM_GAP_Y) / rows - _SPECTRUM_GAP_Y
        row, column = divmod(index, columns)
        x = left + column * (width + _SPECTRUM_GAP_X)
        y = _TITLE + _SPECTRUM_HEAD + row * (height + _SPECTRUM_GAP_Y)
        return self._rect(x, y, width, height)

    def cell_rect(self, row: int, column: int) -> Rect:
        """Return where a band's picture lies."""
        width, height = self.cell
        y = self.height - MARGIN - (self.rows - row) * (height + GAP)
        return self._rect(self.left + column * (width + GAP), y, width, height)

    def _rect(self, x: float, y: float, width: float, height: float) -> Rect:
        """Return Matplotlib's fractions for inches from the top left corner."""
        return (
            x / self.width,
            (self.height - y - height) / self.height,
            width / self.width,
            height / self.height,
        )
