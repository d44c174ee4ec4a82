"""Layers derived from a cube, one of a kind for each: found again, and renewed in place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["derived_layer", "is_derived", "show_derived"]

_BEFORE, _AFTER = "napari_gmsr_", "_of"
"""Around the kind, in the key of the metadata that names the cube."""


def derived_layer(layers: Iterable[Layer], cube: Layer, kind: str) -> Image | None:
    """Return the layer of a kind that is derived from a cube; ``None`` where there is none.

    Parameters
    ----------
    layers
        Where to look.
    cube
        The cube's layer.
    kind
        Such as ``"colours"``.
    """
    mark = _mark(kind)
    return next((one for one in layers if one.metadata.get(mark) == str(cube.unique_id)), None)


def is_derived(layer: Layer) -> bool:
    """Say whether a layer is a picture of a cube, rather than one that the user has brought."""
    return any(str(key).startswith(_BEFORE) and str(key).endswith(_AFTER) for key in layer.metadata)


def show_derived(
    viewer: ViewerModel,
    cube: Image,
    kind: str,
    data: npt.NDArray[Any],
    name: str,
    **attributes: Any,
) -> Image:
    """Show a picture of a cube's pixels, in the layer of its kind or in a new one above the cube.

    Parameters
    ----------
    viewer
        The viewer that holds the cube.
    cube
        The cube's layer; the picture lies over its pixels.
    kind
        As for :func:`derived_layer`.
    data
        (y, x) or (y, x, 3).
    name
        The layer's name.
    **attributes
        Of a new layer, beside its place; of a layer that is there, what the user chose stays.

    Returns
    -------
    Image
        The layer.
    """
    layer = derived_layer(viewer.layers, cube, kind)
    if layer is None:
        layer = Image(
            data,
            scale=cube.scale[-2:],
            translate=cube.translate[-2:],
            units=cube.units[-2:],
            axis_labels=("y", "x"),
            metadata={_mark(kind): str(cube.unique_id)},
            **attributes,
        )
        selected = set(viewer.layers.selection)
        viewer.layers.insert(viewer.layers.index(cube) + 1, layer)
        # The user goes on working with the layer they had in hand.
        viewer.layers.selection = selected or {layer}
    elif layer.data is not data:
        layer.data = np.asarray(data)
    if layer.name != name:
        layer.name = name
    return layer


def _mark(kind: str) -> str:
    return f"{_BEFORE}{kind}{_AFTER}"
