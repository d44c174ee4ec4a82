"""The child process: ``python -m napari_gmsr.jobs.worker FOLDER``.

It takes requests as JSON lines from standard input, one task at a time, and answers with events as
JSON lines on standard output. It stays alive between tasks, so that torch is imported and a
checkpoint loaded once, and ends when its standard input does: with the parent, however that ends.
"""

from __future__ import annotations

import faulthandler
import json
import os
import queue
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from napari_gmsr.jobs.codec import from_json, to_json
from napari_gmsr.jobs.events import Event, Failed
from napari_gmsr.jobs.executor import as_gmsr_error, perform

__all__ = ["main"]


def main(folder: Path) -> None:
    """Serve requests until standard input ends.

    Parameters
    ----------
    folder
        The private folder; each request names a folder inside for its arrays. It is removed at
        the end, in case the parent was killed and cannot.
    """
    faulthandler.enable()
    # Control-C in a terminal reaches the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _take_standard_output()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(folder, requests, cancelled), daemon=True).start()
    while True:
        request = requests.get()
        _serve(request, folder / request["folder"], answers, cancelled)


def _take_standard_output() -> TextIO:
    """Keep standard output for the answers; what libraries print goes to the log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    os.dup2(2, 1)
    return answers


def _listen(folder: Path, requests: queue.SimpleQueue[dict[str, Any]], cancelled: set[int]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            requests.put(message)
    shutil.rmtree(folder, ignore_errors=True)
    # A task may be in the middle of a computation that nobody waits for any more.
    os._exit(0)


def _serve(request: dict[str, Any], folder: Path, answers: TextIO, cancelled: set[int]) -> None:
    def emit(event: Event) -> None:
        answers.write(json.dumps({"id": request["id"], "event": to_json(event, folder)}) + "\n")

    end = perform(
        request["task"],
        lambda: from_json(request["arguments"], folder, mmap="r"),
        emit,
        lambda: request["id"] in cancelled,
    )
    try:
        emit(end)
    except OSError as error:  # the disk is too full for the result's arrays
        emit(Failed(as_gmsr_error(error)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
