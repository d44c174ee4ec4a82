"""The main job: an RGB picture becomes a spectral cube."""

from __future__ import annotations

import copy
import dataclasses
import os
import platform
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import torch

from napari_gmsr.color import match_encoding
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import CheckpointError, OutputError
from napari_gmsr.image import RGBImage, as_rgb_image
from napari_gmsr.io.references import fingerprint
from napari_gmsr.networks import network_engine
from napari_gmsr.reconstruct.costs import has_engines
from napari_gmsr.reconstruct.devices import (
    choose_device,
    exact_float32,
    named_device_errors,
    release_memory,
)
from napari_gmsr.reconstruct.ensemble import TRANSFORMS, SelfEnsemble
from napari_gmsr.reconstruct.halving import Halving
from napari_gmsr.reconstruct.planning import plan
from napari_gmsr.reconstruct.progress import Progress, Reporter
from napari_gmsr.reconstruct.tiles import blend_tiles, paper_tiles
from napari_gmsr.scan.compilation import compilation_announced
from napari_gmsr.weights import Model, load_model

__all__ = ["reconstruct"]

Floats = npt.NDArray[np.float32]


def reconstruct(
    rgb: RGBImage | npt.ArrayLike,
    model: str | Path | Model = "photo",
    mode: str = "auto",
    device: str = "auto",
    ensemble: bool = False,
    progress: Callable[[Progress], None] | None = None,
    *,
    engine: str = "auto",
    tile: int = 256,
    overlap: int = 32,
    cancel: Callable[[], bool] | None = None,
    on_seams: Callable[[Floats], None] | None = None,
) -> SpectralCube:
    """Reconstruct the spectrum of every pixel of an RGB picture.

    Parameters
    ----------
    rgb
        An `RGBImage`, or an array (y, x, 3): unsigned integers are taken for sRGB, floats in [0, 1]
        for what the model expects.
    model
        Name of a shipped checkpoint, path of one, or a loaded model.
    mode
        ``whole``: the picture at once, with its global context. ``tiled``: overlapping tiles,
        smoothly blended; any size; where memory runs out all the same, in smaller tiles from there
        on. ``paper``: the paper's test (128-pixel tiles on two grids, and flipped). ``auto``: whole
        where it fits in memory, else tiled. Tiles see less context than the whole picture does, so
        their result differs by construction.
    device
        ``auto``, ``cpu``, ``cuda`` (also with an index) or ``mps``.
    ensemble
        Mean over the picture's eight flips and rotations; their standard deviation is the cube's
        ``spread``.
    progress
        Called after every tile, and when memory ran out.
    engine
        Name of the scan engine, or ``auto``.
    tile, overlap
        Pixels of a tile's side, and those that neighbours share, in mode ``tiled``.
    cancel
        Asked before every tile; true stops the run.
    on_seams
        In mode ``tiled`` called at the end with a map, float32 (y, x): how much the tiles disagree
        where they overlap, before they are blended (the root mean square over bands of the standard
        deviation between them); 0 where one lies alone. Of a self-ensemble it is the first view's.

    Returns
    -------
    SpectralCube
        Values in [0, 1]: what the network gives, clipped as in the paper's test. Its provenance
        says what was done and why.

    Raises
    ------
    InputError
        Where the picture or an argument cannot be used.
    CheckpointError
        Where the model cannot be loaded, or gives values that are not finite.
    EngineError
        Where the engine cannot run on the device.
    OutOfMemoryError
        Where the device's memory does not suffice: for the smallest tiles, or for what was asked
        for (modes ``whole`` and ``paper``).
    DeviceError
        Where the device fails while it computes.
    OutputError
        Where the cube is larger than memory, and the disk has no room for it either.
    Cancelled
        Where ``cancel`` said so.
    """
    model = model if isinstance(model, Model) else load_model(model)
    given = as_rgb_image(rgb, float_encoding=model.card.encoding)
    picture, notes = match_encoding(given, model.card.encoding)
    where, why_device = choose_device(device)
    chosen = network_engine(model.network, where, engine)
    plan_tiles = partial(
        plan,
        picture.shape,
        device=where,
        engine=chosen.name,
        network=model.network,
        ensemble=ensemble,
        tile=tile,
        overlap=overlap,
    )
    plan_ = plan_tiles(mode)
    views = TRANSFORMS if ensemble else TRANSFORMS[:1]

    report = Reporter(plan_.tiles * len(views), progress, cancel)
    network = _Network(model, where, chosen.name, picture.name, report)

    def on_failure(side: int) -> None:
        release_memory(where)
        what = "the whole picture" if plan_.mode == "whole" else f"tiles of {side} pixels"
        notes.append(f"Memory ran out with {what}; smaller tiles were taken from there on.")
        report.remark(f"memory ran out with {what}, on with smaller ones")

    halving = Halving(network, report.check, on_failure)
    bands = len(model.card.wavelengths_nm)
    gathered = SelfEnsemble(_new_cube((bands, *picture.shape)), keep_spread=ensemble)
    seams: Floats | None = None
    for number, transform in enumerate(views):
        view = transform.apply(picture.data)
        cube = _new_cube((bands, *view.shape[:2])) if ensemble else gathered.mean
        at_once = halving.attempt if mode == "auto" else network
        if plan_.mode == "whole" and not _whole(view, at_once, cube, report):
            reason = "memory ran out with the whole picture"
            plan_ = dataclasses.replace(plan_tiles("tiled"), reason=reason)
            report.add((plan_.tiles - 1) * (len(views) - number))
        if plan_.mode == "tiled":
            found = blend_tiles(view, halving, cube, report, plan_.tile, plan_.overlap)
            seams = found if number == 0 else seams
        elif plan_.mode == "paper":
            paper_tiles(view, network, cube, report)
        if ensemble:
            gathered.add(transform.undo(cube))
    np.clip(gathered.mean, 0.0, 1.0, out=gathered.mean)
    disagreement = None if seams is None or not seams.any() else _disagreement(seams)
    if disagreement is not None:
        rms, most = disagreement["rms"], disagreement["most"]
        notes.append(f"Where tiles overlap they differ by {rms:.4f}, at most by {most:.4f}.")
    if seams is not None and on_seams is not None:
        on_seams(seams)

    provenance: dict[str, Any] = {
        "picture": picture.name,
        "picture_sha256": fingerprint(given),
        "encoding": given.encoding,
        "model": model.name,
        "checkpoint_sha256": model.sha256,
        "mode": plan_.mode,
        "mode_reason": plan_.reason,
        "tile": plan_.tile,
        "overlap": plan_.overlap,
        "seams": disagreement,
        "ensemble": len(views),
        "device": f"{where}: {_device_name(where)}",
        "device_reason": why_device,
        "engine": chosen.name,
        "engine_reason": chosen.reason,
        "notes": [*picture.notes, *notes],
        "versions": {name: version(name) for name in ("napari-gmsr", "torch", "numpy")},
    }
    return SpectralCube(
        gathered.mean,
        np.asarray(model.card.wavelengths_nm),
        f"{picture.name} [{model.name}]",
        provenance,
        gathered.spread(),
    )


def _disagreement(seams: Floats) -> dict[str, float]:
    """Return how much tiles disagree where they overlap: root mean square, and the most."""
    overlapping = seams[seams > 0].astype(np.float64)
    return {"rms": float(np.sqrt(np.mean(overlapping**2))), "most": float(overlapping.max())}


class _Network:
    """A model's network on a device, as a function from (y, x, 3) to (band, y, x)."""

    def __init__(
        self, model: Model, device: torch.device, engine: str, name: str, report: Reporter
    ) -> None:
        # A copy: the model is shared, and a run changes its network's device and engine.
        with named_device_errors(name, device):
            self._network = copy.deepcopy(model.network).to(device)
        if has_engines(self._network):
            self._network.engine = engine  # type: ignore[assignment]
        self._model, self._device, self._name, self._report = model, device, name, report

    def __call__(self, picture: Floats) -> Floats:
        batch = torch.from_numpy(picture.copy()).movedim(-1, 0)[None]
        with (
            named_device_errors(self._name, self._device),
            torch.inference_mode(),
            exact_float32(),
            compilation_announced(self._report.say),
            np.errstate(all="ignore"),  # what is not finite is refused below
        ):
            cube: Floats = self._network(batch.to(self._device))[0].cpu().numpy()
        # The picture is finite, and so is what sound weights make of it.
        if not all(np.isfinite(band).all() for band in cube):
            raise CheckpointError(
                "its network gives NaN or infinite values: its training diverged, or it is damaged",
                where=self._model.path,
                fix="Choose another checkpoint.",
            )
        return cube


def _whole(
    picture: Floats, predict: Callable[[Floats], Floats | None], cube: Floats, report: Reporter
) -> bool:
    """Reconstruct a picture at once, and say whether memory sufficed."""
    report.check()
    result = predict(picture)
    if result is None:
        return False
    cube[:] = result
    report.advance()
    return True


def _new_cube(shape: tuple[int, ...]) -> Floats:
    """Give a cube of zeros: in half the free memory, or else in a temporary file."""
    size = int(np.prod(shape)) * 4
    if size <= psutil.virtual_memory().available // 2:
        return np.zeros(shape, np.float32)
    with tempfile.NamedTemporaryFile(prefix="napari-gmsr-", suffix=".cube", delete=False) as file:
        path = Path(file.name)
        try:
            _reserve(file.fileno(), size)
        except OSError as error:
            path.unlink()
            raise OutputError(
                f"no room for a cube of {size / 2**30:.1f} GiB, which is larger than memory",
                where=path.parent,
                fix="Free some space, or name a folder on another disk in TMPDIR.",
            ) from error
    cube = np.memmap(path, np.float32, "w+", shape=shape)
    weakref.finalize(cube, path.unlink, missing_ok=True)
    return cube


def _reserve(file: int, size: int) -> None:
    """Take the disk's room at once: a mapped file that finds none later ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
