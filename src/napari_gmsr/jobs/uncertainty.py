"""The spread of several reconstructions, and the disagreement of tiles, as jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_gmsr.image import RGBImage
from napari_gmsr.jobs.executor import Executor, Job, OnEvent
from napari_gmsr.jobs.process import default_executor

__all__ = ["UncertaintyRequest", "start_seams", "start_uncertainty"]


@dataclass(frozen=True)
class UncertaintyRequest:
    """What to reconstruct several times, and how.

    Parameters
    ----------
    rgb
        The picture, or a function that makes it: it is called where it cannot block the caller.
    models, turns, mode, device
        As in :func:`napari_gmsr.trust.uncertainty`.
    """

    rgb: RGBImage | Callable[[], RGBImage]
    models: tuple[str, ...] = ("photo",)
    turns: bool = True
    mode: str = "auto"
    device: str = "auto"

    def arguments(self) -> dict[str, Any]:
        """Return the task's keyword arguments; makes the picture where it is a function."""
        return {**vars(self), "rgb": self.rgb() if callable(self.rgb) else self.rgb}


def start_uncertainty(
    request: UncertaintyRequest, on_event: OnEvent, executor: Executor | None = None
) -> Job:
    """Start the reconstructions in the child process and return their job at once.

    Parameters
    ----------
    request
        What to do.
    on_event, executor
        As in :func:`.start_reconstruction`; ``Finished`` carries the mean cube with its ``spread``.

    Returns
    -------
    Job
        As in :func:`.start_reconstruction`.
    """
    executor = executor or default_executor()
    return executor.start("napari_gmsr.jobs.trust_tasks:uncertainty", request.arguments, on_event)


def start_seams(
    rgb: RGBImage | Callable[[], RGBImage],
    model: str,
    on_event: OnEvent,
    executor: Executor | None = None,
) -> Job:
    """Start a reconstruction in tiles, for the map of how much they disagree where they overlap.

    Parameters
    ----------
    rgb
        The picture, or a function that makes it.
    model
        A checkpoint, by name or path.
    on_event, executor
        As in :func:`.start_reconstruction`; ``Finished`` carries the map, float32 (y, x).

    Returns
    -------
    Job
        As in :func:`.start_reconstruction`.
    """
    executor = executor or default_executor()

    def arguments() -> dict[str, Any]:
        return {"rgb": rgb() if callable(rgb) else rgb, "model": model}

    return executor.start("napari_gmsr.jobs.trust_tasks:seams", arguments, on_event)
