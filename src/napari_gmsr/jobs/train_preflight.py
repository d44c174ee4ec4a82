"""What a training run would take: a few steps of it, measured by the process that would do it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor

from napari_gmsr.datasets import open_dataset
from napari_gmsr.errors import OutOfMemoryError
from napari_gmsr.jobs.devices import list_devices
from napari_gmsr.jobs.executor import Context
from napari_gmsr.networks import CapturedStep, GMSRNet, create
from napari_gmsr.reconstruct import choose_device
from napari_gmsr.scan import choose_engine
from napari_gmsr.training.config import SIMULATED, TrainingConfig
from napari_gmsr.training.losses import weighted_loss
from napari_gmsr.weights import load_model

__all__ = ["measure"]

_STEPS = 3
_TIMES_KEPT = 2  # measured: 1.2 (MST++, HSRnet) to 2.4 (GMSR-Net in the plain engine)


def measure(context: Context, *, config: dict[str, Any]) -> dict[str, Any]:
    """Train a few steps on noise and tell what the whole run would take.

    On a GPU the steps are whole ones, of which the first two compile and record. On a CPU they are
    of two patches, as time and memory there grow with the patches.

    Parameters
    ----------
    context
        Of the job.
    config
        A :class:`~napari_gmsr.training.TrainingConfig` as JSON types.

    Returns
    -------
    dict
        ``device``, ``device_reason``, ``engine``, ``engine_reason``, ``devices``;
        ``patches_per_s``; ``peak_bytes`` on the device, ``free_bytes`` there; ``seconds`` of the
        whole run without reading data and validation, None where that is not known.

    Raises
    ------
    OutOfMemoryError
        Where a step does not fit.
    """
    settings = TrainingConfig.model_validate(config)
    device, why = choose_device(settings.device)
    network = (
        copy.deepcopy(load_model(settings.start_from).network)  # the model is shared
        if settings.start_from
        else create(settings.network, **settings.network_arguments)
    )
    network = network.to(device).train().requires_grad_(True)
    engine = None
    if isinstance(network, GMSRNet) and hasattr(network, "engine"):
        engine = choose_engine(device, settings.engine, gradients=True)
        network.engine = engine.name
    optimiser = torch.optim.AdamW(network.parameters())
    loss = weighted_loss(settings.loss.model_copy(update={"back_projection": 0.0}))
    step = CapturedStep(network, optimiser, loss)
    batch = settings.batch if device.type == "cuda" else min(2, settings.batch)
    free = _free_bytes(device)
    try:
        seconds, peak = _run(step, settings, batch, device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            f"a step does not fit into the memory of {device}",
            fix="Take a smaller batch or patch.",
        ) from error
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    speed = batch / seconds
    patches = _patches(settings)
    return {
        "device": str(device),
        "device_reason": why,
        "engine": engine.name if engine else "",
        "engine_reason": engine.reason if engine else "",
        "devices": list_devices(),
        "patches_per_s": speed,
        "peak_bytes": peak * settings.batch // batch,
        "free_bytes": free,
        "seconds": 60 * settings.minutes
        if settings.minutes
        else None
        if patches is None
        else patches / speed,
    }


def _run(
    step: CapturedStep, settings: TrainingConfig, batch: int, device: torch.device
) -> tuple[float, int]:
    """Return the seconds of a step and the bytes it takes at its peak."""
    side = settings.patch
    rgb = torch.rand(batch, 3, side, side, device=device)
    with torch.no_grad():
        bands = step.network(rgb[:1]).shape[1]
    cube = torch.rand(batch, bands, side, side, device=device)
    with _peak(device) as peak:
        step(rgb, cube)
        if device.type == "cuda":
            step(rgb, cube)
            torch.cuda.synchronize(device)
    start = time.perf_counter()
    for _ in range(_STEPS if device.type == "cuda" else 1):
        step(rgb, cube)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    return seconds / (_STEPS if device.type == "cuda" else 1), peak.bytes


@dataclass
class _Peak:
    bytes: int = 0


@contextmanager
def _peak(device: torch.device) -> Iterator[_Peak]:
    """Measure how much memory a block takes at its peak.

    On a CPU it is twice what the backward pass keeps. The growth of the process would tell nothing
    in one that has computed before, as it takes from what it has freed.
    """
    found = _Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.bytes = torch.cuda.max_memory_allocated(device)
        return
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield found
    found.bytes = _TIMES_KEPT * sum(kept.values())


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _patches(settings: TrainingConfig) -> float | None:
    """Return how many patches the run meets; None where its length is a time."""
    if settings.steps:
        return settings.steps * settings.batch
    if settings.epochs is None or settings.dataset.name == SIMULATED:
        return None
    data = settings.dataset
    assert data.folder is not None  # the configuration sees to it
    dataset = open_dataset(
        data.name,
        data.folder,
        split=data.split,
        camera=data.camera,
        illuminant=data.illuminant,
        encoding=data.encoding,
    )
    scenes = dataset.select("train")
    if not scenes:
        return None
    # The first scene stands for all: opening each would take as long as the doctor does.
    _, height, width = dataset.read_cube(scenes[0]).shape
    if settings.order == "grid":
        rows, columns = (
            max(0, (n - settings.patch) // settings.stride + 1) for n in (height, width)
        )
        each: float = rows * columns
    else:
        each = height * width / settings.patch**2
    return settings.epochs * max(1, math.floor(each * len(scenes)))
