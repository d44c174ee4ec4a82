"""A cube's colours as an RGB layer: computed from a request, kept in one layer a cube."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.plugin.derived_layers import derived_layer, show_derived
from napari_gmsr.plugin.layers import layer_array, layer_wavelengths

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

__all__ = [
    "ColorPicture",
    "FalseColor",
    "TrueColor",
    "arguments_of",
    "color_layer",
    "compute_picture",
    "show_picture",
]

_KIND = "colours"
_STRETCH = (1.0, 99.0)


@dataclass(frozen=True)
class TrueColor:
    """The colours that the CIE 1931 observer sees.

    Parameters
    ----------
    illuminant
        The light on a reflectance cube; ``None`` for radiance.
    adapted
        Whether a white stays white under it.
    stops
        Exposure in stops, 0 where a perfect white is at full scale; ``None`` to take it from the
        highlights.
    """

    illuminant: str | None = "D65"
    adapted: bool = False
    stops: float | None = 0.0

    def __str__(self) -> str:
        return "true colour" if self.illuminant is None else f"under {self.illuminant}"


@dataclass(frozen=True)
class FalseColor:
    """Three bands as red, green and blue.

    Parameters
    ----------
    bands_nm
        Red, green and blue in nm; the nearest bands are taken.
    stretch
        Whether each band is stretched from its 1st to its 99th percentile.
    """

    bands_nm: tuple[float, float, float]
    stretch: bool = True

    def __str__(self) -> str:
        return "{:.4g}, {:.4g}, {:.4g} nm".format(*self.bands_nm)


@dataclass(frozen=True)
class ColorPicture:
    """What came out of a request.

    Parameters
    ----------
    layer
        The cube's layer.
    wish
        What was asked for.
    pixels
        uint8 (y, x, 3), sRGB.
    stops
        The exposure of a true-colour picture.
    """

    layer: Image
    wish: TrueColor | FalseColor
    pixels: npt.NDArray[np.uint8]
    stops: float = 0.0


def compute_picture(
    layer: Image, data: Any, wavelengths_nm: npt.NDArray[np.float64], wish: TrueColor | FalseColor
) -> ColorPicture:
    """Compute a picture of a cube's array (band, y, x), which may be lazy.

    The layer itself is not touched, so that this may run in any thread.

    Raises
    ------
    InputError
        Where the bands are out of sight of the eye.
    """
    from napari_gmsr.color import auto_exposure, display_picture
    from napari_gmsr.color.display import false_picture, matrix_of

    if isinstance(wish, FalseColor):
        stretch = _STRETCH if wish.stretch else None
        return ColorPicture(
            layer, wish, false_picture(data, wavelengths_nm, wish.bands_nm, stretch)
        )
    matrix = matrix_of(data, wavelengths_nm, illuminant=wish.illuminant, adapted=wish.adapted)
    stops = wish.stops
    if stops is None:
        stops = float(np.log2(auto_exposure(data, matrix)))
    return ColorPicture(layer, wish, display_picture(data, matrix, 2.0**stops), stops)


def show_picture(viewer: ViewerModel, picture: ColorPicture) -> Image:
    """Show a picture in the layer of its cube's colours, made right above the cube where needed."""
    cube = picture.layer
    name = f"{cube.name} {picture.wish}"
    return show_derived(viewer, cube, _KIND, picture.pixels, name, rgb=True)


def color_layer(layers: Iterable[Layer], cube: Layer) -> Image | None:
    """Return the layer that shows a cube's colours, ``None`` where there is none."""
    return derived_layer(layers, cube, _KIND)


def arguments_of(layer: Image) -> tuple[Image, Any, npt.NDArray[np.float64]]:
    """Return what `compute_picture` needs of a layer, read in the window's thread."""
    return layer, layer_array(layer), layer_wavelengths(layer)
