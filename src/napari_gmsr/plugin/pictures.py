"""RGB layers as pictures to reconstruct."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmsr.errors import InputError
from napari_gmsr.image import Encoding, RGBImage, as_rgb_image
from napari_gmsr.plugin.layer_files import layer_file

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer

__all__ = ["LayerPicture", "picture_layers", "picture_of_layer"]


@dataclass(frozen=True)
class LayerPicture:
    """What is reconstructed of a layer; independent of the layer from then on.

    Parameters
    ----------
    array
        (y, x, 3) or (y, x, 4), NumPy or lazy; not yet computed.
    name
        The layer's name.
    scale, translate
        The layer's, for y and x, so that the cube can lie on it.
    notes
        What the user should know, one sentence each.
    file
        What the layer was opened from; it need not hold these pixels any more.
    """

    array: Any
    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)
    notes: tuple[str, ...] = ()
    file: Path | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.array.shape[0]), int(self.array.shape[1])

    def read(self, float_encoding: Encoding) -> RGBImage:
        """Compute the picture: unsigned integers are sRGB, alpha is laid over black.

        Parameters
        ----------
        float_encoding
            What floats mean; a layer does not say.

        Raises
        ------
        InputError
            Where the pixels are neither unsigned integers nor floats, or there are none.
        """
        array = np.asarray(self.array)
        picture = as_rgb_image(array[..., :3], float_encoding=float_encoding, name=self.name)
        data, notes = picture.data, list(self.notes)
        if array.shape[2] == 4:
            full_scale = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
            opacity = array[..., 3:].astype(np.float32) / np.float32(full_scale)
            if (opacity < 1).any():
                data = data * opacity
                notes.append("Transparent parts were laid over black.")
        return RGBImage(data, picture.encoding, picture.bit_depth, self.name, tuple(notes))


def picture_layers(layers: Iterable[Layer]) -> list[Image]:
    """Return the layers that hold RGB or RGBA pictures, in the order given."""
    return [layer for layer in layers if getattr(layer, "rgb", False)]


def picture_of_layer(layer: Image, dims: Dims) -> LayerPicture:
    """Return the picture that a layer shows.

    Parameters
    ----------
    layer
        An RGB image layer; of a stack, the picture under the sliders is taken.
    dims
        The viewer's dimensions.

    Returns
    -------
    LayerPicture
        Nothing is computed yet.

    Raises
    ------
    InputError
        Where the layer is no RGB picture.
    """
    if not getattr(layer, "rgb", False):
        raise InputError(
            "not an RGB layer", where=layer.name, fix="Choose a layer with red, green and blue."
        )
    array = layer.data[0] if layer.multiscale else layer.data
    notes: tuple[str, ...] = ()
    leading = array.shape[:-3]
    if leading:
        here = np.rint(layer.world_to_data(dims.point[-layer.ndim :])[:-2]).astype(int)
        index = tuple(int(i) for i in np.clip(here, 0, np.array(leading) - 1))
        array = array[index]
        shown = ", ".join(map(str, index))
        notes = (f"Of the stack of {int(np.prod(leading))} pictures, number {shown} was taken.",)
    scale, translate = ((float(v[-2]), float(v[-1])) for v in (layer.scale, layer.translate))
    return LayerPicture(array, layer.name, scale, translate, notes, layer_file(layer))
