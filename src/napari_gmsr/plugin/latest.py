"""Work off the window's thread of which only the latest matters, as while a control is moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_gmsr.errors import GMSRError, OutOfMemoryError

__all__ = ["LatestWorker", "named"]


class LatestWorker(QObject):
    """Runs one call at a time in a thread; of those asked for meanwhile, the latest is run next.

    Parameters
    ----------
    doing
        What it does, for errors: "comparing the cubes".
    parent
        Qt's parent.
    """

    done = Signal(object)
    """A call's result."""
    failed = Signal(object)
    """A call's :class:`.GMSRError`."""

    def __init__(self, doing: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._doing = doing
        self._running = False
        self._next: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a call runs or waits."""
        return self._running

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a call as soon as the one under way has ended."""
        if self._running:
            self._next = (function, arguments)
            return
        self._running = True
        create_worker(
            _call,
            self._doing,
            function,
            arguments,
            _ignore_errors=True,
            _connect={"returned": self._on_returned, "errored": self._on_errored},
        )

    def forget(self) -> None:
        """Give up what waits; what runs ends by itself."""
        self._next = None

    def _on_returned(self, result: object) -> None:
        self._go_on()
        self.done.emit(result)

    def _on_errored(self, error: Exception) -> None:
        self._go_on()
        self.failed.emit(error)

    def _go_on(self) -> None:
        self._running = False
        waiting, self._next = self._next, None
        if waiting is not None:
            self.ask(waiting[0], *waiting[1])


def _call(doing: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise named(error, doing) from error


def named(error: Exception, doing: str) -> GMSRError:
    """Return an error of our own for any: a RuntimeError would vanish in a worker."""
    if isinstance(error, GMSRError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            f"memory ran out while {doing}", fix="Use fewer or smaller cubes at once."
        )
    return GMSRError(
        f"{doing} failed: {type(error).__name__}: {error}",
        fix="Please report this with the cubes' shapes and wavelengths.",
    )
