"""The events of a run, read from its file while another process writes them."""

from __future__ import annotations

import os
from pathlib import Path

from napari_gmsr.errors import InputError
from napari_gmsr.training.events import Event, from_line

__all__ = ["EventLog", "last_event"]

_PART = 1 << 20
"""Bytes read at once, so that a long history comes in parts."""


class EventLog:
    """The lines of an ``events.jsonl``, each read once.

    Parameters
    ----------
    path
        The file; it need not be there yet.
    first_line
        How many lines to pass over: `line` of an earlier reader.
    """

    def __init__(self, path: Path, *, first_line: int = 0) -> None:
        self._path = path
        self._offset = 0
        self._first_line = first_line
        self.line = 0
        """Lines that were read or passed over."""

    def read(self) -> list[Event] | None:
        """Return the events of the next part of the file; ``None`` where nothing new is there.

        A line counts once it has its end: what is half written is left for the next time. A line
        that a crash cut short, and that was ended later, is no event and is left out.
        """
        text = self._next_lines()
        if not text:
            return None
        self._offset += len(text)
        lines = text.split(b"\n")[:-1]
        fresh = lines[max(0, self._first_line - self.line) :]
        self.line += len(lines)
        return [event for line in fresh if (event := _event(line)) is not None]

    def _next_lines(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read(_PART)
                while b"\n" not in text and (more := file.read(_PART)):
                    text += more
        except FileNotFoundError:
            return b""
        return text[: text.rfind(b"\n") + 1]


def last_event(path: Path) -> Event | None:
    """Return the last event of a file, read from its end; ``None`` where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            part = 1 << 16
            while size:
                file.seek(max(0, size - part))
                lines = file.read(min(part, size)).split(b"\n")
                # The first may have its beginning before the part, the last has no end.
                whole = lines[(0 if part >= size else 1) : -1]
                for line in reversed(whole):
                    if (event := _event(line)) is not None:
                        return event
                if part >= size:
                    break
                part *= 16
    except FileNotFoundError:
        pass
    return None


def _event(line: bytes) -> Event | None:
    try:
        return from_line(line.decode(errors="replace"))
    except InputError:
        return None
