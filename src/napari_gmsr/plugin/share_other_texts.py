"""Comparisons and trainings as Python and as commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_gmsr.plugin.share_texts import call, command
from napari_gmsr.training.config import PresetName, TrainingConfig, preset

__all__ = ["ErrorsText", "TrainingText"]

_BUDGETS = ("epochs", "steps", "minutes")


@dataclass(frozen=True)
class ErrorsText:
    """A comparison of cubes with their truth, to be written down.

    Parameters
    ----------
    cubes, truth
        Their files.
    metric, band_nm
        As for `napari_gmsr.evaluate.error_map`.
    """

    cubes: Sequence[Path]
    truth: Path
    metric: str
    band_nm: float | None

    def python(self) -> str:
        """Return a script that maps the errors of each cube, and prints both metric sets."""
        errors = call("ng.error_map", "cube", "truth", metric=self.metric, band_nm=self.band_nm)
        lines = ["import napari_gmsr as ng", "", f"truth = ng.read_cube({str(self.truth)!r})"]
        for cube in self.cubes:
            lines += [
                "",
                f"cube = ng.read_cube({str(cube)!r})",
                f"errors = {errors}",
                "print(ng.evaluate(cube, truth).to_text())",
            ]
        return "\n".join(lines) + "\n"

    def command(self) -> str:
        """Return a command line a cube, which prints both metric sets."""
        return "".join(f"{command('evaluate', [cube, self.truth], {})}\n" for cube in self.cubes)


@dataclass(frozen=True)
class TrainingText:
    """A training run, to be written down: its preset, and what differs from it.

    Parameters
    ----------
    config
        The run's settings.
    """

    config: TrainingConfig

    def python(self) -> str:
        """Return a script that starts the same run."""
        settings = call("preset", repr(self._preset), **self._differences())
        return "\n".join(
            [
                "import napari_gmsr as ng",
                "from napari_gmsr.training import preset",
                "",
                f"config = {settings}",
                "run = ng.train(config)",
                "",
            ]
        )

    def command(self) -> str:
        """Return a command line that starts the same run."""
        words = ["napari-gmsr", "train", "--preset", self._preset]
        for name, value in _flat(self._differences()):
            words += ["--set", f"{name}={json.dumps(value)}"]
        return shlex.join(words) + "\n"

    @property
    def _preset(self) -> PresetName:
        return self.config.preset or "recommended"

    def _differences(self) -> dict[str, Any]:
        """Return what a preset must be given to become these settings."""
        ours = self.config.model_dump(mode="json", exclude={"preset"})
        kept = {key: ours[key] for key in ("dataset", "name", *_BUDGETS) if ours[key] is not None}
        theirs = preset(self._preset, **kept).model_dump(mode="json")
        found = kept | {key: value for key, value in ours.items() if value != theirs[key]}
        if "network" in found:  # other networks take other arguments
            found["network_arguments"] = ours["network_arguments"]
        return found


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat += _flat(value, f"{before}{key}.")
        else:
            flat.append((f"{before}{key}", value))
    return flat
