"""From what a file holds to a cube: band axis, wavelengths, scale, and how each was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io.suffixes import stem

__all__ = ["StoredCube", "assemble", "choose_variable", "dump_metadata", "load_metadata"]

WAVELENGTH_NAMES = ("wavelengths_nm", "wavelengths", "wavelength", "bands")
PREFERRED_NAMES = ("cube", "rad", "ref", "hsi")


@dataclass(frozen=True)
class StoredCube:
    """A cube as a file holds it, before its axes are ordered and its numbers scaled.

    Parameters
    ----------
    array
        3-D array in the file's own order and type.
    layout
        The format, for the provenance: "MAT 5".
    band_axis
        The axis of the bands where the format says it.
    wavelengths_nm
        The bands' centres in nm where the file holds them, in whatever shape.
    wavelengths_from
        Where in the file they stand.
    full_scale
        The stored value that means 1, where the file says it or its type does not.
    scale_from
        Why ``full_scale``, in a few words.
    variable
        The array's name in the file.
    name, provenance, spread
        As `write_cube` stored them; a provenance marks the file as this project's own.
    """

    array: npt.NDArray[Any]
    layout: str
    band_axis: int | None = None
    wavelengths_nm: npt.ArrayLike | None = None
    wavelengths_from: str = ""
    full_scale: float | None = None
    scale_from: str = ""
    variable: str | None = None
    name: str | None = None
    provenance: Mapping[str, Any] | None = None
    spread: npt.NDArray[Any] | None = None


def assemble(
    path: Path,
    stored: StoredCube,
    *,
    wavelengths_nm: Sequence[float] | npt.NDArray[np.float64] | None,
    band_axis: int | None,
    scale: float | None,
) -> SpectralCube:
    """Order the axes, scale the numbers and name the wavelengths of a stored cube.

    The arguments are those of `napari_gmsr.io.read_cube`; what is given there wins over what the
    file says.

    Raises
    ------
    InputError
        Where the array is no cube of real numbers, the wavelengths are missing or do not fit, or an
        argument is out of range.
    """
    array = stored.array
    if array.ndim != 3 or array.size == 0 or array.dtype.kind not in "uif":
        raise InputError(
            f"it holds an array {array.shape} of {array.dtype}, not a cube of real numbers",
            where=path,
            fix="Give a 3-D numeric array with at least one band and one pixel.",
        )
    own = stored.provenance is not None
    wavelengths, wavelengths_from = _wavelengths(stored, wavelengths_nm, own)
    axis = _band_axis(path, array.shape, band_axis, stored.band_axis, wavelengths)
    if wavelengths is None:
        if array.shape[axis] != WAVELENGTHS_NM.size:
            raise InputError(
                f"the file does not say the wavelengths of its {array.shape[axis]} bands "
                f"(shape {array.shape})",
                where=path,
                fix="Give wavelengths_nm, one number in nm for each band.",
            )
        wavelengths, wavelengths_from = WAVELENGTHS_NM, "assumed: 400 to 700 nm in steps of 10 nm"
    full_scale, scale_from = _full_scale(path, stored, scale)
    changed: dict[str, Any] = {}
    if not own or wavelengths_nm is not None:
        changed["wavelengths"] = wavelengths_from
    if not own or scale is not None:
        changed |= {"scale": full_scale, "scale_from": scale_from}
    if own:
        provenance = {**(stored.provenance or {}), **changed}
    else:
        provenance = {"file": path.name, "format": stored.layout, **changed}
        if stored.variable is not None:
            provenance["variable"] = stored.variable
    try:
        return SpectralCube(
            data=_to_float32(path, array, axis, full_scale),
            wavelengths_nm=wavelengths,
            name=stem(path) if stored.name is None else stored.name,
            provenance=provenance,
            spread=None
            if stored.spread is None
            else _to_float32(path, stored.spread, axis, full_scale),
        )
    except InputError as error:
        raise InputError(error.what, where=path, fix=error.fix) from error


def _wavelengths(
    stored: StoredCube, given: Sequence[float] | npt.NDArray[np.float64] | None, own: bool
) -> tuple[npt.NDArray[np.float64] | None, str]:
    if given is not None:
        return np.asarray(given, dtype=np.float64).ravel(), "given"
    if stored.wavelengths_nm is None:
        return None, ""
    values = np.asarray(stored.wavelengths_nm)
    if values.dtype.kind not in "uif" or values.size == 0:
        return None, ""
    found = values.astype(np.float64).ravel()
    source = f"from the file ({stored.wavelengths_from})"
    if own:
        return found, source
    if any(np.array_equal(found, np.arange(found.size) + first) for first in (0, 1)):
        return None, ""  # the bands' numbers, not their wavelengths
    if found.max() < 20:  # micrometres: nothing here is measured below 20 nm
        return np.round(found * 1000, 6), f"{source}, micrometres"
    return found, source


def _band_axis(
    path: Path,
    shape: tuple[int, ...],
    given: int | None,
    known: int | None,
    wavelengths: npt.NDArray[np.float64] | None,
) -> int:
    """Find the bands: given, known of the format, as many as wavelengths, 31, or the fewest."""
    if given is not None:
        if not -3 <= given < 3:
            raise InputError(
                f"band_axis is {given}", where=path, fix="A cube has the axes 0, 1 and 2."
            )
        axis = given % 3
    elif known is not None:
        axis = known
    else:
        count = WAVELENGTHS_NM.size if wavelengths is None else wavelengths.size
        # Where several axes fit, the last: most files hold (y, x, band).
        fitting = [axis for axis in range(3) if shape[axis] == count]
        smallest = [axis for axis in range(3) if shape[axis] == min(shape)]
        axis = (fitting or smallest)[-1]
    if wavelengths is not None and shape[axis] != wavelengths.size:
        raise InputError(
            f"{wavelengths.size} wavelengths do not fit {shape[axis]} bands (shape {shape})",
            where=path,
            fix="Give wavelengths_nm, one number in nm for each band, or another band_axis.",
        )
    return axis


def _full_scale(path: Path, stored: StoredCube, given: float | None) -> tuple[float, str]:
    if given is not None:
        if not (np.isfinite(given) and given > 0):
            raise InputError(
                f"scale is {given}", where=path, fix="Give the stored value that means 1, above 0."
            )
        return float(given), "given"
    if stored.full_scale is not None:
        return float(stored.full_scale), stored.scale_from
    if stored.array.dtype.kind in "ui":
        return float(np.iinfo(stored.array.dtype).max), f"full scale of {stored.array.dtype.name}"
    return 1.0, "float numbers left as they are"


def _to_float32(
    path: Path, array: npt.NDArray[Any], axis: int, full_scale: float
) -> npt.NDArray[np.float32]:
    """Return (band, y, x) float32, each number divided by the full scale and rounded once."""
    bands = np.moveaxis(array, axis, 0)
    if (
        full_scale == 1
        and bands.dtype == np.float32
        and bands.dtype.isnative
        and bands.flags.c_contiguous
        and not isinstance(array, np.memmap)  # that changes with its file
    ):
        return bands
    out = np.empty(bands.shape, dtype=np.float32)
    try:
        # Band by band, so that no third copy of the cube exists. A quotient in float64 rounds to
        # the same float32 as the exact one, for numbers of up to 24 bits.
        with np.errstate(over="raise", invalid="ignore", under="ignore"):
            for target, band in zip(out, bands, strict=True):
                target[...] = (
                    band if full_scale == 1 else np.divide(band, full_scale, dtype=np.float64)
                )
    except FloatingPointError as error:
        raise InputError(
            "it holds numbers too large for float32", where=path, fix="Give a larger scale."
        ) from error
    return out


def choose_variable(
    path: Path, candidates: Mapping[str, str], others: Mapping[str, str], requested: str | None
) -> str:
    """Choose the array that is the cube.

    Parameters
    ----------
    path
        The file, for errors.
    candidates
        Names of its 3-D numeric arrays, each with its shape and type in words.
    others
        The rest of what it holds, likewise.
    requested
        The name that the user asked for.

    Raises
    ------
    InputError
        Where there is none, or several of which none has a usual name, or the requested one is none
        of them.
    """

    def listed(variables: Mapping[str, str]) -> str:
        return ", ".join(f"{name} {what}" for name, what in variables.items())

    if requested is not None:
        if requested in candidates:
            return requested
        holds = listed({**candidates, **others}) or "nothing"
        raise InputError(
            f"'{requested}' is no 3-D numeric array in it; it holds {holds}",
            where=path,
            fix=f"Give as variable one of: {', '.join(candidates)}."
            if candidates
            else "Choose a file with a cube.",
        )
    if not candidates:
        raise InputError(
            f"it holds no 3-D numeric array, but {listed(others) or 'nothing'}",
            where=path,
            fix="Choose a file with a cube (y, x, band).",
        )
    if len(candidates) == 1:
        return next(iter(candidates))
    for preferred in PREFERRED_NAMES:
        for name in candidates:
            if name.lower() == preferred:
                return name
    raise InputError(
        f"it holds {len(candidates)} 3-D arrays: {listed(candidates)}",
        where=path,
        fix=f"Give as variable one of: {', '.join(candidates)}.",
    )


def choose_wavelengths(names: Sequence[str]) -> str | None:
    """Return the variable that holds the wavelengths, by its name."""
    for wanted in WAVELENGTH_NAMES:
        for name in names:
            if name.lower() == wanted:
                return name
    return None


def dump_metadata(cube: SpectralCube) -> str:
    """Return a cube's name and provenance, and who writes it, as one line of ASCII JSON.

    Raises
    ------
    InputError
        Where the provenance holds something that JSON cannot say.
    """
    try:
        return json.dumps(
            {
                "name": cube.name,
                "provenance": dict(cube.provenance),
                "written_by": f"napari-gmsr {version('napari-gmsr')}",
            }
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the provenance is not made of JSON types: {error}",
            where=cube.name,
            fix="Use numbers, text, lists and mappings.",
        ) from error


def load_metadata(text: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return name and provenance as `dump_metadata` wrote them, ``None`` for any other text."""
    try:
        metadata = json.loads(text)
        name, provenance = metadata["name"], metadata["provenance"]
    except (ValueError, KeyError, TypeError):
        return None
    return (name, provenance) if isinstance(name, str) and isinstance(provenance, dict) else None
