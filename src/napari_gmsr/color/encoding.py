"""How numbers relate to light: the sRGB standard, and a picture checked against an encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError
from napari_gmsr.image import Encoding, RGBImage

__all__ = ["XYZ_TO_SRGB", "linear_to_srgb", "match_encoding", "percent", "srgb_to_linear"]

XYZ_TO_SRGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ (Y of the white = 1) to linear sRGB, with the four decimals of IEC 61966-2-1."""
XYZ_TO_SRGB.setflags(write=False)


def srgb_to_linear(encoded: npt.ArrayLike) -> npt.NDArray[Any]:
    """Decode sRGB values to linear light.

    Parameters
    ----------
    encoded
        sRGB values of any shape; [0, 1] is the encoding's range. Values below 0 follow the curve's
        straight foot, values above 1 its power.

    Returns
    -------
    ndarray
        Linear light of the same shape: float32 for float32, float64 otherwise. NaN stays NaN.

    References
    ----------
    IEC 61966-2-1:1999, section 5.2.
    """
    v, one = _floating(encoded)
    # A negative base would give NaN; those values take the straight foot.
    curve = ((np.maximum(v, 0.0) + one(0.055)) / one(1.055)) ** one(2.4)
    decoded: npt.NDArray[Any] = np.where(v <= 0.04045, v / one(12.92), curve)
    return decoded


def linear_to_srgb(linear: npt.ArrayLike) -> npt.NDArray[Any]:
    """Encode linear light as sRGB values.

    Parameters
    ----------
    linear
        Linear light of any shape; [0, 1] is the encoding's range, as for `srgb_to_linear`.

    Returns
    -------
    ndarray
        sRGB values of the same shape: float32 for float32, float64 otherwise. NaN stays NaN.

    References
    ----------
    IEC 61966-2-1:1999, section 5.2.
    """
    light, one = _floating(linear)
    curve = one(1.055) * np.maximum(light, 0.0) ** one(1 / 2.4) - one(0.055)
    encoded: npt.NDArray[Any] = np.where(light <= 0.0031308, light * one(12.92), curve)
    return encoded


def match_encoding(rgb: RGBImage, encoding: Encoding) -> tuple[RGBImage, list[str]]:
    """Bring a picture to the encoding and range that a network was trained on.

    Parameters
    ----------
    rgb
        The picture.
    encoding
        What is wanted: ``"srgb"`` or ``"linear"``.

    Returns
    -------
    picture : RGBImage
        The picture in ``encoding`` with every value within [0, 1]; ``rgb`` itself where nothing had
        to change.
    changes : list of str
        What was changed, one sentence each; empty where nothing was.

    Raises
    ------
    InputError
        Where the picture holds NaN or infinite values, or ``encoding`` is unknown.
    """
    if encoding not in ("srgb", "linear"):
        raise InputError(f"unknown encoding '{encoding}'", fix="Use 'srgb' or 'linear'.")
    data = rgb.data
    broken = int(np.count_nonzero(~np.isfinite(data).all(axis=2)))
    if broken:
        raise InputError(
            f"{broken} of {data.shape[0] * data.shape[1]} pixels are NaN or infinite",
            where=rgb.name,
            fix="Replace them first, for example with numpy.nan_to_num.",
        )
    changes: list[str] = []
    low, high = float(data.min()), float(data.max())
    if low < 0 or high > 1:
        share = percent(float(np.mean((data < 0) | (data > 1))))
        changes.append(
            f"{share} of the samples lay outside [0, 1] (from {low:.4g} to {high:.4g}) "
            "and were clipped; if that is not meant, divide the picture by its full scale first."
        )
        data = np.clip(data, 0.0, 1.0)
    if rgb.encoding != encoding:
        depth = f"{rgb.bit_depth}-bit " if rgb.bit_depth in (8, 16) else ""
        if encoding == "linear":
            data = srgb_to_linear(data)
            changes.append(
                f"The {depth}sRGB picture was decoded to linear light, which the model expects."
            )
        else:
            data = linear_to_srgb(data)
            changes.append(
                f"The {depth}linear picture was encoded as sRGB, which the model expects."
            )
    return (replace(rgb, data=data, encoding=encoding) if changes else rgb), changes


def _floating(array: npt.ArrayLike) -> tuple[npt.NDArray[Any], type[np.floating[Any]]]:
    """Return the values in their precision, and the scalar type that keeps them in it."""
    values = np.asarray(array)
    if values.dtype == np.float32:
        return values, np.float32
    return values.astype(np.float64), np.float64


def percent(share: float) -> str:
    """Return a share in percent for people, with two digits: ``17 %``."""
    return f"{float(f'{100 * share:.2g}'):g} %"  # 100 is no 1e+02
