"""How a training run looks in a terminal: a bar with lines above it, or lines alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_gmsr.training.events import (
    Checkpoint,
    Epoch,
    Event,
    Failed,
    Finished,
    Paused,
    Resumed,
    Started,
    Step,
    Validation,
    Warning_,
    to_line,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["duration", "json_lines", "say", "silence", "training_display"]

_EVERY_S = 10.0
"""Seconds between two lines of steps, where there is no bar."""


@contextmanager
def training_display() -> Iterator[Callable[[Event], None]]:
    """Show events on standard error: a bar on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bar(bars, bars.add_task("starting", total=1.0))


@contextmanager
def json_lines() -> Iterator[Callable[[Event], None]]:
    """Print events on standard output, one JSON object a line."""
    yield lambda event: print(to_line(event), flush=True)


@contextmanager
def silence() -> Iterator[Callable[[Event], None]]:
    """Show nothing: another process of the run does."""
    yield lambda event: None


def duration(seconds: float) -> str:
    """Return a time for people: ``42 s``, ``5 min 03 s``, ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole // 60 % 60:02} min"


def say(event: Event) -> str:
    """Return what to tell of an event, empty where that is nothing."""
    match event:
        case Started():
            begin = f"from step {event.step}" if event.step else "from the start"
            length = f" to {event.total_steps} steps" if event.total_steps else ""
            processes = f", {event.world} processes" if event.world > 1 else ""
            first = (
                f"{event.name}: {event.network}, {event.parameters} parameters, {event.engine} "
                f"engine on {event.device}{processes}; {begin}{length}"
            )
            return "\n".join([first, *(f"  {note}" for note in event.notes)])
        case Validation():
            best = ", the best so far" if event.best else ""
            psnr = event.mean.get("paper", {}).get("psnr_db")
            angle = event.mean.get("standard", {}).get("sam_deg")
            more = f" (PSNR {psnr:.2f} dB, SAM {angle:.2f}°)" if psnr and angle else ""
            return f"step {event.step}: {event.select} {event.value:.4g}{more}{best}"
        case Epoch():
            return f"epoch {event.epoch} over: loss {event.loss:.4g}"
        case Warning_():
            where = f"{event.where}: " if event.where else ""
            return f"warning: {where}{event.what}. {event.fix}".rstrip()
        case Paused():
            return f"paused after step {event.step}"
        case Resumed():
            return f"goes on from step {event.step}" if event.step else ""
        case Finished():
            best = f"; best at step {event.best_step}" if event.best_step else ""
            took = duration(event.seconds)
            return f"{event.reason} after {event.step} steps in {took}{best}"
        case Failed():
            where = f"{event.where}: " if event.where else ""
            log = f"\n{event.log}" if event.log else ""
            return f"failed after {event.step} steps: {where}{event.what}. {event.fix}{log}"
        case _:
            return ""


def _say_step(event: Step) -> str:
    return f"loss {event.loss:.4g}, {event.patches_per_s:.0f} patches/s"


class _Lines:
    def __init__(self) -> None:
        self._said = -_EVERY_S

    def __call__(self, event: Event) -> None:
        text = "" if isinstance(event, Checkpoint) else say(event)
        if isinstance(event, Step) and event.seconds >= self._said + _EVERY_S:
            self._said = event.seconds
            text = f"step {event.step}, {event.done:.0%}: {_say_step(event)}{_left(event)}"
        if text:
            print(text, file=sys.stderr, flush=True)


class _Bar:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def __call__(self, event: Event) -> None:
        if isinstance(event, Step):
            text = f"step {event.step}: {_say_step(event)}{_left(event)}"
            self._bars.update(self._task, description=text, completed=event.done)
        elif isinstance(event, Paused):
            self._bars.update(self._task, description=say(event))
        elif text := say(event):
            self._bars.console.print(text, markup=False, highlight=False)


def _left(event: Step) -> str:
    if event.done <= 0:
        return ""
    return f", {duration(event.seconds * (1 - event.done) / event.done)} left"
