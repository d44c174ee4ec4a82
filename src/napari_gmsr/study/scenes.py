"""The test pictures of a study's dataset, and a model's numbers on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import Dataset, Scene, open_dataset
from napari_gmsr.errors import Cancelled, DatasetError
from napari_gmsr.evaluate import common_bands, evaluate
from napari_gmsr.evaluate.pairs import WAVELENGTH_TOLERANCE_NM
from napari_gmsr.image import RGBImage
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.study.names import nearest
from napari_gmsr.study.outcome import PictureResult
from napari_gmsr.study.settings import StudyDataset, View
from napari_gmsr.weights import Model

__all__ = ["EvaluationScenes", "measure_model"]

OnPicture = Callable[[PictureResult, int], None]
Keep = Callable[[str, RGBImage, SpectralCube, SpectralCube], None]


class EvaluationScenes:
    """The scenes that a study evaluates on.

    Parameters
    ----------
    settings
        Of the study's dataset.

    Raises
    ------
    DatasetError
        Where the folder cannot be used, a pattern matches nothing, or a view shows another picture.
    """

    def __init__(self, settings: StudyDataset) -> None:
        self.dataset = _open(settings)
        self.scenes = _chosen(self.dataset, settings)
        self.views = settings.views or tuple(
            View(picture=scene.name, band_nm=self._middle()) for scene in self.scenes[:2]
        )
        names = [scene.name for scene in self.scenes]
        for view in self.views:
            if view.picture not in names:
                raise DatasetError(
                    f"a view shows the picture '{view.picture}', which is not evaluated on",
                    where=self.dataset.folder,
                    fix=nearest(view.picture, names),
                )

    def _middle(self) -> float:
        nm = self.dataset.wavelengths_nm
        return 550.0 if nm.min() <= 550 <= nm.max() else float(nm[len(nm) // 2])

    @property
    def shown(self) -> frozenset[str]:
        """Pictures whose cubes the figures need."""
        return frozenset(view.picture for view in self.views)


def measure_model(
    model: Model,
    scenes: EvaluationScenes,
    *,
    mode: str,
    device: str,
    on_picture: OnPicture | None = None,
    keep: Keep | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[PictureResult, ...]:
    """Reconstruct every test picture and compare it with its truth.

    Where the truth has other bands than the model, those that both have are compared, and the
    result says so.

    Parameters
    ----------
    model
        With its weights.
    scenes
        Where to.
    mode, device
        As for `napari_gmsr.reconstruct`.
    on_picture
        Called after each picture with its result and how many are done.
    keep
        Called with the name, picture, cube and truth of each picture that the figures show.
    stop
        Asked before each tile.

    Raises
    ------
    Cancelled
        Where ``stop`` said so.
    """
    results: list[PictureResult] = []
    for scene in scenes.scenes:
        if stop is not None and stop():
            raise Cancelled
        picture, truth = scenes.dataset.read(scene)
        began = time.perf_counter()
        cube = reconstruct(picture, model, mode=mode, device=device, cancel=stop)
        seconds = time.perf_counter() - began
        ours, true, notes = _comparable(cube, truth)
        made = cube.provenance
        if made["mode"] == "tiled":
            notes.append(f"Reconstructed in tiles of {made['tile']} pixels: {made['mode_reason']}.")
        result = PictureResult.of(
            scene.name,
            evaluate(ours, true),
            mode=made["mode"],
            tile=made["tile"],
            seconds=seconds,
            notes=(*notes, *(n for n in made["notes"] if n.startswith("Memory ran out"))),
        )
        results.append(result)
        if keep is not None and scene.name in scenes.shown:
            keep(scene.name, picture, ours, true)
        if on_picture is not None:
            on_picture(result, len(results))
    return tuple(results)


def _open(settings: StudyDataset) -> Dataset:
    other = settings.evaluation
    if other is not None:
        return open_dataset(
            other.name,
            other.folder,
            camera=other.camera,
            illuminant=other.illuminant,
            encoding=other.encoding,
        )
    assert settings.folder is not None  # the study sees to it
    return open_dataset(
        settings.name,
        settings.folder,
        split=settings.split,
        camera=settings.camera,
        illuminant=settings.illuminant,
        encoding=settings.encoding,
    )


def _chosen(dataset: Dataset, settings: StudyDataset) -> tuple[Scene, ...]:
    if not settings.scenes:
        if not (chosen := dataset.select("test")):
            raise DatasetError(
                "it has no test pictures",
                where=Path(dataset.folder),
                fix="Name the scenes to evaluate on (scenes), or give evaluation another folder.",
            )
        return chosen
    names = [scene.name for scene in dataset.scenes]
    for pattern in settings.scenes:
        if not any(fnmatch(name, pattern) for name in names):
            raise DatasetError(
                f"no scene is called '{pattern}'",
                where=dataset.folder,
                fix=nearest(pattern, names),
            )
    chosen = tuple(
        scene
        for scene in dataset.scenes
        if any(fnmatch(scene.name, pattern) for pattern in settings.scenes)
    )
    trained = settings.evaluation is None and [s.name for s in chosen if s.split != "test"]
    if trained:
        raise DatasetError(
            f"the scene '{trained[0]}' is trained on",
            where=dataset.folder,
            fix="Evaluate on scenes of the test split, or give evaluation another folder.",
        )
    return chosen


def _comparable(
    cube: SpectralCube, truth: SpectralCube
) -> tuple[SpectralCube, SpectralCube, list[str]]:
    """Return both with the bands that they share, and what was left out."""
    ours, true = cube.wavelengths_nm, truth.wavelengths_nm
    if ours.shape == true.shape and abs(ours - true).max() <= WAVELENGTH_TOLERANCE_NM:
        return cube, truth, []
    shared = common_bands(cube, truth)
    nm = shared[1].wavelengths_nm
    note = (
        f"The model gives {ours[0]:g} to {ours[-1]:g} nm, the truth has {true[0]:g} to "
        f"{true[-1]:g} nm: only the {len(nm)} bands from {nm[0]:g} to {nm[-1]:g} nm are compared."
    )
    return *shared, [note]
