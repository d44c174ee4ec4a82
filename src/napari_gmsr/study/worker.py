"""The process of one run: ``python -m napari_gmsr.study.worker STUDY KEY DEVICE``.

It tells of itself in lines of JSON on its standard output; whatever else is printed goes to its
standard error, the log. It stops when its standard input ends: when the study asks it to, or dies.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["STOPPED", "main", "teller"]

STOPPED = 3
"""The exit code of a run that was stopped; 0 where it is done or failed, as its outcome says."""


def main(path: str, key: str, device: str) -> int:
    """Do a run of a study, and return the process's exit code."""
    faulthandler.enable()
    # Ctrl+C reaches every process of the terminal; it is for the study to say what that means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell = teller(_own_output())
    asked = threading.Event()
    threading.Thread(target=_wait_for_end, args=(asked,), daemon=True).start()

    from napari_gmsr.study.folder import StudyFolder
    from napari_gmsr.study.work import perform
    from napari_gmsr.training.events import to_line

    folder = StudyFolder.open(Path(path))
    outcome = perform(
        folder,
        folder.study().run(key),
        device,
        on_event=lambda event: tell("training", to_line(event)),
        on_picture=lambda result, done, total: tell(
            "picture", {"result": result.model_dump(mode="json"), "done": done, "total": total}
        ),
        stop=asked.is_set,
    )
    return STOPPED if outcome is None else 0


def _own_output() -> int:
    """Keep standard output for ourselves: what others print on it goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return own


def teller(output: int) -> Callable[[str, Any], None]:
    """Return what writes a line of JSON to a file descriptor.

    Where nobody listens any more nothing is written: the study has died, and the end of the
    input is what stops this run.
    """

    def tell(kind: str, content: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(output, json.dumps({kind: content}).encode() + b"\n")

    return tell


def _wait_for_end(asked: threading.Event) -> None:
    # Not sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
    while os.read(0, 1024):
        pass
    asked.set()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
