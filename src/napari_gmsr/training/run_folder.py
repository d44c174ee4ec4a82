"""The folder of a training run: what lies in it, who owns it, and how to speak to it.

It needs no torch, so that a window or a command can watch a run, stop it or pause it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from filelock import FileLock, Timeout

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io import atomic_output
from napari_gmsr.training.config import TrainingConfig, read_config
from napari_gmsr.training.events import Event, from_line, to_line

__all__ = ["FORMAT", "Request", "RunFolder", "State", "Status", "default_root", "new_run_path"]

FORMAT = 1
"""Of the folder's layout."""

Request = Literal["stop", "pause"]
State = Literal["starting", "running", "paused", "done", "stopped", "failed"]


@dataclass(frozen=True)
class Status:
    """What the running process says of itself, about once a second.

    Parameters
    ----------
    state
        ``starting``, ``running``, ``paused``, or how it ended: ``done``, ``stopped``, ``failed``.
    pid, host
        Of the process.
    heartbeat
        Seconds since 1970 at which this was written.
    step, done
        Steps, and fraction of the run.
    """

    state: State
    pid: int
    host: str
    heartbeat: float
    step: int = 0
    done: float = 0.0


def default_root() -> Path:
    """Return the user's folder of training runs."""
    return platformdirs.user_data_path("napari-gmsr", appauthor=False) / "runs"


def new_run_path(config: TrainingConfig, root: Path | None = None) -> Path:
    """Return a path for a new run: its name and the date, not taken yet."""
    name = re.sub(r"[^\w.-]+", "-", config.title).strip("-.") or "run"
    path = (root or default_root()) / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 2
    while path.exists():
        path = path.with_name(f"{path.name.split('~')[0]}~{number}")
        number += 1
    return path


@dataclass(frozen=True)
class RunFolder:
    """A run's folder.

    ``config.json`` (the configuration), ``run.json`` (the layout's version), ``events.jsonl``,
    ``status.json``, ``best.safetensors`` (a checkpoint like the shipped ones), ``last.safetensors``
    (all that is needed to go on), ``log.txt`` (of a job's process), ``tensorboard/``,
    ``previews/``, ``lock``. An empty file ``stop`` or ``pause`` is a request.

    Parameters
    ----------
    path
        Of the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: str | Path, config: TrainingConfig) -> Self:
        """Make a folder for a new run and save the configuration in it.

        Raises
        ------
        OutputError
            Where the folder holds a run or other files, or cannot be made.
        """
        folder = cls(Path(path))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            taken = any(folder.path.iterdir())
        except OSError as error:
            raise OutputError(
                f"the run's folder cannot be made: {error.strerror}",
                where=folder.path,
                fix="Choose another.",
            ) from error
        if taken:
            what = "holds a run" if folder.config_file.exists() else "is not empty"
            raise OutputError(
                f"the folder {what}",
                where=folder.path,
                fix="Resume that run, or choose another folder."
                if folder.config_file.exists()
                else "Choose another.",
            )
        with atomic_output(folder.config_file) as temporary:
            temporary.write_text(config.model_dump_json(indent=1), encoding="utf-8")
        with atomic_output(folder.path / "run.json") as temporary:
            temporary.write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
        return folder

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the folder of a run that is there.

        Raises
        ------
        InputError
            Where there is no run, or one of another version.
        """
        folder = cls(Path(path))
        try:
            found = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "there is no training run in this folder",
                where=folder.path,
                fix="Give the folder that a training run has made; "
                "`napari-gmsr runs` lists those that are known.",
            ) from error
        if found != FORMAT:
            raise InputError(
                f"the run's folder has the format {found}, this version knows {FORMAT}",
                where=folder.path,
                fix="Use the version of napari-gmsr that made it, or start a new run.",
            )
        return folder

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.path / "config.json"

    @property
    def events_file(self) -> Path:
        """The events, one a line."""
        return self.path / "events.jsonl"

    @property
    def best_file(self) -> Path:
        """The best weights, a checkpoint like the shipped ones."""
        return self.path / "best.safetensors"

    @property
    def last_file(self) -> Path:
        """All that is needed to go on."""
        return self.path / "last.safetensors"

    @property
    def log_file(self) -> Path:
        """What a job's process printed."""
        return self.path / "log.txt"

    @property
    def tensorboard_folder(self) -> Path:
        """Curves for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def previews_folder(self) -> Path:
        """Bands of a validation picture."""
        return self.path / "previews"

    def config(self) -> TrainingConfig:
        """Return the run's configuration.

        Raises
        ------
        InputError
            Where it is missing or not valid.
        """
        return read_config(self.config_file)

    def append(self, event: Event) -> None:
        """Write an event as a line.

        Raises
        ------
        OutputError
            Where it cannot be written: the disk is full, say.
        """
        line = to_line(event).encode() + b"\n"
        try:
            with self.events_file.open("ab") as file:
                if file.tell() and not _ends_line(self.events_file):
                    line = b"\n" + line  # a line that a crash cut off stays a line of its own
                file.write(line)
        except OSError as error:
            raise OutputError(
                f"the event cannot be written: {error.strerror}",
                where=self.events_file,
                fix="Free some space.",
            ) from error

    def events(self) -> Iterator[Event]:
        """Yield the events so far; lines that a crash cut off are left out."""
        if not self.events_file.exists():
            return
        with self.events_file.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(InputError):
                    yield from_line(line)

    def request(self, what: Request) -> None:
        """Ask the running process to stop or to pause, after the step."""
        (self.path / what).touch()

    def withdraw(self, what: Request) -> None:
        """Take a request back; without ``pause`` a paused run goes on."""
        (self.path / what).unlink(missing_ok=True)

    def requested(self, what: Request) -> bool:
        """Say whether there is such a request."""
        return os.path.exists(self.path / what)  # noqa: PTH110 - asked at every step

    def write_status(
        self, state: State, step: int = 0, done: float = 0.0, *, pid: int | None = None
    ) -> None:
        """Say how this process stands, or the one with ``pid`` that was just started.

        It is no loss where that cannot be written.
        """
        status = Status(state, pid or os.getpid(), socket.gethostname(), time.time(), step, done)
        temporary = self.path / ".status.json"
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(asdict(status)), encoding="utf-8")
            temporary.replace(self.path / "status.json")

    def status(self) -> Status | None:
        """Return what the process last said; None where there is nothing (yet)."""
        try:
            found: dict[str, Any] = json.loads(
                (self.path / "status.json").read_text(encoding="utf-8")
            )
            return Status(**found)
        except (OSError, ValueError, TypeError):
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Own the folder while the block runs. The lock dies with its process.

        Raises
        ------
        InputError
            Where another process owns it.
        """
        lock = FileLock(self.path / "lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            status = self.status()
            whose = f" (process {status.pid} on {status.host})" if status else ""
            raise InputError(
                f"another job is training in this folder{whose}",
                where=self.path,
                fix="Wait for it or stop it, or start a run in another folder.",
            ) from None
        except OSError as error:
            raise OutputError(
                f"the folder cannot be locked: {error.strerror or error}",
                where=self.path,
                fix="Choose a folder of your own on a local disk.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Say whether a process owns the folder."""
        try:
            with FileLock(self.path / "lock", blocking=False):
                return False
        except Timeout:
            return True


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
