"""Training as a job: a process of its own that outlives the window, and is found again."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_gmsr.errors import InputError
from napari_gmsr.jobs.event_log import last_event
from napari_gmsr.jobs.follow import Follower, OnTrainingEvent
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.events import Failed
from napari_gmsr.training.run_folder import RunFolder, State, Status, new_run_path

__all__ = ["TrainingJob", "attach", "resume_training", "start_training"]

_WORKER = "napari_gmsr.jobs.train_worker"
_LOG_TAIL = 4000
"""Bytes of the log that a failure carries."""
_CLOCK_S = 2.0
"""How far the system's clock may have been set since a process began."""
_HEARTBEAT_S = 60.0
"""A process on another machine that has said nothing for so long is taken for dead."""


def start_training(config: TrainingConfig, *, run: str | Path | None = None) -> TrainingJob:
    """Start a training run in a process of its own, and return at once.

    The process is no child in any sense that matters: it goes on when this one ends.

    Parameters
    ----------
    config
        What to train.
    run
        The run's folder, which must be new or empty; by default one in the user's folder of runs.

    Returns
    -------
    TrainingJob
        ``job.follow(on_event)``, ``job.stop()``, ``job.pause()``.

    Raises
    ------
    OutputError
        Where the folder is taken or cannot be made.
    """
    folder = RunFolder.create(new_run_path(config) if run is None else run, config)
    return _launch(folder)


def resume_training(run: str | Path) -> TrainingJob:
    """Go on with a run that was stopped or died, in a process of its own; return at once.

    Raises
    ------
    InputError
        Where there is no run, one of another version, or one that is at work.
    """
    job = attach(run)
    if job.alive:
        raise InputError(
            "this run is at work", where=run, fix="Attach to it, or stop it before resuming it."
        )
    return _launch(job.folder)


def attach(run: str | Path) -> TrainingJob:
    """Return the job of a run, whichever process started it, and whether it is over or not.

    Raises
    ------
    InputError
        Where there is no run, or one of another version.
    """
    return TrainingJob(RunFolder.open(run))


def _launch(folder: RunFolder) -> TrainingJob:
    for request in ("stop", "pause"):
        folder.withdraw(request)
    # -P: the current folder, whatever lies in it, is not searched for modules.
    command = [sys.executable, "-P", "-m", _WORKER, str(folder.path)]
    detached = {
        name: getattr(subprocess, name, 0)
        for name in ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP")  # there are some on Windows
    }
    with folder.log_file.open("ab") as log:
        mark = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=sum(detached.values()),
        )
    before = folder.status()
    # Until the process speaks for itself, so that others find it, too.
    folder.write_status("starting", before.step if before else 0, pid=process.pid)
    # Somebody has to wait for it, or it stays a zombie when it ends.
    threading.Thread(target=process.wait, name="napari-gmsr training", daemon=True).start()
    return TrainingJob(folder, _Child(process, mark))


@dataclass(frozen=True)
class _Child:
    """The process where it is this one's own child, and the log's size before it."""

    process: subprocess.Popen[bytes]
    log_mark: int


class TrainingJob:
    """A training run, at work or over.

    Parameters
    ----------
    folder
        Of the run.
    """

    def __init__(self, folder: RunFolder, child: _Child | None = None) -> None:
        self.folder = folder
        self._child = child

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it."""
        if self._child is not None and self._child.process.poll() is None:
            return True
        status = self.folder.status()
        if status is None:
            return False
        if status.host != socket.gethostname():
            return status.state in _AT_WORK and time.time() - status.heartbeat < _HEARTBEAT_S
        # The process may have more to do than to train, as a notebook's.
        return status.state in _AT_WORK and _process(status) is not None

    @property
    def state(self) -> State:
        """How it stands: at work (``starting``, ``running``, ``paused``) or how it ended.

        A process that died without a word has ``failed``.
        """
        alive = self.alive
        status = self.folder.status()
        if status is None:
            return "starting" if alive else "failed"
        if status.state in _AT_WORK and not alive:
            return "failed"
        return status.state

    def follow(self, on_event: OnTrainingEvent, *, first_line: int = 0) -> Follower:
        """Pass the run's events on, those that are there and those to come; returns at once.

        Parameters
        ----------
        on_event
            Takes each event once, in order, in a thread of its own. After the death of a process
            that did not say how it ended comes a `Failed` with the reason.
        first_line
            How many lines of the events' file to pass over: an earlier follower's ``line``.
        """
        return Follower(self.folder.events_file, self, on_event, first_line=first_line)

    def stop(self) -> None:
        """Ask it to stop after the step; best and last are kept. Returns at once."""
        self.folder.request("stop")

    def pause(self) -> None:
        """Ask it to wait after the step, and to free nothing. Returns at once."""
        self.folder.request("pause")

    def resume(self) -> None:
        """Let it go on after a pause."""
        self.folder.withdraw("pause")

    def kill(self) -> None:
        """End the process at once; what was done since the last checkpoint is lost.

        Raises
        ------
        InputError
            Where it runs on another machine.
        """
        if self._child is not None and self._child.process.poll() is None:
            pid = self._child.process.pid
        else:
            status = self.folder.status()
            if status is None:
                return
            if status.host != socket.gethostname() and self.alive:
                raise InputError(
                    f"it runs on {status.host}", where=self.path, fix="Stop it, or kill it there."
                )
            if _process(status) is None:
                return
            pid = status.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in (*process.children(recursive=True), process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()

    def explain_death(self) -> Failed:
        """Return why the process ended, where it did not say so itself."""
        code = None if self._child is None else self._child.process.poll()
        what, error = "the training process died without a word", "GMSRError"
        fix = "Resume it; if it dies again, please report it with the log."
        if code is not None and code < 0:
            name = _signal_name(-code)
            what = f"the training process died ({name})"
            # The kernel's out-of-memory killer sends SIGKILL, and so does `kill`.
            if name == "SIGKILL":
                what += ": it was killed, or the memory ran out"
                fix = "Resume it; where memory is short, start a run with a smaller batch or patch."
        elif code:
            what = f"the training process died (exit code {code})"
        elif code is None:
            what += ": it was killed, or the machine went down"
            fix = "Resume it: it goes on from its last checkpoint."
        last = last_event(self.folder.events_file)
        return Failed(
            time=time.time(),
            step=last.step if last else 0,
            error=error,
            what=what,
            where=str(self.path),
            fix=fix,
            log=self.log_tail(),
        )

    def log_tail(self) -> str:
        """Return the end of what the run's process printed."""
        mark = self._child.log_mark if self._child else 0
        try:
            with self.folder.log_file.open("rb") as log:
                log.seek(max(mark, log.seek(0, 2) - _LOG_TAIL))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""


_AT_WORK: frozenset[State] = frozenset({"starting", "running", "paused"})


def _process(status: Status) -> psutil.Process | None:
    """Return the process that wrote a status, where it lives still.

    Its number may have been given to another process since, which then is younger than what the
    first one said last.
    """
    try:
        process = psutil.Process(status.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process if process.create_time() <= status.heartbeat + _CLOCK_S else None
    except psutil.NoSuchProcess:
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
