"""The mouse over the picture: where it is, that it left, and plain clicks."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import qthrottled

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["PixelPointer"]

_HOVER_MS = 15
"""Between two looks at the mouse: 60 a second and some."""
_CLICK_SLACK_PX = 3
"""A hand moves the mouse a little while it clicks; beyond this it is a drag, which pans."""


class PixelPointer(QObject):
    """Tells where the mouse points in the viewer's canvas.

    Parameters
    ----------
    viewer
        The viewer.
    parent
        Qt's parent.
    """

    hovered = Signal(tuple)
    """The mouse is at this world position, and no button is held."""
    left = Signal()
    """The mouse left the canvas, or began to drag."""
    clicked = Signal(tuple)
    """The left button was pressed and released here, without a drag or a key."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._hover_soon = qthrottled(self.hovered.emit, timeout=_HOVER_MS, parent=self)
        self.left.connect(self._hover_soon.cancel)

    def start(self) -> None:
        """Follow the mouse."""
        self._viewer.mouse_move_callbacks.append(self.on_move)
        self._viewer.mouse_drag_callbacks.append(self.on_press)
        self._viewer.events.mouse_over_canvas.connect(self._on_canvas)

    def stop(self) -> None:
        """Stop following."""
        self._viewer.mouse_move_callbacks.remove(self.on_move)
        self._viewer.mouse_drag_callbacks.remove(self.on_press)
        self._viewer.events.mouse_over_canvas.disconnect(self._on_canvas)
        self._hover_soon.cancel()

    def on_move(self, viewer: Viewer, event: Any) -> None:
        """Take napari's move of the mouse."""
        if event.is_dragging:
            self.left.emit()
        else:
            self._hover_soon(tuple(event.position))

    def on_press(self, viewer: Viewer, event: Any) -> Generator[None, None, None]:
        """Take napari's press, moves and release of a button."""
        world, start = tuple(event.position), event.pos
        active = viewer.layers.selection.active
        busy = active is not None and active.mode not in ("pan_zoom", "transform")
        if event.button != 1 or event.modifiers or busy:
            return
        yield
        while event.type == "mouse_move":
            if np.abs(np.subtract(event.pos, start)).max() > _CLICK_SLACK_PX:
                return
            yield
        self.clicked.emit(world)

    def _on_canvas(self, event: object = None) -> None:
        if not self._viewer.mouse_over_canvas:
            self.left.emit()
