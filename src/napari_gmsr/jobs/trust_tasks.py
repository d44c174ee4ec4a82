"""Tasks of the child process that say how far to trust a cube."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs.events import Progress
from napari_gmsr.jobs.executor import Context
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.trust import uncertainty as run

__all__ = ["seams", "uncertainty"]


def uncertainty(
    context: Context,
    *,
    rgb: RGBImage,
    models: tuple[str, ...],
    turns: bool,
    mode: str,
    device: str,
) -> SpectralCube:
    """Reconstruct a picture several times over: :func:`napari_gmsr.trust.uncertainty` as a task."""
    return run(
        rgb,
        models,
        turns=turns,
        mode=mode,
        device=device,
        progress=lambda at: context.report(Progress(at.done, at.total, at.message)),
        cancel=context.cancelled,
    )


def seams(context: Context, *, rgb: RGBImage, model: str) -> npt.NDArray[np.float32]:
    """Map how much tiles disagree: `on_seams` of :func:`napari_gmsr.reconstruct.reconstruct`."""
    maps: list[npt.NDArray[np.float32]] = []
    reconstruct(
        rgb,
        model,
        "tiled",
        progress=lambda at: context.report(Progress(at.done, at.total, at.message)),
        cancel=context.cancelled,
        on_seams=maps.append,
    )
    return maps[0]
