"""A cube rendered back through the camera, and its difference from the picture it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import (
    CameraResponse,
    linear_to_srgb,
    match_encoding,
    render_rgb,
)
from napari_gmsr.color.encoding import percent
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import Encoding, RGBImage, as_rgb_image

__all__ = ["Reprojection", "linear_picture", "reproject", "row_blocks"]

_PIXELS = 1 << 17
"""Of a block of rows: what is computed beside a cube stays small beside it."""


@dataclass(frozen=True)
class Reprojection:
    """A picture against what the camera makes of its cube.

    Parameters
    ----------
    rgb
        The cube through the camera: linear, clipped to [0, 1] as a picture is.
    difference
        Re-projection minus picture, linear, float32 (y, x, 3); NaN where the cube is.
    map
        Its root mean square over the channels, float32 (y, x).
    map_encoded
        The same between the two in sRGB's encoding, where a step is about as visible in shadows as
        in lights.
    rmse, rmse_encoded
        Root mean square of the two maps, over the pixels where the cube is finite.
    clipped
        Share of the picture's pixels with a channel at 0 or at 1: there it only says "or less" or
        "or more", and a difference can hide.
    """

    rgb: RGBImage
    difference: npt.NDArray[np.float32]
    map: npt.NDArray[np.float32]
    map_encoded: npt.NDArray[np.float32]
    rmse: float
    rmse_encoded: float
    clipped: float

    def to_text(self) -> str:
        """Return the numbers in a sentence."""
        return (
            f"Re-projection: RMSE {self.rmse:.4f} in linear light, "
            f"{self.rmse_encoded:.4f} ({255 * self.rmse_encoded:.1f} of 255) in sRGB; "
            f"{percent(self.clipped)} of the pixels are clipped."
        )


def reproject(
    cube: SpectralCube | npt.ArrayLike,
    rgb: RGBImage | npt.ArrayLike,
    camera: CameraResponse | str | Path = "srgb",
    illuminant: str | None = "D65",
) -> Reprojection:
    """Render a cube back through a camera, and compare it with the picture that it came from.

    A right cube gives its picture back. The reverse does not hold: many wrong ones do too, so that
    a small difference is necessary, not sufficient. It needs no truth.

    Parameters
    ----------
    cube
        The cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm.
    rgb
        The picture; an array as for `napari_gmsr.image.as_rgb_image`, its floats in the encoding
        that the cube was reconstructed from, where its provenance names one.
    camera, illuminant
        What the picture was taken with, as for `napari_gmsr.color.rendering_matrix`; by default
        what the checkpoint ``photo`` expects. A checkpoint's card names its own.

    Returns
    -------
    Reprojection

    Raises
    ------
    InputError
        Where the two differ in size, the picture is not finite or the cube nowhere is, or the
        camera's names are unknown.
    """
    if not isinstance(cube, SpectralCube):
        cube = SpectralCube(np.asarray(cube, dtype=np.float32))
    picture = linear_picture(cube, rgb)
    rendered = render_rgb(cube, camera, illuminant)
    difference = rendered.data - picture
    finite = np.isfinite(difference).all(axis=2)
    if not finite.any():
        raise InputError(
            "no pixel is finite in every band",
            where=cube.name,
            fix="Select the bands that hold numbers.",
        )
    encoded = linear_to_srgb(rendered.data) - linear_to_srgb(picture)
    here, here_encoded = (np.sqrt((d**2).mean(axis=2)) for d in (difference, encoded))
    rmse, rmse_encoded = (
        float(np.sqrt(np.mean(m[finite].astype(np.float64) ** 2))) for m in (here, here_encoded)
    )
    clipped = float(((picture <= 0) | (picture >= 1)).any(axis=2).mean())
    return Reprojection(
        rendered, difference, here, here_encoded, rmse, rmse_encoded, clipped=clipped
    )


def linear_picture(cube: SpectralCube, rgb: RGBImage | npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return a cube's picture in linear light, float32 (y, x, 3) within [0, 1].

    Raises
    ------
    InputError
        Where the picture has another size than the cube, or is not finite.
    """
    encoding: Encoding = "srgb" if cube.provenance.get("encoding") == "srgb" else "linear"
    picture, _ = match_encoding(as_rgb_image(rgb, float_encoding=encoding), "linear")
    if picture.shape != cube.shape[1:]:
        raise InputError(
            f"the picture has {picture.shape[0]} x {picture.shape[1]} pixels, "
            f"'{cube.name}' has {cube.shape[1]} x {cube.shape[2]}",
            where=picture.name,
            fix="Give the picture that the cube was reconstructed from.",
        )
    return picture.data


def row_blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Give the rows (y, x) of a picture in blocks of bounded size."""
    rows = max(1, _PIXELS // shape[1])
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))
