"""What was done in the window, as Python and as a command that do the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_gmsr.image import Encoding
from napari_gmsr.jobs import Settings

__all__ = ["RunText", "call", "command"]

_WIDTH = 88


@dataclass(frozen=True)
class RunText:
    """A reconstruction, to be written down.

    Parameters
    ----------
    picture
        The picture's file.
    encoding
        How the picture's numbers relate to light, where it is not what the file is taken for.
    settings
        How; what was decided in the run in place of "auto".
    checkpoint_sha256
        Hash of the checkpoint, as a remark; empty where it is not known.
    """

    picture: Path
    encoding: Encoding | None
    settings: Settings
    checkpoint_sha256: str = ""

    def python(self) -> str:
        """Return a script that reconstructs the picture and saves the cube."""
        read = f"ng.read_rgb({str(self.picture)!r})"
        lines = ["import napari_gmsr as ng", ""]
        if self.encoding is not None:
            lines = ["from dataclasses import replace", "", *lines]
            read = f"replace({read}, encoding={self.encoding!r})"
        given = {name: value for name, value in self._options().items() if value is not False}
        lines += [
            f"rgb = {read}",
            *self._remark(),
            f"cube = {call('ng.reconstruct', 'rgb', **given)}",
            f"cube.save({self.out!r})",
        ]
        return "\n".join(lines) + "\n"

    def command(self) -> str:
        """Return a command line that does the same, for a POSIX shell."""
        options = {**self._options(), "encoding": self.encoding, "out": self.out}
        return command("reconstruct", [self.picture], options) + "\n"

    @property
    def out(self) -> str:
        """Name of the cube that is written, in the current folder."""
        return f"{self.picture.stem}.zarr"

    def _options(self) -> dict[str, Any]:
        options = vars(self.settings)
        if self.settings.mode not in ("tiled", "auto"):  # they are of no effect
            options = {key: options[key] for key in options if key not in ("tile", "overlap")}
        return options

    def _remark(self) -> list[str]:
        return [f"# checkpoint {self.checkpoint_sha256}"] if self.checkpoint_sha256 else []

    @classmethod
    def of_run(
        cls,
        picture: Path,
        encoding: Encoding | None,
        settings: Settings,
        provenance: Mapping[str, Any],
    ) -> RunText:
        """Return the text of a run that has ended, with what was decided in it.

        Parameters
        ----------
        picture, encoding
            As above.
        settings
            What was asked for.
        provenance
            Of the cube.
        """
        engine = provenance["engine"]
        decided = replace(
            settings,
            mode=provenance["mode"],
            device=provenance["device"].partition(": ")[0],
            engine="auto" if engine == "none" else engine,
            tile=provenance["tile"] or settings.tile,
            overlap=provenance["overlap"] if provenance["tile"] else settings.overlap,
        )
        return cls(picture, encoding, decided, provenance["checkpoint_sha256"])


def call(function: str, *arguments: str, **named: Any) -> str:
    """Return a call in Python's own notation, over several lines where it is long.

    Parameters
    ----------
    function
        Its name.
    arguments
        Expressions.
    named
        Values whose ``repr`` is Python.
    """
    parts = [*arguments, *(f"{name}={value!r}" for name, value in named.items())]
    line = f"{function}({', '.join(parts)})"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{function}(", *(f"    {part}," for part in parts), ")"])


def command(name: str, arguments: Sequence[str | Path], options: Mapping[str, Any]) -> str:
    """Return a call of the command line, quoted for a POSIX shell.

    Parameters
    ----------
    name
        Of the command: "reconstruct".
    arguments
        What is not an option.
    options
        By their names in Python; ``None`` and ``False`` are left out, ``True`` is a flag.
    """
    words = ["napari-gmsr", *name.split(), *map(str, arguments)]
    for option, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + option.replace("_", "-"))
        if value is not True:
            words.append(str(value))
    return shlex.join(words)
