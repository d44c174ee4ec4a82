"""The datasets by name, and what is wrong with one: `napari-gmsr train --check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from napari_gmsr.cli.console import print_table, progress
from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    from napari_gmsr.datasets import Dataset
    from napari_gmsr.training.config import DatasetSettings, TrainingConfig

__all__ = ["check", "print_datasets"]


def print_datasets() -> None:
    """List the datasets, with their layouts and licences."""
    from napari_gmsr.datasets import list_datasets

    print("simulated: Simulated scenes; needs no data")
    for info in list_datasets():
        camera = " (needs --camera)" if info.needs_camera else ""
        print(f"{info.name}: {info.title}{camera}")
        for title in ("layout", "picture", "split", "licence", "source"):
            print(f"    {title:8} {getattr(info, title)}")


def check(config: TrainingConfig, as_json: bool) -> None:
    """Print what the dataset doctor finds; end with 2 where that keeps from training."""
    from napari_gmsr.datasets import check_dataset
    from napari_gmsr.reconstruct import Progress

    dataset = _dataset(config.dataset)
    with progress("check") as show:
        report = check_dataset(
            dataset,
            patch=config.patch,
            progress=lambda done, total, scene: show(
                Progress(done, total, f"{done} of {total} {scene}".rstrip())
            ),
        )
    if as_json:
        print(report.to_json())
    else:
        counts = ", ".join(f"{count} {split}" for split, count in report.scenes.items())
        print(f"{report.dataset} in {report.folder}: {counts}")
        if report.findings:
            print_table(("severity", "scene", "what", "fix"), report.rows())
        else:
            print("nothing to complain of")
    if not report.ok:
        raise typer.Exit(2)


def _dataset(settings: DatasetSettings) -> Dataset:
    from napari_gmsr.datasets import open_dataset
    from napari_gmsr.training.config import SIMULATED

    if settings.name == SIMULATED:
        raise InputError(
            "simulated scenes need no check",
            where="--check",
            fix="Give a dataset with --dataset and --data.",
        )
    names = {"name", "folder", "split", "camera", "illuminant", "encoding"}
    return open_dataset(**settings.model_dump(include=names))
