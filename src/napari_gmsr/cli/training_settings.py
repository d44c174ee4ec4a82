"""The options of `napari-gmsr train`, as the configuration of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    from napari_gmsr.training.config import PresetName, TrainingConfig

__all__ = ["configuration", "enter", "without_none"]

_BUDGETS = ("epochs", "steps", "minutes")


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given; of tables those that have any."""
    kept = {k: without_none(v) if isinstance(v, dict) else v for k, v in values.items()}
    return {key: value for key, value in kept.items() if value is not None and value != {}}


def enter(given: dict[str, Any], setting: str) -> None:
    """Enter ``loss.sam=0.1`` into nested tables; what is no JSON is text."""
    key, equals, text = setting.partition("=")
    if not (key and equals):
        raise InputError(
            f"this is no setting: '{setting}'",
            where="--set",
            fix="Give its name and value, such as loss.sam=0.1.",
        )
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    *tables, last = key.split(".")
    for table in tables:
        given = given.setdefault(table, {})
        if not isinstance(given, dict):
            raise InputError(
                f"{table} is no table of settings", where="--set", fix=f"Leave .{last} out."
            )
    given[last] = value


def configuration(
    file: Path | None, preset_name: PresetName | None, given: dict[str, Any]
) -> TrainingConfig:
    """Return the configuration of a file or a preset, with what was given instead.

    Raises
    ------
    InputError
        Where the file cannot be read, both were given, or a setting is not possible.
    """
    from napari_gmsr.training.config import preset, read_config

    if "network" in given:  # the preset's arguments are another network's
        given = {"network_arguments": {}, **given}
    if file is None:
        return preset(preset_name or "recommended", **given)
    if preset_name is not None:
        raise InputError(
            "--config and --preset both say where the settings begin",
            where=file,
            fix="Give one of them.",
        )
    values = read_config(file).model_dump()
    if any(budget in given for budget in _BUDGETS):
        values |= dict.fromkeys(_BUDGETS)
    return _validated(_merged(values, given), file)


def _merged(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _validated(values: dict[str, Any], file: Path) -> TrainingConfig:
    from pydantic import ValidationError

    from napari_gmsr.training.config import TrainingConfig

    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{field}: {first['msg']}" if field else first["msg"],
            where=file,
            fix="Correct the file, or the option that changes it.",
        ) from error
