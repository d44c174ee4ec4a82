"""Progress and cancellation, as plain callables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_gmsr.errors import Cancelled

__all__ = ["Progress", "Reporter"]


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    done, total
        Tiles (a whole picture is one).
    message
        What is being done, for a status line; ends in an ellipsis where it is no count of tiles.
    """

    done: int
    total: int
    message: str


class Reporter:
    """Counts finished tiles, tells who wants to know, and stops when it is asked to.

    Parameters
    ----------
    total
        Tiles to come.
    progress
        Called with a `Progress` at the start, after every tile, and when there is a remark.
    cancel
        Asked before every tile; true stops the run.
    """

    def __init__(
        self,
        total: int,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self._done, self._total, self._remark = 0, total, ""
        self._progress, self._cancel = progress, cancel
        self._tell()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked for it."""
        if self._cancel is not None and self._cancel():
            raise Cancelled(f"cancelled after {self._done} of {self._total} tiles")

    def advance(self) -> None:
        """Count one tile as done."""
        self._done += 1
        self._tell()

    def add(self, tiles: int) -> None:
        """Count more tiles in."""
        self._total += tiles
        self._tell()

    def remark(self, remark: str) -> None:
        """Say something, now and with every tile to come."""
        self._remark = remark
        self._tell()

    def say(self, sentence: str) -> None:
        """Say what keeps the next tile waiting; the sentence ends in an ellipsis."""
        if self._progress is not None:
            self._progress(Progress(self._done, self._total, sentence))

    def _tell(self) -> None:
        if self._progress is not None:
            noun = "tile" if self._total == 1 else "tiles"
            message = f"{self._done} of {self._total} {noun}"
            message += f"; {self._remark}" if self._remark else ""
            self._progress(Progress(self._done, self._total, message))
