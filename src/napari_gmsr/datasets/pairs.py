"""A folder of one's own: pictures and cubes that belong together by name, or cubes alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from napari_gmsr.datasets.dataset import (
    UNKNOWN,
    Dataset,
    DatasetInfo,
    Finding,
    Options,
    Rendering,
    Scene,
    Split,
)
from napari_gmsr.datasets.listing import RGB_WITHOUT_CUBE, empty, entries, inner_folder
from napari_gmsr.datasets.splits import by_hash
from napari_gmsr.errors import DatasetError
from napari_gmsr.io import read_cube, read_rgb, supported_suffixes

__all__ = ["INFO", "open_folder"]

INFO = DatasetInfo(
    name="pairs",
    title="A folder of my own",
    licence="yours",
    source="your own camera, or napari-gmsr simulate",
    layout="pictures and cubes of the same name in one folder (a.png, a.mat) or in rgb/ and cube/; "
    "or cubes alone, to be rendered with a camera response. Optionally all that in train/, "
    "validation/ and test/, or a split.json with three lists of names.",
    picture="the files, or rendered from the cubes with the camera that is given",
    split="train/, validation/ and test/, or split.json; otherwise a tenth each for validation "
    "and test, by a hash of the names",
)
SPLITS: tuple[Split, ...] = get_args(Split)
_PICTURES = supported_suffixes("rgb")
_CUBES = supported_suffixes("cube")
_ENDING = re.compile(r"[-_. ](rgb|cube|hsi|clean|ome)$", re.IGNORECASE)
_SETTINGS = {"camera", "illuminant", "encoding", "licence", "wavelengths_nm", "variable", "scale"}


def open_folder(folder: Path, options: Options) -> Dataset:
    """Open a folder of pairs; see `open_dataset`.

    A file ``pairs.json`` in the folder may say camera, illuminant, encoding, licence,
    wavelengths_nm, variable and scale; what is given to `open_dataset` wins. Where nobody says the
    wavelengths the smallest cube is read for them, and the first picture for its encoding.
    """
    root = inner_folder(folder)
    settings = _settings(root / "pairs.json")
    options = replace(
        options,
        **{
            key: settings[key]
            for key in _SETTINGS - {"licence"}
            if settings.get(key) is not None and getattr(options, key) is None
        },
    )
    cubes, pictures = _find(root)
    if not cubes:
        raise empty(folder, INFO.layout)
    problems = [
        Finding("warning", name, "there is a picture without a cube", RGB_WITHOUT_CUBE)
        for name in sorted(pictures.keys() - cubes.keys())
    ]
    rendering, encoding = _rendering(options, cubes, pictures)
    usable = sorted(cubes)
    if pictures or rendering is None:
        usable = [name for name in usable if name in pictures]
        problems += [
            Finding(
                "warning",
                name,
                "there is a cube without a picture",
                "Add the picture, or ignore it: the cube is left out. Cubes alone are rendered "
                "with a camera response.",
            )
            for name in sorted(cubes.keys() - pictures.keys())
        ]
    if not usable:
        raise DatasetError(
            f"none of its {len(cubes)} cubes has a picture of its name",
            where=folder,
            fix="Give camera, a response to render pictures with, or name pictures as their cubes.",
        )
    arguments = {"variable": options.variable, "scale": options.scale}
    if options.wavelengths_nm is not None:
        arguments["wavelengths_nm"] = options.wavelengths_nm
        nm = np.asarray(options.wavelengths_nm, dtype=np.float64)
    else:
        smallest = min((cubes[name] for name in usable), key=_size)
        nm = read_cube(smallest, **arguments).wavelengths_nm
    splits = _splits(root, usable, options)
    return Dataset(
        name=INFO.name,
        folder=folder,
        scenes=tuple(
            Scene(name, splits[name], cubes[name], pictures.get(name))
            for name in usable
            if name in splits
        ),
        encoding=encoding,
        camera=rendering.camera if rendering else UNKNOWN,
        illuminant=(options.illuminant or "none") if rendering else options.illuminant or UNKNOWN,
        licence=settings.get("licence") or "yours",
        wavelengths_nm=nm,
        rendering=rendering,
        problems=tuple(problems),
        cube_arguments=arguments,
    )


def _rendering(
    options: Options, cubes: Mapping[str, Path], pictures: Mapping[str, Path]
) -> tuple[Rendering | None, Any]:
    both = sorted(cubes.keys() & pictures.keys())
    encoding = options.encoding
    if encoding is None:
        encoding = read_rgb(pictures[both[0]]).encoding if both else "linear"
    return options.rendering(encoding=encoding), encoding


def _size(path: Path) -> int:
    data = path.with_suffix(".img")
    return (data if path.suffix.lower() == ".hdr" and data.exists() else path).stat().st_size


def _find(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return cubes and pictures by scene; with split folders a name begins with its split's."""
    cubes: dict[str, Path] = {}
    pictures: dict[str, Path] = {}
    undecided: list[tuple[str, Path]] = []
    for file in entries(root):
        suffix = file.suffix.lower()
        above = [part.lower() for part in file.relative_to(root).parts[:-1]]
        kind = next((part for part in reversed(above) if part in ("rgb", "cube")), None)
        stem = _ENDING.sub("", file.stem)
        name = "/".join([part for part in above if part in SPLITS][:1] + [stem])
        if suffix in _PICTURES and suffix in _CUBES and kind is None:
            undecided.append((name, file))  # a TIFF is either
        elif suffix in _PICTURES and kind != "cube":
            pictures.setdefault(name, file)
        elif suffix in _CUBES and kind != "rgb":
            cubes.setdefault(name, file)
    for name, file in undecided:
        (pictures if name in cubes else cubes).setdefault(name, file)
    return cubes, pictures


def _splits(root: Path, names: Collection[str], options: Options) -> Mapping[str, Split]:
    listed = root / "split.json"
    if listed.exists():
        return _read_split(listed, names)
    in_folders = {name: split for name in names for split in SPLITS if name.startswith(f"{split}/")}
    if not in_folders:
        return by_hash(names, options.split)
    return {name: in_folders.get(name, "train") for name in names}


def _read_split(file: Path, names: Collection[str]) -> dict[str, Split]:
    """Return the split that a file says; scenes in none of its lists are left out."""
    listed = _json(file)
    unknown = sorted(listed.keys() - set(SPLITS))
    if unknown or not all(isinstance(value, list) for value in listed.values()):
        raise DatasetError(
            f"it is no split: {', '.join(unknown) or 'a value is no list'}",
            where=file,
            fix='Write {"train": [names], "validation": [names], "test": [names]}.',
        )
    splits: dict[str, Split] = {}
    for split in SPLITS:
        for name in map(str, listed.get(split, [])):
            if name not in names:
                raise DatasetError(
                    f"it names the scene '{name}', which is not there",
                    where=file,
                    fix="Add the scene, or take its name out.",
                )
            if splits.setdefault(name, split) != split:
                raise DatasetError(
                    f"the scene '{name}' is in {splits[name]} and in {split}",
                    where=file,
                    fix="Name each scene once.",
                )
    return splits


def _settings(file: Path) -> dict[str, Any]:
    settings = _json(file) if file.exists() else {}
    unknown = sorted(settings.keys() - _SETTINGS)
    if unknown:
        raise DatasetError(
            f"it holds {', '.join(unknown)}",
            where=file,
            fix=f"It may hold {', '.join(sorted(_SETTINGS))}.",
        )
    return settings


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"it cannot be read as JSON: {error}", where=file, fix="Correct or remove it."
        ) from error
    if not isinstance(content, dict):
        raise DatasetError("it is no JSON object", where=file, fix="Correct or remove it.")
    return content
