"""A preview of a page: as wide as the dock, and large on a click."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QMouseEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout

__all__ = ["Page"]


class Page(QLabel):
    """The figure as wide as the dock; a click shows it large."""

    def __init__(self) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setMinimumWidth(80)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setToolTip("Click to see it large.")
        self.setVisible(False)

    def show_png(self, png: bytes) -> None:
        """Show a picture."""
        self._pixmap.loadFromData(png)
        self.setVisible(True)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Fit the new width."""
        super().resizeEvent(event)
        self._fit()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Show it large."""
        if self._pixmap.isNull():
            return
        dialog = QDialog(self)
        dialog.setWindowTitle("Figure")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        page = QLabel()
        page.setPixmap(self._pixmap)
        scroll = QScrollArea()
        scroll.setWidget(page)
        around = QVBoxLayout(dialog)
        around.addWidget(scroll)
        window = self.window()
        assert window is not None
        dialog.resize((self._pixmap.size() + QSize(60, 60)).boundedTo(window.size()))
        dialog.show()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Take any width."""
        return QSize(200, super().sizeHint().height())

    def _fit(self) -> None:
        if self._pixmap.isNull():
            return
        ratio = self.devicePixelRatioF()
        scaled = self._pixmap.scaledToWidth(
            max(80, int(self.width() * ratio)), Qt.TransformationMode.SmoothTransformation
        )
        scaled.setDevicePixelRatio(ratio)
        self.setPixmap(scaled)
