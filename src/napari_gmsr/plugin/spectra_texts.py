"""What the Spectra widget says of a place: where it is, and how far off the cubes are there."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from napari_gmsr.plugin.spectrum import RegionSpectrum, Spectrum

__all__ = ["describe"]


def describe(spectra: Sequence[Spectrum], left_out: int = 0, longest: int = 34) -> str:
    """Return a place and the errors there, as rich text.

    Parameters
    ----------
    spectra
        Of the cubes drawn together, at one place; the prediction's first.
    left_out
        How many regions are too many to be drawn.
    longest
        Letters of a cube's name before it is cut in its middle, where cubes of one picture agree.
    """
    few = f"{left_out:,} more regions are not drawn" if left_out else ""
    return "<br>".join(part for part in (_at(spectra, longest), few) if part)


def _at(spectra: Sequence[Spectrum], longest: int) -> str:
    if not spectra:
        return ""
    first = spectra[0]
    if isinstance(first, RegionSpectrum):
        place = f"{escape(first.place)}, {first.pixels:,} pixels: errors of the mean"
    else:
        place = f"Pixel {first.place}"
    judged = [spectrum for spectrum in spectra if spectrum.rmse is not None]
    if not judged:
        return f"{place}<br>Choose a truth to see the error"
    if len(spectra) == 1:
        rmse, mrae, angle = _errors(first)
        return f"{place}<br>RMSE <b>{rmse}</b> &nbsp; MRAE <b>{mrae}</b> &nbsp; SAM <b>{angle}</b>"
    rows = [_row(_shortened(spectrum.cube, longest), *_errors(spectrum)) for spectrum in spectra]
    head = _row("", "RMSE", "MRAE", "SAM")
    return f"{place}<table cellspacing=2>{head}{''.join(rows)}</table>"


def _errors(spectrum: Spectrum) -> tuple[str, str, str]:
    rmse, mrae, angle = spectrum.rmse, spectrum.mrae, spectrum.angle_deg
    if rmse is None or mrae is None or angle is None:
        return "–", "–", "–"
    return f"{rmse:.4f}", f"{mrae:.4f}", f"{angle:.2f}°"


def _row(name: str, *values: str) -> str:
    cells = "".join(f"<td align=right>&nbsp;{value}</td>" for value in values)
    return f"<tr><td>{escape(name)}</td>{cells}</tr>"


def _shortened(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    half = longest // 2
    return f"{name[:half]}…{name[-half:]}"
