"""What the commands share of the terminal: settings, one-line messages, progress."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_gmsr.reconstruct import Progress

__all__ = ["Settings", "Verbose", "interrupts", "one_line", "print_table", "progress"]


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


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output: fitted into a terminal, one line a row elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*header, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl+C was pressed.

    Ctrl+C raises KeyboardInterrupt as ever. Where that comes up in a callback or a finaliser,
    Python prints and drops it: long work asks here too.
    """
    pressed = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


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
