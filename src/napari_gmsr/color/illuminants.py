"""Illuminants by name, as colour-science tabulates them."""

from __future__ import annotations

import difflib

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError

__all__ = ["illuminant", "illuminant_table", "list_illuminants"]


def list_illuminants() -> list[str]:
    """Return the names that `illuminant` knows: A, D50, D65, E, FL1, ... of colour-science."""
    from colour import SDS_ILLUMINANTS

    return [str(name) for name in SDS_ILLUMINANTS]


def illuminant(name: str, wavelengths_nm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return an illuminant's relative spectral power.

    Parameters
    ----------
    name
        Such as ``"D65"``, ``"D50"``, ``"A"``, ``"E"`` or ``"FL2"``, in upper or lower case.
    wavelengths_nm
        Where to take it, in nanometres. Values between the table's (5 nm apart for most
        illuminants) are interpolated linearly, as CIE 15 prescribes for D65. The narrow lines of
        fluorescent lamps are sampled, not integrated.

    Returns
    -------
    ndarray
        float64 (band,), 1 at the largest of these bands.

    Raises
    ------
    InputError
        Where the name is unknown, or a wavelength lies outside the table.
    """
    known, (table_nm, table) = _known(name), illuminant_table(name)
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    first, last = float(table_nm[0]), float(table_nm[-1])
    if nm.min() < first or nm.max() > last:
        raise InputError(
            f"illuminant {known} is tabulated from {first:g} to {last:g} nm, "
            f"the bands lie between {nm.min():g} and {nm.max():g} nm",
            fix="Select the bands within that range, or use no illuminant.",
        )
    power = np.interp(nm, table_nm, table)
    return np.asarray(power / power.max(), dtype=np.float64)


def illuminant_table(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return an illuminant as it is tabulated: wavelengths in nm and relative power, both (n,).

    Raises
    ------
    InputError
        Where the name is unknown.
    """
    from colour import SDS_ILLUMINANTS

    table = SDS_ILLUMINANTS[_known(name)]
    return np.asarray(table.wavelengths), np.asarray(table.values)


def _known(name: str) -> str:
    """Return a name as it is tabulated."""
    by_folded = {known.casefold(): known for known in list_illuminants()}
    known = by_folded.get(str(name).casefold())
    if known is None:
        near = difflib.get_close_matches(str(name).casefold(), by_folded, n=3)
        names = ", ".join([by_folded[key] for key in near] or ["D65", "D50", "A", "E", "FL2"])
        raise InputError(f"unknown illuminant '{name}'", fix=f"Use one such as {names}.")
    return known
