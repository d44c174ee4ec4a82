"""Spectra as a table: CSV, one row for each place, cube and band."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_gmsr.plugin.spectrum import Curve, PixelSpectrum, RegionSpectrum, Spectrum

__all__ = ["save_spectra"]

_COLUMNS = (
    "cube",
    "region",
    "y",
    "x",
    "averaging_radius_px",
    "pixels",
    "wavelength_nm",
    "response",
    "spread",
    "truth",
    "residual",
    "view",
    "response_in_view",
    "spread_in_view",
    "truth_in_view",
    "residual_in_view",
    "rmse",
    "mrae",
    "spectral_angle_deg",
    "model",
    "checkpoint_sha256",
    "mode",
    "written_by",
)


def save_spectra(
    spectra: Sequence[Spectrum],
    path: str | Path,
    provenance: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write spectra as CSV: one row for each spectrum and band.

    Parameters
    ----------
    spectra
        The spectra; a column that does not apply is left empty.
    path
        File to write. An existing file is replaced once the new one is complete.
    provenance
        Of the cubes, by their names, as far as it is known.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """
    from napari_gmsr.io import atomic_output

    path = Path(path)
    with (
        atomic_output(path, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for spectrum in spectra:
            origin = _origin((provenance or {}).get(spectrum.cube, {}))
            writer.writerows({**row, **origin} for row in _rows(spectrum))
    return path


def _origin(provenance: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: provenance.get(key) for key in ("model", "checkpoint_sha256", "mode")}
    return {**known, "written_by": f"napari-gmsr {version('napari-gmsr')}"}


def _rows(spectrum: Spectrum) -> Iterator[dict[str, Any]]:
    place: dict[str, Any] = {}
    if isinstance(spectrum, PixelSpectrum):
        place = {"y": spectrum.y, "x": spectrum.x, "averaging_radius_px": spectrum.radius}
    elif isinstance(spectrum, RegionSpectrum):
        place = {"region": spectrum.region, "pixels": spectrum.pixels}
    errors = {
        "rmse": spectrum.rmse,
        "mrae": spectrum.mrae,
        "spectral_angle_deg": spectrum.angle_deg,
    }
    for band, nm in enumerate(spectrum.wavelengths_nm.tolist()):
        yield {
            "cube": spectrum.cube,
            **place,
            "wavelength_nm": nm,
            **_values(spectrum.measured, band),
            "view": spectrum.view,
            **_values(spectrum.shown, band, "_in_view"),
            **errors,
        }


def _values(curve: Curve, band: int, suffix: str = "") -> dict[str, float | None]:
    columns = {
        "response": curve.response,
        "spread": curve.spread,
        "truth": curve.truth,
        "residual": curve.residual,
    }
    return {
        name + suffix: None if values is None else values[band].item()
        for name, values in columns.items()
    }
