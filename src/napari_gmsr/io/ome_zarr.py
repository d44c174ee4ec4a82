"""Cubes as OME-Zarr 0.5, through zarr and ome-zarr-models.

https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from ome_zarr_models.v05.axes import Axis
from ome_zarr_models.v05.multiscales import Dataset, Multiscale

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io.atomic import atomic_output
from napari_gmsr.io.stored import StoredCube, dump_metadata, load_metadata

__all__ = ["is_zarr", "read", "write"]

_METADATA_KEY = "napari_gmsr"
_CHUNK = 1024
_NANOMETRES = {"nanometer": 1.0, "micrometer": 1000.0}


def is_zarr(folder: Path) -> bool:
    """Tell whether a folder is a Zarr store of format 2 or 3."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def read(folder: Path) -> StoredCube:
    """Read the full resolution of an OME-Zarr 0.4 or 0.5, or a plain Zarr array.

    See `napari_gmsr.io.read_cube`.
    """
    node = zarr.open(folder, mode="r")
    if isinstance(node, zarr.Array):
        return StoredCube(_load(node), "Zarr")
    attributes = node.attrs.asdict()
    multiscales: Any = attributes.get("ome", attributes)
    if not multiscales.get("multiscales"):
        raise InputError(
            "this Zarr group is no OME-Zarr image",
            where=folder,
            fix="Choose the image's own folder.",
        )
    image = multiscales["multiscales"][0]
    stored = _array(node, image["datasets"][0]["path"])
    ours: Any = attributes.get(_METADATA_KEY)
    own = load_metadata(ours["metadata"]) if ours else None
    if own:
        return StoredCube(
            _load_whole(stored),
            "OME-Zarr",
            band_axis=0,
            wavelengths_nm=ours["wavelengths_nm"],
            wavelengths_from="wavelengths_nm",
            name=own[0],
            provenance=own[1],
            spread=_load_whole(_array(node, "spread")) if ours["spread"] else None,
        )
    array = _load(stored)
    axes = image["axes"]
    keep = [
        size > 1 or axis["name"] in ("y", "x") or axis.get("type") == "channel"
        for axis, size in zip(axes, array.shape, strict=True)
    ]
    bands = [i for i, axis in enumerate(axes) if keep[i] and axis["name"] not in ("y", "x")]
    return StoredCube(
        array.reshape([size for size, kept in zip(array.shape, keep, strict=True) if kept]),
        "OME-Zarr",
        band_axis=sum(keep[: bands[0]]) if len(bands) == 1 else None,
        wavelengths_nm=_wavelengths(image, bands[0], array.shape) if len(bands) == 1 else None,
        wavelengths_from="the axis in nm",
    )


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    node = group[name]
    if not isinstance(node, zarr.Array):
        raise ValueError(f"{name} is no array")
    return node


def _load(array: zarr.Array[Any]) -> npt.NDArray[Any]:
    return np.asarray(array[...])


def _load_whole(array: zarr.Array[Any]) -> npt.NDArray[Any]:
    """Load an array of `write`, which stores every chunk; Zarr would read a lost one as zeros."""
    lost = array.nchunks - array.nchunks_initialized
    if lost:
        raise ValueError(f"{lost} of {array.nchunks} chunks are missing")
    return _load(array)


def _wavelengths(
    image: dict[str, Any], axis: int, shape: tuple[int, ...]
) -> npt.NDArray[np.float64] | None:
    """Return the band axis's coordinates where the metadata gives them in a unit of length."""
    unit = _NANOMETRES.get(image["axes"][axis].get("unit"))
    if unit is None:
        return None
    step, start = 1.0, 0.0
    transforms = image["datasets"][0]["coordinateTransformations"]
    for transform in (*transforms, *image.get("coordinateTransformations", ())):
        if transform["type"] == "scale":
            step, start = step * transform["scale"][axis], start * transform["scale"][axis]
        elif transform["type"] == "translation":
            start += transform["translation"][axis]
    return np.asarray((start + step * np.arange(shape[axis])) * unit, dtype=np.float64)


def write(cube: SpectralCube, path: Path, overwrite: bool) -> None:
    """Write one resolution, a chunk a band (cut at 1024 pixels), and the spread as a second array.

    The first axis is the wavelength, of type channel; in nm where the bands are evenly spaced and
    rising, which is all that OME-Zarr can say, else in band numbers. The group's attribute
    ``napari_gmsr`` always holds ``wavelengths_nm``.
    """
    attributes = {
        "ome": {"version": "0.5", "multiscales": [_multiscale(cube).model_dump(exclude_none=True)]},
        _METADATA_KEY: {
            "wavelengths_nm": cube.wavelengths_nm.tolist(),
            "metadata": dump_metadata(cube),
            "spread": cube.spread is not None,
        },
    }
    with atomic_output(path, overwrite=overwrite) as temporary:
        zarr.create_group(temporary, zarr_format=3, attributes=attributes)
        _store(temporary / "0", cube.data)
        if cube.spread is not None:
            _store(temporary / "spread", np.asarray(cube.spread, dtype=np.float32))


def _multiscale(cube: SpectralCube) -> Multiscale:
    steps = np.diff(cube.wavelengths_nm)
    even = steps.size > 0 and bool(steps[0] > 0) and np.allclose(steps, steps[0], rtol=1e-6, atol=0)
    axes = (
        Axis(name="wavelength", type="channel", unit="nanometer" if even else None),
        Axis(name="y", type="space"),
        Axis(name="x", type="space"),
    )
    step, start = (float(steps[0]), float(cube.wavelengths_nm[0])) if even else (1.0, 0.0)
    dataset = Dataset.build(path="0", scale=(step, 1.0, 1.0), translation=(start, 0.0, 0.0))
    return Multiscale(axes=axes, datasets=(dataset,), name=cube.name)


def _store(folder: Path, data: npt.NDArray[np.float32]) -> None:
    """Write file by file: of several writes at once some go on when one fails on a full disk."""
    bands, height, width = data.shape
    side_y, side_x = min(height, _CHUNK), min(width, _CHUNK)
    array = zarr.create_array(
        folder,
        shape=data.shape,
        dtype=np.float32,
        chunks=(1, side_y, side_x),
        zarr_format=3,
        dimension_names=("wavelength", "y", "x"),
        # A chunk that equals zero everywhere may hold -0.0, and is written too.
        config={"write_empty_chunks": True},
    )
    for band, y, x in product(range(bands), range(0, height, side_y), range(0, width, side_x)):
        tile = (slice(band, band + 1), slice(y, y + side_y), slice(x, x + side_x))
        array[tile] = data[tile]
