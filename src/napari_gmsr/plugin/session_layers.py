"""Layers as records of a session, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils.colormaps import AVAILABLE_COLORMAPS

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.io import supported_suffixes
from napari_gmsr.io.references import FileReference, fingerprint
from napari_gmsr.plugin.layer_files import layer_file
from napari_gmsr.plugin.layers import cube_from_layer, cube_layer_data, is_cube_layer
from napari_gmsr.plugin.session_file import LayerRecord

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["add_layer", "can_be_kept", "record_of"]

_Kind: TypeAlias = Literal["image", "labels", "points", "shapes"]

_KINDS: dict[type[Layer], _Kind] = {
    Image: "image",
    Labels: "labels",
    Points: "points",
    Shapes: "shapes",
}
_COMMON = ("name", "visible", "opacity", "blending", "scale", "translate", "units", "axis_labels")
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "image": ("rgb", "colormap", "contrast_limits", "gamma", "interpolation2d"),
    "labels": (),
    "points": (
        "face_color",
        "border_color",
        "border_width",
        "size",
        "symbol",
        "canvas_size_limits",
    ),
    "shapes": ("shape_type", "edge_color", "face_color", "edge_width"),
}
_TUPLES = ("units", "axis_labels", "canvas_size_limits", "contrast_limits")
_TO_FIND_OUT = ("rgb", "shape_type")
"""What a layer is made with, and cannot be changed afterwards."""


def can_be_kept(layer: Layer) -> bool:
    """Say whether a session keeps layers of this kind."""
    return isinstance(layer, tuple(_KINDS))


def record_of(
    layer: Layer, number: int, session: Path, folder: Path, final_folder: Path
) -> LayerRecord:
    """Return a layer's record; what no file holds is written.

    Parameters
    ----------
    layer
        One that `can_be_kept`.
    number
        Its place, for the name of what is written.
    session
        The session's file.
    folder
        What is written goes here.
    final_folder
        What that folder will be called, which is about to be replaced.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    kind = next(name for of, name in _KINDS.items() if isinstance(layer, of))
    attributes = _attributes(layer, kind)
    if isinstance(layer, Points | Shapes):
        inline = _jsonable(layer.data if isinstance(layer, Points) else list(layer.data))
        return LayerRecord(kind=kind, attributes=attributes, inline=inline)
    array = _array(layer)
    path, reader = layer_file(layer), layer.source.reader_plugin
    if path is not None and reader in ("napari", "napari-gmsr") and _may_refer(path):
        inside = path.is_relative_to(final_folder.absolute())
        sha256 = fingerprint(array)
        if not inside and _file_holds(path, reader, sha256):
            reference = FileReference.to(path, session.parent, sha256)
            return LayerRecord(kind=kind, attributes=attributes, file=reference, reader=reader)
    stored = _store(layer, array, folder, number)
    return LayerRecord(kind=kind, attributes=attributes, stored=stored)


def add_layer(
    viewer: ViewerModel, record: LayerRecord, session: Path, folder: Path
) -> tuple[Layer, str]:
    """Add the layer of a record to a viewer.

    Parameters
    ----------
    viewer
        Gets the layer.
    record
        From a session's file.
    session, folder
        The file, and the folder of what is stored.

    Returns
    -------
    layer, remark
        The remark is empty where all is as it was.

    Raises
    ------
    InputError
        Where its numbers are not there any more, or what the record says makes no layer.
    """
    name = str(record.attributes.get("name", record.kind))
    remark = ""
    try:
        if record.file is not None:
            place = record.file.find(session.parent)
            if not _may_refer(place):
                raise InputError("this is no picture and no cube", where=place)
            layer = _open(viewer, place, record.reader or "napari")
            if fingerprint(_array(layer)) != record.file.sha256:
                remark = f"{place}: its numbers have changed since the session was saved."
        elif record.stored is not None and record.stored.endswith(".zarr"):
            layer = _open(viewer, _inside(folder, record.stored), "napari-gmsr")
        else:
            data: Any = record.inline
            if record.stored is not None:
                with _inside(folder, record.stored).open("rb") as stream:
                    data = np.lib.format.read_array(stream, allow_pickle=False)
            elif record.kind == "shapes":
                data = [np.asarray(corners, dtype=float) for corners in record.inline or []]
            elif record.kind == "points":
                ndim = len(record.attributes.get("scale", (1, 1)))
                data = np.asarray(record.inline or np.empty((0, ndim)), dtype=float)
            made_with = {
                key: value for key, value in record.attributes.items() if key in _TO_FIND_OUT
            }
            layer = viewer.add_layer(Layer.create(data, made_with, record.kind))
    except GMSRError:
        raise
    except Exception as error:  # whatever a file of somebody else's leads to
        raise InputError(
            f"the layer '{name}' cannot be made: {error}",
            where=session,
            fix="The other layers are there.",
        ) from error
    refused = _set_attributes(layer, record)
    if refused:
        remark = f"{remark} The layer '{name}' could not be given its {', '.join(refused)}.".strip()
    return layer, remark


def _open(viewer: ViewerModel, path: Path, reader: str) -> Layer:
    layers: list[Layer] = viewer.open(str(path), plugin=reader, stack=False)
    if len(layers) != 1:
        raise InputError(f"it holds {len(layers)} layers, not one", where=path)
    return layers[0]


def _inside(folder: Path, name: str) -> Path:
    """Return where something stored lies; a link that leads elsewhere is refused."""
    path = folder / name
    if not path.exists():
        raise InputError(
            "this part of the session is missing",
            where=path,
            fix="Move the session's folder together with its file.",
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError("this path leaves the session's folder", where=path)
    return path


def _may_refer(path: Path) -> bool:
    """Say whether a session may name this: a file or folder on a disk, that we read."""
    if str(path).startswith(("\\\\", "//")):  # another computer's
        return False
    known = {*supported_suffixes("rgb"), *supported_suffixes("cube")}
    return path.is_dir() or (path.is_file() and path.suffix.lower() in known)


def _file_holds(path: Path, reader: str, sha256: str) -> bool:
    from npe2 import read

    try:
        layers = read([str(path)], stack=False, plugin_name=reader)
    except Exception:  # not the file it was: then its numbers are written
        return False
    return len(layers) == 1 and fingerprint(np.asarray(layers[0][0])) == sha256


def _store(layer: Layer, array: npt.NDArray[Any], folder: Path, number: int) -> str:
    if is_cube_layer(layer) and array.dtype == np.float32:
        cube = cube_from_layer(layer)
        # Its planes may lie in another order than in a file.
        if np.array_equal(cube_layer_data(cube)[0], array, equal_nan=True):
            cube.save(folder / f"layer-{number}.zarr")
            return f"layer-{number}.zarr"
    with (folder / f"layer-{number}.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return f"layer-{number}.npy"


def _array(layer: Layer) -> npt.NDArray[Any]:
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return np.asarray(data)


def _attributes(layer: Layer, kind: str) -> dict[str, Any]:
    found = {}
    for key in (*_COMMON, *_ATTRIBUTES[kind]):
        value = getattr(layer, key)
        if key == "colormap":
            value = value.name if value.name in AVAILABLE_COLORMAPS else None
        elif key == "symbol":
            value = [str(symbol) for symbol in value]
        elif key == "units":
            value = [str(unit) for unit in value]
        found[key] = _jsonable(value)
    found["metadata"] = {
        str(key): value for key, value in layer.metadata.items() if _is_json(value)
    }
    return {key: value for key, value in found.items() if value is not None}


def _set_attributes(layer: Layer, record: LayerRecord) -> list[str]:
    """Bring a layer to look as it did; return what napari refuses."""
    refused = []
    known = {*_COMMON, *_ATTRIBUTES[record.kind]} - {*_TO_FIND_OUT}
    attributes: Mapping[str, Any] = record.attributes
    metadata = attributes.get("metadata")
    if isinstance(metadata, dict):
        layer.metadata.update(metadata)
    for key in sorted(known & attributes.keys()):
        value = attributes[key]
        try:
            if key in ("face_color", "border_color", "edge_color"):
                value = np.asarray(value, dtype=float)
                if not value.size:
                    continue
            setattr(layer, key, tuple(value) if key in _TUPLES else value)
        except Exception:  # whatever a file of somebody else's leads to
            refused.append(key)
    return refused


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
