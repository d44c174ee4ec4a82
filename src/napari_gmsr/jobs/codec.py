"""Values between two processes: JSON, with the arrays in ``.npy`` files beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np

from napari_gmsr import errors
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import GMSRError
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import events
from napari_gmsr.jobs.preflight import Preflight
from napari_gmsr.weights import ModelCard

__all__ = ["from_json", "to_json"]

_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        RGBImage,
        SpectralCube,
        Preflight,
        events.Started,
        events.Progress,
        events.Finished,
        events.Failed,
        events.Cancelled,
    )
}


def to_json(value: Any, folder: Path) -> Any:
    """Turn a value into JSON types; arrays are saved in ``folder`` and named in their place.

    Parameters
    ----------
    value
        ``None``, numbers, strings, paths, arrays, mappings with string keys, sequences, pictures,
        cubes, model cards, events, :class:`~napari_gmsr.errors.GMSRError`; nested at will.
    folder
        An existing folder for the arrays.

    Returns
    -------
    Any
        JSON types only.

    Raises
    ------
    TypeError
        For any other type.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        name = f"{uuid4().hex}.npy"
        np.save(folder / name, value)
        return {"$array": name}
    if isinstance(value, tuple):
        return {"$tuple": [to_json(item, folder) for item in value]}
    if isinstance(value, list):
        return [to_json(item, folder) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item, folder) for key, item in value.items()}
    if isinstance(value, ModelCard):
        return {"$card": value.model_dump(mode="json")}
    if isinstance(value, GMSRError):
        return {
            "$error": type(value).__name__,
            "what": value.what,
            "where": value.where,
            "fix": value.fix,
        }
    if type(value).__name__ in _CLASSES:
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"$class": type(value).__name__, "fields": to_json(fields, folder)}
    raise TypeError(f"a {type(value).__name__} does not travel between processes")


def from_json(value: Any, folder: Path, *, mmap: Literal["r"] | None = None) -> Any:
    """Turn what :func:`to_json` made back into the value.

    Parameters
    ----------
    value
        JSON types.
    folder
        Where the arrays are.
    mmap
        ``"r"`` maps the arrays instead of reading them; the files must then outlive the value.

    Returns
    -------
    Any
        The value; paths come back as strings.
    """
    if isinstance(value, list):
        return [from_json(item, folder, mmap=mmap) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return np.load(folder / value["$array"], mmap_mode=mmap, allow_pickle=False)
    if "$tuple" in value:
        return tuple(from_json(item, folder, mmap=mmap) for item in value["$tuple"])
    if "$card" in value:
        return ModelCard.model_validate(value["$card"])
    if "$error" in value:
        cls = getattr(errors, value["$error"])
        return cls(value["what"], where=value["where"], fix=value["fix"])
    if "$class" in value:
        fields = from_json(value["fields"], folder, mmap=mmap)
        return _CLASSES[value["$class"]](**fields)
    return {key: from_json(item, folder, mmap=mmap) for key, item in value.items()}
