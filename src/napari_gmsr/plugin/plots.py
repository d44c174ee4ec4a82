"""The ground under every plot: napari's colours, and figures that can be saved."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import QBuffer, QIODevice, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHideEvent, QImage, QPainter, QShowEvent
from qtpy.QtSvg import QSvgGenerator
from qtpy.QtWidgets import QWidget

from napari_gmsr.errors import OutputError
from napari_gmsr.plugin.svg import bake_transforms

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["PRINT", "PlotColors", "ThemedPlot", "set_up_frame"]

_AXIS_WIDTH = 54
"""Width of the left axes in pixels, the same everywhere so that plots above another align."""
_PNG_SCALE = 3
"""Pixels of a saved PNG for one on the screen: sharp in print."""


@dataclass(frozen=True)
class PlotColors:
    """The colours of a plot's frame; curves bring their own.

    Parameters
    ----------
    background, text, muted
        Behind everything; axes, labels and legends; guides that must not draw the eye.
    """

    background: QColor
    text: QColor
    muted: QColor

    @classmethod
    def of_theme(cls, name: str) -> PlotColors:
        """Return the colours of one of napari's themes."""
        theme = get_theme(name)
        return cls(
            *(QColor(str(color)) for color in (theme.background, theme.text, theme.highlight))
        )


PRINT = PlotColors(QColor("white"), QColor("black"), QColor("gray"))
"""Colours of saved figures, on whatever theme they were drawn."""


class ThemedPlot(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """A plot that follows napari's theme; a subclass adds its items and says how they are coloured.

    pyqtgraph's global configuration is left alone, so that other plugins' plots stay as they are.

    Parameters
    ----------
    viewer
        The viewer whose theme is followed.
    parent
        Qt's parent.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.colors = PlotColors.of_theme(viewer.theme)

    def paint_items(self) -> None:
        """Colour the plot's items with ``self.colors``; a subclass extends this for its own."""
        self.setBackground(self.colors.background)
        for plot in self.ci.items:
            if not isinstance(plot, pg.PlotItem):
                continue
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(self.colors.muted)
                axis.setTextPen(self.colors.text)

    def save_figure(self, path: str | Path, description: str = "") -> Path:
        """Save the plot as it stands, in print colours.

        Parameters
        ----------
        path
            ``.png`` or ``.svg``. An existing file is replaced once the new one is complete.
        description
            What it shows and where that comes from, kept in the file's own metadata.

        Returns
        -------
        Path
            What was written.

        Raises
        ------
        OutputError
            Where the suffix is neither, or the file cannot be written.
        """
        from napari_gmsr.io import atomic_output

        path = Path(path)
        draw = {".png": self._png, ".svg": self._svg}.get(path.suffix.lower())
        if draw is None:
            raise OutputError(
                f"no figure format '{path.suffix}'",
                where=path,
                fix="Give the name the suffix .png or .svg.",
            )
        self.colors = PRINT
        self.paint_items()
        try:
            content = draw(description)
        finally:
            self._on_theme()
        with atomic_output(path, overwrite=True) as temporary:
            temporary.write_bytes(content)
        return path

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that fits beside another dock; with more room the plot grows."""
        return QSize(300, 250)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest readable size."""
        return QSize(220, 220)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the theme while visible."""
        super().showEvent(event)
        self._viewer.events.theme.connect(self._on_theme)
        self._on_theme()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following the theme."""
        self._viewer.events.theme.disconnect(self._on_theme)
        super().hideEvent(event)

    def _on_theme(self, event: object = None) -> None:
        self.colors = PlotColors.of_theme(self._viewer.theme)
        self.paint_items()

    def _png(self, description: str) -> bytes:
        image = QImage(self.size() * _PNG_SCALE, QImage.Format.Format_RGB32)
        image.setText("Software", _program())
        image.setText("Description", description)
        image.fill(self.colors.background)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.render(painter, QRectF(image.rect()), self.rect())
        painter.end()
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")
        return buffer.data().data()

    def _svg(self, description: str) -> bytes:
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setSize(self.size())
        generator.setViewBox(QRectF(self.rect()))
        generator.setResolution(self.logicalDpiX())
        generator.setTitle("Spectra")
        generator.setDescription(f"{_program()} {description}".rstrip())
        painter = QPainter(generator)
        self.render(painter, QRectF(self.rect()), self.rect(), Qt.AspectRatioMode.IgnoreAspectRatio)
        painter.end()
        return bake_transforms(buffer.data().data())


def _program() -> str:
    return f"napari-gmsr {version('napari-gmsr')}"


def set_up_frame(plot: pg.PlotItem, label: str) -> None:
    """Put up the frame of a plot whose axes fit its curves by themselves.

    Parameters
    ----------
    plot
        The plot.
    label
        Of its left axis.
    """
    plot.hideButtons()
    # The axes fit the curves; a stray wheel turn over a narrow dock must not lose them.
    plot.setMouseEnabled(x=False, y=False)
    plot.showGrid(y=True, alpha=0.15)
    plot.setLabel("left", label)
    left, bottom = plot.getAxis("left"), plot.getAxis("bottom")
    left.setWidth(_AXIS_WIDTH)
    for axis in (left, bottom):
        axis.enableAutoSIPrefix(False)
    bottom.setStyle(hideOverlappingLabels=False)
