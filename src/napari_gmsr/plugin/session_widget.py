"""The *Session* widget, and the menu's commands: Save session…, Open session…."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari import current_viewer
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.reconstruct_texts import Explanation, bullets
from napari_gmsr.plugin.session_file import SUFFIX

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = [
    "SessionWidget",
    "open_and_tell",
    "open_session_from",
    "open_session_from_menu",
    "save_session_as",
    "save_session_from_menu",
]

_KIND = f"Session (*{SUFFIX})"


class SessionWidget(QWidget):
    """Two buttons: what is in the window to a file, and back.

    Parameters
    ----------
    napari_viewer
        The viewer that is saved; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.save = QPushButton("&Save session…")
        self.save.setToolTip("Save layers, pins, view and settings, to go on another day.")
        self.open = QPushButton("&Open session…")
        self.open.setToolTip("Bring back a session that was saved.")
        self.about = Explanation("What a session holds.")
        self.about.setText(
            "A session holds the layers, pins and regions, sliders, camera and grid, and the "
            "settings of open widgets. Cubes and pictures from files are kept by reference; what "
            "is in no file yet is written beside the session. A session can be dragged into the "
            "window."
        )
        self.state = Explanation("What came of it.")
        rows = ScrollingBody(self).rows
        for widget in (self.save, self.open, self.about, self.state):
            rows.addWidget(widget)
        rows.addStretch(1)
        self.save.clicked.connect(self._on_save)
        self.open.clicked.connect(self._on_open)

    def _on_save(self) -> None:
        self.state.setText(bullets(save_session_as(self._viewer, self)))

    def _on_open(self) -> None:
        self.state.setText(bullets(open_session_from(self._viewer, self)))


def save_session_as(viewer: Viewer, parent: QWidget | None = None) -> list[str]:
    """Ask for a name and save the session; return what came of it, a sentence each."""
    from napari_gmsr.plugin.session import save_session

    chosen, _ = QFileDialog.getSaveFileName(parent, "Save session", f"session{SUFFIX}", _KIND)
    if not chosen:
        return []
    # The dialog has asked whether to replace a name, not one that was completed here.
    named = chosen.endswith(SUFFIX)
    try:
        path, remarks = save_session(viewer, chosen, overwrite=named)
    except GMSRError as error:
        show_error(str(error))
        return [str(error)]
    show_info(f"Saved {path}")
    return [f"Saved {path}.", *remarks]


def open_session_from(viewer: Viewer, parent: QWidget | None = None) -> list[str]:
    """Ask for a session and open it; return what came of it, a sentence each."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Open session", "", _KIND)
    if not chosen:
        return []
    if len(viewer.layers):
        button = QMessageBox.StandardButton
        answer = QMessageBox.question(
            parent,
            "Open session",
            f"Close the {len(viewer.layers)} layers that are open first?",
            button.Yes | button.No | button.Cancel,
            button.Yes,
        )
        if answer == button.Cancel:
            return []
        if answer == button.Yes:
            viewer.layers.clear()
    return open_and_tell(viewer, chosen)


def save_session_from_menu() -> None:
    """Save the session of the window in use."""
    viewer = current_viewer()
    if viewer is not None:
        for remark in save_session_as(viewer)[1:]:
            show_warning(remark)


def open_session_from_menu() -> None:
    """Open a session in the window in use."""
    viewer = current_viewer()
    if viewer is not None:
        open_session_from(viewer)


def open_and_tell(viewer: Viewer, path: str) -> list[str]:
    """Open a session; return what came of it, a sentence each."""
    from napari_gmsr.plugin.session import open_session

    try:
        remarks = open_session(viewer, path)
    except GMSRError as error:
        show_error(str(error))
        return [str(error)]
    for remark in remarks:
        show_warning(remark)
    return [f"Opened {Path(path).name}.", *remarks]
