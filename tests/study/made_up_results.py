"""A study's folder with made-up results, as large as one likes, in no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import evaluate
from napari_gmsr.io import write_cube
from napari_gmsr.study import Outcome, PictureResult, Study, StudyFolder, StudyRun
from napari_gmsr.study.outcome import Failure
from napari_gmsr.study.study import slug


def cube(seed: int, shape: tuple[int, int], nm: np.ndarray, noise: float = 0.0) -> SpectralCube:
    """A scene of smooth spectra; with noise, a reconstruction of it."""
    random = np.random.default_rng(seed)
    height, width = shape
    y, x = np.mgrid[:height, :width] / height
    curves = np.exp(-(((np.linspace(0, 1, nm.size) - np.linspace(0, 1, 5)[:, None]) / 0.25) ** 2))
    places = np.stack(
        [
            0.5 + 0.5 * np.sin(random.uniform(3, 12) * x + random.uniform(3, 12) * y + i)
            for i in range(5)
        ],
        axis=-1,
    )
    data = places @ curves / 4
    if noise:
        wave = np.sin(np.linspace(0, 9, nm.size) + noise * 100)
        data = data * (1 + noise * wave) + np.random.default_rng(7).normal(0, noise / 8, data.shape)
    return SpectralCube.from_band_last(np.clip(data, 0, 1).astype(np.float32), nm)


def outcome(run: StudyRun, pictures: dict[str, tuple[SpectralCube, SpectralCube]]) -> Outcome:
    """What became of a run that made these cubes of these truths."""
    return Outcome(
        **_head(run),
        state="done",
        parameters=1000,
        pictures=tuple(
            PictureResult.of(name, evaluate(made, truth))
            for name, (made, truth) in pictures.items()
        ),
    )


def failure(run: StudyRun, what: str) -> Outcome:
    """What became of a run that failed."""
    return Outcome(**_head(run), state="failed", failure=Failure(what=what))


def _head(run: StudyRun) -> dict[str, Any]:
    return {
        "key": run.key,
        "model": run.model.title,
        "dataset": run.dataset.title,
        "seed": run.seed,
        "decided": run.decides(),
        "judged": run.judges(),
    }


def fill(
    folder: Path,
    study: Study,
    *,
    shape: tuple[int, int] = (24, 30),
    pictures: tuple[str, ...] = ("first", "second"),
    nm: dict[str, np.ndarray] | None = None,
    failed: tuple[str, ...] = (),
) -> StudyFolder:
    """Write a folder as `run_study` leaves it."""
    place = StudyFolder.create(folder, study)
    place.save(study)
    for run in study.runs():
        if run.key in failed:
            place.write(failure(run, "the loss is no number any more at step 3"))
            continue
        bands = (nm or {}).get(run.dataset.title, np.arange(400.0, 701.0, 10.0))
        made = {}
        for number, name in enumerate(pictures):
            truth = cube(number, shape, bands)
            noise = 0.04 + 0.02 * study.models.index(run.model) + 0.005 * run.seed
            made[name] = cube(number, shape, bands, noise), truth
            if run.seed == study.runs()[0].seed:
                _keep(place, run, name, *made[name])
        place.write(outcome(run, made))
    return place


def _keep(
    place: StudyFolder, run: StudyRun, name: str, made: SpectralCube, truth: SpectralCube
) -> None:
    folder = place.cubes_folder(run.dataset, name)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    write_cube(made, folder / "models" / f"{slug(run.model.title)}.npz", overwrite=True)
    write_cube(truth, folder / "truth.npz", overwrite=True)
    rgb = truth.data[[25, 15, 5]].transpose(1, 2, 0)
    Image.fromarray((rgb * 255 / rgb.max()).astype(np.uint8)).save(folder / "picture.png")
