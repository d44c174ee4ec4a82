"""Cubes as folders of one PNG a band, as the CAVE set is shipped, through imagecodecs."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError
from napari_gmsr.io.stored import StoredCube

__all__ = ["read"]

_BAND_NAME = re.compile(r"(?P<scene>.*?)[-_ ]?(?P<number>\d+)\.png", re.IGNORECASE)
_DEPTH = 3
_FIRST_NM = 200
"""Numbers from here on are taken for wavelengths in nm, below for a count of the bands."""


def read(folder: Path) -> StoredCube:
    """Read the numbered PNGs of a folder, or of the only folder in it.

    See `napari_gmsr.io.read_cube`.
    """
    files = _band_files(folder, _DEPTH)
    numbers = sorted(files)
    by_wavelength = numbers[0] >= _FIRST_NM
    missing = set(range(numbers[0], numbers[-1] + 1)) - set(numbers)
    if missing and not by_wavelength:
        raise InputError(
            f"the PNG of band {min(missing)} is missing, of {numbers[0]} to {numbers[-1]}",
            where=files[numbers[0]].parent,
            fix="Copy the folder again.",
        )
    first = _decode(files[numbers[0]])
    array = np.empty((len(numbers), *first.shape), dtype=first.dtype)
    for target, number in zip(array, numbers, strict=True):
        band = _decode(files[number])
        if band.shape != first.shape or band.dtype != first.dtype:
            raise InputError(
                f"this band is {band.shape} {band.dtype}, the first {first.shape} {first.dtype}",
                where=files[number],
                fix="Give bands of one size and depth.",
            )
        target[...] = band
    return StoredCube(
        array,
        "PNG folder",
        band_axis=0,
        wavelengths_nm=numbers if by_wavelength else None,
        wavelengths_from="file names",
    )


def _band_files(folder: Path, depth: int) -> dict[int, Path]:
    """Return the PNG of each band by its number."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__")))
    scenes: dict[str, dict[int, Path]] = defaultdict(dict)
    for entry in entries:
        if match := _BAND_NAME.fullmatch(entry.name):
            scenes[match["scene"]][int(match["number"])] = entry
    if len(scenes) > 1:
        raise InputError(
            f"it holds numbered PNGs of {len(scenes)} scenes: {', '.join(scenes)}",
            where=folder,
            fix="Put each scene's bands into a folder of their own.",
        )
    if scenes:
        return next(iter(scenes.values()))
    folders = [entry for entry in entries if entry.is_dir()]
    if depth > 1 and len(folders) == 1:
        return _band_files(folders[0], depth - 1)
    raise InputError(
        "this folder is no cube: it is no OME-Zarr and holds no PNG a band",
        where=folder,
        fix="Choose a folder with files such as scene_ms_01.png, or a cube's file.",
    )


def _decode(file: Path) -> npt.NDArray[Any]:
    try:
        band = imagecodecs.png_decode(file.read_bytes())
    except (imagecodecs.PngError, ValueError) as error:
        raise InputError(
            f"it cannot be read as a PNG: {error}", where=file, fix="Copy it again."
        ) from error
    if band.ndim == 2:
        return band
    # Some scenes of CAVE store a grey band as RGBA.
    grey = band[..., 0]
    if any((band[..., channel] != grey).any() for channel in range(1, min(3, band.shape[2]))):
        raise InputError(
            "this band is a colour picture", where=file, fix="Give one grey PNG for each band."
        )
    return grey
