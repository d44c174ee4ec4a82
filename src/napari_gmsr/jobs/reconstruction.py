"""Reconstruction as a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from napari_gmsr.image import RGBImage
from napari_gmsr.jobs.executor import Executor, Job, OnEvent
from napari_gmsr.jobs.process import default_executor

__all__ = ["ReconstructionRequest", "Settings", "start_preflight", "start_reconstruction"]


@dataclass(frozen=True)
class Settings:
    """How to reconstruct.

    Parameters
    ----------
    model
        A shipped checkpoint's name, or a checkpoint's path.
    mode, device, ensemble, engine, tile, overlap
        As in :func:`napari_gmsr.reconstruct.reconstruct`.
    """

    model: str = "photo"
    mode: str = "auto"
    device: str = "auto"
    ensemble: bool = False
    engine: str = "auto"
    tile: int = 256
    overlap: int = 32


@dataclass(frozen=True)
class ReconstructionRequest:
    """What to reconstruct, and how.

    Parameters
    ----------
    rgb
        The picture, or a function that makes it: it is called where it cannot block the caller.
    settings
        How.
    """

    rgb: RGBImage | Callable[[], RGBImage]
    settings: Settings = field(default_factory=Settings)

    def arguments(self) -> dict[str, Any]:
        """Return the task's keyword arguments; makes the picture where it is a function."""
        rgb = self.rgb() if callable(self.rgb) else self.rgb
        return {"rgb": rgb, **vars(self.settings)}


def start_reconstruction(
    request: ReconstructionRequest, on_event: OnEvent, executor: Executor | None = None
) -> Job:
    """Start a reconstruction in the child process and return its job at once.

    Parameters
    ----------
    request
        What to reconstruct.
    on_event
        Takes the events, in a thread of the job's own: ``Started``, ``Progress`` for each tile, and
        ``Finished`` with a :class:`~napari_gmsr.cube.SpectralCube`, ``Failed`` or ``Cancelled``.
    executor
        Who does it; the program's shared child process by default.

    Returns
    -------
    Job
        ``job.cancel()``, ``job.wait()``, ``job.result()``.
    """
    executor = executor or default_executor()
    return executor.start("napari_gmsr.jobs.tasks:reconstruct", request.arguments, on_event)


def start_preflight(
    shape: tuple[int, int] | None,
    settings: Settings,
    on_event: OnEvent,
    executor: Executor | None = None,
) -> Job:
    """Ask the child process what a reconstruction would do and take.

    Parameters
    ----------
    shape
        Height and width of the picture; ``None`` where there is none yet.
    settings
        How it would be reconstructed.
    on_event, executor
        As in :func:`start_reconstruction`; ``Finished`` carries a :class:`.Preflight`.

    Returns
    -------
    Job
        As in :func:`start_reconstruction`.
    """
    executor = executor or default_executor()
    arguments = {"shape": shape, **vars(settings)}
    return executor.start("napari_gmsr.jobs.tasks:preflight", arguments, on_event)
