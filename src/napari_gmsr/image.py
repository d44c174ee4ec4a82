"""An RGB picture with what is known of its encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError

__all__ = ["Encoding", "RGBImage", "as_rgb_image"]

Encoding = Literal["srgb", "linear"]
"""How numbers relate to light: ``srgb`` (IEC 61966-2-1 transfer curve) or ``linear``."""


@dataclass(frozen=True)
class RGBImage:
    """An RGB picture.

    Parameters
    ----------
    data
        float32 array (y, x, 3), red, green, blue; 0 is black, 1 is the sensor's or encoding's full
        scale. Files with float samples may hold values outside [0, 1]; reconstruction clips them
        and says so.
    encoding
        How the numbers relate to light.
    bit_depth
        Bits a sample of the source had: 8, 16 or 32 (float). ``None`` where it is not known.
    name
        Short name for layers and outputs, usually the file's stem.
    notes
        What the reader did or found that the user should know, one sentence each
        (rotated by EXIF, alpha composited, ICC profile ignored, ...).

    Raises
    ------
    InputError
        Where ``data`` is not (y, x, 3) or has no pixels.
    """

    data: npt.NDArray[np.float32]
    encoding: Encoding = "srgb"
    bit_depth: int | None = None
    name: str = "picture"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        data = np.ascontiguousarray(self.data, dtype=np.float32)
        if data.ndim != 3 or data.shape[2] != 3 or 0 in data.shape:
            raise InputError(
                f"an RGB picture has the shape (y, x, 3), this array has {np.shape(self.data)}",
                where=self.name,
                fix="Give red, green and blue in the last axis.",
            )
        object.__setattr__(self, "data", data)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.data.shape[0], self.data.shape[1]


def as_rgb_image(
    picture: RGBImage | npt.ArrayLike, *, float_encoding: Encoding = "linear", name: str = "picture"
) -> RGBImage:
    """Make an `RGBImage` of an array, or give back the one that is one already.

    Parameters
    ----------
    picture
        (y, x, 3): unsigned integers are divided by their type's full scale and taken for sRGB, as
        cameras and programs write them; floats are taken as they are.
    float_encoding
        What floats mean.
    name
        For an array.

    Raises
    ------
    InputError
        Where the array has another shape, no numbers, or signed integers, whose full scale nobody
        knows.
    """
    if isinstance(picture, RGBImage):
        return picture
    array = np.asarray(picture)
    if array.dtype.kind == "u":
        bits = array.dtype.itemsize * 8
        scaled = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
        return RGBImage(scaled, "srgb", bits, name)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is found
            return RGBImage(array.astype(np.float32), float_encoding, 32, name)
    raise InputError(
        f"pixels of the type {array.dtype}",
        where=name,
        fix="Give unsigned integers of 8 or 16 bits, or floats in [0, 1].",
    )
