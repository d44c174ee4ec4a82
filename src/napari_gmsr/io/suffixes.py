"""Which file names the readers and the writer understand."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

__all__ = ["supported_suffixes"]

PILLOW_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
TIFF = (".tif", ".tiff")


def supported_suffixes(what: Literal["rgb", "cube", "output"]) -> tuple[str, ...]:
    """List the file name suffixes that can be opened or written, in lower case.

    Parameters
    ----------
    what
        ``rgb`` for `read_rgb`, ``cube`` for `read_cube`, ``output`` for `write_cube`.
        `read_cube` also opens a folder of one PNG a band, which has no suffix.

    Returns
    -------
    tuple of str
        Suffixes with their dot, the usual one of each format first. Case does not matter in a name.
    """
    if what == "rgb":
        return (*PILLOW_PICTURES, *TIFF)
    if what == "cube":
        return (".zarr", *TIFF, ".hdr", ".mat", ".npz", ".npy")
    return (".zarr", *TIFF, ".hdr", ".mat", ".npz")


def stem(path: Path) -> str:
    """Return a file's name without its suffix, nor the ``.ome`` of ``.ome.zarr``."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem
