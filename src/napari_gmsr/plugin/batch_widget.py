"""The *Batch* widget: the cubes of a folder of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.jobs import Executor, Settings, batch_targets, find_pictures
from napari_gmsr.plugin.batch_controller import BatchController, BatchRequest, batch_controller
from napari_gmsr.plugin.batch_table import BatchTable
from napari_gmsr.plugin.checkpoint_choice import CheckpointChoice
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.mode_choice import ModeChoice
from napari_gmsr.plugin.preferences import preferences
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.settings import read_controls, write_controls

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["BatchWidget"]

_FORMATS = {
    ".zarr": "OME-Zarr (.zarr)",
    ".cube.tif": "TIFF (.cube.tif)",
    ".hdr": "ENVI (.hdr)",
    ".mat": "MATLAB 7.3 (.mat)",
    ".npz": "NumPy (.npz)",
}
_WIDTH = 320


class BatchWidget(QWidget):
    """Choose a folder of pictures and a checkpoint, and get a cube for each.

    The work goes on in a child process while the dock is closed; opened again, the widget shows how
    it stands.

    Parameters
    ----------
    napari_viewer
        Gets the cubes that are double-clicked; napari hands it over by this name.
    executor
        Does the work; the program's shared child process by default.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._executor = executor
        self._controller: BatchController | None = None
        self._pictures: list[Path] = []
        self.folder = QLineEdit()
        self.choose_folder = QPushButton("…")
        self.pattern = QLineEdit("*")
        self.recursive = QCheckBox("Subfolders, &too")
        self.found = Explanation("The pictures that will be reconstructed.")
        self.model = CheckpointChoice()
        self.mode = ModeChoice()
        self.ensemble = QCheckBox("8-fold self-&ensemble")
        self.out = QLineEdit()
        self.choose_out = QPushButton("…")
        self.format = ElidingComboBox()
        self.existing = ElidingComboBox()
        self.run = QPushButton("&Run batch")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.state = Explanation("How the batch stands.")
        self.table = BatchTable()
        self.detail = Explanation("What is said of the picture that is chosen in the table.")
        self._looking = LatestWorker("looking for pictures", self)
        self._lay_out()

        self.folder.editingFinished.connect(self._look)
        self.pattern.editingFinished.connect(self._look)
        self.recursive.toggled.connect(self._look)
        self.choose_folder.clicked.connect(self._on_choose_folder)
        self.choose_out.clicked.connect(self._on_choose_out)
        self._looking.done.connect(self._on_found)
        self._looking.failed.connect(self._on_not_found)
        self.run.clicked.connect(self._on_run)
        self.cancel.clicked.connect(self._on_cancel)
        self.table.wanted.connect(self._on_wanted)
        self.table.currentCellChanged.connect(self._show_detail)
        self._update()

    @property
    def busy(self) -> bool:
        """Whether a batch runs, or pictures are being looked for."""
        return self._looking.busy or self.controller.running

    @property
    def controller(self) -> BatchController:
        """What runs the batch: one for each window."""
        if self._controller is None:
            self._controller = batch_controller(self, self._executor)
            self._controller.started.connect(self._on_started)
            self._controller.changed.connect(self._on_changed)
            self._controller.ended.connect(self._update)
        return self._controller

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return {"model": self.model.checkpoint, **read_controls(self._controls())}

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        model = saved.get("model")
        if isinstance(model, str):
            self.model.choose(model)
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "folder": self.folder,
            "pattern": self.pattern,
            "recursive": self.recursive,
            "mode": self.mode,
            "ensemble": self.ensemble,
            "out": self.out,
            "format": self.format,
            "existing": self.existing,
        }

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Pick up a batch under way, or that has ended meanwhile."""
        super().showEvent(event)
        if self.controller.results and not self.table.rowCount():
            self.table.show_results(self.controller.results)
        self._update()

    # -- choosing

    def _on_choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the pictures")
        if chosen:
            self.folder.setText(chosen)
            self._look()

    def _on_choose_out(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the cubes")
        if chosen:
            self.out.setText(chosen)

    def _look(self) -> None:
        """Look for the pictures, off the window's thread: a folder may be large and far."""
        if self.folder.text().strip():
            root = _path(self.folder.text())
            self.found.setText("Looking…")
            self.out.setPlaceholderText(str(root / "cubes"))
            self._looking.ask(_find, root, self.pattern.text(), self.recursive.isChecked())
        else:
            self._on_found([])

    def _on_found(self, pictures: list[Path]) -> None:
        self._pictures = pictures
        count = len(pictures)
        self.found.setText(
            "No picture of this name in this folder."
            if self.folder.text() and not count
            else f"{count} picture{'s' if count != 1 else ''}"
            if count
            else ""
        )
        self._update()

    def _on_not_found(self, error: Exception) -> None:
        self._on_found([])
        self.found.setText(str(error))

    def _out_folder(self) -> Path:
        return _path(self.out.text().strip() or self.out.placeholderText())

    # -- the batch

    def _on_run(self) -> None:
        root = _path(self.folder.text())
        settings = Settings(
            model=self.model.checkpoint or "",
            mode=self.mode.currentData(),
            device=preferences().device,
            ensemble=self.ensemble.isChecked(),
        )
        try:
            targets = batch_targets(
                self._pictures, self._out_folder(), self.format.currentData(), root=root
            )
            if not targets:
                raise InputError("there are no pictures", fix="Choose a folder that holds some.")
        except GMSRError as error:
            show_error(str(error))
            return
        overwrite = self.existing.currentData() == "replace"
        self.controller.start(BatchRequest(targets, self._out_folder(), settings, overwrite))

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.controller.cancel()

    def _on_started(self) -> None:
        self.table.show_results(self.controller.results)
        self._update()

    def _on_changed(self, row: int) -> None:
        if row < self.table.rowCount():
            self.table.update_row(row, self.controller.results[row], self.controller.share)
        self._show_state()
        self._show_detail()

    def _on_wanted(self, cube: str) -> None:
        try:
            self._viewer.open(cube, plugin="napari-gmsr")
        except (GMSRError, OSError, ValueError) as error:
            show_error(str(error))

    # -- looks

    def _show_detail(self) -> None:
        """Show the chosen picture's message whole, or that of the last failure."""
        results = self.controller.results
        row = self.table.currentRow()
        failures = [result for result in results if result.state == "failed"]
        shown = results[row] if 0 <= row < len(results) else failures[-1] if failures else None
        said = "" if shown is None else f"{Path(shown.picture).name}: {shown.message}"
        self.detail.setText(said if shown is not None and shown.message else "")

    def _show_state(self) -> None:
        controller = self.controller
        counts: Counter[str] = Counter(result.state for result in controller.results)
        self.bar.setRange(0, max(1, len(controller.results)))
        self.bar.setValue(controller.done)
        words = ("done", "failed", "skipped", "cancelled", "running", "waiting")
        said = ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
        if controller.results and not controller.running:
            folder = controller.folder or self._out_folder()
            said += f".\nThe table is in {folder / 'batch-results.csv'}, and as .json."
        self.state.setText(said)

    def _update(self) -> None:
        running = self._controller is not None and self._controller.running
        why_not = "" if self._pictures else "Choose a folder that holds pictures."
        why_not = why_not or ("" if self.model.checkpoint else "Choose a checkpoint first.")
        self.run.setEnabled(not running and not why_not)
        self.run.setToolTip(why_not or "Reconstruct them one after the other; errors stop nothing.")
        self.cancel.setEnabled(running)
        self.bar.setVisible(running)
        self.table.setVisible(self.table.rowCount() > 0)
        if self._controller is not None:
            self._show_state()

    def _lay_out(self) -> None:
        self.folder.setPlaceholderText("a folder of pictures")
        self.folder.setToolTip("The folder whose pictures are reconstructed.")
        self.pattern.setToolTip("Which names: such as *.jpg, or IMG_*.png IMG_*.tif.")
        self.recursive.setToolTip(
            "Also look into the folders in it; the cubes get folders of the same names."
        )
        self.out.setPlaceholderText("“cubes” in that folder")
        self.out.setToolTip("The folder of the cubes, and of the table of results.")
        for button in (self.choose_folder, self.choose_out):
            button.setToolTip("Choose a folder.")
            button.setAccessibleName("Choose a folder")
            button.setFixedWidth(32)
        self.ensemble.setToolTip("Average over eight flips and rotations: eight times the work.")
        self.format.setToolTip("The cubes' file format.")
        for suffix, label in _FORMATS.items():
            self.format.addItem(label, suffix)
        self.format.setCurrentIndex(self.format.findData(preferences().format))
        self.existing.setToolTip("What to do where a picture's cube is there already.")
        self.existing.addItem("Skip the picture", "skip")
        self.existing.addItem("Replace the cube", "replace")
        self.cancel.setToolTip("Stop after the tile under way; finished cubes stay.")
        self.bar.setToolTip("Pictures that are dealt with.")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(_label("&Pictures", self.folder), _beside(self.folder, self.choose_folder))
        form.addRow("&Names", self.pattern)
        form.addRow("", self.recursive)
        form.addRow("", self.found)
        form.addRow("Chec&kpoint", self.model)
        form.addRow("&Mode", self.mode)
        form.addRow("", self.ensemble)
        form.addRow(_label("Cub&es", self.out), _beside(self.out, self.choose_out))
        form.addRow("&Format", self.format)
        form.addRow("E&xisting", self.existing)
        self.setMinimumWidth(_WIDTH)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addLayout(_beside(self.run, self.cancel))
        rows.addWidget(self.bar)
        rows.addWidget(self.state)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.detail)
        rows.addStretch(0)


def _path(text: str) -> Path:
    """Return what was typed as an absolute path: the child process may be in another folder."""
    return Path(text.strip()).expanduser().absolute()


def _find(folder: Path, pattern: str, recursive: bool) -> list[Path]:
    return find_pictures(folder, pattern, recursive=recursive)


def _label(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setBuddy(buddy)
    return label


def _beside(first: QWidget, second: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(first, 2)
    row.addWidget(second)
    return row
