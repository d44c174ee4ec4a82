"""The batch of a window: it outlives the dock widget, and ends with the window."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils import progress
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import (
    BatchResult,
    Cancelled,
    Event,
    Executor,
    Failed,
    Finished,
    Job,
    Progress,
    Settings,
    default_executor,
    write_results,
)
from napari_gmsr.plugin.inbox import Inbox

__all__ = ["BatchController", "BatchRequest", "batch_controller"]

_POLL_MS = 40
_TASK = "napari_gmsr.jobs.batch_tasks:reconstruct_file"


@dataclass(frozen=True)
class BatchRequest:
    """A batch.

    Parameters
    ----------
    targets
        Where each picture's cube goes.
    folder
        For the tables of results.
    settings
        How to reconstruct.
    overwrite
        Replace cubes that are there; otherwise their pictures are skipped.
    """

    targets: Mapping[Path, Path]
    folder: Path
    settings: Settings
    overwrite: bool = False


class BatchController(QObject):
    """Runs pictures one after the other in the child process, and goes on after an error.

    Parameters
    ----------
    executor
        Does the work; the program's shared child process by default.
    parent
        The window: with it, the batch ends.
    """

    started = Signal()
    """A batch was started."""
    changed = Signal(int)
    """What is known of a picture has changed: its place in :attr:`results`."""
    ended = Signal()
    """The batch has ended."""

    def __init__(self, executor: Executor | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = executor
        self._request: BatchRequest | None = None
        self._job: list[Job] = []  # at most one
        self._row = -1
        self._began = 0.0
        self._cancelled = False
        self._bar: progress | None = None
        self._closing = False
        self.results: list[BatchResult] = []
        self.folder: Path | None = None
        """Where the tables of results are written."""
        self.share = 0.0
        """Of the picture under way, what is done; 0 to 1."""
        self._inbox = Inbox(_POLL_MS, lambda: bool(self._job), self)
        self.destroyed.connect(partial(_abandon, self._job))
        if parent is not None:
            parent.installEventFilter(self)

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._request is not None

    @property
    def done(self) -> int:
        """How many pictures have been dealt with."""
        return sum(result.state not in ("waiting", "running") for result in self.results)

    def start(self, request: BatchRequest) -> None:
        """Start a batch; while one runs, do nothing but say so."""
        if self.running:
            show_info("A batch is running: wait for it, or cancel it.")
            return
        self._request = request
        self._cancelled = False
        self.folder = request.folder
        self.results = [BatchResult(str(p), str(c)) for p, c in request.targets.items()]
        self._bar = progress(total=len(self.results), desc="Batch")
        self.started.emit()
        self._go_on(0)

    def cancel(self) -> None:
        """End after the tile under way; what is finished stays."""
        self._cancelled = True
        for job in self._job:
            job.cancel()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """End the batch once the window has accepted to be closed: it is hidden then."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Close:
            self._closing = True
        elif kind == QEvent.Type.Show:
            self._closing = False
        elif kind == QEvent.Type.Hide and self._closing:
            self._end_with_window()
        return super().eventFilter(watched, event)

    def _end_with_window(self) -> None:
        if self._request is not None:
            self._cancelled = True
            _abandon(self._job)
            for row, result in enumerate(self.results):
                if result.state in ("waiting", "running"):
                    self._set(row, state="cancelled")
            self._finish(self._request)

    # -- one picture after the other

    def _go_on(self, row: int) -> None:
        """Take up a picture; those that need no work are dealt with on the way."""
        request = self._request
        if request is None:
            return
        while row < len(self.results):
            result = self.results[row]
            if self._cancelled:
                self._set(row, state="cancelled")
            elif not request.overwrite and os.path.lexists(result.cube):
                self._set(row, state="skipped", message="The cube is there already.")
            else:
                self._take_up(row, request)
                return
            row += 1
        self._finish(request)

    def _take_up(self, row: int, request: BatchRequest) -> None:
        self._row, self._began, self.share = row, time.monotonic(), 0.0
        self._set(row, state="running")
        arguments = {
            "picture": self.results[row].picture,
            "target": self.results[row].cube,
            "overwrite": request.overwrite,
            **vars(request.settings),
        }
        executor = self._executor or default_executor()
        # Known before it ends, however soon that is.
        address = self._inbox.address(self._on_event)
        self._job.append(executor.start(_TASK, arguments, address))

    def _on_event(self, event: Event) -> None:
        if self._request is None:  # the window has been closed meanwhile
            return
        if isinstance(event, Progress):
            self.share = event.done / event.total if event.total else 0.0
            self.changed.emit(self._row)
        elif isinstance(event, Finished | Failed | Cancelled):
            self._job.clear()
            seconds = time.monotonic() - self._began
            if isinstance(event, Finished):
                self._set(self._row, state="done", seconds=seconds, **_how(event.result))
            elif isinstance(event, Failed):
                message = _told(event.error, self.results[self._row])
                self._set(self._row, state="failed", seconds=seconds, message=message)
            else:
                self._set(self._row, state="cancelled", seconds=seconds)
            # The window gets its turn between two pictures.
            QTimer.singleShot(0, partial(self._go_on, self._row + 1))

    def _set(self, row: int, **changes: Any) -> None:
        self.results[row] = replace(self.results[row], **changes)
        if self._bar is not None:
            self._bar.update(self.done - self._bar.n)
        self.changed.emit(row)

    def _finish(self, request: BatchRequest) -> None:
        self._request = None
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        settings = {**vars(request.settings), "overwrite": request.overwrite}
        try:
            write_results(request.folder, self.results, settings)
        except GMSRError as error:
            show_error(str(error))
        failed = sum(result.state == "failed" for result in self.results)
        if failed:
            show_warning(f"Batch: {failed} of {len(self.results)} pictures failed; see its table.")
        elif not self._cancelled:
            show_info(f"Batch: all {len(self.results)} pictures are done.")
        self.ended.emit()


def batch_controller(widget: QWidget, executor: Executor | None) -> BatchController:
    """Return the window's batch, found again when the widget is opened again."""
    window = widget.window()
    if not isinstance(window, QMainWindow):
        return BatchController(executor, widget)
    found = window.findChild(BatchController)
    return found if isinstance(found, BatchController) else BatchController(executor, window)


def _told(error: GMSRError, result: BatchResult) -> str:
    """Return what is wrong and what to do; which picture it is about stands beside."""
    if error.where == result.picture:
        return f"{error.what[:1].upper()}{error.what[1:]}. {error.fix}"
    return str(error)


def _how(provenance: Mapping[str, Any]) -> dict[str, Any]:
    notes: Sequence[str] = provenance.get("notes", ())
    known = ("checkpoint_sha256", "mode", "device", "engine")
    return {"message": " ".join(notes), **{key: str(provenance.get(key, "")) for key in known}}


def _abandon(job: list[Job], *_: Any) -> None:
    for one in job:
        one.cancel()
    job.clear()
