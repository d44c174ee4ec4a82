"""Following a run: its events as they are written, in a thread, to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from napari_gmsr.jobs.event_log import EventLog, last_event
from napari_gmsr.training.events import Event, Failed

__all__ = ["Follower", "OnTrainingEvent"]

OnTrainingEvent = Callable[[Event], None]

_POLL_S = 0.1


class _Followed(Protocol):
    @property
    def alive(self) -> bool: ...

    def explain_death(self) -> Failed: ...


class Follower:
    """Passes a run's events on, each once and in order, until its process has ended.

    Parameters
    ----------
    events
        The run's ``events.jsonl``.
    job
        Says whether the run's process lives, and why it died.
    on_event
        Takes the events, in the follower's thread.
    first_line
        Lines of the file to pass over.
    """

    def __init__(
        self, events: Path, job: _Followed, on_event: OnTrainingEvent, *, first_line: int = 0
    ) -> None:
        self._events = events
        self._log = EventLog(events, first_line=first_line)
        self._job = job
        self._on_event = on_event
        self._closed = threading.Event()
        name = f"napari-gmsr follows {events.parent.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def line(self) -> int:
        """How many lines were read: where another follower can go on."""
        return self._log.line

    def close(self) -> None:
        """Follow no further; the run goes on. Returns at once."""
        self._closed.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the run's process, or for `close`; say whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._closed.is_set():
            # Asked before reading: all that a dead process wrote is there to be read.
            alive = self._job.alive
            while (events := self._log.read()) is not None:
                for event in events:
                    if self._closed.is_set():
                        return
                    self._on_event(event)
            if not alive:
                last = last_event(self._events)
                if last is None or not last.ends:
                    self._on_event(self._job.explain_death())
                return
            self._closed.wait(_POLL_S)
