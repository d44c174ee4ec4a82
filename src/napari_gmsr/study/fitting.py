"""Classical baselines: fitted in one step to the colours and spectra that networks train on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from napari_gmsr.color import srgb_to_linear
from napari_gmsr.networks import RootPolynomialRegression, WienerEstimation, create
from napari_gmsr.study.study import StudyRun
from napari_gmsr.training.config import preset
from napari_gmsr.training.data import stated, training_patches
from napari_gmsr.weights import ModelCard, TrainingData, save_checkpoint

if TYPE_CHECKING:
    from napari_gmsr.datasets import PatchSource

__all__ = ["fit_baseline"]

_BATCHES = 32
_SAMPLES = 4096
"""Pixels of each batch: 131,072 in all, far more than three or thirteen coefficients need."""
_RIDGE = 1e-9


def fit_baseline(run: StudyRun, path: Path) -> Path:
    """Fit a baseline to pixels of the run's training patches, and write its checkpoint.

    The baselines are linear in light: pictures in sRGB are decoded first, and the checkpoint's card
    asks for linear pictures.

    Parameters
    ----------
    run
        Of a model that is fitted.
    path
        Of the checkpoint.
    """
    settings = {**run.study.training, "dataset": run.dataset.to_train_on(), "seed": run.seed}
    source = training_patches(preset(run.study.preset, **settings), torch.device("cpu"))
    arguments = {"bands": len(source.wavelengths_nm), **run.model.arguments}
    network = create(run.model.name, **arguments)
    rgb, spectra = _samples(source, run.seed)
    if run.model.name == "rootpoly":
        cast(RootPolynomialRegression, network).fit(rgb, spectra, _RIDGE)
    else:
        cast(WienerEstimation, network).fit(rgb, spectra)
    card = ModelCard(
        name=run.title,
        summary=f"Fitted on {run.dataset.title}.",
        network=run.model.name,
        arguments=arguments,
        wavelengths_nm=tuple(source.wavelengths_nm.tolist()),
        encoding="linear",
        camera=stated(source.camera),
        illuminant=stated(source.illuminant),
        training_data=tuple(
            TrainingData(name=name, licence=licence, use="training")
            for name, licence in source.licences
        ),
        training={"samples": len(rgb)},
        seed=run.seed,
    )
    return save_checkpoint(network, card, path, overwrite=True)


def _samples(source: PatchSource, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return linear colours (n, 3) and spectra (n, band) of random pixels, float64."""
    random = np.random.default_rng(seed)
    colours, spectra = [], []
    for step in range(_BATCHES):
        rgb, cube = source.batch(step)
        rgb, cube = (each.movedim(1, -1).flatten(0, 2).cpu() for each in (rgb, cube))
        chosen = random.choice(len(rgb), min(_SAMPLES, len(rgb)), replace=False)
        colours.append(rgb[chosen].double())
        spectra.append(cube[chosen].double())
    values = torch.cat(colours)
    if source.encoding == "srgb":
        values = torch.from_numpy(srgb_to_linear(values.numpy()))
    return values, torch.cat(spectra)
