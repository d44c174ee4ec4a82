"""A study's file: JSON or TOML."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_gmsr.errors import InputError
from napari_gmsr.study.names import as_input_error
from napari_gmsr.study.study import Study
from napari_gmsr.weights.models import list_shipped

__all__ = ["make_study", "read_study"]


def make_study(values: dict[str, Any], where: object = "study") -> Study:
    """Make a study of plain values.

    Parameters
    ----------
    values
        As a file holds them.
    where
        What to name in an error.

    Raises
    ------
    InputError
        Where a name or a key is unknown, with the nearest ones that are, or a value not possible.
    """
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        raise as_input_error(error, Study, where) from error
    except InputError as error:
        raise InputError(error.what, where=where, fix=error.fix) from error


def read_study(path: str | Path) -> Study:
    """Read a study from a ``.toml`` or ``.json`` file.

    Relative folders and checkpoints in it are meant from where the file lies.

    Raises
    ------
    InputError
        Where it cannot be read, or as for `make_study`.
    """
    path = Path(path)
    fix = "Give a study's file, TOML or JSON; docs/studies.md shows one."
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"it cannot be read: {reason}", where=path, fix=fix) from error
    try:
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise InputError(f"it is no {kind}: {error}", where=path, fix=fix) from error
    if not isinstance(values, dict):
        raise InputError("it holds no table", where=path, fix=fix)
    return make_study(_from(path.parent.resolve(), values), path)


def _from(home: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with paths as seen from everywhere."""

    def moved(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {each: moved(part, each) for each, part in value.items()}
        if isinstance(value, list):
            return [moved(part) for part in value]
        if not isinstance(value, str):
            return value
        path = home / Path(value).expanduser()
        # A camera or a model may be a file or a name; names of models come first.
        file = key in _FILES_OR_NAMES and value not in list_shipped() and path.is_file()
        return str(path) if key in _FOLDERS or file else value

    tables: dict[str, Any] = {key: moved(values[key]) for key in _TABLES & values.keys()}
    return values | tables


_TABLES = frozenset({"models", "datasets"})
_FOLDERS = frozenset({"folder", "validation_folder", "cache_folder"})
_FILES_OR_NAMES = frozenset({"camera", "start_from", "checkpoint"})
