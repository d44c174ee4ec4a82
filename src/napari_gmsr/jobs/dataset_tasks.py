"""Tasks of the child process that look into datasets; they need no torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from napari_gmsr.datasets import check_dataset, open_dataset
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs.events import Progress
from napari_gmsr.jobs.executor import Context

__all__ = ["check", "picture", "survey"]


def survey(context: Context, *, name: str, folder: str, camera: str | None) -> dict[str, Any]:
    """List a dataset's folder.

    Parameters
    ----------
    context
        Of the job.
    name, folder, camera
        As for `napari_gmsr.datasets.open_dataset`.

    Returns
    -------
    dict
        ``scenes`` (how many of each split), ``validation`` (names), ``bands``, ``encoding``,
        ``camera``, and ``findings``: severity, scene, what and fix of each.
    """
    dataset = open_dataset(name, folder, camera=camera)
    return {
        "scenes": {split: len(dataset.select(split)) for split in ("train", "validation", "test")},
        "validation": [scene.name for scene in dataset.select("validation")],
        "bands": int(dataset.wavelengths_nm.size),
        "encoding": dataset.encoding,
        "camera": dataset.camera,
        "findings": [asdict(finding) for finding in dataset.problems],
    }


def check(
    context: Context, *, name: str, folder: str, camera: str | None, patch: int
) -> list[dict[str, Any]]:
    """Read every file of a dataset: `napari_gmsr.datasets.check_dataset` as a task.

    Returns
    -------
    list of dict
        Severity, scene, what and fix of each finding.
    """
    report = check_dataset(
        open_dataset(name, folder, camera=camera),
        patch=patch,
        progress=lambda done, total, what: context.report(Progress(done, total, what)),
        cancel=context.cancelled,
    )
    return [asdict(finding) for finding in report.findings]


def picture(
    context: Context, *, name: str, folder: str, camera: str | None, scene: str
) -> RGBImage:
    """Return the picture of a scene, read or rendered.

    Parameters
    ----------
    context
        Of the job.
    name, folder, camera
        As for `napari_gmsr.datasets.open_dataset`.
    scene
        One of the dataset's.
    """
    dataset = open_dataset(name, folder, camera=camera)
    (chosen,) = (one for one in dataset.scenes if one.name == scene)
    return dataset.read(chosen)[0]
