"""What to train on: a dataset, its folder, and the doctor's verdict on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_gmsr.color import list_cameras
from napari_gmsr.datasets import list_datasets
from napari_gmsr.jobs import Cancelled, Event, Failed, Finished, Progress
from napari_gmsr.plugin.controls import ElidingComboBox, Fold
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.train_controller import Question, TrainingController
from napari_gmsr.training.config import SIMULATED, DatasetSettings

__all__ = ["DataForm"]

_TYPING_MS = 500
_TASKS = "napari_gmsr.jobs.dataset_tasks"
_TARGETS = {
    "photo": ("photographs (sRGB)", "From any camera under any light, as `photo` is for."),
    "ntire2020-clean": ("NTIRE2020 Clean (linear)", "Rendered with CIE 1964, exactly."),
}
_SIMULATED_TEXT = (
    "Endless scenes: the structure of photographs, measured spectra, measured cameras and lights. "
    "Without a folder, the sources that come with the package."
)
_MOST_HEIGHT = 180
_SIGNS = {"error": "✖", "warning": "▲", "note": "•"}


class DataForm(QWidget):
    """A dataset, its folder, and what is known about it.

    Parameters
    ----------
    controller
        Asks the child process, which alone opens files.
    """

    changed = Signal()
    """Another dataset or folder is chosen, or more is known about it."""

    def __init__(self, controller: TrainingController) -> None:
        super().__init__()
        self._controller = controller
        self._infos = {info.name: info for info in list_datasets()}
        self._question: Question | None = None
        self._survey: Mapping[str, Any] | None = None
        self._report: Sequence[Mapping[str, str]] = ()
        """Findings of the last check."""
        self._trouble = ""
        self._patch = self._checked_patch = 128
        self.dataset = ElidingComboBox()
        self.dataset.setToolTip("What to train on.")
        self.dataset.addItem("Simulated scenes", SIMULATED)
        for info in self._infos.values():
            self.dataset.addItem(info.title, info.name)
            tip = f"{info.layout}\nLicence: {info.licence}\nFrom: {info.source}"
            index = self.dataset.count() - 1
            self.dataset.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.folder = QLineEdit()
        self.browse = QPushButton("Browse…")
        self.browse.setToolTip("Choose the folder.")
        self.target = ElidingComboBox()
        self.target.setToolTip("Which pictures the simulated ones should be like.")
        for name, (label, tip) in _TARGETS.items():
            self.target.addItem(label, name)
            index = self.target.count() - 1
            self.target.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.camera = ElidingComboBox()
        self.camera.setToolTip(
            "The response that pictures are rendered with, or that picture files were taken with."
        )
        self.camera.addItem("the dataset's own", None)
        for name in list_cameras():
            self.camera.addItem(name, name)
        self.verdict = Explanation("What is known about the data.")
        self.check = QPushButton("Check all files")
        self.table = _make_table()
        self.findings = Fold("Findings", self.table)
        self._lay_out()

        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TYPING_MS)
        self._soon.timeout.connect(self._look)
        self.dataset.currentIndexChanged.connect(self._on_dataset)
        self.target.currentIndexChanged.connect(self.changed)
        self.camera.currentIndexChanged.connect(self._on_folder)
        self.folder.textChanged.connect(self._on_folder)
        self.browse.clicked.connect(self._on_browse)
        self.check.clicked.connect(self._on_check)
        self._on_dataset()

    def set_patch(self, patch: int) -> None:
        """Set the side in pixels of the patches that are to be cut, which the check looks at."""
        self._patch = patch
        if self._trouble and self._report and patch != self._checked_patch:
            self._report, self._trouble = (), ""
            self._show_findings(())
            self.verdict.setText(
                f"Checked for patches of {self._checked_patch} px, and not yet of {patch} px."
            )

    # -- what is chosen

    @property
    def simulated(self) -> bool:
        """Whether scenes are simulated."""
        return bool(self.dataset.currentData() == SIMULATED)

    @property
    def settings(self) -> DatasetSettings | None:
        """What is chosen; None where a folder is missing."""
        folder = Path(self.folder.text()).expanduser() if self.folder.text().strip() else None
        if self.simulated:
            return DatasetSettings(folder=folder, target=self.target.currentData())
        if folder is None:
            return None
        name, camera = self.dataset.currentData(), self.camera.currentData()
        return DatasetSettings(name=name, folder=folder, camera=camera)

    @property
    def validation_scenes(self) -> tuple[str, ...]:
        """Names of the validation pictures, as far as they are known."""
        return () if self._survey is None else tuple(self._survey["validation"])

    @property
    def why_not(self) -> str:
        """Why training cannot start with it; empty where it can."""
        if self.settings is None:
            return "Choose the folder of the dataset first."
        return self._trouble

    # -- what follows from what

    def _on_dataset(self) -> None:
        info = self._infos.get(self.dataset.currentData())
        for row, shown in ((self.target, info is None), (self.camera, info is not None)):
            self.form.setRowVisible(row, shown)
        self.check.setVisible(info is not None)
        if info is None:
            self.folder.setPlaceholderText("the built-in sources")
            self.folder.setToolTip(
                "Optional: a folder of photographs and spectra with a sources.json."
            )
        else:
            self.folder.setPlaceholderText("where the data lies")
            self.folder.setToolTip(f"Expected: {info.layout}")
        self._on_folder()

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose the folder", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _on_folder(self) -> None:
        if self._question is not None:
            self._question.drop()
            self._question = None
        self._survey, self._report, self._trouble = None, (), ""
        self._show_findings(())
        info = self._infos.get(self.dataset.currentData())
        self.check.setEnabled(False)
        self._show_check(running=False)
        if info is None:
            self.verdict.setText(_SIMULATED_TEXT)
        elif self.settings is None:
            self.verdict.setText(
                f"Expected: {info.layout}\nFrom: {info.source}. Licence: {info.licence}."
            )
        else:
            self.verdict.setText("Looking…")
            self._soon.start()
        self.changed.emit()

    def _look(self) -> None:
        """List the folder, which is quick."""
        if not self.simulated and self.settings is not None:
            self._ask("survey")

    def _on_check(self) -> None:
        if self._question is not None:
            self._question.cancel()
        elif self.settings is not None:
            self._show_check(running=True)
            self._ask("check")

    def _ask(self, task: str) -> None:
        settings = self.settings
        assert settings is not None
        arguments: dict[str, Any] = {
            "name": settings.name,
            "folder": str(settings.folder),
            "camera": settings.camera,
        }
        if task == "check":
            arguments["patch"] = self._checked_patch = self._patch
        self._question = self._controller.ask(f"{_TASKS}:{task}", arguments)
        self._question.told.connect(self._on_survey if task == "survey" else self._on_report)

    def _on_survey(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._survey = event.result
            self.verdict.setText(_survey_text(event.result))
            self._show_findings(event.result["findings"])
            self.check.setEnabled(True)
        self._on_end(event)

    def _on_report(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.verdict.setText(f"Checking {event.done} of {event.total}: {event.message}")
        elif isinstance(event, Cancelled):
            self.verdict.setText("The check was stopped.")
        elif isinstance(event, Finished):
            findings = self._report = event.result
            self._show_findings(findings)
            self.verdict.setText(_report_text(findings))
            wrong = any(one["severity"] == "error" for one in findings)
            self._trouble = "The data has errors: see the findings above." if wrong else ""
        self._on_end(event)

    def _on_end(self, event: Event) -> None:
        if isinstance(event, Failed):
            self._trouble = str(event.error)
            self.verdict.setText(self._trouble)
        if isinstance(event, Finished | Failed | Cancelled):
            self._question = None
            self._show_check(running=False)
            self.changed.emit()

    # -- looks

    def _show_check(self, running: bool) -> None:
        self.check.setText("Stop checking" if running else "Check all files")
        self.check.setToolTip(
            "Stop the check; what was read is forgotten."
            if running
            else "Read every file once: damage, sizes, bands, ranges, pictures that do not match "
            "their cubes, near-duplicates across the split. Takes a while."
        )

    def _show_findings(self, findings: Sequence[Mapping[str, str]]) -> None:
        self.findings.setVisible(bool(findings))
        self.findings.set_title(f"Findings ({len(findings)})")
        _fill(self.table, findings)
        if any(one["severity"] != "note" for one in findings):
            self.findings.expand(animate=False)
        else:
            self.findings.collapse(animate=False)

    def _lay_out(self) -> None:
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.addRow("Dataset", self.dataset)
        place = QHBoxLayout()
        place.addWidget(self.folder, stretch=1)
        place.addWidget(self.browse)
        self.form.addRow("Folder", place)
        self.form.addRow("Like", self.target)
        self.form.addRow("Camera", self.camera)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(self.form)
        rows.addWidget(self.verdict)
        rows.addWidget(self.check)
        rows.addWidget(self.findings)


def _survey_text(survey: Mapping[str, Any]) -> str:
    counts = ", ".join(
        f"{survey['scenes'][split]} for {name}"
        for split, name in (("train", "training"), ("validation", "validation"), ("test", "test"))
    )
    return (
        f"Scenes: {counts}. {survey['bands']} bands; {survey['encoding']} pictures, "
        f"camera {survey['camera']}. No file was read yet."
    )


def _report_text(findings: Sequence[Mapping[str, str]]) -> str:
    counts = [
        (sum(one["severity"] == severity for one in findings), severity)
        for severity in ("error", "warning", "note")
    ]
    found = ", ".join(f"{n} {what}{'s' * (n != 1)}" for n, what in counts if n)
    if not found:
        return "Every file was read: nothing to complain of."
    ready = "Training cannot use it as it is" if counts[0][0] else "It can be trained on"
    return f"Every file was read: {found}. {ready}."


def _make_table() -> QTableWidget:
    table = QTableWidget(0, 3)
    table.setToolTip("What the check found; hover over a line to see what to do.")
    table.setHorizontalHeaderLabels(["", "Scene", "What"])
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setWordWrap(True)
    rows, header = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert header is not None
    rows.setVisible(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Interactive)
    header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
    table.setColumnWidth(1, 90)
    return table


def _fill(table: QTableWidget, findings: Sequence[Mapping[str, str]]) -> None:
    order = list(_SIGNS)
    findings = sorted(findings, key=lambda one: order.index(one["severity"]))
    table.setRowCount(len(findings))
    for row, one in enumerate(findings):
        cells = (_SIGNS[one["severity"]], one["scene"] or "all", one["what"])
        tip = f"{one['severity'].capitalize()}: {one['what']}.\n{one['fix']}"
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            table.setItem(row, column, item)
    table.resizeRowsToContents()
    header = table.horizontalHeader()
    assert header is not None
    wanted = header.sizeHint().height() + sum(map(table.rowHeight, range(len(findings)))) + 4
    table.setFixedHeight(min(_MOST_HEIGHT, wanted))
