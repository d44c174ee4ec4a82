"""Cubes in TIFF files of one band a page, through tifffile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io.atomic import atomic_output
from napari_gmsr.io.stored import StoredCube, choose_wavelengths, dump_metadata, load_metadata
from napari_gmsr.io.tiff_damage import damage_is_an_error

__all__ = ["read", "write"]

_CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of samples that fit a classic TIFF: its offsets have 32 bits, and the tags need room."""


def read(path: Path) -> StoredCube:
    """Read a multi-page or multi-sample TIFF; see `napari_gmsr.io.read_cube`."""
    with damage_is_an_error(), tifffile.TiffFile(path) as tiff:
        series = tiff.series
        shaped = tiff.shaped_metadata or ()
        description = dict(shaped[0]) if shaped else {}
        wavelengths = choose_wavelengths(list(description))
        own = load_metadata(str(description.get("napari_gmsr", "")))
        name, provenance = own or (None, None)
        if own is None and len(series) != 1:
            raise InputError(
                f"its pages have {len(series)} different shapes",
                where=path,
                fix="Give a TIFF whose pages are the bands of one cube.",
            )
        if own and len(series) != 1 + description["spread"]:
            raise InputError("it is cut short", where=path, fix="Copy or download it again.")
        array = series[0].asarray()
        axes = "CYX" if own else series[0].axes
        if array.ndim != 3:
            keep = [size > 1 or axis in "YX" for axis, size in zip(axes, array.shape, strict=True)]
            axes = "".join(axis for axis, kept in zip(axes, keep, strict=True) if kept)
            array = array.reshape([n for n, kept in zip(array.shape, keep, strict=True) if kept])
        band = [index for index, axis in enumerate(axes) if axis not in "YX"]
        return StoredCube(
            array,
            "TIFF",
            band_axis=band[0] if len(band) == 1 else None,
            wavelengths_nm=None if wavelengths is None else description[wavelengths],
            wavelengths_from=wavelengths or "",
            name=name,
            provenance=provenance,
            spread=series[1].asarray() if own and description["spread"] else None,
        )


def write(cube: SpectralCube, path: Path, overwrite: bool) -> None:
    """Write float32 pages; the first page's description (JSON) holds ``wavelengths_nm``.

    The spread, where there is one, follows as a second series of as many pages. Above 4 GB the
    file is a BigTIFF.
    """
    description = {
        "axes": "CYX",
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "napari_gmsr": dump_metadata(cube),
        "spread": cube.spread is not None,
    }
    nbytes = cube.data.nbytes * (1 if cube.spread is None else 2)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=nbytes > _CLASSIC_LIMIT) as tiff,
    ):
        tiff.write(cube.data, photometric="minisblack", metadata=description)
        if cube.spread is not None:
            spread = np.asarray(cube.spread, dtype=np.float32)
            tiff.write(spread, photometric="minisblack", metadata={"axes": "CYX"})
