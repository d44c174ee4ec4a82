"""What the dock widgets are built of: a body that scrolls, folds, choices that show long names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QIcon, QPaintEvent, QShowEvent, QWheelEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDockWidget,
    QFormLayout,
    QFrame,
    QMainWindow,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

__all__ = ["ElidingComboBox", "Fold", "ScrollingBody", "align_labels"]

_Widget = TypeVar("_Widget", bound=QWidget)

_LOWEST = 120
"""Height in pixels that a body can be pressed to: docks share the height of a small screen."""
_TITLE = 30
"""Height in pixels of a dock's title, about."""


class ScrollingBody(QScrollArea):
    """The body of a dock widget: as high as its contents where there is room, else it scrolls.

    Without it every dock adds its full height to the window's smallest, and three of them make the
    window higher than the screen. A dock that finds others of its kind and no room beside them
    joins them in tabs; the user is free to pull them apart.

    Parameters
    ----------
    widget
        The dock widget to fill; it must have no layout yet.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self._is_new = True
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._contents = QWidget()
        self.rows = QVBoxLayout(self._contents)
        """Where the contents go."""
        self.setWidget(self._contents)
        around = QVBoxLayout(widget)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(self)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of the contents, so that docks share the window's height fairly."""
        return self._contents.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the width of contents and scroll bar, and a height of a few rows."""
        bar = self.verticalScrollBar()
        assert bar is not None
        least = self._contents.minimumSizeHint()
        return QSize(least.width() + bar.sizeHint().width(), min(_LOWEST, least.height()))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Pass on what the contents need, as they change."""
        changed = event is not None and event.type() == QEvent.Type.LayoutRequest
        if changed and watched is self._contents:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Find a place when shown first, once the window has laid itself out."""
        super().showEvent(event)
        if self._is_new:
            self._is_new = False
            QTimer.singleShot(0, self._find_place)

    def _find_place(self) -> None:
        """Join the docks of this kind in tabs where they would not fit one above another."""
        self.updateGeometry()  # napari's style sheet has made the controls wider meanwhile
        window, dock = _ancestor(self, QMainWindow), _ancestor(self, QDockWidget)
        if window is None or dock is None or dock.isFloating():
            return
        area = window.dockWidgetArea(dock)
        docks = {
            other: body.sizeHint().height() + _TITLE
            for body in window.findChildren(ScrollingBody)
            if (other := _ancestor(body, QDockWidget)) is not None
            and not (other.isHidden() or other.isFloating())
            and window.dockWidgetArea(other) == area
        }
        above = [other for other in docks if other is not dock]
        if not above:
            return
        if sum(docks.values()) > window.height():
            window.tabifyDockWidget(above[-1], dock)
            dock.raise_()
        else:
            # Left alone, Qt gives all height to the newcomer.
            window.resizeDocks(list(docks), list(docks.values()), Qt.Orientation.Vertical)


def _ancestor(widget: QWidget, kind: type[_Widget]) -> _Widget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, kind):
        parent = parent.parentWidget()
    return parent


class Fold(QCollapsible):
    """Contents below a title that folds them away; folded at first.

    Parameters
    ----------
    title
        What lies in it.
    contents
        What is folded.
    """

    def __init__(self, title: str, contents: QWidget) -> None:
        # superqt draws its icons in black, whatever the theme.
        super().__init__(title, None, QIcon(), QIcon())
        self._inner = QWidget()  # unlike a table or a text, it hints at the size it is given
        inner = QVBoxLayout(self._inner)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(contents)
        self.setContent(self._inner)
        self.setDuration(0)
        around = self.layout()
        assert around is not None
        around.setContentsMargins(0, 0, 0, 0)
        button = self.toggleButton()
        button.setStyleSheet("text-align: left; border: none; background: transparent;")
        button.setToolTip("Show or hide.")
        self._title = title
        self.toggled.connect(self._on_toggled)
        self.collapse(animate=False)

    def set_title(self, title: str) -> None:
        """Change the title."""
        self._title = title
        self._on_toggled(self.isExpanded())

    def _on_toggled(self, shown: bool) -> None:
        self.setText(f"{'▾' if shown else '▸'} {self._title}")
        self._inner.setVisible(shown)  # else the keyboard would go through what is folded


def align_labels(forms: Sequence[QFormLayout]) -> None:
    """Give the labels of forms that stand one above another the same width."""
    labels = [
        item.widget()
        for form in forms
        for row in range(form.rowCount())
        if (item := form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None
    ]
    width = max(label.sizeHint().width() for label in labels if label is not None)
    for label in labels:
        if label is not None:
            label.setMinimumWidth(width)


class ElidingComboBox(QComboBox):
    """A choice among long names: it never widens the dock, and cuts names in their middle.

    Layers of one picture begin alike, and differ in what Qt would cut off. Turning the wheel
    scrolls the dock, and changes no choice that happens to pass under the mouse.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # a turn of the wheel takes no focus

    def shown_text(self) -> str:
        """Return the current name as it is drawn."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        ).width()
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, room)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Leave the wheel to the dock, but for a choice that the user has in hand."""
        if event is not None and not self.hasFocus():
            event.ignore()
        else:
            super().wheelEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the choice as the style does, its name cut to fit."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
