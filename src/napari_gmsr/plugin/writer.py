"""The writer: File > Save for cubes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Layer

from napari_gmsr.plugin.layers import cube_from_layer

__all__ = ["write_cube_layer"]


def write_cube_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the cube that an image layer shows; the format follows from the suffix.

    A name without a suffix becomes ``.ome.zarr``. A name with one is replaced where it exists,
    since napari's dialog has asked; one that got its suffix here is not.

    Parameters
    ----------
    path
        Where to.
    data, attributes
        The layer, as napari's layer-data tuple has it.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    InputError
        Where the layer is no cube.
    OutputError
        Where it cannot be written; what was there stays.
    """
    from napari_gmsr.io import write_cube

    cube = cube_from_layer(Layer.create(data, attributes, "image"))
    target, named = Path(path), bool(Path(path).suffix)
    if not named:
        target = target.with_name(f"{target.name}.ome.zarr")
    return [str(write_cube(cube, target, overwrite=named))]
