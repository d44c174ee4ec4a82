"""`napari-gmsr train`: a training run in this process, also under torchrun."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_gmsr.cli.console import Verbose
from napari_gmsr.errors import GMSRError, InputError

if TYPE_CHECKING:
    from napari_gmsr.training.config import TrainingConfig
    from napari_gmsr.training.events import Event
    from napari_gmsr.training.run_folder import RunFolder

__all__ = ["train"]

_INTERRUPTED = 130


class Preset(StrEnum):
    """Where the settings begin."""

    recommended = "recommended"
    paper = "paper"
    official = "official"


def train(
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to train on; `--dataset help` lists the names."),
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The dataset's folder.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Render all pictures with this camera response.")
    ] = None,
    validation_data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of pairs to validate on instead."),
    ] = None,
    preset: Annotated[
        Preset | None, typer.Option(help="Where the settings begin; recommended by default.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Begin with this file, such as a run's config.json."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long to train, or")] = None,
    epochs: Annotated[float | None, typer.Option(help="so many epochs, or")] = None,
    steps: Annotated[int | None, typer.Option(help="so many steps.")] = None,
    start_from: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Fine-tune a model or a checkpoint file."),
    ] = None,
    network: Annotated[str | None, typer.Option(help="The network to train from anew.")] = None,
    batch: Annotated[int | None, typer.Option(help="Patches a step, for each process.")] = None,
    patch: Annotated[int | None, typer.Option(help="Side of a patch in pixels.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The largest one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="auto|NAME", help="The scan's engine.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's and its model's name.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any other setting, such as loss.sam=0.1; repeat."
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder; by default among `runs`.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run, by its name or folder."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the dataset, and do not train.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events, or the check, as JSON.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a network. Ctrl+C stops after the step; `--resume` goes on from there."""
    from napari_gmsr.cli import dataset_check
    from napari_gmsr.cli.training_settings import configuration, enter, without_none

    if dataset == "help":
        dataset_check.print_datasets()
        return
    given: dict[str, Any] = {
        "dataset": {
            "name": dataset,
            "folder": data,
            "camera": camera,
            "validation_folder": validation_data,
        },
        "optimiser": {"learning_rate": learning_rate},
        "start_from": start_from,
        "network": network,
        "batch": batch,
        "patch": patch,
        "seed": seed,
        "device": device,
        "engine": engine,
        "name": name,
        "minutes": minutes,
        "epochs": epochs,
        "steps": steps,
    }
    try:
        given = without_none(given)
        for setting in settings or []:
            enter(given, setting)
        if data is not None and dataset is None and config is None:
            raise InputError(
                "which dataset is in this folder?",
                where=data,
                fix="Give its name with --dataset; `--dataset help` lists them.",
            )
        folder = None
        if resume is not None:
            folder = _resumed(resume, given, [preset, config, run])
            chosen = folder.config()
        else:
            chosen = configuration(config, preset.value if preset else None, given)
    except GMSRError:
        if not _is_first():
            raise typer.Exit(2) from None  # the first process says it
        raise
    if check:
        if _is_first():
            dataset_check.check(chosen, as_json)
    else:
        _train(chosen, None if folder is None else folder.path, run, as_json)


def _is_first() -> bool:
    """Say whether this process speaks: the only one, or the first of those of torchrun."""
    return os.environ.get("RANK", "0") == "0"


def _resumed(name: str, given: dict[str, Any], others: list[object]) -> RunFolder:
    from napari_gmsr.jobs import find_run
    from napari_gmsr.training.run_folder import RunFolder

    if given or any(other is not None for other in others):
        raise InputError(
            "a run that goes on keeps its settings",
            where="--resume",
            fix="Give --resume alone; to train on with others, start a run --from its checkpoint.",
        )
    return RunFolder.open(find_run(name))


@dataclass
class _Stopping:
    """What the user has asked for with Ctrl+C."""

    folder: RunFolder
    ready: bool = False
    asked: bool = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        # Under torchrun the terminal and torchrun both pass Ctrl+C on, and torchrun counts.
        alone = "RANK" not in os.environ
        if not self.ready or (self.asked and alone):
            raise KeyboardInterrupt
        if not self.asked and _is_first():
            self.folder.request("stop")
            again = "; Ctrl+C again aborts" if alone else ""
            sys.stderr.write(f"stopping after this step{again}\n")
        self.asked = True


@contextmanager
def _stop_on_signal(folder: RunFolder) -> Iterator[_Stopping]:
    """Take Ctrl+C, and a polite end of the process, as the request to stop after the step."""
    stopping = _Stopping(folder)
    before = {n: signal.signal(n, stopping.on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _train(config: TrainingConfig, resume: Path | None, run: Path | None, as_json: bool) -> None:
    from napari_gmsr.cli.training_display import json_lines, silence, training_display
    from napari_gmsr.training import train as train_here
    from napari_gmsr.training.events import Failed
    from napari_gmsr.training.run_folder import RunFolder, new_run_path

    path = resume or run or new_run_path(config)
    display = json_lines if as_json else training_display
    with (display if _is_first() else silence)() as show, _stop_on_signal(RunFolder(path)) as stop:

        def on_event(event: Event) -> None:
            stop.ready = True
            # The command ends with the error's own line.
            if as_json or not isinstance(event, Failed):
                show(event)

        train_here(config, run=path, resume=resume is not None, on_event=on_event)
    if _is_first() and not as_json:
        print(path)
    if stop.asked:
        raise typer.Exit(_INTERRUPTED)
