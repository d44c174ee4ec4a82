"""The spectral cube: a reflectance or radiance image at every band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.errors import InputError

__all__ = ["WAVELENGTHS_NM", "SpectralCube"]

WAVELENGTHS_NM: npt.NDArray[np.float64] = np.arange(400.0, 701.0, 10.0)
"""The 31 bands of GMSR-Net and of its training sets: 400, 410, ... 700 nm."""
WAVELENGTHS_NM.setflags(write=False)


@dataclass(frozen=True)
class SpectralCube:
    """A spectral image.

    Parameters
    ----------
    data
        float32 array (band, y, x); relative reflectance or radiance, usually within [0, 1].
    wavelengths_nm
        Centre of each band in nanometres, strictly monotonic; 31 bands from 400 to 700 nm by
        default.
    name
        Short name for layers and files.
    provenance
        Where the cube comes from: file, scale, checkpoint hash, settings, versions. JSON types
        only.
    spread
        Standard deviation over a self-ensemble, float32 (band, y, x), where one was asked for.

    Raises
    ------
    InputError
        Where shapes and wavelengths do not fit together.
    """

    data: npt.NDArray[np.float32]
    wavelengths_nm: npt.NDArray[np.float64] = field(default_factory=lambda: WAVELENGTHS_NM)
    name: str = "cube"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    spread: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        data = np.asarray(self.data, dtype=np.float32)
        wavelengths = np.asarray(self.wavelengths_nm, dtype=np.float64)
        if data.ndim != 3 or 0 in data.shape:
            raise InputError(
                f"a cube has the shape (band, y, x), this array has {data.shape}",
                where=self.name,
                fix="Give a 3-D array with at least one band and one pixel.",
            )
        if wavelengths.shape != data.shape[:1]:
            raise InputError(
                f"{data.shape[0]} bands but {wavelengths.size} wavelengths",
                where=self.name,
                fix="Give one wavelength in nm for each band.",
            )
        steps = np.diff(wavelengths)
        if not np.isfinite(wavelengths).all() or not ((steps > 0).all() or (steps < 0).all()):
            raise InputError(
                "the wavelengths are not strictly rising or falling",
                where=self.name,
                fix="Sort the bands by wavelength, and give finite numbers in nm.",
            )
        if self.spread is not None and self.spread.shape != data.shape:
            raise InputError(
                f"the spread has the shape {self.spread.shape}, the cube {data.shape}",
                where=self.name,
            )
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "wavelengths_nm", wavelengths)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width."""
        return self.data.shape[0], self.data.shape[1], self.data.shape[2]

    def band_index(self, nm: float) -> int:
        """Return the index of the band nearest to ``nm`` nanometres."""
        return int(np.argmin(np.abs(self.wavelengths_nm - nm)))

    def band(self, nm: float) -> npt.NDArray[np.float32]:
        """Return the band image (y, x) nearest to ``nm`` nanometres, as a view."""
        band: npt.NDArray[np.float32] = self.data[self.band_index(nm)]
        return band

    def spectrum(self, y: int, x: int, radius: int = 0) -> npt.NDArray[np.float32]:
        """Return the spectral response at a pixel, averaged over a square around it.

        Parameters
        ----------
        y, x
            Row and column of the pixel.
        radius
            Half the side of the square in pixels: 0 is the pixel alone, 1 is 3 x 3. The square is
            cut at the border.

        Returns
        -------
        ndarray
            float32 (band,).

        Raises
        ------
        InputError
            Where the pixel lies outside the cube, or the radius is negative.
        """
        _, height, width = self.shape
        if not (0 <= y < height and 0 <= x < width) or radius < 0:
            raise InputError(
                f"no pixel (y={y}, x={x}) with radius {radius} in {height} x {width}",
                where=self.name,
            )
        rows = slice(max(0, y - radius), y + radius + 1)
        columns = slice(max(0, x - radius), x + radius + 1)
        mean: npt.NDArray[np.float32] = (
            self.data[:, rows, columns].mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
        )
        return mean

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the cube; the format follows from the suffix.

        Parameters
        ----------
        path
            ``.zarr`` (OME-Zarr), ``.tif``, ``.hdr`` (ENVI), ``.mat`` (7.3) or ``.npz``.
        overwrite
            Replace an existing file; otherwise an existing name is an error.

        Returns
        -------
        Path
            What was written.
        """
        from napari_gmsr.io import write_cube

        return write_cube(self, path, overwrite=overwrite)

    @classmethod
    def from_band_last(
        cls,
        data: npt.ArrayLike,
        wavelengths_nm: Sequence[float] | npt.NDArray[np.float64] | None = None,
        **fields: Any,
    ) -> SpectralCube:
        """Make a cube from an array (y, x, band), the layout of most MAT files."""
        array = np.ascontiguousarray(np.moveaxis(np.asarray(data, dtype=np.float32), -1, 0))
        if wavelengths_nm is not None:
            fields["wavelengths_nm"] = np.asarray(wavelengths_nm, dtype=np.float64)
        return cls(array, **fields)
