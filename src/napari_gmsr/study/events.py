"""What a study tells whoever watches. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from napari_gmsr.study.outcome import Failure, PictureResult
from napari_gmsr.training.events import Event as TrainingEvent

__all__ = [
    "PictureMeasured",
    "RunBegan",
    "RunDone",
    "RunFailed",
    "RunStopped",
    "RunTraining",
    "StudyBegan",
    "StudyEvent",
]


@dataclass(frozen=True)
class StudyBegan:
    """The study is at work.

    Parameters
    ----------
    runs
        How many it has.
    done
        How many of them were done before.
    failed
        Keys of those that failed before, and are not tried again.
    devices
        Where it runs.
    """

    runs: int
    done: int
    failed: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True)
class RunBegan:
    """A run begins, or goes on from where it was broken off.

    Parameters
    ----------
    key, title
        Of the run.
    device
        Where.
    resumed
        Whether something of it was there.
    """

    key: str
    title: str
    device: str
    resumed: bool


@dataclass(frozen=True)
class RunTraining:
    """An event of a run's training."""

    key: str
    event: TrainingEvent


@dataclass(frozen=True)
class PictureMeasured:
    """A test picture was reconstructed and compared.

    Parameters
    ----------
    key
        Of the run.
    result
        Its numbers.
    done, total
        Pictures of the run.
    """

    key: str
    result: PictureResult
    done: int
    total: int


@dataclass(frozen=True)
class RunDone:
    """A run is trained and evaluated."""

    key: str


@dataclass(frozen=True)
class RunFailed:
    """A run failed; the others go on."""

    key: str
    failure: Failure


@dataclass(frozen=True)
class RunStopped:
    """A run was stopped, and can go on."""

    key: str


StudyEvent: TypeAlias = (
    StudyBegan | RunBegan | RunTraining | PictureMeasured | RunDone | RunFailed | RunStopped
)
