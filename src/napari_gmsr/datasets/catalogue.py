"""The datasets by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_gmsr.datasets import arad1k, cave, harvard, icvl, ntire2020, pairs
from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Options, SplitRule
from napari_gmsr.datasets.listing import existing_folder
from napari_gmsr.errors import DatasetError
from napari_gmsr.image import Encoding

__all__ = ["list_datasets", "open_dataset"]

_LAYOUTS: dict[str, tuple[DatasetInfo, Callable[[Path, Options], Dataset]]] = {
    info.name: (info, opener)
    for info, opener in (
        (ntire2020.CLEAN, ntire2020.open_clean),
        (ntire2020.REAL_WORLD, ntire2020.open_real_world),
        (arad1k.INFO, arad1k.open_folder),
        (cave.INFO, cave.open_folder),
        (harvard.INFO, harvard.open_folder),
        (icvl.INFO, icvl.open_folder),
        (pairs.INFO, pairs.open_folder),
    )
}


def list_datasets() -> tuple[DatasetInfo, ...]:
    """Return what there is to know of each dataset that `open_dataset` opens."""
    return tuple(info for info, _ in _LAYOUTS.values())


def open_dataset(
    name: str,
    folder: str | Path,
    *,
    split: SplitRule = "recommended",
    camera: str | Path | None = None,
    illuminant: str | None = None,
    encoding: Encoding | None = None,
    wavelengths_nm: Sequence[float] | npt.NDArray[np.float64] | None = None,
    variable: str | None = None,
    scale: float | None = None,
) -> Dataset:
    """List a dataset's folder; its cubes are read later, on demand.

    Parameters
    ----------
    name
        One of `list_datasets`.
    folder
        As it was downloaded and unpacked, or a folder above.
    split
        ``recommended`` holds a tenth of the training scenes out for validation; ``paper`` trains on
        all that are not for test, and has no validation.
    camera
        Render all pictures with this response instead of those of the dataset: a shipped name or a
        file, as for `napari_gmsr.color.camera_response`. For ``pairs`` with picture files it says
        what they were taken with; for ``harvard`` it is needed.
    illuminant
        The light that a rendered reflectance cube is seen under; goes with ``camera``.
    encoding, wavelengths_nm, variable, scale
        For ``pairs`` alone: how the picture files are encoded, and how the cubes are read (see
        `napari_gmsr.io.read_cube`).

    Returns
    -------
    Dataset
        With what was noticed on the way in its ``problems``.

    Raises
    ------
    DatasetError
        Where the name is unknown, or the folder is missing, empty or laid out differently.
    InputError
        Where the camera or the illuminant is unknown.
    """
    if name not in _LAYOUTS:
        near = difflib.get_close_matches(name, _LAYOUTS, n=1)
        raise DatasetError(
            f"unknown dataset '{name}'",
            fix=f"Did you mean '{near[0]}'?" if near else f"Use one of {', '.join(_LAYOUTS)}.",
        )
    options = Options(split, camera, illuminant, encoding, wavelengths_nm, variable, scale)
    if name != pairs.INFO.name:
        own = ["encoding", "wavelengths_nm", "variable", "scale"]
        own += ["illuminant"] if camera is None else []
        given = [key for key in own if getattr(options, key) is not None]
        if given:
            raise DatasetError(
                f"{', '.join(given)} cannot be chosen: '{name}' knows its own",
                fix="Leave it out, or open the folder as 'pairs'.",
            )
    _, opener = _LAYOUTS[name]
    return opener(existing_folder(folder), options)
