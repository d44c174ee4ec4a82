"""The command `napari-gmsr`: its subcommands, and how a mistake reaches the user."""

from __future__ import annotations

import errno
import io
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from napari_gmsr.cli import (
    check,
    doctor,
    evaluate,
    figure,
    models,
    reconstruct,
    runs,
    show,
    simulate,
    study,
    train,
)
from napari_gmsr.cli.console import Settings, one_line
from napari_gmsr.errors import GMSRError

__all__ = ["app", "main"]

# The base of typer's errors of usage, which typer itself names only through this child.
_UsageError: type[Any] = typer.BadParameter.__mro__[1]
# The exit code of a shell's command that Ctrl+C ended.
_INTERRUPTED = 130

app = typer.Typer(
    name="napari-gmsr",
    help="Spectra from RGB pictures: reconstruction, 400-700 nm in 31 bands.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("reconstruct")(reconstruct.reconstruct)
app.command("show")(show.show)
app.command("check")(check.check)
app.command("evaluate")(evaluate.evaluate)
app.command("figure")(figure.figure)
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.add_typer(runs.app, name="runs")
app.add_typer(study.app, name="study")
app.command("simulate")(simulate.simulate)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from napari_gmsr import __version__

        typer.echo(f"napari-gmsr {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Without the program's name; those of this process by default.

    Returns
    -------
    int
        0: done. 2: a mistake of the user's, told in one line on standard error. 1: a fault of ours.
        130: interrupted.
    """
    settings = Settings()
    try:
        result = app(args=arguments, prog_name="napari-gmsr", standalone_mode=False, obj=settings)
    except GMSRError as error:
        return _fail(settings, str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except Exception as error:
        if isinstance(error, _UsageError):
            return _fail(settings, _usage(error), 2)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            # Every file of ours is written where this becomes an error that names it.
            return _fail(settings, "standard output: the disk is full. Free some space", 2)
        what = f"unexpected {type(error).__name__}: {one_line(str(error))}"
        fix = "--verbose shows where; please report it with the output of `napari-gmsr doctor`"
        return _fail(settings, f"{what} ({fix})", 1)
    if result == _INTERRUPTED:  # newer versions of typer return it, older ones raise
        return _fail(settings, "interrupted; what is finished is kept", _INTERRUPTED)
    return result if isinstance(result, int) else 0


def _usage(error: Any) -> str:
    command = error.ctx.command_path if error.ctx else "napari-gmsr"
    return f"{error.format_message().rstrip('.')}. See: {command} --help"


def _fail(settings: Settings, message: str, code: int) -> int:
    if settings.verbose:
        traceback.print_exc()
    print(f"napari-gmsr: {one_line(message)}", file=sys.stderr)
    return code


def main() -> None:
    """Run the command line of this process, and exit."""
    # A file's name may have characters that the output's encoding does not: they are escaped.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run())
