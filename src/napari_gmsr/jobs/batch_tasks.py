"""The task of a batch: one picture's file to one cube's."""

from __future__ import annotations

from typing import Any

from napari_gmsr.image import Encoding
from napari_gmsr.jobs.events import Progress
from napari_gmsr.jobs.executor import Context
from napari_gmsr.reconstruct import reconstruct_file as run

__all__ = ["reconstruct_file"]


def reconstruct_file(
    context: Context,
    *,
    picture: str,
    target: str,
    model: str,
    overwrite: bool,
    encoding: Encoding | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Read, reconstruct and write: `napari_gmsr.reconstruct.reconstruct_file` as a task.

    Returns
    -------
    dict
        The cube's provenance; the cube itself stays in its file.
    """
    cube = run(
        picture,
        target,
        model,
        encoding=encoding,
        overwrite=overwrite,
        progress=lambda at: context.report(Progress(at.done, at.total, at.message)),
        cancel=context.cancelled,
        **options,
    )
    return dict(cube.provenance)
