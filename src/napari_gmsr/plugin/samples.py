"""Sample data: a photograph, and a simulated scene with its truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_gmsr.plugin.layers import cube_layer_data

__all__ = ["photograph", "simulated_scene"]


def photograph() -> list[tuple[Any, dict[str, Any], str]]:
    """Return scikit-image's photograph of a coffee cup, (400, 600, 3) uint8, as an RGB layer."""
    from skimage.data import coffee

    photo = coffee()  # type: ignore[no-untyped-call]
    return [(photo, {"name": "coffee", "rgb": True}, "image")]


def simulated_scene() -> list[tuple[Any, dict[str, Any], str]]:
    """Return a simulated scene as an RGB layer, and its true cube below, hidden."""
    from napari_gmsr.datasets import sample_scene
    from napari_gmsr.plugin.band_colors import color_current_viewer

    color_current_viewer()
    picture, cube = sample_scene()
    data, attributes, kind = cube_layer_data(cube)
    rgb = np.rint(picture.data * 255).astype(np.uint8)
    return [
        (data, attributes | {"visible": False}, kind),
        (rgb, {"name": picture.name, "rgb": True}, "image"),
    ]
