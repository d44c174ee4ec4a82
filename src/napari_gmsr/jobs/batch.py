"""Many pictures: which, where their cubes go, and what came of each. Imports no torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io import supported_suffixes
from napari_gmsr.io.atomic import atomic_outputs

__all__ = [
    "BatchResult",
    "State",
    "batch_targets",
    "check_targets",
    "find_pictures",
    "write_results",
]

State: TypeAlias = Literal["waiting", "running", "done", "skipped", "failed", "cancelled"]


@dataclass(frozen=True)
class BatchResult:
    """What came of one picture.

    Parameters
    ----------
    picture, cube
        The two files.
    state
        How it stands.
    seconds
        From its start to its end, reading and writing included.
    message
        What went wrong and what to do, or what was found and converted.
    checkpoint_sha256, mode, device, engine
        How it was done.
    """

    picture: str
    cube: str
    state: State = "waiting"
    seconds: float | None = None
    message: str = ""
    checkpoint_sha256: str = ""
    mode: str = ""
    device: str = ""
    engine: str = ""


def find_pictures(folder: str | Path, pattern: str = "*", *, recursive: bool = False) -> list[Path]:
    """Return the pictures of a folder, sorted.

    Parameters
    ----------
    folder
        Where to look.
    pattern
        Of the names, as in a shell; several are separated by blanks or commas. Capitals count as
        small letters.
    recursive
        Look into the folders in it, too; hidden ones are left out.

    Raises
    ------
    InputError
        Where it is no folder that can be read.
    """
    root = Path(folder)
    suffixes = supported_suffixes("rgb")
    patterns = [part.lower() for part in pattern.replace(",", " ").split()] or ["*"]
    if not root.is_dir():
        raise InputError("this is no folder", where=root, fix="Choose the folder of the pictures.")
    try:
        found = sorted(root.rglob("*") if recursive else root.iterdir())
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", where=root, fix="Choose another folder."
        ) from error
    return [
        path
        for path in found
        if path.suffix.lower() in suffixes
        and any(fnmatch(path.name.lower(), one) for one in patterns)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    ]


def batch_targets(
    pictures: Sequence[Path], out: Path, suffix: str, *, root: Path | None = None
) -> dict[Path, Path]:
    """Return where each picture's cube goes.

    Parameters
    ----------
    pictures
        The pictures.
    out
        The folder of the cubes.
    suffix
        Of the cubes, such as ``.zarr``.
    root
        The pictures' folder: those in folders below it go into folders of the same names. Without,
        all go into one.

    Raises
    ------
    InputError
        Where two pictures would become one cube.
    OutputError
        Where a cube would replace its own picture.
    """

    def target(picture: Path) -> Path:
        below = Path() if root is None else picture.parent.relative_to(root)
        return out / below / f"{picture.stem}{suffix}"

    targets = {picture: target(picture) for picture in pictures}
    check_targets(targets)
    return targets


def check_targets(targets: Mapping[Path, Path]) -> None:
    """Raise what `batch_targets` raises, for targets however they were chosen."""
    sources: dict[Path, Path] = {}
    for picture, target in targets.items():
        if target in sources:
            raise InputError(
                f"this picture and {sources[target]} would both become {target.name}",
                where=picture,
                fix="Reconstruct them into different folders.",
            )
        if _is_same(target, picture):
            raise OutputError(
                "the cube would replace its own picture",
                where=target,
                fix="Write it into another folder, or in another format.",
            )
        sources[target] = picture


def _is_same(target: Path, picture: Path) -> bool:
    try:
        return target.samefile(picture)
    except OSError:  # one of them is not there (yet), or not to be seen
        return False


def write_results(
    folder: Path, results: Sequence[BatchResult], settings: Mapping[str, Any]
) -> tuple[Path, Path]:
    """Write what came of a batch as a table and as JSON, in place of those of an earlier one.

    Parameters
    ----------
    folder
        The folder of the cubes; it is made where it is missing.
    results
        In the order of the pictures.
    settings
        How it was done, JSON types.

    Returns
    -------
    tuple of Path
        ``batch-results.csv`` and ``batch-results.json``.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    paths = folder / "batch-results.csv", folder / "batch-results.json"
    rows = [asdict(result) for result in results]
    record = {
        "settings": dict(settings),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch", "numpy")},
        "results": rows,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made: {error.strerror}", where=folder, fix="Give another."
        ) from error
    with atomic_outputs(paths, overwrite=True) as (table, text):
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(BatchResult)])
            writer.writeheader()
            writer.writerows(rows)
        text.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return paths
