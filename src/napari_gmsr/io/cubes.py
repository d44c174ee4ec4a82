"""Read and write spectral cubes; the format follows from the name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io.atomic import check_outputs
from napari_gmsr.io.reading import existing, existing_file, reading
from napari_gmsr.io.stored import StoredCube, assemble
from napari_gmsr.io.suffixes import TIFF, supported_suffixes

__all__ = ["check_output", "read_cube", "write_cube"]


def read_cube(
    path: str | Path,
    *,
    variable: str | None = None,
    wavelengths_nm: Sequence[float] | npt.NDArray[np.float64] | None = None,
    band_axis: int | None = None,
    scale: float | None = None,
) -> SpectralCube:
    """Read a spectral cube.

    Formats: MAT 5 and MAT 7.3, npz and npy, ENVI (the ``.hdr``), TIFF of one band a page, OME-Zarr,
    and a folder of one PNG a band (``balloons_ms_01.png`` ...; also up to three folders above them,
    as CAVE is shipped).

    What the file does not say is found by rule, and the cube's provenance says how:

    - The cube is the only 3-D numeric array, or the one named ``cube``, ``rad``, ``ref`` or
      ``hsi``, in that order.
    - Wavelengths are read from the header or from ``wavelengths_nm``, ``wavelengths``,
      ``wavelength`` or ``bands`` beside the cube. Without them 31 bands are assumed to be 400, 410,
      ... 700 nm; another number of bands is an error.
    - The band axis is what the format says, else the one as long as there are wavelengths, else the
      one of 31; of several that fit, the last.
    - Integers are divided by the full scale of their type (uint8 255, uint16 65535); float numbers
      are left as they are. Float arrays that MATLAB packed as 8- or 16-bit integers in a MAT 5 file
      count as integers where they exceed 1.

    A file that `write_cube` wrote gives the cube that was written, bit for bit.

    Parameters
    ----------
    path
        File or folder.
    variable
        Name of the array, where a MAT or npz file holds several.
    wavelengths_nm
        Centre of each band in nm; needed where the file does not say them, as for the Harvard set
        (420 to 720 nm).
    band_axis
        Axis of the bands, 0 to 2 or -3 to -1, in the order that MATLAB or NumPy shows the array.
    scale
        The stored value that becomes 1, in place of the rule above.

    Returns
    -------
    SpectralCube
        float32 (band, y, x).

    Raises
    ------
    InputError
        Where there is no such file, it is damaged or no cube, or it is ambiguous: the error says
        what to give.
    """
    source = existing(path)
    stored = _read_folder(source) if source.is_dir() else _read_file(source, variable)
    if variable is not None and stored.variable is None:
        raise InputError(
            f"the variable '{variable}' is asked for, but {stored.layout} holds one cube, unnamed",
            where=source,
            fix="Leave the variable out.",
        )
    return assemble(source, stored, wavelengths_nm=wavelengths_nm, band_axis=band_axis, scale=scale)


def _read_folder(folder: Path) -> StoredCube:
    from napari_gmsr.io import ome_zarr, png_folder

    with reading(folder, "a cube"):
        if ome_zarr.is_zarr(folder):
            return ome_zarr.read(folder)
        return png_folder.read(folder)


def _read_file(path: Path, variable: str | None) -> StoredCube:
    existing_file(path)
    suffix = path.suffix.lower()
    if suffix == ".mat":
        from napari_gmsr.io import mat

        with reading(path, "a MAT file"):
            return mat.read(path, variable)
    if suffix in (".npz", ".npy"):
        from napari_gmsr.io import npz

        with reading(path, "a NumPy file"):
            return npz.read(path, variable)
    if suffix == ".hdr":
        from napari_gmsr.io import envi

        with reading(path, "an ENVI header with its data"):
            return envi.read(path)
    if suffix in TIFF:
        from napari_gmsr.io import tiff_cube

        with reading(path, "a TIFF"):
            return tiff_cube.read(path)
    raise InputError(
        f"no cube format has the suffix '{path.suffix}'",
        where=path,
        fix=f"Give one of {' '.join(supported_suffixes('cube'))}, or a folder of one PNG a band.",
    )


def write_cube(cube: SpectralCube, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a spectral cube; `read_cube` gives it back bit for bit.

    Every format keeps the float32 numbers, the wavelengths, the name and the provenance; all but
    ENVI, which has no place for it, keep the spread too. The output appears under its name only
    when it is complete and flushed to the disk.

    Parameters
    ----------
    cube
        What to write.
    path
        ``.zarr`` (OME-Zarr 0.5, one resolution), ``.tif`` or ``.tiff`` (one band a page), ``.hdr``
        (ENVI: header, and ``.img`` beside it), ``.mat`` (MAT 7.3) or ``.npz``. Its folder must be
        there.
    overwrite
        Replace what has that name; otherwise an existing name is an error.

    Returns
    -------
    Path
        What was written: for ENVI the header.

    Raises
    ------
    OutputError
        Where the name is taken, the suffix unknown, the disk full or there is no permission;
        nothing is left behind then, and what was there stays.
    InputError
        Where the cube's provenance is not made of JSON types.
    """
    target = check_output(path, overwrite=overwrite)
    suffix = target.suffix.lower()
    if suffix == ".zarr":
        from napari_gmsr.io import ome_zarr

        ome_zarr.write(cube, target, overwrite)
    elif suffix in TIFF:
        from napari_gmsr.io import tiff_cube

        tiff_cube.write(cube, target, overwrite)
    elif suffix == ".hdr":
        from napari_gmsr.io import envi

        envi.write(cube, target, overwrite)
    elif suffix == ".mat":
        from napari_gmsr.io import mat

        mat.write(cube, target, overwrite)
    else:
        from napari_gmsr.io import npz

        npz.write(cube, target, overwrite)
    return target


def check_output(path: str | Path, *, overwrite: bool = False) -> Path:
    """Raise now what would keep `write_cube` from writing there; long work is worth the look.

    Parameters
    ----------
    path, overwrite
        As for `write_cube`.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    OutputError
        Where the suffix is unknown, the name is taken, or the folder is missing or may not be
        written to.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in supported_suffixes("output"):
        raise OutputError(
            f"no cube can be written as '{target.suffix}'",
            where=target,
            fix=f"Give one of {' '.join(supported_suffixes('output'))}.",
        )
    names = [target.with_suffix(".img"), target] if suffix == ".hdr" else [target]
    check_outputs(names, overwrite=overwrite)
    if target.is_dir():
        from napari_gmsr.io import ome_zarr

        if suffix != ".zarr" or not ome_zarr.is_zarr(target):
            raise OutputError(
                "the name is taken by a folder that is no Zarr",
                where=target,
                fix="Choose another name; it is not replaced.",
            )
    return target
