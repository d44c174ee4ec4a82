"""What the commands share of the terminal: settings, one-line messages, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_gmsr.reconstruct import Progress

__all__ = ["Settings", "Verbose", "one_line", "progress"]


@dataclass
class Settings:
    """What holds for a whole run of the command line."""

    verbose: bool = False


def _set_verbose(context: typer.Context, value: bool) -> bool:
    context.ensure_object(Settings).verbose |= value
    return value


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        help="Show the traceback behind an error.",
        callback=_set_verbose,
        is_eager=True,
    ),
]
"""The option that every command takes; the settings of the run keep it."""


def one_line(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())


@contextmanager
def progress(title: str) -> Iterator[Callable[[Progress], None]]:
    """Show how far something is on standard error: a bar on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_lines(title)
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def show(step: Progress) -> None:
            text = f"{title}: {step.message}" if step.message.endswith("…") else title
            bars.update(task, description=text, completed=step.done, total=step.total)

        yield show


def _plain_lines(title: str) -> Callable[[Progress], None]:
    shown, said = 0, ""

    def show(step: Progress) -> None:
        # Ten lines a picture are enough, however many tiles it has.
        nonlocal shown, said
        tenth = 10 * step.done // max(1, step.total)
        news = step.message.endswith("…") and step.message != said
        if tenth > shown or news:
            shown, said = tenth, step.message if news else said
            print(f"{title}: {step.message}", file=sys.stderr, flush=True)

    return show
