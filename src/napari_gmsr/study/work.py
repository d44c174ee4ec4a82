"""One run of a study, here and now: trained or fitted, then evaluated."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from napari_gmsr.color import linear_to_srgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import Cancelled, GMSRError
from napari_gmsr.image import RGBImage
from napari_gmsr.io import atomic_output, read_cube, write_cube
from napari_gmsr.study.fitting import fit_baseline
from napari_gmsr.study.folder import StudyFolder
from napari_gmsr.study.outcome import Failure, Outcome, PictureResult
from napari_gmsr.study.scenes import EvaluationScenes, measure_model
from napari_gmsr.study.study import StudyRun, slug
from napari_gmsr.training import train
from napari_gmsr.training.events import Event, Finished, Started, Validation
from napari_gmsr.weights import load_model

__all__ = ["MODELS", "PICTURE", "TRUTH", "begin_anew", "failed", "perform"]

TRUTH, PICTURE, MODELS = "truth.npz", "picture.png", "models"
"""In the folder of a picture's cubes."""


@dataclass(frozen=True)
class _Trained:
    """Weights and what they took."""

    checkpoint: Path
    device: str = ""
    seconds: float = 0.0
    steps: int = 0
    notes: tuple[str, ...] = ()


def perform(
    folder: StudyFolder,
    run: StudyRun,
    device: str = "auto",
    *,
    on_event: Callable[[Event], None] | None = None,
    on_picture: Callable[[PictureResult, int, int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """Do a run from where it stands, and keep what became of it in the study's folder.

    Parameters
    ----------
    folder
        Of the study.
    run
        Of the study.
    device
        As for training and reconstruction.
    on_event
        Takes the training's events.
    on_picture
        Called after each test picture with its result, how many are done, and of how many.
    stop
        Asked between the parts; true ends the run so that it can go on later.

    Returns
    -------
    Outcome or None
        Also where it failed; ``None`` where it was stopped.
    """
    try:
        scenes = EvaluationScenes(run.dataset)
        trained = _weights(folder, run, device, on_event, stop)
        if trained is None:
            return None
        model = load_model(trained.checkpoint)

        def told(result: PictureResult, done: int) -> None:
            if on_picture is not None:
                on_picture(result, done, len(scenes.scenes))

        pictures = measure_model(
            model,
            scenes,
            mode=run.study.mode,
            device=device,
            on_picture=told,
            keep=_keeper(folder, run),
            stop=stop,
        )
        outcome = Outcome(
            **_head(run),
            state="done",
            checkpoint_sha256=model.sha256,
            parameters=_parameters(model.network),
            device=trained.device,
            seconds=trained.seconds,
            steps=trained.steps,
            notes=trained.notes,
            pictures=pictures,
        )
    except Cancelled:
        return None
    except GMSRError as error:
        outcome = failed(run, Failure.of(error))
    except Exception as error:  # whatever it is, the other runs go on and the report says it
        unknown = GMSRError(
            f"{type(error).__name__}: {error}",
            fix="Run the study again with --retry; if it fails again, please report it.",
        )
        outcome = failed(run, Failure.of(unknown, traceback.format_exc()))
    folder.write(outcome)
    return outcome


def failed(run: StudyRun, failure: Failure) -> Outcome:
    """Return the outcome of a run that failed."""
    return Outcome(**_head(run), state="failed", failure=failure)


def _head(run: StudyRun) -> dict[str, Any]:
    return {
        "key": run.key,
        "model": run.model.title,
        "dataset": run.dataset.title,
        "seed": run.seed,
        "decided": run.decides(),
        "judged": run.judges(),
    }


def _weights(
    folder: StudyFolder,
    run: StudyRun,
    device: str,
    on_event: Callable[[Event], None] | None,
    stop: Callable[[], bool],
) -> _Trained | None:
    """Return the run's weights; ``None`` where the training was stopped."""
    if run.model.checkpoint is not None:
        return _Trained(load_model(run.model.checkpoint).path)
    place = folder.run_folder(run.key)
    if run.kind == "fitted":
        place.path.mkdir(parents=True, exist_ok=True)
        return _Trained(fit_baseline(run, place.best_file))
    status = place.status()
    if status is not None and status.state == "done" and place.best_file.exists():
        return _as_told(folder, run)
    # A run goes on with the settings that it began with: only its device may be another one.
    begun = place.config_file.exists()
    known = place.config() if begun else run.config()
    config = known.model_copy(update={"device": device})

    def watch(event: Event) -> None:
        if stop():
            place.request("stop")
        if on_event is not None:
            on_event(event)

    ended = train(config, run=place.path, resume=place.last_file.exists(), on_event=watch)
    return _as_told(folder, run) if ended.reason == "done" else None


def _as_told(folder: StudyFolder, run: StudyRun) -> _Trained:
    """Return what a training run that is done has told of itself."""
    place = folder.run_folder(run.key)
    told = list(place.events())
    started = [event for event in told if isinstance(event, Started)]
    finished = [event for event in told if isinstance(event, Finished)]
    # Of a validation at the end alone nothing is chosen by: what there is to say of it is moot.
    chosen = sum(isinstance(event, Validation) for event in told) > 1
    return _Trained(
        place.best_file,
        device=started[-1].device if started else "",
        seconds=finished[-1].seconds if finished else 0.0,
        steps=finished[-1].step if finished else 0,
        notes=started[-1].notes if started and chosen else (),
    )


def _parameters(network: nn.Module) -> int:
    """Return how many numbers were trained or fitted: a baseline's are buffers."""
    trained = sum(each.numel() for each in network.parameters())
    return trained or sum(each.numel() for each in network.buffers())


def _keeper(
    folder: StudyFolder, run: StudyRun
) -> Callable[[str, RGBImage, SpectralCube, SpectralCube], None] | None:
    """Return what writes the cubes that the figures show: of the first seed."""
    first = next(r for r in run.study.runs() if (r.model, r.dataset) == (run.model, run.dataset))
    if first.seed != run.seed:
        return None

    def keep(name: str, picture: RGBImage, cube: SpectralCube, truth: SpectralCube) -> None:
        place = folder.cubes_folder(run.dataset, name)
        (place / MODELS).mkdir(parents=True, exist_ok=True)
        _write_truth(place, picture, truth)
        write_cube(cube, place / MODELS / f"{slug(run.model.title)}.npz", overwrite=True)

    return keep


def _write_truth(place: Path, picture: RGBImage, truth: SpectralCube) -> None:
    """Write a picture and its truth beside the models' cubes, so that a report needs no dataset."""
    file = place / TRUTH
    if file.exists() and np.array_equal(read_cube(file).data, truth.data):
        return
    values = linear_to_srgb(picture.data) if picture.encoding == "linear" else picture.data
    pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    with atomic_output(place / PICTURE, overwrite=True) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
    write_cube(truth, file, overwrite=True)


def begin_anew(folder: StudyFolder, run: StudyRun) -> None:
    """Remove what a run has left."""
    shutil.rmtree(folder.run_folder(run.key).path, ignore_errors=True)
    folder.outcome_file(run.key).unlink(missing_ok=True)
