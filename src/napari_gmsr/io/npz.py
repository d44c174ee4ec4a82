"""Cubes in NumPy's npz and npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.io.atomic import atomic_output
from napari_gmsr.io.stored import (
    StoredCube,
    choose_variable,
    choose_wavelengths,
    dump_metadata,
    load_metadata,
)

__all__ = ["read", "write"]


def read(path: Path, variable: str | None) -> StoredCube:
    """Read an npz or npy file; see `napari_gmsr.io.read_cube`."""
    with path.open("rb") as stream:
        # NumPy takes whatever it does not know for a pickle, and says how to load that.
        if not stream.read(6).startswith((b"PK", b"\x93NUMPY")):
            raise ValueError("it begins like none")
        stream.seek(0)
        content = np.load(stream, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return StoredCube(content, "npy")
        own = load_metadata(str(content["metadata"])) if "metadata" in content else None
        if own and variable in (None, "cube"):
            name, provenance = own
            return StoredCube(
                content["cube"],
                "npz",
                variable="cube",
                band_axis=0,
                wavelengths_nm=content["wavelengths_nm"],
                wavelengths_from="wavelengths_nm",
                name=name,
                provenance=provenance,
                spread=content.get("spread"),
            )
        arrays: dict[str, npt.NDArray[Any]] = {}
        words: dict[str, str] = {}
        for key in content:
            array = content[key]
            words[key] = f"{array.shape} {array.dtype}"
            if array.ndim == 3 and array.dtype.kind in "uif":
                arrays[key] = array
        chosen = choose_variable(
            path,
            {key: words[key] for key in arrays},
            {key: words[key] for key in words if key not in arrays},
            variable,
        )
        wavelengths = choose_wavelengths([key for key in words if key not in arrays])
        return StoredCube(
            arrays[chosen],
            "npz",
            wavelengths_nm=None if wavelengths is None else content[wavelengths],
            wavelengths_from=wavelengths or "",
            variable=chosen,
        )


def write(cube: SpectralCube, path: Path, overwrite: bool) -> None:
    """Write ``cube`` (band, y, x), ``wavelengths_nm``, ``metadata`` (JSON), ``spread`` if any."""
    metadata = dump_metadata(cube)
    arrays: dict[str, Any] = {
        "cube": cube.data,
        "wavelengths_nm": cube.wavelengths_nm,
        "metadata": np.array(metadata),
    }
    if cube.spread is not None:
        arrays["spread"] = np.asarray(cube.spread, dtype=np.float32)
    with atomic_output(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)
