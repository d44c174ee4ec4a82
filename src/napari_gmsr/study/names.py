"""Mistakes in a study's file, with the nearest names that would be right."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_gmsr.errors import InputError

__all__ = ["as_input_error", "nearest"]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return what to do about a name that is none of these, in a sentence."""
    names = list(names)
    folded = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(folded[each]) for each in near)}?"
    return f"Choose one of {', '.join(names)}."


def as_input_error(error: ValidationError, model: type[BaseModel], where: object) -> InputError:
    """Return the first mistake of a validation as an error for the user.

    Parameters
    ----------
    error
        What pydantic found.
    model
        What was validated.
    where
        The file.
    """
    # A key that is mistyped is often one that is missing, too.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    path = [str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"]]
    field = ".".join(path)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        fix = nearest(key, _fields(model, first["loc"][:-1]))
        table = ".".join(path[:-1])
        what = f"there is no key '{key}'" + (f" in {table}" if table else "")
        return InputError(what, where=where, fix=fix)
    what = first["msg"].removeprefix("Value error, ")
    fix = str(first.get("ctx", {}).get("fix", "Correct it; docs/studies.md lists every key."))
    return InputError(f"{field}: {what}" if field else what, where=where, fix=fix)


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table that a path leads to."""
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table within a type such as ``tuple[View, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in typing.get_args(annotation))
    return next((each for each in found if each is not None), None)
