"""What a checkpoint's network costs for a picture, as a job."""

from __future__ import annotations

from napari_gmsr.jobs.executor import Executor, Job, OnEvent
from napari_gmsr.jobs.process import default_executor

__all__ = ["start_model_cost"]


def start_model_cost(
    model: str, shape: tuple[int, int], on_event: OnEvent, executor: Executor | None = None
) -> Job:
    """Have the child process read a checkpoint and count what its network costs.

    Parameters
    ----------
    model
        A model's name, or a checkpoint's path.
    shape
        Height and width of the picture, in pixels.
    on_event, executor
        As in :func:`.start_reconstruction`; ``Finished`` carries a dict: ``card``, the
        :class:`.ModelCard`, and the fields of `napari_gmsr.networks.NetworkCost`.

    Returns
    -------
    Job
        As in :func:`.start_reconstruction`.
    """
    executor = executor or default_executor()
    arguments = {"model": model, "height": shape[0], "width": shape[1]}
    return executor.start("napari_gmsr.jobs.model_cost_tasks:model_cost", arguments, on_event)
