"""Setting up a training run: data, settings, what it will take, Start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import Event, Failed, Finished
from napari_gmsr.plugin.controls import align_labels
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.share_copy import CopyButtons
from napari_gmsr.plugin.share_other_texts import TrainingText
from napari_gmsr.plugin.train_controller import Question, TrainingController
from napari_gmsr.plugin.train_data import DataForm
from napari_gmsr.plugin.train_probes import ProbeChoice
from napari_gmsr.plugin.train_settings import SettingsForm
from napari_gmsr.plugin.train_texts import preflight_text
from napari_gmsr.training.config import TrainingConfig

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["SetupPage"]

_PREFLIGHT_DELAY_MS = 800
# What a few measured steps depend on, and what else decides how long a run takes.
_MEASURED = {"network", "network_arguments", "start_from", "patch", "batch", "loss", "engine"}
_MEASURED |= {"device", "epochs", "steps", "minutes", "order", "stride", "dataset"}


class SetupPage(QWidget):
    """Everything before Start.

    Parameters
    ----------
    viewer
        Gets the picture in which probe pixels are chosen.
    controller
        Asks the child process, and starts the run.
    """

    started = Signal(object)
    """A run was started: its path."""

    def __init__(self, viewer: Viewer, controller: TrainingController) -> None:
        super().__init__()
        self._controller = controller
        self._question: Question | None = None
        self._measured: dict[str, Any] | None = None
        """What the last preflight was asked for."""
        self.data = DataForm(controller)
        self.settings = SettingsForm()
        self.probes = ProbeChoice(viewer, controller)
        self.preflight = Explanation(
            "Measured by training a few steps in the process that would do it."
        )
        self.start = QPushButton("Start")
        self.copy = CopyButtons()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 8, 6, 6)
        rows.addWidget(self.data)
        rows.addWidget(self.settings)
        rows.addWidget(self.probes)
        rows.addWidget(self.preflight)
        rows.addWidget(self.start)
        rows.addWidget(self.copy)
        rows.addStretch(1)

        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_PREFLIGHT_DELAY_MS)
        self._soon.timeout.connect(self._measure)
        self.data.changed.connect(self._on_data)
        self.settings.changed.connect(self._on_changed)
        self.start.clicked.connect(self._on_start)
        self.copy.wanted.connect(self._on_copy)
        self._on_data()

    @property
    def config(self) -> TrainingConfig | None:
        """The run as it is set up; None where that is not possible, which `why_not` explains."""
        dataset = self.data.settings
        if dataset is None:
            return None
        try:
            return self.settings.config(dataset, probes=self.probes.probes)
        except GMSRError:
            return None

    @property
    def why_not(self) -> str:
        """Why it cannot start; empty where it can."""
        dataset = self.data.settings
        if self.data.why_not or dataset is None:
            return self.data.why_not
        try:
            self.settings.config(dataset)
        except GMSRError as error:
            return str(error)
        return ""

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Measure once it is seen."""
        super().showEvent(event)
        align_labels((self.data.form, self.settings.form))  # their font is known now
        self._soon.start()

    # -- what happens

    def _on_data(self) -> None:
        self.settings.set_endless(self.data.simulated)
        self.probes.offer(self.data.settings, self.data.validation_scenes)
        self._on_changed()

    def _on_changed(self) -> None:
        config = self.config
        if config is not None:
            self.data.set_patch(config.patch)
        why_not = self.why_not
        self.start.setEnabled(not why_not)
        self.copy.setEnabled(not why_not)
        self.start.setToolTip(
            why_not or "Train in a process of its own: napari stays free, and may be closed."
        )
        if why_not:
            self._measured = None
            if self._question is not None:
                self._question.drop()
                self._question = None
            # What is wrong with the data stands below the data.
            self.preflight.setText("" if why_not == self.data.verdict.text() else why_not)
        if self.isVisible():
            self._soon.start()

    def _measure(self) -> None:
        config = None if self.why_not else self.config
        if config is None or not self.isVisible():
            return
        wanted = config.model_dump(mode="json", include=_MEASURED)
        if wanted == self._measured:
            return
        if self._controller.at_work:
            self.preflight.setText("What it will take is measured once no training is running.")
            return
        if self._question is not None:
            self._question.drop()
        self._measured = wanted
        self.preflight.setText("Measuring what it will take…")
        self._question = self._controller.ask(
            "napari_gmsr.jobs.train_preflight:measure", {"config": wanted}, with_network=True
        )
        self._question.told.connect(self._on_measured)

    def _on_measured(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.settings.offer_devices(event.result["devices"])
            config = self.config
            if config is not None:
                self.preflight.setText(preflight_text(event.result, config))
        elif isinstance(event, Failed):
            self.preflight.setText(str(event.error))
        else:
            return
        self._question = None

    def _on_copy(self, kind: str) -> None:
        """Copy the run that Start would start."""
        config = self.config
        if config is not None:
            text = TrainingText(config)
            self.copy.copy(text.python() if kind == "python" else text.command())

    def _on_start(self) -> None:
        dataset = self.data.settings
        if dataset is None:
            return
        try:
            config = self.settings.config(dataset, probes=self.probes.probes)
        except GMSRError as error:
            show_error(str(error))
            return
        run = self._controller.start(config)
        if run is not None:
            self.started.emit(run)
