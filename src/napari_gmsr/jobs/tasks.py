"""The tasks of the child process. Here, and only here, torch comes in."""

from __future__ import annotations

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs.devices import list_devices
from napari_gmsr.jobs.events import Progress
from napari_gmsr.jobs.executor import Context
from napari_gmsr.jobs.preflight import Preflight
from napari_gmsr.networks import network_engine
from napari_gmsr.reconstruct import choose_device, plan
from napari_gmsr.reconstruct import reconstruct as run
from napari_gmsr.weights import load_model

__all__ = ["preflight", "reconstruct"]


def reconstruct(
    context: Context,
    *,
    rgb: RGBImage,
    model: str,
    mode: str,
    device: str,
    ensemble: bool,
    engine: str,
    tile: int,
    overlap: int,
) -> SpectralCube:
    """Reconstruct a picture: :func:`napari_gmsr.reconstruct.reconstruct` as a task."""
    return run(
        rgb,
        model,
        mode,
        device,
        ensemble,
        lambda at: context.report(Progress(at.done, at.total, at.message)),
        engine=engine,
        tile=tile,
        overlap=overlap,
        cancel=context.cancelled,
    )


def preflight(
    context: Context,
    *,
    shape: tuple[int, int] | None,
    model: str,
    mode: str,
    device: str,
    ensemble: bool,
    engine: str,
    tile: int,
    overlap: int,
) -> Preflight:
    """Say what :func:`reconstruct` would do and take with these settings.

    Parameters
    ----------
    shape
        Height and width of the picture; ``None`` where there is none yet.
    """
    loaded = load_model(model)
    where, why = choose_device(device)
    chosen = network_engine(loaded.network, where, engine)
    known = Preflight(
        loaded.card, str(where), why, chosen.name, chosen.reason, devices=list_devices()
    )
    if shape is None:
        return known
    planned = plan(
        shape,
        mode,
        where,
        chosen.name,
        tile=tile,
        overlap=overlap,
        network=loaded.network,
        ensemble=ensemble,
    )
    return Preflight(
        **{
            **vars(known),
            "mode": planned.mode,
            "mode_reason": planned.reason,
            "runs": planned.tiles * (8 if ensemble else 1),
            "peak_bytes": planned.peak_bytes,
            "free_bytes": planned.free_bytes,
            "seconds": planned.seconds,
        }
    )
