"""TIFF pictures of 8 and 16 bits and of floats, through tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_gmsr.errors import InputError
from napari_gmsr.io.samples import Samples, grey_picture
from napari_gmsr.io.tiff_damage import damage_is_an_error

__all__ = ["read"]

_ICC_TAG = 34675


def read(path: Path) -> Samples:
    """Read a picture's samples; see `napari_gmsr.io.read_rgb`."""
    with damage_is_an_error(), tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        array = _array_of_colours(tiff)
        if array is None:
            _refuse_pages(path, tiff)
            array = _colours(path, page)
        if array.dtype.kind not in "uf" or (array.dtype.kind == "u" and array.dtype.itemsize > 2):
            raise InputError(
                f"its samples are {array.dtype}",
                where=path,
                fix="Save it with 8 or 16 bits a sample, or as floats.",
            )
        palette = page.photometric == tifffile.PHOTOMETRIC.PALETTE
        icc = page.tags.get(_ICC_TAG)
        orientation = page.tags.get("Orientation")
        weighted = tuple(page.extrasamples)[:1] == (tifffile.EXTRASAMPLE.ASSOCALPHA,)
        return Samples(
            array,
            bits=8 * array.dtype.itemsize if palette else page.bitspersample,
            alpha="weighted" if weighted else "unweighted",
            orientation=1 if orientation is None else int(orientation.value),
            icc=None if icc is None else bytes(icc.value),
            notes=("A palette picture: its colours were looked up.",) if palette else (),
        )


def _array_of_colours(tiff: tifffile.TiffFile) -> npt.NDArray[Any] | None:
    """Return an array (y, x, 3) that tifffile wrote as y grey pages of x rows of 3."""
    series = tiff.series
    if len(series) == 1 and series[0].kind == "shaped" and tiff.pages.first.samplesperpixel == 1:
        shape = series[0].shape
        if len(shape) == 3 and shape[2] == 3:
            return series[0].asarray()
    return None


def _refuse_pages(path: Path, tiff: tifffile.TiffFile) -> None:
    pages = [page for page in tiff.pages if not _is_companion(page)]
    if len(pages) > 1:
        raise InputError(
            f"it holds {len(pages)} pages, and which one is meant is not known",
            where=path,
            fix="Save one page as a file of its own; if the pages are bands, open it as a cube.",
        )


def _is_companion(page: Any) -> bool:
    """Tell a smaller copy or a transparency mask from a page."""
    return bool(page.keyframe.is_reduced or page.keyframe.is_mask)


def _colours(path: Path, page: tifffile.TiffPage) -> npt.NDArray[Any]:
    photometric = tifffile.PHOTOMETRIC
    kind = page.photometric
    if kind == photometric.PALETTE and page.colormap is not None:
        return np.moveaxis(page.colormap[:, page.asarray()], 0, -1)
    if page.samplesperpixel < 3:
        raise grey_picture(path)
    decoded_ycbcr = kind == photometric.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    if not (kind in (photometric.RGB, photometric.MINISBLACK) or decoded_ycbcr):
        raise InputError(
            f"this picture is {photometric(kind).name}, not RGB",
            where=path,
            fix="Save it as sRGB in an image editor.",
        )
    if page.samplesperpixel > 4:
        raise InputError(
            f"it holds {page.samplesperpixel} samples a pixel, not three",
            where=path,
            fix="Open it as a cube if they are bands.",
        )
    array = page.asarray()
    return np.moveaxis(array, 0, -1) if page.axes.startswith("S") else array
