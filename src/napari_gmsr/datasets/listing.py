"""What a folder holds, by the files' names alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_gmsr.datasets.dataset import (
    UNKNOWN,
    Dataset,
    DatasetInfo,
    Finding,
    Options,
    Rendering,
    Scene,
)
from napari_gmsr.datasets.splits import by_hash, with_test
from napari_gmsr.errors import DatasetError
from napari_gmsr.image import Encoding

__all__ = ["empty", "entries", "existing_folder", "inner_folder", "matched", "unpaired"]

_DEPTH = 5
UNFINISHED = (".part", ".crdownload", ".download", ".partial", ".tmp", ".aria2")


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


def matched(
    info: DatasetInfo,
    folder: Path,
    options: Options,
    *,
    files: Iterable[Path],
    cube: str,
    picture: str | None,
    encoding: Encoding,
    rendering: Rendering | None,
    test: Collection[str] | None,
    cube_arguments: Mapping[str, Any],
) -> Dataset:
    """Make a dataset of the files whose names match, wherever in the folder they lie.

    Parameters
    ----------
    info, folder, options
        Which dataset, where, and what the user said.
    files
        What the folder holds.
    cube, picture
        Patterns of a whole file name, with the scene as the group ``name``; case does not matter.
        Without a pattern all pictures are rendered.
    encoding
        Of the picture files.
    rendering
        How pictures that are missing are made; ``None`` where nobody knows.
    test
        The published test scenes; ``None`` where there is no such list.
    cube_arguments
        For `napari_gmsr.io.read_cube`.

    Raises
    ------
    DatasetError
        Where there is no scene.
    """
    files = list(files)
    cubes, problems = _by_name(files, cube, "cube")
    pictures: dict[str, Path] = {}
    if options.camera is not None:
        rendering, encoding = options.rendering(), "linear"
    elif picture is not None:
        pictures, more = _by_name(files, picture, "picture")
        problems += more + unpaired(cubes, pictures, left_out=rendering is None)
    usable = sorted(cubes if rendering is not None else cubes.keys() & pictures.keys())
    if not usable:
        raise empty(folder, info.layout, cubes, pictures, problems)
    if test is None:
        splits = by_hash(usable, options.split)
    else:
        splits = with_test(usable, test, options.split)
        problems += _missing(test, usable)
    return Dataset(
        name=info.name,
        folder=folder,
        scenes=tuple(Scene(name, splits[name], cubes[name], pictures.get(name)) for name in usable),
        encoding=encoding,
        camera=UNKNOWN if rendering is None else rendering.camera,
        illuminant=UNKNOWN if rendering is None else rendering.illuminant or "none",
        licence=info.licence,
        rendering=rendering,
        problems=tuple(problems),
        cube_arguments=cube_arguments,
    )


def _missing(test: Collection[str], usable: Collection[str]) -> list[Finding]:
    missing = sorted(set(test) - set(usable))
    if not missing:
        return []
    what = f"{len(missing)} of the {len(test)} test scenes are missing: {', '.join(missing[:10])}"
    what += ", ..." if len(missing) > 10 else ""
    return [Finding("warning", "", what, "Add them to compare with published numbers.")]


def unpaired(
    cubes: Mapping[str, Path], pictures: Mapping[str, Path], *, left_out: bool
) -> list[Finding]:
    """Return a finding for each picture without a cube and each cube without a picture.

    Parameters
    ----------
    cubes, pictures
        By scene.
    left_out
        Whether a cube without a picture is left out, or else rendered.
    """
    findings = [
        Finding(
            "warning",
            name,
            f"the picture {pictures[name].name} has no cube",
            "Add the cube, or ignore it: the picture is left out.",
        )
        for name in sorted(pictures.keys() - cubes.keys())
    ]
    alone = sorted(cubes.keys() - pictures.keys())
    if left_out:
        findings += [
            Finding(
                "warning",
                name,
                f"the cube {cubes[name].name} has no picture",
                "Add the picture, or ignore it: the cube is left out.",
            )
            for name in alone
        ]
    elif alone and pictures:
        what = f"{len(alone)} of {len(cubes)} cubes have no picture file and are rendered"
        findings.append(Finding("note", "", what, "Add the files if they should be used."))
    return findings


def _by_name(
    files: Iterable[Path], pattern: str, kind: str
) -> tuple[dict[str, Path], list[Finding]]:
    """Return the files whose names match, and what is unfinished or there twice."""
    found: dict[str, Path] = {}
    findings: list[Finding] = []
    compiled = re.compile(pattern, re.IGNORECASE)
    for file in files:
        unfinished = file.suffix.lower() in UNFINISHED
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


def empty(
    folder: Path,
    layout: str,
    cubes: Collection[str] = (),
    pictures: Collection[str] = (),
    problems: Collection[Finding] = (),
) -> DatasetError:
    """Return the error for a folder without a single scene."""
    if cubes:
        what = f"none of its {len(cubes)} cubes has a picture of its name"
    elif pictures:
        what = f"it holds {len(pictures)} pictures but no cube"
    elif problems:
        what = next(iter(problems)).what
    else:
        what = "no scene was found in it"
    return DatasetError(what, where=folder, fix=f"Expected: {layout.rstrip('.')}.")
