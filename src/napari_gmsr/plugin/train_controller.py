"""Training runs as a window sees them: they outlive the dock widget, and the window itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_gmsr import jobs
from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import Executor, Job, ProcessExecutor, TrainingJob, default_executor
from napari_gmsr.jobs.follow import Follower
from napari_gmsr.plugin.inbox import Inbox
from napari_gmsr.plugin.train_history import RunHistory
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.events import Event, Failed

__all__ = ["Question", "TrainingController", "training_controller"]

_DELIVERY_MS = 200
"""Curves grow five times a second at most."""

_log = logging.getLogger("napari_gmsr")


class Question(QObject):
    """Something that the child process was asked.

    Parameters
    ----------
    parent
        Who asked.
    """

    told = Signal(object)
    """An event of its job, in the GUI thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.job: Job | None = None

    def cancel(self) -> None:
        """Ask it to end early."""
        if self.job is not None:
            self.job.cancel()

    def drop(self) -> None:
        """Cancel it, and hear no more of it."""
        self.blockSignals(True)
        self.cancel()


class TrainingController(QObject):
    """Starts training runs, follows them, and asks questions about them in a child process.

    Parameters
    ----------
    parent
        The window: with it, following ends. The runs go on.
    executor
        Answers questions; child processes by default.
    """

    told = Signal(object)
    """These runs have told something: a set of their paths."""
    listed = Signal(object)
    """The runs in the user's folder: a tuple of :class:`.RunSummary`."""

    def __init__(self, parent: QObject | None = None, executor: Executor | None = None) -> None:
        super().__init__(parent)
        self._own: list[ProcessExecutor] = []
        self._executor = executor
        self._followed: dict[Path, _Followed] = {}
        self._questions = 0
        self._changed: set[Path] = set()
        self._inbox = Inbox(_DELIVERY_MS, self._expects, self)
        self._inbox.delivered.connect(self._tell)
        self.destroyed.connect(partial(_let_go, self._followed, self._own))
        # A closed window is destroyed only when Python collects it, which may be long after.
        if parent is not None:
            parent.installEventFilter(self)

    # -- runs

    def start(self, config: TrainingConfig) -> Path | None:
        """Start a run and follow it; return its path, or None where that fails, which is shown."""
        return self._launch(partial(jobs.start_training, config))

    def resume(self, run: Path) -> Path | None:
        """Go on with a run that has ended; as `start`."""
        return self._launch(partial(jobs.resume_training, run))

    def follow(self, run: Path) -> RunHistory | None:
        """Follow a run from its first event on; None where there is none, which is shown."""
        if run not in self._followed:
            try:
                self._follow(jobs.attach(run))
            except GMSRError as error:
                show_error(str(error))
                return None
        return self._followed[run].history

    def forget(self, run: Path) -> None:
        """Follow a run no longer."""
        followed = self._followed.pop(run, None)
        if followed is not None:
            followed.follower.close()

    def history(self, run: Path) -> RunHistory | None:
        """Return what a run has told; None where it is not followed."""
        followed = self._followed.get(run)
        return None if followed is None else followed.history

    def job(self, run: Path) -> TrainingJob | None:
        """Return a followed run's job."""
        followed = self._followed.get(run)
        return None if followed is None else followed.job

    def list_runs(self) -> None:
        """Look for runs in the user's folder; `listed` tells."""
        self._questions += 1
        letter = self._inbox.address(self._on_listed)
        # Long runs have long files of events, which are looked through for the best.
        threading.Thread(target=lambda: letter(jobs.list_runs()), daemon=True).start()

    @property
    def at_work(self) -> tuple[Path, ...]:
        """The followed runs that are going on, in the order in which they were followed."""
        return tuple(run for run, one in self._followed.items() if not one.history.ended)

    # -- questions

    def ask(
        self, task: str, arguments: Mapping[str, Any], *, with_network: bool = False
    ) -> Question:
        """Do a task in a child process and return the question, whose signal tells.

        Parameters
        ----------
        task
            ``"module:function"``.
        arguments
            Its keyword arguments.
        with_network
            Whether it needs torch: then the process does it that reconstructs, which has it. Others
            have a process of their own, so that a long look through a dataset holds nothing up.
        """
        self._questions += 1
        question = Question(self)
        letter = self._inbox.address(partial(self._on_answer, question))
        executor = self._executor or (default_executor() if with_network else self._own_executor())
        question.job = executor.start(task, arguments, letter)
        return question

    def _own_executor(self) -> ProcessExecutor:
        if not self._own:
            self._own.append(ProcessExecutor())
        return self._own[0]

    # -- Qt's events

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Let go once the window has accepted to be closed."""
        if event is not None and event.type() == QEvent.Type.Close:
            QTimer.singleShot(0, self._end_if_closed)
        return super().eventFilter(watched, event)

    def _end_if_closed(self) -> None:
        window = self.parent()
        if isinstance(window, QWidget) and not window.isVisible():
            _let_go(self._followed, self._own)

    # -- within

    def _launch(self, launch: Callable[[], TrainingJob]) -> Path | None:
        try:
            job = launch()
        except GMSRError as error:
            show_error(str(error))
            return None
        self.forget(job.path)
        self._follow(job)
        return job.path

    def _follow(self, job: TrainingJob) -> None:
        history = RunHistory()
        take = self._inbox.address(partial(self._take, job.path, history))
        self._followed[job.path] = _Followed(job, history, job.follow(take))

    def _take(self, run: Path, history: RunHistory, event: Event) -> None:
        followed = self._followed.get(run)
        if followed is None or followed.history is not history:  # forgotten meanwhile
            return
        history.add(event)
        if isinstance(event, Failed) and event.log:
            _log.error("%s: %s\n%s", run, event.what, event.log)
        self._changed.add(run)

    def _on_listed(self, runs: tuple[jobs.RunSummary, ...]) -> None:
        self._questions -= 1
        self.listed.emit(runs)

    def _on_answer(self, question: Question, event: jobs.Event) -> None:
        if isinstance(event, jobs.Failed) and event.log:
            _log.error("%s\n%s", event.error, event.log)
        question.told.emit(event)
        if isinstance(event, jobs.Finished | jobs.Failed | jobs.Cancelled):
            self._questions -= 1
            question.deleteLater()

    def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        if changed:
            self.told.emit(changed)

    def _expects(self) -> bool:
        return self._questions > 0 or any(
            not followed.follower.wait(0) for followed in self._followed.values()
        )


@dataclass(frozen=True)
class _Followed:
    job: TrainingJob
    history: RunHistory
    follower: Follower


def _let_go(followed: dict[Path, _Followed], own: list[ProcessExecutor], *_: Any) -> None:
    """Follow nothing any more, and end the process that answers questions."""
    for one in followed.values():
        one.follower.close()
    followed.clear()
    for executor in own:
        executor.close()
    own.clear()


def training_controller(widget: QWidget, executor: Executor | None = None) -> TrainingController:
    """Return the controller of a widget's window: one for each, found again."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    found = parent.findChild(TrainingController) if parent is not None else None
    return found or TrainingController(parent or widget, executor)
