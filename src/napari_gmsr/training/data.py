"""What a configuration's dataset gives: patches to train on, pictures to validate on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import (
    CachedPatches,
    PatchSource,
    SimulatedPatches,
    SimulationSources,
    Split,
    cache_dataset,
    open_dataset,
)
from napari_gmsr.datasets.simulation import SIZES
from napari_gmsr.errors import DatasetError
from napari_gmsr.image import RGBImage
from napari_gmsr.training.config import SIMULATED, DatasetSettings, TrainingConfig

if TYPE_CHECKING:
    from napari_gmsr.datasets import CubeCache, Dataset

__all__ = ["Picture", "stated", "training_patches", "validation_pictures"]

OnProgress = Callable[[int, int, str], None]
HELD_OUT = 4
"""Simulated pictures that a run without a validation folder is validated on."""
_SIDE = 256
_SIZES = SIZES
_SPLITS: tuple[Split, ...] = ("validation", "test", "train")
_CHOSEN_ON_TEST_PATCHES = (
    "As in the reference implementation, the best weights are chosen on patches of the test "
    "pictures: figures on these are too good."
)
_UNSTATED = {"", "none", "unknown"}


@dataclass(frozen=True)
class Picture:
    """A picture with its true cube, read on demand.

    Parameters
    ----------
    scene
        What it is, or is a part of.
    read
        Reads both.
    """

    scene: str
    read: Callable[[], tuple[RGBImage, SpectralCube]]


def training_patches(
    config: TrainingConfig,
    device: torch.device,
    progress: OnProgress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> PatchSource:
    """Return the patches to train on.

    Raises
    ------
    DatasetError
        Where the data is missing or cannot be used.
    """
    settings = config.dataset
    if settings.name == SIMULATED:
        return _simulated(config, device, config.seed)
    cache = cache_dataset(
        _open(settings), "train", folder=settings.cache_folder, progress=progress, cancel=cancel
    )
    return CachedPatches(
        cache,
        patch=config.patch,
        batch=config.batch,
        seed=config.seed,
        order=config.order,
        stride=config.stride,
        flips=config.flips,
        exposure=config.exposure,
        device=device,
    )


def validation_pictures(
    config: TrainingConfig,
    source: PatchSource,
    progress: OnProgress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> tuple[list[Picture], str]:
    """Return the pictures to validate on, and where that is not what a user expects, why.

    Raises
    ------
    DatasetError
        Where their data is missing or cannot be used, or has other bands than the patches.
    """
    settings, note = config.dataset, ""
    if settings.validation_folder is not None:
        # Pairs, or cubes that the training's camera sees.
        dataset = open_dataset(
            "pairs",
            settings.validation_folder,
            camera=stated(source.camera) or None,
            illuminant=stated(source.illuminant) or None,
            encoding=source.encoding,
        )
        splits = [s for s in _SPLITS if dataset.select(s)][:1]
    elif settings.name == SIMULATED:
        return list(_held_out(config)), ""
    else:
        dataset = _open(settings)
        split: Split = "test" if config.validation == "test-patches" else "validation"
        splits = [split] if dataset.select(split) else []
        if splits == ["test"]:
            note = _CHOSEN_ON_TEST_PATCHES
        if not splits and dataset.select("test"):
            splits = ["test"]
            note = "There is no validation split: the best weights are chosen on the test pictures."
    pictures: list[Picture] = []
    for split in splits:
        cache = cache_dataset(
            dataset, split, folder=settings.cache_folder, progress=progress, cancel=cancel
        )
        _same_bands(cache, source)
        for i, name in enumerate(cache.names):
            if config.validation == "test-patches":
                pictures.extend(_patches(cache, i, config.patch))
            else:
                pictures.append(Picture(name, partial(_whole, cache, i)))
    if not pictures:
        note = "There are no pictures to validate on: the last weights are kept as the best."
    return pictures, note


def stated(name: str) -> str:
    """Return the name of a source's camera or illuminant; empty where it is not known."""
    return "" if name in _UNSTATED else name


def _open(settings: DatasetSettings) -> Dataset:
    if settings.folder is None:  # the configuration sees to it
        raise DatasetError("the dataset has no folder", where=settings.name, fix="Give its folder.")
    return open_dataset(
        settings.name,
        settings.folder,
        split=settings.split,
        camera=settings.camera,
        illuminant=settings.illuminant,
        encoding=settings.encoding,
    )


def _simulated(config: TrainingConfig, device: torch.device, seed: int) -> SimulatedPatches:
    folder = config.dataset.folder
    sources = (
        SimulationSources.defaults() if folder is None else SimulationSources.from_folder(folder)
    )
    return SimulatedPatches(
        sources,
        sizes=_SIZES,
        pixels=config.batch * config.patch**2,
        seed=seed,
        target=config.dataset.target,
        device=device,
    )


def _held_out(config: TrainingConfig) -> Iterator[Picture]:
    """Yield simulated pictures of a seed that no training has."""
    source = _simulated(config, torch.device("cpu"), 2**31 + config.seed)
    source.sizes, source.pixels = {_SIDE: 1.0}, HELD_OUT * _SIDE**2
    rgb, cube = source.batch(0)
    for i in range(HELD_OUT):
        name = f"simulated {i + 1}"
        picture = RGBImage(rgb[i].movedim(0, -1).numpy(), source.encoding, name=name)
        truth = SpectralCube(cube[i].numpy(), source.wavelengths_nm, name=name)
        yield Picture(name, partial(_same, picture, truth))


def _patches(cache: CubeCache, i: int, side: int) -> Iterator[Picture]:
    """Yield the patches of a picture, side by side."""
    height, width = cache.shapes[i]

    def read(y: int, x: int) -> tuple[RGBImage, SpectralCube]:
        both = np.empty((side, side, 3 + len(cache.wavelengths_nm)), np.float32)
        cache.read(i, y, x, both)
        name = f"{cache.names[i]} ({y}, {x})"
        cube = SpectralCube.from_band_last(both[..., 3:], cache.wavelengths_nm, name=name)
        return RGBImage(both[..., :3], cache.encoding, name=name), cube

    for y in range(0, height - side + 1, side):
        for x in range(0, width - side + 1, side):
            yield Picture(cache.names[i], partial(read, y, x))


def _whole(cache: CubeCache, i: int) -> tuple[RGBImage, SpectralCube]:
    return cache.rgb(i), cache.cube(i)


def _same(picture: RGBImage, truth: SpectralCube) -> tuple[RGBImage, SpectralCube]:
    return picture, truth


def _same_bands(cache: CubeCache, source: PatchSource) -> None:
    found, expected = cache.wavelengths_nm, source.wavelengths_nm
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=0.5):
        raise DatasetError(
            f"the validation cubes have {found.size} bands ({found[0]:g} to {found[-1]:g} nm), "
            f"the training cubes {expected.size} ({expected[0]:g} to {expected[-1]:g} nm)",
            where=cache.dataset,
            fix="Give validation cubes of the same bands.",
        )
