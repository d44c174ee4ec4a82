"""The spectrum of one pixel, with what the truth says about it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["PixelSpectrum", "save_spectra"]


_COLUMNS = (
    "cube",
    "y",
    "x",
    "averaging_radius_px",
    "wavelength_nm",
    "response",
    "truth",
    "residual",
    "rmse",
    "spectral_angle_deg",
)


@dataclass(frozen=True)
class PixelSpectrum:
    """A pixel's spectrum in one cube.

    Parameters
    ----------
    cube
        Name of the cube.
    y, x
        Row and column of the pixel.
    color
        ``#rrggbb``.
    wavelengths_nm
        float64 (band,).
    response
        float32 (band,), averaged over a square of ``2 radius + 1`` pixels a side.
    truth
        The same of the ground truth, where one is chosen.
    radius
        Half the side of the averaged square in pixels.
    """

    cube: str
    y: int
    x: int
    color: str
    wavelengths_nm: npt.NDArray[np.float64]
    response: npt.NDArray[np.float32]
    truth: npt.NDArray[np.float32] | None = None
    radius: int = 0

    @property
    def residual(self) -> npt.NDArray[np.float32] | None:
        """Response minus truth, float32 (band,)."""
        return None if self.truth is None else self.response - self.truth

    @property
    def rmse(self) -> float | None:
        """Root of the mean squared residual over the bands; ``None`` without truth."""
        residual = self.residual
        if residual is None:
            return None
        return float(np.sqrt(np.mean(np.square(residual, dtype=np.float64))))

    @property
    def angle_deg(self) -> float | None:
        """Spectral angle to the truth in degrees; ``None`` without truth.

        As in `napari_gmsr.evaluate`, 0 between two black spectra and 90 between a black one and
        another. The arctangent form (Kahan, 2006) keeps its digits where they nearly agree.
        """
        if self.truth is None:
            return None
        lengths = [float(np.linalg.norm(v.astype(float))) for v in (self.response, self.truth)]
        if not all(length > 0 for length in lengths):
            return 90.0 if any(length > 0 for length in lengths) else 0.0
        u, v = self.response / lengths[0], self.truth / lengths[1]
        return float(np.degrees(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))))

    def looks_like(self, other: PixelSpectrum) -> bool:
        """Say whether two spectra are drawn alike."""
        pairs = (
            (self.wavelengths_nm, other.wavelengths_nm),
            (self.response, other.response),
            (self.truth, other.truth),
        )
        return self.color == other.color and all(
            first is second or np.array_equal(first, second)  # type: ignore[arg-type]
            for first, second in pairs
        )


def save_spectra(spectra: Sequence[PixelSpectrum], path: str | Path) -> Path:
    """Write spectra as CSV: one row for each pixel and band.

    Parameters
    ----------
    spectra
        The spectra; a column without truth is left empty.
    path
        File to write. An existing file is replaced once the new one is complete.

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
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for spectrum in spectra:
            writer.writerows(_rows(spectrum))
    return path


def _rows(spectrum: PixelSpectrum) -> Iterable[list[object]]:
    truth: Sequence[object] = [""] * spectrum.response.size
    residual = truth
    if spectrum.truth is not None and spectrum.residual is not None:
        truth, residual = spectrum.truth.tolist(), spectrum.residual.tolist()
    columns = zip(
        spectrum.wavelengths_nm.tolist(), spectrum.response.tolist(), truth, residual, strict=True
    )
    pixel = [spectrum.cube, spectrum.y, spectrum.x, spectrum.radius]
    errors = ["" if value is None else value for value in (spectrum.rmse, spectrum.angle_deg)]
    return ([*pixel, *row, *errors] for row in columns)
