"""The files that layers were opened from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import GMSRError
from napari_gmsr.image import RGBImage

if TYPE_CHECKING:
    from napari.layers import Layer

__all__ = ["file_that_holds", "layer_file"]


def layer_file(layer: Layer) -> Path | None:
    """Return the file or folder that a layer was opened from; ``None`` where it is not there."""
    named = layer.source.path
    if not named:
        return None
    path = Path(named)
    return path.absolute() if path.exists() else None


def file_that_holds(content: SpectralCube | RGBImage, path: Path | None) -> Path | None:
    """Return the path where the file still holds exactly these numbers, else ``None``.

    Parameters
    ----------
    content
        What a layer shows; of a picture only the numbers count, not what they mean.
    path
        From :func:`layer_file`. It is read, which may take a while: not for the window's thread.
    """
    from napari_gmsr.io import read_cube, read_rgb
    from napari_gmsr.io.references import fingerprint

    if path is None:
        return None
    try:
        if isinstance(content, SpectralCube):
            same = fingerprint(read_cube(path)) == fingerprint(content)
        else:
            same = fingerprint(read_rgb(path).data) == fingerprint(content.data)
    except GMSRError:  # nothing that we read, or damaged since
        return None
    return path if same else None
