"""A run in a process of its own: its crash takes nothing along, its device is its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from napari_gmsr.study.devices import StudyDevice
from napari_gmsr.study.events import PictureMeasured, RunTraining, StudyEvent
from napari_gmsr.study.folder import StudyFolder
from napari_gmsr.study.outcome import Failure, Outcome, PictureResult
from napari_gmsr.study.study import StudyRun
from napari_gmsr.study.work import failed, perform
from napari_gmsr.study.worker import STOPPED
from napari_gmsr.training.events import from_line

__all__ = ["Perform", "perform_here", "perform_in_child"]

_LOG_TAIL = 4000
_POLL_S = 0.2

Perform = Callable[
    [StudyFolder, StudyRun, StudyDevice, Callable[[StudyEvent], None], "Stop"], Outcome | None
]
"""Who does a run: here, or in a process."""


@dataclass
class Stop:
    """What the user has asked for.

    Parameters
    ----------
    asked
        To stop after the step.
    at_once
        To end at once.
    """

    asked: bool = False
    at_once: bool = False


def perform_here(
    folder: StudyFolder,
    run: StudyRun,
    device: StudyDevice,
    tell: Callable[[StudyEvent], None],
    stop: Stop,
) -> Outcome | None:
    """Do a run in this process; see `perform`."""
    return perform(
        folder,
        run,
        device.setting,
        on_event=lambda event: tell(RunTraining(run.key, event)),
        on_picture=lambda result, done, total: tell(PictureMeasured(run.key, result, done, total)),
        stop=lambda: stop.asked,
    )


def perform_in_child(
    folder: StudyFolder,
    run: StudyRun,
    device: StudyDevice,
    tell: Callable[[StudyEvent], None],
    stop: Stop,
) -> Outcome | None:
    """Do a run in a process of its own, and wait for it.

    A process that dies without a word gives the outcome of a failed run, with the end of its log.
    """
    folder.outcome_file(run.key).unlink(missing_ok=True)  # of an earlier try
    log_file = folder.log_file(run.key)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # -P: the current folder, whatever lies in it, is not searched for modules.
    command = [sys.executable, "-P", "-m", "napari_gmsr.study.worker"]
    with log_file.open("ab") as log:
        mark = log.tell()
        child = subprocess.Popen(
            [*command, str(folder.path.resolve()), run.key, device.setting],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **device.environment},
        )
    assert child.stdout is not None
    # What the user asks for is passed on from beside, as this thread waits for the child's lines.
    watch = threading.Thread(target=_watch, args=(child, stop), daemon=True)
    watch.start()
    try:
        with child.stdout as lines:
            for line in lines:
                _pass_on(line, run.key, tell)
    except BaseException:
        child.kill()  # who was told has failed: nobody waits for the child any more
        raise
    finally:
        watch.join()
    code = child.returncode
    outcome = folder.outcome(run)
    if outcome is None and (code == STOPPED or stop.asked):
        return None
    if outcome is None:
        outcome = failed(run, _death(code, log_file.read_bytes()[mark:][-_LOG_TAIL:]))
        folder.write(outcome)
    return outcome


def _watch(child: subprocess.Popen[bytes], stop: Stop) -> None:
    """Wait for the child's end, and pass on what is asked of it: the end of its input is a stop."""
    assert child.stdin is not None
    while child.poll() is None:
        if stop.asked and not child.stdin.closed:
            child.stdin.close()
        if stop.at_once:
            child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_POLL_S)
    child.stdin.close()


def _pass_on(line: bytes, key: str, tell: Callable[[StudyEvent], None]) -> None:
    try:
        record = json.loads(line)
    except ValueError:  # a line that the child's death cut off
        return
    if "training" in record:
        tell(RunTraining(key, from_line(record["training"])))
    elif "picture" in record:
        said = record["picture"]
        result = PictureResult.model_validate(said["result"])
        tell(PictureMeasured(key, result, said["done"], said["total"]))


def _death(code: int, log: bytes) -> Failure:
    text = log.decode(errors="replace").strip()
    what = f"its process died (exit code {code})"
    fix = "Run the study again with --retry; if it dies again, please report it with its log."
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        what = f"its process died ({name})"
        if name == "SIGKILL":
            what += ": it was killed, or the memory ran out"
            fix = "Run the study again with --retry, with a smaller batch where memory is short."
    return Failure(what=what, fix=fix, log=text)
