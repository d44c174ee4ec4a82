"""How a study looks in a terminal: a bar for the study and one a run, or lines alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_gmsr.cli.training_display import duration
from napari_gmsr.study.events import (
    PictureMeasured,
    RunBegan,
    RunDone,
    RunFailed,
    RunStopped,
    RunTraining,
    StudyBegan,
    StudyEvent,
)
from napari_gmsr.training.events import Started, Step, Validation

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["say", "study_display"]

_EVERY_S = 30.0
"""Seconds between two lines of a run's steps, where there is no bar."""


@contextmanager
def study_display() -> Iterator[Callable[[StudyEvent], None]]:
    """Show events on standard error: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


def say(event: StudyEvent) -> str:
    """Return what to tell of an event, empty where that is nothing."""
    match event:
        case StudyBegan():
            devices = ", ".join(event.devices)
            text = f"{event.runs} runs, {event.done} of them done before; on {devices}"
            if event.failed:
                text += f"\n{len(event.failed)} failed before: --retry tries them again"
            return text
        case RunBegan():
            how = "goes on" if event.resumed else "begins"
            return f"{event.title} {how} on {event.device}"
        case RunTraining(event=Started() as started) if started.notes:
            return "\n".join(f"{event.key}: {note}" for note in started.notes)
        case RunDone():
            return f"{event.key}: done"
        case RunFailed():
            return f"{event.key}: failed: {event.failure}"
        case RunStopped():
            return f"{event.key}: stopped, and can go on"
        case _:
            return ""


def _say_progress(event: StudyEvent) -> str:
    match event:
        case RunTraining(event=Step() as step):
            left = step.seconds * (1 - step.done) / step.done if step.done else 0.0
            rest = f", {duration(left)} left" if left else ""
            return f"{event.key}: {step.done:.0%}, loss {step.loss:.4g}{rest}"
        case RunTraining(event=Validation() as validation):
            return f"{event.key}: {validation.select} {validation.value:.4g}"
        case PictureMeasured():
            psnr = event.result.value("paper", "psnr_db")
            which = f"{event.done}/{event.total} {event.result.picture}"
            return f"{event.key}: {which}: PSNR {psnr:.2f} dB"
        case _:
            return ""


class _Lines:
    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, event: StudyEvent) -> None:
        text = say(event)
        if isinstance(event, RunTraining) and isinstance(event.event, Step):
            now = time.monotonic()
            if now >= self._said.setdefault(event.key, now) + _EVERY_S:
                self._said[event.key] = now
                text = _say_progress(event)
        elif not text and not isinstance(event, RunTraining):
            text = _say_progress(event)
        if text:
            print(text, file=sys.stderr, flush=True)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._study = bars.add_task("study", total=1.0)
        self._runs: dict[str, TaskID] = {}

    def __call__(self, event: StudyEvent) -> None:
        match event:
            case StudyBegan():
                self._bars.update(self._study, total=event.runs, completed=event.done)
            case RunBegan():
                self._runs[event.key] = self._bars.add_task(event.key, total=1.0)
            case RunDone() | RunFailed() | RunStopped():
                self._bars.remove_task(self._runs.pop(event.key))
                if not isinstance(event, RunStopped):
                    self._bars.advance(self._study)
            case RunTraining(event=Step() as step):
                bar = self._runs[event.key]
                self._bars.update(bar, completed=step.done, description=_say_progress(event))
            case PictureMeasured():
                self._bars.update(self._runs[event.key], description=_say_progress(event))
            case _:
                pass
        if text := say(event):
            self._bars.console.print(text, markup=False, highlight=False)
