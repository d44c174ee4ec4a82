"""Whole validation pictures through the network: both metric sets, a preview, probe spectra."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import evaluate
from napari_gmsr.reconstruct.devices import exact_float32
from napari_gmsr.training.config import Select
from napari_gmsr.training.data import Picture
from napari_gmsr.training.events import Probe

__all__ = ["Measured", "lower_is_better", "measure"]

_PREVIEW_NM = 550.0
_PROBES = 3

Sets = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Measured:
    """What a validation found.

    Parameters
    ----------
    metrics
        Both sets for each scene.
    mean
        Both sets, mean over scenes.
    value
        Of what is selected by, as it is.
    prediction, truth
        Of the first picture, or of the first that has probes.
    probes
        Spectra of some of its pixels.
    """

    metrics: dict[str, Sets]
    mean: Sets
    value: float
    prediction: SpectralCube
    truth: SpectralCube
    probes: tuple[Probe, ...]

    @property
    def band_nm(self) -> float:
        """The wavelength of the previewed band."""
        return float(self.truth.wavelengths_nm[_preview(self.truth)])

    @property
    def bands(self) -> tuple[np.ndarray, np.ndarray]:
        """The previewed band, predicted and true, (y, x) each."""
        at = _preview(self.truth)
        return self.prediction.data[at], self.truth.data[at]


def lower_is_better(select: Select) -> bool:
    """Say which way a metric points."""
    return not select.endswith("psnr_db")


@torch.no_grad()
def measure(
    network: nn.Module,
    pictures: Sequence[Picture],
    select: Select,
    probes: Sequence[tuple[str, int, int]],
    device: torch.device,
) -> Measured:
    """Run the network over the pictures and compare.

    Parameters
    ----------
    network
        On the device; it is left in the mode it was in.
    pictures
        At least one.
    select
        What the best is chosen by.
    probes
        (scene, y, x); without any, pixels of the first picture are taken.
    device
        Where it runs.

    Returns
    -------
    Measured
        Numbers and the preview.
    """
    found: dict[str, Sets] = {}
    relative: list[float] = []
    wanted = {scene for scene, *_ in probes}
    shown: tuple[SpectralCube, SpectralCube] | None = None
    with _evaluating(network), exact_float32():
        for picture in pictures:
            rgb, truth = picture.read()
            batch = torch.from_numpy(np.ascontiguousarray(rgb.data)).movedim(-1, 0)[None]
            data = network(batch.to(device))[0].clamp(0, 1).float().cpu().numpy()
            cube = SpectralCube(data, truth.wavelengths_nm, name=picture.scene)
            result = evaluate(cube, truth)
            sets = {name: _numbers(getattr(result, name)) for name in ("paper", "standard")}
            scene, number = picture.scene, 2
            while scene in found:
                scene, number = f"{picture.scene} {number}", number + 1
            found[scene] = sets
            size = float(np.sqrt(np.mean(np.square(truth.data, dtype=np.float64))))
            relative.append(sets["standard"]["rmse"] / max(size, 1e-6))
            if shown is None or (picture.scene in wanted and shown[0].name not in wanted):
                shown = cube, truth
    assert shown is not None
    mean = {
        name: {
            key: _mean([sets[name][key] for sets in found.values()])
            for key in next(iter(found.values()))[name]
        }
        for name in ("paper", "standard")
    }
    if select == "relative_rmse":
        value = _mean(relative)
    else:
        family, key = select.split(".")
        value = mean[family][key]
    prediction, truth = shown
    here = [(y, x) for scene, y, x in probes if scene == prediction.name]
    _, height, width = truth.data.shape
    here = [(y, x) for y, x in here if 0 <= y < height and 0 <= x < width]
    here = here or [
        (height * (i + 1) // (_PROBES + 1), width * (i + 1) // (_PROBES + 1))
        for i in range(_PROBES)
    ]
    spectra = tuple(
        Probe(
            y=y,
            x=x,
            prediction=tuple(prediction.data[:, y, x].tolist()),
            truth=tuple(truth.data[:, y, x].tolist()),
        )
        for y, x in here
    )
    return Measured(found, mean, value, prediction, truth, spectra)


def _preview(cube: SpectralCube) -> int:
    return int(np.abs(cube.wavelengths_nm - _PREVIEW_NM).argmin())


def _numbers(metrics: object) -> dict[str, float]:
    return {name: value for name, value in vars(metrics).items() if isinstance(value, float)}


def _mean(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    was = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was)
