"""Cubes in ENVI files, a text header (.hdr) and raw data (.img) beside it, through ``spectral``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import spectral.io.envi  # type: ignore[import-untyped]

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io.atomic import atomic_outputs
from napari_gmsr.io.stored import StoredCube, dump_metadata, load_metadata

__all__ = ["read", "write"]

# In brackets: a value in braces would be split at its commas by every reader of ENVI headers.
_METADATA_KEY = "napari-gmsr"


def read(path: Path) -> StoredCube:
    """Read an ENVI header and its data; see `napari_gmsr.io.read_cube`."""
    with warnings.catch_warnings():
        # of capital letters in the header's keys, which others write
        warnings.simplefilter("ignore", UserWarning)
        image = spectral.io.envi.open(path)
    image.fid.close()  # the data comes through a memory map of its own
    data = image.open_memmap(interleave="bsq")
    if data is None:
        raise ValueError("the data are shorter than the header says")
    header = image.metadata
    own = load_metadata(header.get(_METADATA_KEY, "")[1:-1])
    name, provenance = own or (None, None)
    factor = header.get("reflectance scale factor")
    return StoredCube(
        data,
        f"ENVI {header.get('interleave', '')}".strip(),
        band_axis=0,
        wavelengths_nm=_wavelengths(header),
        wavelengths_from="wavelength",
        full_scale=None if factor is None else float(factor),
        scale_from="reflectance scale factor of the header",
        name=name,
        provenance=provenance,
    )


def _wavelengths(header: dict[str, str | list[str]]) -> np.ndarray | None:
    values = header.get("wavelength")
    if values is None:
        return None
    wavelengths = np.array(values, dtype=np.float64)
    unit = str(header.get("wavelength units", "")).lower()
    return np.round(wavelengths * 1000, 6) if unit.startswith("micro") else wavelengths


def write(cube: SpectralCube, path: Path, overwrite: bool) -> None:
    """Write header and data, band sequential; the spread has no place in this format."""
    bands, height, width = cube.shape
    fields = {
        "samples": width,
        "lines": height,
        "bands": bands,
        "header offset": 0,
        "data type": 4,  # float32
        "interleave": "bsq",
        "byte order": 0,
        "wavelength": [repr(float(nm)) for nm in cube.wavelengths_nm],
        "wavelength units": "Nanometers",
        _METADATA_KEY: f"[{dump_metadata(cube)}]",
    }
    with atomic_outputs([path.with_suffix(".img"), path], overwrite=overwrite) as (data, header):
        with data.open("wb") as stream:
            stream.write(np.ascontiguousarray(cube.data, dtype="<f4").data)
        spectral.io.envi.write_envi_header(header, fields)
