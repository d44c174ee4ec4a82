"""The runs: how each goes, their curves and probe pixels, and what can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_gmsr import jobs
from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import Fold
from napari_gmsr.plugin.reconstruct_texts import Explanation, bullets
from napari_gmsr.plugin.train_controller import TrainingController
from napari_gmsr.plugin.train_history import RunHistory
from napari_gmsr.plugin.train_live_band import LiveBand
from napari_gmsr.plugin.train_plots import CurvesPlot, ProbePlot, RunCurves
from napari_gmsr.plugin.train_run_table import RunTable
from napari_gmsr.plugin.train_texts import device_sentence, differences_text, progress_sentence
from napari_gmsr.training.events import Failed

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["RunsPage"]

_LOG_HEIGHT = 110


class RunsPage(QWidget):
    """Training runs and what they tell.

    Parameters
    ----------
    viewer
        Gets the live band.
    controller
        Follows the runs.
    """

    use = Signal(object)
    """The user wants this checkpoint in Reconstruct: its path."""
    fine_tune = Signal(object)
    """The user wants to start from this checkpoint."""

    def __init__(self, viewer: Viewer, controller: TrainingController) -> None:
        super().__init__()
        self._controller = controller
        self._live = LiveBand(viewer)
        self._asked = ""
        """What was asked of the selected run, and has not happened yet."""
        self._choose: list[Path] = []
        self._listens = False
        self._shown_failure: Failed | None = None
        self.table = RunTable()
        self.differences = Explanation("In which settings the checked runs differ.")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setToolTip("How much of the run is done.")
        self.status = Explanation("How the selected run goes.")
        self.notes = Explanation("What to know of the selected run.")
        self.pause = QPushButton("Pause")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop after the step; best and last checkpoint stay. It can go on.")
        self.use_button = QPushButton("Use this model")
        self.tune = QPushButton("Fine-tune")
        self.remove = QPushButton("Remove…")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setFixedHeight(_LOG_HEIGHT)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setStyleSheet("font-family: monospace;")
        self.log.setToolTip("The end of what the training process printed.")
        self.log_fold = Fold("Log", self.log)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, 99)
        self.smoothing.setValue(60)
        self.smoothing.setToolTip("Smooth the loss; the faint curve behind is as it was measured.")
        self.curves = CurvesPlot(viewer)
        self.curves.setToolTip(
            "Loss of the training patches, and PSNR (paper set) and SAM (standard set), mean over "
            "the validation pictures; a colour for each checked run."
        )
        self.probes = ProbePlot(viewer)
        self.probes.setToolTip(
            "Spectra of the probe pixels of the selected run. Dashed: the truth. Solid: the newest "
            "prediction; older ones fade. The dotted line is the live band."
        )
        self.place = Explanation("Which picture the probe pixels lie in.")
        self.live = QCheckBox("Live band in the viewer")
        self.live.setChecked(self._live.is_there)
        self.live.setToolTip(
            "Show a band of the validation picture in the viewer, as the network sees it now. "
            "Its truth lies hidden below."
        )
        self._lay_out()
        self._connect()
        self._show()

    def refresh(self) -> None:
        """List the runs anew; their list comes a moment later."""
        self._controller.list_runs()

    def open(self, run: Path) -> None:
        """Follow a run, check it and select it, once it is listed; of several, the last one."""
        self._controller.follow(run)
        self._choose.append(run)
        self._controller.list_runs()

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Catch up with what happened meanwhile."""
        super().showEvent(event)
        if not self._listens:
            self._controller.told.connect(self._on_told)
            self._listens = True
        self.refresh()
        self._draw()
        self._show()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Draw nothing while hidden."""
        if self._listens:  # a tab's page is hidden before it was ever shown
            self._controller.told.disconnect(self._on_told)
            self._listens = False
        super().hideEvent(event)

    # -- what happens

    def _on_listed(self, runs: tuple[jobs.RunSummary, ...]) -> None:
        drawn = list(self.table.drawn)
        self.table.show_runs(runs)
        if list(self.table.drawn) != drawn:  # one was removed, here or elsewhere
            self._compare()
            self._draw()
        for run in self._choose:
            self.table.choose(run)
        # A list that was asked for before a run began does not hold it yet.
        self._choose = [run for run in self._choose if run not in self.table.runs]
        for run in self.table.runs:
            history = self._controller.history(run)
            if history is not None:
                self.table.show_history(run, history)
        self._show()

    def _on_told(self, runs: set[Path]) -> None:
        for run in runs:
            history = self._controller.history(run)
            if history is not None:
                self.table.show_history(run, history)
        if runs & set(self.table.drawn):
            self._draw()
        if self.table.current in runs:
            self._show()

    def _on_checked(self) -> None:
        for run in self.table.drawn:
            self._controller.follow(run)
        self._compare()
        self._draw()

    def _on_chosen(self) -> None:
        run = self.table.current
        if run is not None:
            self._controller.follow(run)
        self._asked = ""
        self._show()

    def _on_pause(self) -> None:
        run, history = self._current()
        job = None if run is None else self._controller.job(run)
        if run is None or history is None or job is None:
            return
        if history.ended:
            self._controller.resume(run)
        elif history.state == "paused":
            job.resume()
            self._asked = "Going on…"
        else:
            job.pause()
            self._asked = "Pausing after this step…"
        self._show()

    def _on_stop(self) -> None:
        run = self.table.current
        job = None if run is None else self._controller.job(run)
        if job is not None:
            job.stop()
            self._asked = "Stopping after this step…"
            self._show()

    def _on_remove(self) -> None:
        run = self.table.current
        if run is None:
            return
        answer = QMessageBox.question(
            self,
            "Remove a run",
            f"Remove {run.name} with its checkpoints?\n{run}\nThis cannot be undone.",
        )
        if answer != QMessageBox.StandardButton.Yes:
            return
        self._controller.forget(run)
        try:
            jobs.remove_run(run)
        except GMSRError as error:
            show_error(str(error))
        else:
            self._live.remove(run)
            show_info(f"Removed {run.name}")
        self.refresh()

    def _on_checkpoint(self, signal: Signal) -> None:
        run = self.table.current
        if run is not None:
            signal.emit(run / "best.safetensors")

    def _on_live(self, on: bool) -> None:
        if on:
            self._show()
        else:
            self._live.remove()

    # -- looks

    def _current(self) -> tuple[Path | None, RunHistory | None]:
        run = self.table.current
        return run, None if run is None else self._controller.history(run)

    def _draw(self) -> None:
        curves = []
        for run, color in self.table.drawn.items():
            history = self._controller.history(run)
            if history is not None:
                curves.append(RunCurves(color, history.loss, history.psnr, history.sam))
        self.curves.draw(curves, self.smoothing.value() / 100)

    def _show(self) -> None:
        """Show the selected run, and what can be done with it."""
        run, history = self._current()
        going = history is not None and not history.ended
        if self._asked and history is not None and self._is_done(history):
            self._asked = ""
        self.bar.setVisible(going)
        self._show_texts(history)
        ended = history is not None and history.state in ("stopped", "failed")
        paused = history is not None and history.state == "paused"
        self.pause.setText("Resume" if ended or paused else "Pause")
        self.pause.setToolTip(
            "Go on from the last checkpoint."
            if ended
            else "Go on."
            if paused
            else "Wait after this step, and keep everything; memory stays taken."
        )
        self.pause.setEnabled((going or ended) and not self._asked)
        self.stop.setEnabled(going and not self._asked.startswith("Stop"))
        best = run is not None and (run / "best.safetensors").exists()
        self.use_button.setEnabled(best)
        self.tune.setEnabled(best)
        none = "" if best else " There is none yet: it comes with the first validation."
        self.use_button.setToolTip(f"Choose the best checkpoint in Reconstruct.{none}")
        self.tune.setToolTip(f"Set up a new run that starts from the best checkpoint.{none}")
        self.remove.setEnabled(run is not None and not going)
        self.remove.setToolTip(
            "Remove the run with its checkpoints; a running one is stopped first."
        )
        previews = [] if history is None else history.previews
        self.probes.draw(previews)
        self.place.setText(
            f"Probe pixels of {previews[-1].scene}, after {previews[-1].step} steps"
            if previews
            else "Probe pixels appear with the first validation."
        )
        if self.live.isChecked() and run is not None and previews:
            self._live.show(run, previews[-1])

    def _is_done(self, history: RunHistory) -> bool:
        if self._asked.startswith("Stop"):
            return history.ended
        return history.state == ("paused" if self._asked.startswith("Pausing") else "running")

    def _show_texts(self, history: RunHistory | None) -> None:
        if history is None:
            self.status.setText(
                "Select a run." if self.table.runs else "No runs yet: set one up and press Start."
            )
            self.notes.setText("")
            self._show_log(None)
            return
        step, started, failed = history.step, history.started, history.failed
        self.bar.setValue(0 if step is None else round(1000 * step.done))
        self.status.setText(self._asked or progress_sentence(history))
        notes = [] if started is None else list(started.notes)
        if started is not None and not history.ended:
            notes.insert(0, device_sentence(started))
        notes += [f"{warning.what}. {warning.fix}".strip() for warning in history.warnings[-3:]]
        self.notes.setText(bullets(notes))
        self._show_log(failed)

    def _show_log(self, failed: Failed | None) -> None:
        run = self.table.current
        if failed is self._shown_failure:
            return
        self._shown_failure = failed
        job = None if run is None else self._controller.job(run)
        log = "" if failed is None or job is None else failed.log or job.log_tail()
        self.log.setPlainText(log)
        self.log_fold.setVisible(bool(log))
        if log:
            self.log_fold.expand(animate=False)
            bar = self.log.verticalScrollBar()
            assert bar is not None
            bar.setValue(bar.maximum())

    def _compare(self) -> None:
        drawn = tuple(self.table.drawn)
        try:
            differences = jobs.compare_runs(*drawn) if len(drawn) > 1 else ()
        except GMSRError as error:
            self.differences.setText(str(error))
            return
        self.differences.setText(differences_text(differences) if len(drawn) > 1 else "")
        self.differences.setVisible(len(drawn) > 1)

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.addWidget(self.pause, 0, 0)
        buttons.addWidget(self.stop, 0, 1)
        buttons.addWidget(self.remove, 0, 2)
        buttons.addWidget(self.use_button, 1, 0, 1, 2)
        buttons.addWidget(self.tune, 1, 2)
        smooth = QFormLayout()
        smooth.addRow("Smoothing", self.smoothing)
        self.log_fold.setVisible(False)
        self.differences.setVisible(False)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 8, 6, 6)
        rows.addWidget(self.table)
        rows.addWidget(self.differences)
        rows.addLayout(buttons)
        rows.addWidget(self.bar)
        rows.addWidget(self.status)
        rows.addWidget(self.log_fold)
        rows.addWidget(self.curves, stretch=3)
        rows.addLayout(smooth)
        rows.addWidget(self.probes, stretch=2)
        rows.addWidget(self.place)
        rows.addWidget(self.live)
        rows.addWidget(self.notes)

    def _connect(self) -> None:
        self.table.chosen.connect(self._on_chosen)
        self.table.checked.connect(self._on_checked)
        self.pause.clicked.connect(self._on_pause)
        self.stop.clicked.connect(self._on_stop)
        self.remove.clicked.connect(self._on_remove)
        self.use_button.clicked.connect(lambda: self._on_checkpoint(self.use))
        self.tune.clicked.connect(lambda: self._on_checkpoint(self.fine_tune))
        self.smoothing.valueChanged.connect(self._draw)
        self.live.toggled.connect(self._on_live)
        self._controller.listed.connect(self._on_listed)
