"""Training as a function: one configuration in, a run folder out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_gmsr.errors import GMSRError, InputError, OutOfMemoryError, OutputError
from napari_gmsr.training import events
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.loop import Training
from napari_gmsr.training.processes import Processes
from napari_gmsr.training.record import OnEvent, Record
from napari_gmsr.training.run_folder import RunFolder, new_run_path
from napari_gmsr.weights import Model, load_model

__all__ = ["TrainingRun", "train"]


@dataclass(frozen=True)
class TrainingRun:
    """A run that has ended.

    Parameters
    ----------
    folder
        The run's folder.
    config
        What it did.
    reason
        ``"done"`` or ``"stopped"``.
    best, best_step
        The best value of what is selected by, and after how many steps; NaN and 0 where nothing was
        validated.
    """

    folder: Path
    config: TrainingConfig
    reason: str
    best: float
    best_step: int

    def events(self) -> Iterator[events.Event]:
        """Yield what the run has told, from its beginning."""
        return RunFolder(self.folder).events()

    def model(self) -> Model:
        """Return the best checkpoint."""
        return load_model(RunFolder(self.folder).best_file)


def train(
    config: TrainingConfig,
    *,
    run: str | Path | None = None,
    resume: bool = False,
    on_event: OnEvent | None = None,
) -> TrainingRun:
    """Train a network here and now; under ``torchrun``, together with the other processes.

    A batch depends on the configuration's seed, the step and the process alone, so that a resumed
    run ends bit for bit where an unbroken one ends, on the same kind of device and with as
    many processes. A length in minutes is the exception: how many steps they hold is not known.

    Parameters
    ----------
    config
        What to do.
    run
        The run's folder; by default a new one among the user's runs.
    resume
        Go on from the folder's last state; on another device, where ``config`` names another.
    on_event
        Takes every event, which are also written to the folder. Of several processes, only the
        first one's is called.

    Returns
    -------
    TrainingRun
        How it ended, done or stopped.

    Raises
    ------
    GMSRError
        Where the data, the configuration or the folder cannot be used, or the loss is no number any
        more. Best and last checkpoint stay.
    """
    processes = Processes(config.device)
    folder = RunFolder(Path(run) if run is not None else new_run_path(config))
    if not processes.is_first:
        ended = Training(config, processes, Record(folder, writes=False)).run(resume)
        return TrainingRun(folder.path, config, *ended)
    _claim(folder, config, resume)
    with folder.locked():
        record = Record(folder, writes=True, on_event=on_event)
        training = Training(config, processes, record)
        try:
            return TrainingRun(folder.path, config, *training.run(resume))
        except BaseException as error:
            known = _as_known(error)
            training.tell(
                events.Failed,
                error=type(known).__name__,
                what=known.what,
                where=known.where,
                fix=known.fix,
            )
            record.status("failed", training.at.step)
            if known is error or not isinstance(error, Exception):  # Ctrl+C stays what it is
                raise
            raise known from error
        finally:
            record.close()


def _claim(folder: RunFolder, config: TrainingConfig, resume: bool) -> None:
    """See that the folder is a new run's, or the one that this configuration began."""
    if not resume and not folder.config_file.exists():
        RunFolder.create(folder.path, config)
        return
    opened = RunFolder.open(folder.path)
    if opened.config().model_copy(update={"device": config.device}) != config:
        raise InputError(
            "the run began with another configuration",
            where=folder.path,
            fix="Resume it with its own config.json, or start a new run.",
        )
    if not resume and opened.last_file.exists():
        raise OutputError(
            "the folder holds a run", where=folder.path, fix="Resume it, or choose another folder."
        )


def _as_known(error: BaseException) -> GMSRError:
    if isinstance(error, GMSRError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemoryError(
            "the memory does not hold a training step", fix="Use a smaller batch or patch."
        )
    said = f": {error}" if str(error) else ""
    return GMSRError(
        f"training was broken off ({type(error).__name__}{said})",
        fix="Resume the run; if it fails again, please report it with the log.",
    )
