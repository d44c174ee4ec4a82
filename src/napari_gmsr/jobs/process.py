"""The parent's end of the child process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from napari_gmsr.errors import DeviceError, GMSRError, OutOfMemoryError
from napari_gmsr.jobs.codec import from_json, to_json
from napari_gmsr.jobs.events import Cancelled, End, Event, Failed, Finished
from napari_gmsr.jobs.executor import Job, OnEvent, as_gmsr_error

__all__ = ["ProcessExecutor", "default_executor"]

_LOG_TAIL = 4000
"""Bytes of the child's log that a failure carries."""


class ProcessExecutor:
    """Does tasks in one child process, one after the other.

    The child is started with the first task and kept. Should it die, the task it was at fails with
    the reason, and the next task gets a new child.

    Parameters
    ----------
    grace_s
        Seconds that a cancelled task may take to notice before the child is killed.
    """

    def __init__(self, *, grace_s: float = 3.0) -> None:
        self._grace_s = grace_s
        self._turn = threading.Lock()
        self._ids = itertools.count(1)
        self._child: _Child | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(
        self,
        task: str,
        arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        on_event: OnEvent,
    ) -> Job:
        """Start a task; its events come in a thread of its own. See :class:`.Executor`."""
        number = next(self._ids)
        job = Job(lambda: self._cancel(number, job))

        def run() -> None:
            try:
                end = self._take_turn(number, job, task, arguments, on_event)
            except Exception as error:  # in this thread nobody else would ever hear of it
                end = Failed(as_gmsr_error(error))
            job._finish(end)
            on_event(end)

        threading.Thread(target=run, name=f"napari-gmsr job {number}", daemon=True).start()
        return job

    def close(self) -> None:
        """End the child, whatever it is at, and remove its folder."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
            with self._turn:  # whoever reads its answers sees them end
                self._child.close()

    def _take_turn(
        self,
        number: int,
        job: Job,
        task: str,
        arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        on_event: OnEvent,
    ) -> End:
        while not self._turn.acquire(timeout=0.05):
            if job.is_cancelled():
                return Cancelled()
        try:
            if job.is_cancelled() or self._closed:
                return Cancelled()
            if self._child is not None and not self._child.alive:
                self._child.close()
                self._child = None
            child = self._child = self._child or _Child()
            with child.at(number) as folder:
                values = arguments() if callable(arguments) else arguments
                mark = child.log_size()
                child.send(
                    {
                        "id": number,
                        "task": task,
                        "folder": folder.name,
                        "arguments": to_json(dict(values), folder),
                    }
                )
                if job.is_cancelled():  # while the arguments were being written
                    self._cancel(number, job)
                end = child.follow(number, folder, on_event)
                if end is None:
                    return self._explain_death(child, job, mark)
                if isinstance(end, Failed):
                    end = Failed(end.error, child.log_tail(mark))
                    if isinstance(end.error, DeviceError):
                        child.close()  # its device stays lost to it; a new child finds it again
                    return end
                return Cancelled() if job.is_cancelled() and not isinstance(end, Finished) else end
        finally:
            self._turn.release()

    def _cancel(self, number: int, job: Job) -> None:
        child = self._child
        if child is None or number != child.number:  # it has not begun, and will see the flag
            return
        child.send({"cancel": number})

        def kill_unless_ended() -> None:
            if job.wait(self._grace_s) is None and child.number == number:
                child.kill()

        threading.Thread(target=kill_unless_ended, daemon=True).start()

    def _explain_death(self, child: _Child, job: Job, mark: int) -> End:
        code = child.wait()
        log = child.log_tail(mark)
        child.close()
        if job.is_cancelled() or self._closed:
            return Cancelled()
        how = _signal_name(-code) if code < 0 else f"exit code {code}"
        what = f"the process that does the work died ({how})"
        # The kernel's out-of-memory killer sends SIGKILL, and nobody else does so unasked.
        if how == "SIGKILL":
            return Failed(
                OutOfMemoryError(
                    f"{what}, most likely because the memory ran out",
                    fix="Use tiled mode, a smaller picture, or close other programs.",
                ),
                log,
            )
        return Failed(
            GMSRError(what, fix="Run again; if it dies again, please report it with the log."), log
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


@functools.cache
def default_executor() -> ProcessExecutor:
    """Return the child process that a program shares; it ends with the program."""
    executor = ProcessExecutor()
    atexit.register(executor.close)
    return executor


class _Child:
    """One child process with its private folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="napari-gmsr-"))
        self.number = 0
        """The task it is at; 0 where there is none."""
        self._log = self.folder / "worker.log"
        self._writing = threading.Lock()
        no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # there is one on Windows only
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                # -P: the current folder, whatever lies in it, is not searched for modules.
                [sys.executable, "-P", "-m", "napari_gmsr.jobs.worker", str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                creationflags=no_window,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @contextlib.contextmanager
    def at(self, number: int) -> Iterator[Path]:
        """Give a task its number and a folder for its arrays, for as long as it runs."""
        folder = self.folder / f"job-{number}"
        folder.mkdir()
        self.number = number
        try:
            yield folder
        finally:
            self.number = 0
            shutil.rmtree(folder, ignore_errors=True)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one line; a child that has died is noticed by whoever reads its answers."""
        line = json.dumps(message).encode() + b"\n"
        # ValueError: the pipe is closed
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._stdin.write(line)
            self._stdin.flush()

    def follow(self, number: int, folder: Path, on_event: OnEvent) -> End | None:
        """Pass the events of a task on and return its end; ``None`` where the child died."""
        for line in self._stdout:
            try:
                message = json.loads(line)
            except json.JSONDecodeError:  # a line that its death cut short
                continue
            if message["id"] != number:
                continue
            event: Event = from_json(message["event"], folder)
            if isinstance(event, Finished | Failed | Cancelled):
                return event
            on_event(event)
        return None

    def log_size(self) -> int:
        return self._log.stat().st_size

    def log_tail(self, since: int) -> str:
        """Return the end of what was logged after ``since`` bytes."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(since, self.log_size() - _LOG_TAIL))
                return log.read().decode(errors="replace").strip()
        except OSError:  # the folder went with the child
            return ""

    def wait(self) -> int:
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End the process and remove the folder; may be called again."""
        self._process.kill()
        self._process.wait()
        with self._writing, contextlib.suppress(OSError):  # what is buffered has nobody to go to
            self._stdin.close()
        self._stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout
