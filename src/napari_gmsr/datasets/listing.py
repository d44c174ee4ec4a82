"""What a folder holds, by the files' names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_gmsr.datasets.dataset import Finding
from napari_gmsr.errors import DatasetError

__all__ = ["RGB_WITHOUT_CUBE", "by_name", "empty", "entries", "existing_folder", "inner_folder"]

RGB_WITHOUT_CUBE = "Add the cube, or ignore it: the picture is left out."
_DEPTH = 5
_PARTIAL = (".part", ".crdownload", ".download", ".partial", ".tmp", ".aria2")


def existing_folder(folder: str | Path) -> Path:
    """Return the folder.

    Raises
    ------
    DatasetError
        Where it is missing, a file, or may not be looked into.
    """
    found = Path(folder).expanduser()
    if not found.is_dir():
        there = found.exists()
        raise DatasetError(
            "this is a file, not a folder" if there else "there is no such folder",
            where=found,
            fix="Choose the dataset's folder; an archive must be unpacked first.",
        )
    return found


def entries(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield the files below a folder by name; a Zarr counts as a file, hidden ones do not."""
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise DatasetError(
            f"the folder cannot be listed ({error.strerror})",
            where=folder,
            fix="Change its permissions, or choose another folder.",
        ) from error
    for entry in listed:
        if entry.name.startswith((".", "__")):
            continue
        if not entry.is_dir() or entry.suffix.lower() == ".zarr":
            yield entry
        elif depth > 0:
            yield from entries(entry, depth - 1)


def inner_folder(folder: Path) -> Path:
    """Return the folder, or the one in it where that is all it holds."""
    for _ in range(_DEPTH):
        inside = [e for e in folder.iterdir() if not e.name.startswith((".", "__"))]
        lone = len(inside) == 1 and inside[0].is_dir() and inside[0].suffix.lower() != ".zarr"
        if not lone or inside[0].name.lower() in ("rgb", "cube", "train", "validation", "test"):
            break
        folder = inside[0]
    return folder


def by_name(
    files: Iterable[Path], pattern: str, kind: str
) -> tuple[dict[str, Path], list[Finding]]:
    """Return the files whose names match, by the pattern's group ``name``.

    Parameters
    ----------
    files
        What the folder holds.
    pattern
        For the whole file name; case does not matter.
    kind
        What they are, for the findings: a second file of one name, and unfinished downloads.
    """
    found: dict[str, Path] = {}
    findings: list[Finding] = []
    compiled = re.compile(pattern, re.IGNORECASE)
    for file in files:
        unfinished = file.suffix.lower() in _PARTIAL
        match = compiled.fullmatch(file.stem if unfinished else file.name)
        if match is None:
            continue
        name = match["name"]
        if unfinished:
            what = f"the {kind} is a download that has not finished ({file.name})"
            findings.append(Finding("error", name, what, "Download it again."))
        elif name in found:
            what = f"there are two {kind}s of this name: {found[name]} and {file}"
            findings.append(Finding("warning", name, what, "Remove one; the first is used."))
        else:
            found[name] = file
    return found, findings


def empty(folder: Path, layout: str) -> DatasetError:
    """Return the error for a folder without a single scene."""
    return DatasetError("no scene was found in it", where=folder, fix=f"Expected: {layout}")
