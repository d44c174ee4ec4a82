"""Asking where to save, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.utils import notifications
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_gmsr.errors import GMSRError

__all__ = ["save_as"]


def save_as(
    parent: QWidget, title: str, name: str, kinds: str, write: Callable[[Path], Path]
) -> None:
    """Ask for a file and write it, or tell why it cannot be written.

    Parameters
    ----------
    parent
        Over which the dialog opens.
    title, name, kinds
        Of the dialog: its title, the name it suggests, and Qt's filter of suffixes.
    write
        Writes the file and returns its path.
    """
    chosen, kind = QFileDialog.getSaveFileName(parent, title, name, kinds)
    if not chosen:
        return
    path = Path(chosen)
    if not path.suffix:
        path = path.with_suffix("." + kind.rsplit(".", 1)[-1].rstrip(")"))
    try:
        written = write(path)
    except GMSRError as error:
        notifications.show_error(str(error))
    else:
        notifications.show_info(f"Saved {written}")
