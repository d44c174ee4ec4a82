"""A picture's file to a cube's file: what a batch does for each."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import OutputError
from napari_gmsr.image import Encoding
from napari_gmsr.io import check_output, read_rgb
from napari_gmsr.reconstruct.api import reconstruct
from napari_gmsr.weights import Model

__all__ = ["reconstruct_file"]


def reconstruct_file(
    picture: str | Path,
    target: str | Path,
    model: str | Path | Model = "photo",
    *,
    encoding: Encoding | None = None,
    overwrite: bool = False,
    **options: Any,
) -> SpectralCube:
    """Read a picture, reconstruct its spectra and write the cube.

    What would keep the cube from being written is noticed before the work, not after.

    Parameters
    ----------
    picture
        As for `read_rgb`.
    target
        As for `write_cube`; its folder is made where it is missing.
    model
        As for `reconstruct`.
    encoding
        How the picture's numbers relate to light; by default as its file is read.
    overwrite
        Replace an existing cube.
    options
        Further arguments of `reconstruct`.

    Returns
    -------
    SpectralCube
        What was written.

    Raises
    ------
    GMSRError
        As `read_rgb`, `reconstruct` and `write_cube` do.
    """
    target = Path(target)
    if os.path.lexists(target) and not overwrite:
        raise OutputError(
            "this file exists",
            where=target,
            fix="Give another name, or allow overwriting (--overwrite).",
        )
    rgb = read_rgb(picture)
    if encoding is not None:
        rgb = replace(rgb, encoding=encoding)
    _make_folder(target.parent)
    check_output(target, overwrite=overwrite)
    cube = reconstruct(rgb, model, **options)
    cube.save(target, overwrite=overwrite)
    return cube


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made: {error.strerror}",
            where=folder,
            fix="Give a folder that you may write to.",
        ) from error
