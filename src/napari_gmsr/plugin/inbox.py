"""What other threads say, brought into the GUI thread."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

__all__ = ["Inbox"]

_SHARE = 0.3
"""Of the time between two deliveries, at most: the rest is the window's."""


class Inbox(QObject):
    """Collects what is said in other threads, and delivers it in the GUI thread by a timer.

    A signal emitted in another thread could hit its receiver while Qt deletes it.

    Parameters
    ----------
    interval_ms
        Between two deliveries.
    expects
        Whether more may come; where not, the timer rests.
    parent
        Qt's parent.
    """

    delivered = Signal()
    """Something was delivered."""

    def __init__(
        self, interval_ms: int, expects: Callable[[], bool], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._expects = expects
        self._letters: queue.SimpleQueue[tuple[Callable[[Any], None], Any]] = queue.SimpleQueue()
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._deliver)

    def address(self, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a function for other threads; what it is called with reaches the handler."""
        letters = self._letters
        self._timer.start()
        return lambda said: letters.put((handler, said))

    def _deliver(self) -> None:
        # The timer rests meanwhile: napari's progress bars let Qt go on with other events, of which
        # one could be this timer's next.
        self._timer.stop()
        some = not self._letters.empty()
        end = time.monotonic() + _SHARE * self._timer.interval() / 1000
        try:
            while not self._letters.empty() and time.monotonic() < end:
                handler, said = self._letters.get()
                handler(said)
        finally:
            if self._expects() or not self._letters.empty():
                self._timer.start()
        if some:
            self.delivered.emit()
