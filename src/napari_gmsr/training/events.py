"""What a training run tells whoever watches: one JSON object a line. Needs no torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeAlias

from napari_gmsr.errors import InputError

__all__ = [
    "Checkpoint",
    "Epoch",
    "Event",
    "Failed",
    "Finished",
    "Paused",
    "Preview",
    "Probe",
    "Resumed",
    "Started",
    "Step",
    "Validation",
    "Warning_",
    "from_line",
    "to_line",
]

Metrics: TypeAlias = Mapping[str, Mapping[str, float]]
"""``{"paper": {"psnr_db": ...}, "standard": {...}}``; NaN where a value is not defined."""


@dataclass(frozen=True, kw_only=True)
class _Event:
    """When, and after how many steps.

    Parameters
    ----------
    time
        Seconds since 1970.
    step
        Steps that were done.
    """

    ends: ClassVar[bool] = False
    time: float
    step: int


@dataclass(frozen=True, kw_only=True)
class Started(_Event):
    """The run begins, or goes on from its last state where ``step`` is not 0.

    Parameters
    ----------
    name, dataset, network
        Of the run.
    device, device_reason, engine, engine_reason
        Where it runs, and why there.
    world
        Processes that train together.
    parameters
        Of the network.
    patches_per_epoch
        0 where the patches are endless.
    total_steps
        0 where the length is a time.
    notes
        What to know of this run, one sentence each.
    """

    name: str
    dataset: str
    network: str
    device: str
    device_reason: str
    engine: str
    engine_reason: str
    world: int
    parameters: int
    patches_per_epoch: int
    total_steps: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step(_Event):
    """How it goes, at most about five times a second.

    Parameters
    ----------
    done
        Fraction of the run, 0 to 1.
    loss
        Mean over the steps since the last event, over all processes.
    learning_rate
        Of the last step.
    patches_per_s
        Of all processes together.
    seconds
        Since the start, without pauses, earlier parts of a resumed run counted in.
    loader_share
        Fraction of the time in which the training waited for patches.
    """

    done: float
    loss: float
    learning_rate: float
    patches_per_s: float
    seconds: float
    loader_share: float


@dataclass(frozen=True, kw_only=True)
class Epoch(_Event):
    """As many patches as an epoch has were met.

    Parameters
    ----------
    epoch
        How many are over.
    loss
        Mean over the epoch, as far as this process ran in it.
    """

    epoch: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Validation(_Event):
    """The validation pictures were measured.

    Parameters
    ----------
    metrics
        Both sets for each scene.
    mean
        Both sets, mean over scenes.
    select, value
        What the best is chosen by, and what it is now.
    best
        Whether it is the best so far.
    seconds
        What it took.
    """

    metrics: Mapping[str, Metrics]
    mean: Metrics
    select: str
    value: float
    best: bool
    seconds: float


@dataclass(frozen=True)
class Probe:
    """A pixel's spectrum, predicted and true, both (band,)."""

    y: int
    x: int
    prediction: tuple[float, ...]
    truth: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Preview(_Event):
    """A validation picture as the network sees it now.

    Parameters
    ----------
    scene
        Its name.
    wavelengths_nm
        Of the probes' bands.
    band_nm
        The band that is shown.
    file, truth_file
        ``.npy`` files (y, x) float32 in the run folder: the band now, and the truth's.
    probes
        Some pixels' spectra.
    """

    scene: str
    wavelengths_nm: tuple[float, ...]
    band_nm: float
    file: str
    truth_file: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True, kw_only=True)
class Checkpoint(_Event):
    """A state was written.

    Parameters
    ----------
    file
        Name in the run folder: ``best.safetensors`` or ``last.safetensors``.
    """

    file: str


@dataclass(frozen=True, kw_only=True)
class Warning_(_Event):  # noqa: N801 - Warning is Python's own
    """Something went wrong, and the run goes on.

    Parameters
    ----------
    what, where, fix
        As of a `napari_gmsr.errors.GMSRError`.
    """

    what: str
    where: str = ""
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Paused(_Event):
    """The run waits; time does not count."""


@dataclass(frozen=True, kw_only=True)
class Resumed(_Event):
    """The run goes on after a pause, or a new process has taken it up from its last state.

    Events of more than ``step`` steps that stand before it are void.
    """


@dataclass(frozen=True, kw_only=True)
class Finished(_Event):
    """The end.

    Parameters
    ----------
    reason
        ``"done"``, or ``"stopped"`` where the user asked for it; then it can be resumed.
    seconds
        Without pauses.
    best
        The best value of what is selected by; NaN where nothing was validated.
    best_step
        Where that was; 0 where nothing was validated.
    """

    ends: ClassVar[bool] = True
    reason: str
    seconds: float
    best: float
    best_step: int


@dataclass(frozen=True, kw_only=True)
class Failed(_Event):
    """The end: it could not go on. What was written before is still there.

    Parameters
    ----------
    error
        Class of `napari_gmsr.errors`.
    what, where, fix
        As there.
    log
        The last lines of the log, where they say more.
    """

    ends: ClassVar[bool] = True
    error: str
    what: str
    where: str = ""
    fix: str = ""
    log: str = ""


Event: TypeAlias = (
    Started
    | Step
    | Epoch
    | Validation
    | Preview
    | Checkpoint
    | Warning_
    | Paused
    | Resumed
    | Finished
    | Failed
)

_KINDS: dict[str, type[Event]] = {
    re.sub("_$", "", cls.__name__).lower(): cls for cls in Event.__args__
}
_NAMES = {cls: name for name, cls in _KINDS.items()}


def to_line(event: Event) -> str:
    """Return an event as one line of JSON, without the line's end. NaN and infinity become null."""
    record = {"event": _NAMES[type(event)], **asdict(event)}
    return json.dumps(_finite(record), separators=(",", ":"), allow_nan=False)


def from_line(line: str) -> Event:
    """Return the event of a line; null becomes NaN, and fields that are not known are dropped.

    Raises
    ------
    InputError
        Where it is none: a line cut off by a crash, say.
    """
    try:
        record = json.loads(line)
        cls = _KINDS[record["event"]]
        known = {field.name for field in fields(cls)}
        values = {name: _read(value) for name, value in record.items() if name in known}
        if cls is Preview:
            values["probes"] = tuple(Probe(**probe) for probe in values["probes"])
        return cls(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "this is no event of a training run", where=line[:80], fix="Leave the line out."
        ) from error


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _read(value: Any) -> Any:
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {key: _read(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    return value
