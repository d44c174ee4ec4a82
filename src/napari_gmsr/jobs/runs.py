"""The training runs that are known: found, compared, removed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from napari_gmsr.errors import GMSRError, InputError, OutputError
from napari_gmsr.jobs.training import TrainingJob
from napari_gmsr.training.events import Event, Failed, Resumed, Started, Validation, from_line
from napari_gmsr.training.run_folder import RunFolder, default_root

__all__ = [
    "Difference",
    "RunSummary",
    "compare_runs",
    "find_run",
    "list_runs",
    "remove_run",
    "summarise",
]


@dataclass(frozen=True)
class RunSummary:
    """What a list of runs says of one.

    Parameters
    ----------
    path
        The run's folder.
    name, dataset, network
        From its configuration.
    state
        As of `TrainingJob.state`.
    started
        When its folder was made.
    step, done
        Steps, and fraction of the run.
    select, best, best_step
        What the best checkpoint was chosen by, its value and where it was; None where nothing was
        validated.
    metrics
        Both sets of the best, mean over the validation pictures.
    problem
        Why it failed, or why the folder cannot be read; else empty.
    """

    path: Path
    name: str
    dataset: str = ""
    network: str = ""
    state: str = "failed"
    started: datetime = datetime.min
    step: int = 0
    done: float = 0.0
    select: str = ""
    best: float | None = None
    best_step: int | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """A setting in which runs differ.

    Parameters
    ----------
    setting
        Its name, such as ``optimiser.learning_rate``.
    values
        One for each run, as JSON has it; None where a run has no such setting.
    """

    setting: str
    values: tuple[Any, ...]


def list_runs(root: str | Path | None = None) -> tuple[RunSummary, ...]:
    """Return the runs in a folder, the newest first.

    Parameters
    ----------
    root
        The folder that holds the runs' folders; the user's own by default. It need not be there.

    Returns
    -------
    tuple of RunSummary
        A run that cannot be read is among them, with its ``problem``. Folders without a run are
        not.
    """
    root = default_root() if root is None else Path(root)
    try:
        folders = [file.parent for file in root.glob("*/run.json")]
    except PermissionError:  # whoever may not look into the folder has no runs there
        return ()
    found = [summarise(path) for path in folders if not path.name.startswith(".")]
    return tuple(sorted(found, key=lambda run: (run.started, run.name), reverse=True))


def summarise(path: str | Path) -> RunSummary:
    """Return what there is to say of a run; what is wrong with it stands in ``problem``."""
    path = Path(path)
    try:
        folder = RunFolder.open(path)
        config = folder.config()
    except GMSRError as error:
        return RunSummary(path, path.name, problem=error.what)
    job = TrainingJob(folder)
    state, status = job.state, folder.status()
    best, failed = _best_and_failure(folder)
    problem = ""
    if state == "failed":
        failed = failed or job.explain_death()
        problem = f"{failed.what} ({failed.where})" if failed.where else failed.what
    return RunSummary(
        path,
        path.name,
        config.dataset.name,
        config.start_from or config.network,
        state,
        datetime.fromtimestamp(folder.config_file.stat().st_mtime),
        status.step if status else 0,
        status.done if status else 0.0,
        config.select,
        best.value if best else None,
        best.step if best else None,
        best.mean if best else {},
        problem,
    )


def find_run(name_or_path: str | Path, root: str | Path | None = None) -> Path:
    """Return a run's folder.

    Parameters
    ----------
    name_or_path
        A folder, or the name of one in ``root``, of which the beginning is enough where no other
        begins so.
    root
        As for `list_runs`.

    Raises
    ------
    InputError
        Where there is none, or more than one.
    """
    path = Path(name_or_path)
    if (path / "run.json").exists():
        return path
    root = default_root() if root is None else Path(root)
    names = sorted(file.parent.name for file in root.glob("*/run.json"))
    wanted = str(name_or_path)
    fitting = [wanted] if wanted in names else [n for n in names if wanted and n.startswith(wanted)]
    if len(fitting) == 1:
        return root / fitting[0]
    if fitting:
        raise InputError(
            f"{len(fitting)} runs begin so: {', '.join(fitting[:4])}",
            where=wanted,
            fix="Give more of the name.",
        )
    raise InputError(
        "there is no such run",
        where=wanted,
        fix="`napari-gmsr runs` lists those that are known; or give a run's folder.",
    )


def compare_runs(*runs: str | Path) -> tuple[Difference, ...]:
    """Return the settings in which runs differ, in the order of the configuration.

    Parameters
    ----------
    *runs
        Folders of runs, two or more.

    Raises
    ------
    InputError
        Where one of them is no run, or its configuration cannot be read.
    """
    tables = [_flat(RunFolder.open(path).config().model_dump(mode="json")) for path in runs]
    settings = dict.fromkeys(name for table in tables for name in table)
    rows = (Difference(name, tuple(t.get(name) for t in tables)) for name in settings)
    return tuple(row for row in rows if any(value != row.values[0] for value in row.values))


def remove_run(path: str | Path) -> None:
    """Remove a run's folder with all that is in it.

    Raises
    ------
    InputError
        Where there is no run, or it is at work.
    OutputError
        Where it cannot be removed.
    """
    path = Path(path)
    folder = RunFolder(path)
    if not (path / "run.json").is_file():  # one of another version may go, too
        raise InputError(
            "there is no training run in this folder", where=path, fix="Remove it yourself."
        )
    if TrainingJob(folder).alive or folder.is_locked():
        raise InputError("this run is at work", where=path, fix="Stop it first.")
    # Renamed first: what is half removed is no run any more.
    doomed = path.resolve().with_name(f".{uuid4().hex[:8]}.removed")
    try:
        path.resolve().rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"it cannot be removed: {error.strerror or error}",
            where=error.filename or path,
            fix="Change its permissions, or close what has it open.",
        ) from error


def _best_and_failure(folder: RunFolder) -> tuple[Validation | None, Failed | None]:
    """Return the best validation, and the last failure where nothing came after it."""
    bests: list[Validation] = []
    failed = None
    for event in _few_events(folder.events_file):
        match event:
            case Validation(best=True):
                bests.append(event)
            case Failed():
                failed = event
            case Resumed(step=step):  # what was done after the state it goes on from is void
                bests = [best for best in bests if best.step <= step]
                failed = None
            case Started():
                failed = None
    return bests[-1] if bests else None, failed


def _few_events(path: Path) -> Iterator[Event]:
    """Yield the events that a summary needs; most lines are steps, and are not even parsed."""
    if not path.exists():
        return
    wanted = [f'"{kind}"'.encode() for kind in ("validation", "failed", "resumed", "started")]
    with path.open("rb") as file:
        for line in file:
            if any(kind in line[:40] for kind in wanted):
                with contextlib.suppress(InputError):
                    yield from_line(line.decode(errors="replace"))


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
