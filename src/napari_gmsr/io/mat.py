"""Cubes in MATLAB files: MAT 5 (and 4) through SciPy, MAT 7.3 through h5py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import scipy.io

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

_NUMERIC = {"double", "single"} | {f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)}
_USERBLOCK = 512
# By this text, the version 0x0200 and "MI" in the block before the HDF5 data MATLAB knows its file.
_HEADER = (
    b"MATLAB 7.3 MAT-file, Platform: Python, written by napari-gmsr".ljust(116)
    + bytes(8)
    + b"\x00\x02IM"
)


def read(path: Path, variable: str | None) -> StoredCube:
    """Read a MAT file of any version; see `napari_gmsr.io.read_cube`."""
    return _read_hdf5(path, variable) if h5py.is_hdf5(path) else _read_mat5(path, variable)


def _read_mat5(path: Path, variable: str | None) -> StoredCube:
    candidates: dict[str, str] = {}
    others: dict[str, str] = {}
    classes: dict[str, str] = {}
    for name, shape, matlab_class in scipy.io.whosmat(path):
        is_cube = len(shape) == 3 and matlab_class in _NUMERIC
        (candidates if is_cube else others)[name] = f"{shape} {matlab_class}"
        classes[name] = matlab_class
    chosen = choose_variable(path, candidates, others, variable)
    wavelengths = choose_wavelengths(list(others))
    names = [chosen] if wavelengths is None else [chosen, wavelengths]
    content = scipy.io.loadmat(path, variable_names=names)
    array = content[chosen]
    full_scale, scale_from = _mat5_full_scale(array, classes[chosen])
    return StoredCube(
        array,
        "MAT 5",
        wavelengths_nm=None if wavelengths is None else content[wavelengths],
        wavelengths_from=wavelengths or "",
        full_scale=full_scale,
        scale_from=scale_from,
        variable=chosen,
    )


def _mat5_full_scale(array: npt.NDArray[Any], matlab_class: str) -> tuple[float | None, str]:
    """Return the full scale of an array whose class and stored type differ.

    MATLAB packs whole numbers into the smallest integer type that holds them, whatever the array's
    class. An integer class keeps its own full scale; a float array of whole numbers was a picture
    of 8 or 16 bits.
    """
    if matlab_class not in ("double", "single"):
        return float(np.iinfo(matlab_class).max), f"full scale of {matlab_class}"
    if array.dtype.kind not in "ui":
        return None, ""
    highest = {"uint8": 255.0, "int16": 65535.0, "uint16": 65535.0}.get(array.dtype.name)
    if highest is None or array.min() < 0 or array.max() <= 1:
        return 1.0, f"{matlab_class} numbers left as they are"
    return highest, f"{matlab_class} array of whole numbers stored as {array.dtype.name}"


def _read_hdf5(path: Path, variable: str | None) -> StoredCube:
    with h5py.File(path, "r") as file:
        candidates: dict[str, str] = {}
        others: dict[str, str] = {}
        for name, item in file.items():
            if not isinstance(item, h5py.Dataset):
                others[name] = "(a struct, cell or group)"
                continue
            matlab_class = _matlab_class(item)
            is_cube = item.ndim == 3 and matlab_class in _NUMERIC
            (candidates if is_cube else others)[name] = f"{item.shape[::-1]} {matlab_class}"
        own = None
        if "metadata" in file and "cube" in candidates and variable in (None, "cube"):
            own = load_metadata(_text(file["metadata"]))
        chosen = "cube" if own else choose_variable(path, candidates, others, variable)
        wavelengths = choose_wavelengths(
            [name for name in others if isinstance(file[name], h5py.Dataset)]
        )
        name, provenance = own or (None, None)
        # HDF5 lists a MATLAB array's axes in reverse: the transpose is the array as MATLAB shows
        # it.
        return StoredCube(
            file[chosen][()].T,
            "MAT 7.3",
            band_axis=2 if own else None,
            wavelengths_nm=None if wavelengths is None else file[wavelengths][()],
            wavelengths_from=wavelengths or "",
            variable=chosen,
            name=name,
            provenance=provenance,
            spread=file["spread"][()].T if own and "spread" in file else None,
        )


def _matlab_class(dataset: h5py.Dataset) -> str:
    """Return the MATLAB class of a dataset; one that MATLAB did not write goes by its type."""
    stored = dataset.attrs.get("MATLAB_class")
    if stored is not None:
        return stored.decode() if isinstance(stored, bytes) else str(stored)
    by_type = {"float32": "single", "float64": "double"}
    return by_type.get(dataset.dtype.name, str(dataset.dtype.name))


def _text(dataset: Any) -> str:
    is_text = isinstance(dataset, h5py.Dataset) and dataset.dtype == np.uint16
    return dataset[()].tobytes().decode("utf-16-le") if is_text else ""


def write(cube: SpectralCube, path: Path, overwrite: bool) -> None:
    """Write MAT 7.3: ``cube`` (y, x, band) single, ``wavelengths_nm``, ``metadata`` (JSON text).

    The spread, where there is one, is ``spread``, of the cube's shape.
    """
    metadata = np.frombuffer(dump_metadata(cube).encode("utf-16-le"), dtype=np.uint16)
    with atomic_output(path, overwrite=overwrite) as temporary:
        # HDF5 builds the file in memory: on a disk that fills up it would crash the interpreter.
        content = io.BytesIO()
        with h5py.File(content, "w", userblock_size=_USERBLOCK) as file:
            _create_bands(file, "cube", cube.data)
            _create(file, "wavelengths_nm", cube.wavelengths_nm[:, np.newaxis], "double")
            text = _create(file, "metadata", metadata[:, np.newaxis], "char")
            text.attrs["MATLAB_int_decode"] = np.int32(2)
            if cube.spread is not None:
                _create_bands(file, "spread", cube.spread)
        content.seek(0)
        content.write(_HEADER)
        temporary.write_bytes(content.getbuffer())


def _create(file: h5py.File, name: str, array: npt.NDArray[Any], matlab_class: str) -> h5py.Dataset:
    dataset = file.create_dataset(name, data=array)
    dataset.attrs["MATLAB_class"] = np.bytes_(matlab_class)
    return dataset


def _create_bands(file: h5py.File, name: str, data: npt.NDArray[np.float32]) -> None:
    bands, height, width = data.shape
    dataset = file.create_dataset(name, shape=(bands, width, height), dtype=np.float32)
    dataset.attrs["MATLAB_class"] = np.bytes_("single")
    for index, band in enumerate(data):
        dataset[index] = band.T
