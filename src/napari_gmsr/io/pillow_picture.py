"""PNG, JPEG and BMP pictures through Pillow; 16-bit PNG, which it cuts to 8, by imagecodecs."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from napari_gmsr.errors import InputError
from napari_gmsr.io.samples import Samples, grey_picture

__all__ = ["read"]

_GREY_MODES = {"1", "L", "LA", "La", "I", "F"}


def read(path: Path) -> Samples:
    """Read a picture's samples; see `napari_gmsr.io.read_rgb`."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=("PNG", "JPEG", "BMP")) as image:
                samples = _read(path, image)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise InputError(
                f"it has more than {Image.MAX_IMAGE_PIXELS} pixels, too many to decode unseen",
                where=path,
                fix="Cut it into smaller pictures, or save it as a TIFF if you trust it.",
            ) from error
    notes = (*samples.notes, *(f"Pillow: {warning.message}." for warning in found))
    return Samples(**{**vars(samples), "notes": notes})


def _read(path: Path, image: Image.Image) -> Samples:
    mode = image.mode
    if mode in _GREY_MODES or mode.startswith("I;16"):
        raise grey_picture(path)
    notes = []
    if mode in ("P", "PA"):
        notes.append("A palette picture: its colours were looked up.")
    elif mode not in ("RGB", "RGBA", "RGBX"):
        raise InputError(
            f"this picture is {mode}, not RGB",
            where=path,
            fix="Save it as sRGB in an image editor.",
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"The first of {frames} frames was read.")
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    icc = image.info.get("icc_profile")
    if image.format == "PNG" and _is_16_bit(path):
        import imagecodecs

        array = imagecodecs.png_decode(path.read_bytes())
    else:
        transparent = mode in ("RGBA", "PA") or "transparency" in image.info
        array = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    return Samples(
        array,
        bits=8 * array.dtype.itemsize,
        orientation=orientation,
        icc=icc,
        notes=tuple(notes),
    )


def _is_16_bit(path: Path) -> bool:
    """Read the bit depth from a PNG's first chunk (PNG specification, IHDR), byte 24."""
    with path.open("rb") as stream:
        return stream.read(25)[24] == 16
