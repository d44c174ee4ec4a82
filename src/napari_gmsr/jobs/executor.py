"""Who does a task, and the job that stands for it; the twin without a process is here too.

A task is a plain function of plain values, named as ``"module:function"``. Its first argument is a
:class:`Context`, through which it reports and learns that it was cancelled.
"""

from __future__ import annotations

import errno
import importlib
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from napari_gmsr import errors
from napari_gmsr.jobs.events import Cancelled, End, Event, Failed, Finished, Progress, Started

__all__ = ["Context", "Executor", "InlineExecutor", "Job", "OnEvent", "perform"]

OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Context:
    """What a task knows of its surroundings.

    Parameters
    ----------
    report
        Takes a :class:`~napari_gmsr.jobs.events.Progress`.
    cancelled
        Whether the user has cancelled; to be asked between the parts of the work.
    """

    report: Callable[[Progress], None]
    cancelled: Callable[[], bool]


class Job:
    """A piece of work under way."""

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self._on_cancel = on_cancel
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._end: End | None = None

    def is_cancelled(self) -> bool:
        """Say whether a cancel was asked for."""
        return self._cancelled.is_set()

    @property
    def end(self) -> End | None:
        """The event that the job ended with; ``None`` while it runs."""
        return self._end

    def cancel(self) -> None:
        """Ask the work to stop; returns at once. Asking twice, or too late, does nothing."""
        if self._ended.is_set() or self._cancelled.is_set():
            return
        self._cancelled.set()
        if self._on_cancel is not None:
            self._on_cancel()

    def wait(self, timeout_s: float | None = None) -> End | None:
        """Wait for the end and return it; ``None`` where ``timeout_s`` seconds were not enough."""
        self._ended.wait(timeout_s)
        return self._end

    def result(self) -> Any:
        """Wait for the end and return the task's result.

        Raises
        ------
        GMSRError
            Where the job failed, or (:class:`~napari_gmsr.errors.Cancelled`) was cancelled.
        """
        match self.wait():
            case Finished(result):
                return result
            case Failed(error):
                raise error
            case _:
                raise errors.Cancelled()

    def _finish(self, end: End) -> None:
        self._end = end
        self._ended.set()


class Executor(Protocol):
    """Whoever does tasks."""

    def start(
        self,
        task: str,
        arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        on_event: OnEvent,
    ) -> Job:
        """Start a task and return its job.

        Parameters
        ----------
        task
            ``"module:function"``.
        arguments
            Its keyword arguments, or a function that makes them: it is called where it cannot
            block the caller.
        on_event
            Takes every event, in order; not necessarily in the caller's thread.
        """
        ...


class InlineExecutor:
    """Does a task at once, in the calling thread: the twin for tests."""

    def start(
        self,
        task: str,
        arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        on_event: OnEvent,
    ) -> Job:
        """Do the task; the job that is returned has ended. See :class:`Executor`."""
        job = Job()
        end = perform(task, arguments, on_event, job.is_cancelled)
        job._finish(end)
        on_event(end)
        return job


def perform(
    task: str,
    arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    emit: OnEvent,
    cancelled: Callable[[], bool],
) -> End:
    """Do a task here and now; emit how it goes and return how it ended.

    An error that is none of ours is a fault of the program: its traceback goes to standard error
    and it comes back as :class:`~napari_gmsr.jobs.events.Failed` like any other.
    """
    emit(Started())
    try:
        module, _, function = task.partition(":")
        run = getattr(importlib.import_module(module), function)
        values = arguments() if callable(arguments) else arguments
        return Finished(run(Context(emit, cancelled), **values))
    except errors.Cancelled:
        return Cancelled()
    except Exception as error:  # whatever it is, it must reach the user
        if not isinstance(error, errors.GMSRError):
            traceback.print_exc(file=sys.stderr)
        return Failed(as_gmsr_error(error))


def as_gmsr_error(error: Exception) -> errors.GMSRError:
    """Return an error as one that says what to do."""
    if isinstance(error, errors.GMSRError):
        return error
    if isinstance(error, MemoryError):
        return errors.OutOfMemoryError(
            "the memory ran out", fix="Use tiled mode, a smaller picture, or close other programs."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.OutputError(
            "the disk is full",
            where=error.filename or "",
            fix="Free some space, or set TMPDIR to a folder on a larger disk.",
        )
    return errors.GMSRError(
        f"unexpected {type(error).__name__}: {error}",
        fix="This is a fault of napari-gmsr: please report it with the log.",
    )
