"""Read RGB pictures."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.image import RGBImage
from napari_gmsr.io.atomic import atomic_output
from napari_gmsr.io.reading import existing_file, reading
from napari_gmsr.io.samples import to_rgb
from napari_gmsr.io.suffixes import PILLOW_PICTURES, TIFF, supported_suffixes

__all__ = ["read_rgb", "write_rgb"]


def read_rgb(path: str | Path) -> RGBImage:
    """Read a colour picture: PNG, JPEG, BMP or TIFF.

    Integer samples (8 or 16 bit) are divided by their full scale and taken as sRGB, as cameras and
    editors write them; float samples (TIFF) are kept as they are and taken as linear. What was done
    or found on the way stands in the picture's ``notes``:

    - The orientation that a camera noted (EXIF, TIFF) is applied.
    - A picture with transparency is laid over black, in the file's own encoding as viewers do it:
      where there is no picture there is no light.
    - An ICC profile is named and not applied; the numbers are those of the file. An sRGB profile
      needs no note.
    - Float samples outside [0, 1] are kept and counted.

    Where a file is known to break the rule, as the linear 8-bit PNGs of NTIRE2020 do, say so with
    ``dataclasses.replace(rgb, encoding="linear")``.

    Parameters
    ----------
    path
        A ``.png``, ``.jpg``, ``.jpeg``, ``.bmp``, ``.tif`` or ``.tiff`` file.

    Returns
    -------
    RGBImage
        float32 (y, x, 3), named after the file.

    Raises
    ------
    InputError
        Where there is no such file, it is damaged or of another format; where it is grey (one
        number a pixel holds no colour to reconstruct from), CMYK or another kind that is not RGB;
        where a TIFF holds several pages, or float samples that are not finite; where it has more
        pixels than Pillow deems safe.
    """
    source = existing_file(path)
    suffix = source.suffix.lower()
    if suffix in TIFF:
        from napari_gmsr.io import tiff_picture

        with reading(source, "a TIFF"):
            samples = tiff_picture.read(source)
    elif suffix in PILLOW_PICTURES:
        from napari_gmsr.io import pillow_picture

        with reading(source, "a PNG, JPEG or BMP"):
            samples = pillow_picture.read(source)
    else:
        raise InputError(
            f"no picture format has the suffix '{source.suffix}'",
            where=source,
            fix=f"Give one of {' '.join(supported_suffixes('rgb'))}.",
        )
    return to_rgb(source, samples)


def write_rgb(rgb: RGBImage, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a picture as TIFF; `read_rgb` gives back its numbers, bit for bit.

    Samples that came from 8 or 16 bits and are sRGB are written so. All others are float32, which
    `read_rgb` takes for linear: say ``dataclasses.replace(rgb, encoding="srgb")`` where they are
    not.

    Parameters
    ----------
    rgb
        What to write.
    path
        ``.tif`` or ``.tiff``.
    overwrite
        Replace what has that name; otherwise an existing name is an error.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        Where the suffix is another, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in TIFF:
        raise OutputError(
            f"no picture is written as '{target.suffix}'", where=target, fix="Name it .tif."
        )
    import tifffile

    samples: np.ndarray = rgb.data
    if rgb.bit_depth in (8, 16) and rgb.encoding == "srgb":
        full_scale = np.float32(2**rgb.bit_depth - 1)
        whole = np.rint(rgb.data * full_scale).astype(f"uint{rgb.bit_depth}")
        if np.array_equal(whole.astype(np.float32) / full_scale, rgb.data):
            samples = whole
    with atomic_output(target, overwrite=overwrite) as temporary:
        software = f"napari-gmsr {version('napari-gmsr')}"
        tifffile.imwrite(temporary, samples, photometric="rgb", software=software)
    return target
