"""The reader: spectral cubes by drag and drop.

PNG, JPEG and ordinary TIFF are napari's, and stay so. Where several plugins claim a name, napari
asks the user each time, before any of them has looked into the file: a claim on ``*.tif`` would
make it ask over every TIFF. So only the double suffix ``.cube.tif`` is claimed; any other TIFF of
31 pages is opened by napari and works as a cube too (see :mod:`napari_gmsr.plugin.layers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from napari_gmsr.plugin.layers import cube_layer_data

__all__ = ["get_reader"]

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]
PathOrPaths: TypeAlias = str | Sequence[str]

_SUFFIXES = (".mat", ".npz", ".npy", ".hdr", ".zarr", ".cube.tif", ".cube.tiff")
_BAND_PNG = re.compile(r".*\d\.png", re.IGNORECASE)
_BANDS_AT_LEAST = 2
_ZARR_METADATA = ("zarr.json", ".zattrs", ".zgroup")


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the reader where the name speaks of a cube, else ``None``; opens no file.

    Parameters
    ----------
    path
        File or folder, or several.

    Returns
    -------
    callable or None
        Takes the path and returns napari's layer-data tuples.
    """
    paths = _paths(path)
    return read_cubes if paths and all(map(_may_be_cube, paths)) else None


def read_cubes(path: PathOrPaths) -> list[LayerData]:
    """Read cubes as napari's layer-data tuples.

    Raises
    ------
    InputError
        Where a file is no cube after all; it says which and what to do.
    """
    from napari_gmsr.io import read_cube
    from napari_gmsr.plugin.band_colors import color_current_viewer

    color_current_viewer()
    return [cube_layer_data(read_cube(one)) for one in _paths(path)]


def _paths(path: PathOrPaths) -> list[Path]:
    return [Path(path)] if isinstance(path, str) else [Path(one) for one in path]


def _may_be_cube(path: Path) -> bool:
    if path.name.lower().endswith(_SUFFIXES):
        return True
    try:
        return path.is_dir() and (_is_zarr(path) or _holds_band_pngs(path))
    except OSError:  # no permission, or gone: then it is not ours to read
        return False


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _ZARR_METADATA)


def _holds_band_pngs(folder: Path, depth: int = 3) -> bool:
    """Say whether a folder, or the only folder in it, holds numbered PNGs."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
    if sum(_BAND_PNG.fullmatch(entry.name) is not None for entry in entries) >= _BANDS_AT_LEAST:
        return True
    folders = [entry for entry in entries if entry.is_dir()]
    return depth > 1 and len(folders) == 1 and _holds_band_pngs(folders[0], depth - 1)
