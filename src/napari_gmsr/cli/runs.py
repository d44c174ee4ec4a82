"""`napari-gmsr runs`: the training runs that are known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_gmsr.cli.console import Verbose, print_table

if TYPE_CHECKING:
    from napari_gmsr.jobs import RunSummary

__all__ = ["app"]

_Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, or the beginning of its name.")
]
_Runs = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Runs' folders, or how their names begin.")
]
_Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The folder that holds the runs; your own by default."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer()


@app.callback(invoke_without_command=True)
def _runs(context: typer.Context, verbose: Verbose = False) -> None:
    """List training runs; show, follow, stop, compare or remove them."""
    if context.invoked_subcommand is None:
        _print_runs(None, as_json=False)


@app.command("list")
def _list(root: _Root = None, as_json: _Json = False, verbose: Verbose = False) -> None:
    """List the runs, the newest first."""
    _print_runs(root, as_json)


@app.command("show")
def _show(run: _Run, root: _Root = None, as_json: _Json = False, verbose: Verbose = False) -> None:
    """Say how a run stands, with its settings."""
    from napari_gmsr.jobs import find_run, summarise
    from napari_gmsr.training.run_folder import RunFolder

    path = find_run(run, root)
    settings = RunFolder.open(path).config().model_dump(mode="json")
    summary = _record(summarise(path))
    if as_json:
        print(json.dumps({**summary, "config": settings}, indent=2))
        return
    for key, value in summary.items():
        if value not in ("", None, {}):
            print(f"{key:10} {json.dumps(value) if isinstance(value, dict) else value}")
    print(json.dumps(settings, indent=2))


@app.command("follow")
def _follow(
    run: _Run, root: _Root = None, as_json: _Json = False, verbose: Verbose = False
) -> None:
    """Show a run's events, from its first to its end. Ctrl+C leaves the run alone."""
    from napari_gmsr.cli.training_display import json_lines, training_display
    from napari_gmsr.jobs import attach, find_run

    job = attach(find_run(run, root))
    with (json_lines if as_json else training_display)() as show:
        follower = job.follow(show)
        try:
            while not follower.wait(0.2):  # not for ever, or Windows hears no Ctrl+C
                pass
        finally:
            follower.close()


@app.command("stop")
def _stop(run: _Run, root: _Root = None, verbose: Verbose = False) -> None:
    """Ask a run to stop after the step; best and last are kept."""
    from napari_gmsr.errors import InputError
    from napari_gmsr.jobs import attach, find_run

    job = attach(find_run(run, root))
    if not job.alive:
        raise InputError("this run is not at work", where=job.path, fix="There is nothing to stop.")
    job.stop()


@app.command("compare")
def _compare(
    runs: _Runs, root: _Root = None, as_json: _Json = False, verbose: Verbose = False
) -> None:
    """Print the settings in which runs differ."""
    from napari_gmsr.jobs import compare_runs, find_run

    paths = [find_run(run, root) for run in runs]
    rows = compare_runs(*paths)
    if as_json:
        print(json.dumps({row.setting: row.values for row in rows}, indent=2))
    elif not rows:
        print("the same settings")
    else:
        header = ["setting", *(path.name for path in paths)]
        print_table(header, [[row.setting, *map(_text, row.values)] for row in rows])


@app.command("remove")
def _remove(runs: _Runs, root: _Root = None, verbose: Verbose = False) -> None:
    """Remove runs with their checkpoints."""
    from napari_gmsr.jobs import find_run, remove_run

    for path in [find_run(run, root) for run in runs]:
        remove_run(path)
        print(f"{path} removed")


def _print_runs(root: Path | None, as_json: bool) -> None:
    from napari_gmsr.jobs import list_runs
    from napari_gmsr.training.run_folder import default_root

    runs = list_runs(root)
    if as_json:
        print(json.dumps([_record(run) for run in runs], indent=2))
    elif not runs:
        print(f"no runs in {root or default_root()}")
    else:
        header = ("run", "state", "dataset", "network", "step", "done", "best", "problem")
        print_table(header, [_row(run) for run in runs])


def _row(run: RunSummary) -> list[str]:
    best = "" if run.best is None else f"{run.select} {run.best:.4g}"
    step, done = str(run.step), f"{run.done:.0%}"
    return [run.name, run.state, run.dataset, run.network, step, done, best, run.problem]


def _record(run: RunSummary) -> dict[str, Any]:
    return {
        **asdict(run),
        "path": str(run.path),
        "started": run.started.isoformat(timespec="seconds"),
    }


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
