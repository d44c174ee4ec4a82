"""From a picture's samples to an `RGBImage`: orientation, transparency, range."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import ImageCms

from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.io.suffixes import stem

__all__ = ["Samples", "grey_picture", "to_rgb"]


@dataclass(frozen=True)
class Samples:
    """A colour picture as a file holds it.

    Parameters
    ----------
    array
        (y, x, 3) or (y, x, 4), unsigned integers or floats.
    bits
        Bits a sample, of which integers use all.
    alpha
        What a fourth channel means: the colours stand unweighted beside it, or are weighted with it
        already.
    orientation
        EXIF's number for where the first row and column lie, 1 to 8; 1 is top and left.
    icc
        The embedded ICC profile.
    notes
        What the format's reader found.
    """

    array: npt.NDArray[Any]
    bits: int
    alpha: Literal["unweighted", "weighted"] = "unweighted"
    orientation: int = 1
    icc: bytes | None = None
    notes: tuple[str, ...] = ()


def grey_picture(path: Path) -> InputError:
    """Return the error for a picture of one number a pixel."""
    return InputError(
        "a grey picture holds one number a pixel, no colour to reconstruct a spectrum from",
        where=path,
        fix="Choose a colour picture.",
    )


def to_rgb(path: Path, samples: Samples) -> RGBImage:
    """Scale, turn and composite samples.

    Raises
    ------
    InputError
        Where float samples are not finite.
    """
    array = _turn(samples.array, samples.orientation)
    notes = [*samples.notes]
    if samples.orientation in _TURNS:
        notes.append(f"Turned as the camera noted (EXIF orientation {samples.orientation}).")
    is_float = array.dtype.kind == "f"
    if is_float:
        _refuse_not_finite(path, array)
    full_scale = np.float32(1 if is_float else 2**samples.bits - 1)
    with np.errstate(over="ignore"):  # beyond float32 is found below
        data = array[..., :3].astype(np.float32)
    data /= full_scale
    if array.shape[2] == 4:
        opacity = array[..., 3:].astype(np.float32) / full_scale
        if (opacity == 1).all():
            notes.append("The alpha channel is opaque everywhere and was left out.")
        else:
            if samples.alpha == "unweighted":
                data *= opacity
            notes.append("Transparent parts were laid over black.")
    if is_float:
        _refuse_not_finite(path, data)
        outside = int(np.count_nonzero((data < 0) | (data > 1)))
        if outside:
            notes.append(
                f"{outside} of {data.size} samples lie outside 0 to 1 ({data.min():g} to "
                f"{data.max():g}) and were kept."
            )
    encoding: Literal["srgb", "linear"] = "linear" if is_float else "srgb"
    notes.extend(_profile_note(samples.icc, encoding))
    return RGBImage(
        data, encoding=encoding, bit_depth=samples.bits, name=stem(path), notes=tuple(notes)
    )


# EXIF 2.32, tag 0x0112: what brings the stored rows and columns upright.
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def _turn(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    return _TURNS[orientation](array) if orientation in _TURNS else array


def _refuse_not_finite(path: Path, array: npt.NDArray[Any]) -> None:
    bad = ~np.isfinite(array).all(axis=2)
    count = int(np.count_nonzero(bad))
    if count:
        y, x = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise InputError(
            f"{count} of {bad.size} pixels are not finite (NaN or infinite), "
            f"the first at y={y}, x={x}",
            where=path,
            fix="Replace them before reconstructing, or cut the picture.",
        )


def _profile_note(icc: bytes | None, encoding: str) -> list[str]:
    if not icc:
        return []
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        name = ImageCms.getProfileDescription(profile).strip()
    except (ImageCms.PyCMSError, OSError):
        return ["An unreadable ICC profile was not applied."]
    if encoding == "srgb" and "srgb" in name.lower():
        return []
    taken = "sRGB" if encoding == "srgb" else "linear"
    return [f"The ICC profile '{name}' was not applied; the numbers are taken as {taken}."]
