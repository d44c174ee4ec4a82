"""The figures of a study's report, opened in the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.plugin.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["ReportButton"]


class ReportButton(QPushButton):
    """Asks for a study's folder, and shows its figures side by side.

    Parameters
    ----------
    viewer
        Gets a layer for each figure.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__("&Open a study's report…")
        self._viewer = viewer
        self._side_by_side = SideBySide(viewer)
        self.setToolTip(
            "Open the figures that `napari-gmsr study` has made, side by side in the grid; the "
            "tables are in report.md beside them."
        )
        self.clicked.connect(self._on_clicked)

    def _on_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of a study, or of its report")
        if not chosen:
            return
        try:
            figures = _figures(Path(chosen))
        except GMSRError as error:
            show_error(str(error))
            return
        self._side_by_side.show(
            layer for file in figures for layer in self._viewer.open(file, plugin="napari")
        )


def _figures(folder: Path) -> list[Path]:
    """Return the pictures of a study's report.

    Raises
    ------
    InputError
        Where there are none.
    """
    report = folder / "report"
    figures = sorted((report if report.is_dir() else folder).glob("*.png"))
    if not figures:
        raise InputError(
            "no figures of a study's report are here",
            where=folder,
            fix="Choose a study's folder after `napari-gmsr study report` has written its report.",
        )
    return figures
