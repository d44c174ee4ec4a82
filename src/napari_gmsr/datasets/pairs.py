"""A folder of one's own: pictures and cubes that belong together by name, or cubes alone."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

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
from napari_gmsr.datasets.listing import UNFINISHED, empty, entries, inner_folder, unpaired
from napari_gmsr.datasets.splits import by_hash
from napari_gmsr.errors import DatasetError, GMSRError
from napari_gmsr.image import Encoding
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
    wavelengths_nm, variable and scale; what is given to `open_dataset` wins. A camera's file may
    lie in the folder. Where nobody says the
    wavelengths, up to three cubes are read for them, and a picture for its encoding.
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
    if options.encoding not in (None, *get_args(Encoding)):
        raise DatasetError(
            f"unknown encoding '{options.encoding}'", where=folder, fix="Use 'srgb' or 'linear'."
        )
    if options.camera is not None and (root / options.camera).is_file():
        options = replace(options, camera=root / options.camera)
    cubes, pictures, problems = _find(root)
    rendering, encoding = _rendering(options, cubes, pictures)
    # Where there are picture files, a rendered one among them would be of another camera.
    rendered = rendering is not None and not pictures
    if not rendered:
        problems += unpaired(cubes, pictures, left_out=True)
    usable = sorted(cubes if rendered else cubes.keys() & pictures.keys())
    if cubes and not pictures and not rendered:
        raise DatasetError(
            f"it holds {len(cubes)} cubes but no picture",
            where=folder,
            fix="Add pictures of the same names, or give camera, a response to render them with.",
        )
    if not usable:
        raise empty(folder, INFO.layout, cubes, pictures, problems)
    arguments: dict[str, Any] = {"variable": options.variable, "scale": options.scale}
    if options.wavelengths_nm is not None:
        arguments["wavelengths_nm"] = options.wavelengths_nm
        nm = np.asarray(options.wavelengths_nm, dtype=np.float64)
    else:
        nm = _bands([cubes[name] for name in usable], arguments)
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
) -> tuple[Rendering | None, Encoding]:
    both = sorted(cubes.keys() & pictures.keys())
    encoding = options.encoding
    if encoding is None:
        encoding = _encoding([pictures[name] for name in both])
    return options.rendering(encoding=encoding), encoding


def _encoding(pictures: Sequence[Path]) -> Encoding:
    """Return the encoding of the first picture that can be read."""
    for file in pictures:
        with contextlib.suppress(GMSRError):  # the doctor, and whoever reads it, will say it
            return read_rgb(file).encoding
    return "linear"


def _bands(cubes: Sequence[Path], arguments: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return the wavelengths of most of the three smallest cubes that can be read."""
    found: list[tuple[float, ...]] = []
    failure: GMSRError | None = None
    for file in sorted(cubes, key=_size):
        try:
            found.append(tuple(read_cube(file, **arguments).wavelengths_nm))
        except GMSRError as error:
            failure = failure or error
        if len(found) == 3:
            break
    if not found and failure is not None:
        raise failure
    return np.array(Counter(found).most_common(1)[0][0])


def _size(path: Path) -> int:
    data = path.with_suffix(".img")
    return (data if path.suffix.lower() == ".hdr" and data.exists() else path).stat().st_size


def _find(root: Path) -> tuple[dict[str, Path], dict[str, Path], list[Finding]]:
    """Return cubes and pictures by scene; with split folders a name begins with its split's."""
    cubes: dict[str, Path] = {}
    pictures: dict[str, Path] = {}
    findings: list[Finding] = []
    undecided: list[tuple[str, Path]] = []

    def add(to: dict[str, Path], name: str, file: Path) -> None:
        if to.setdefault(name, file) != file:
            what = f"there are two files of this name: {to[name]} and {file}"
            findings.append(Finding("warning", name, what, "Remove one; the first is used."))

    for file in entries(root):
        suffix = file.suffix.lower()
        above = [part.lower() for part in file.relative_to(root).parts[:-1]]
        kind = next((part for part in reversed(above) if part in ("rgb", "cube")), None)
        name = "/".join([*[part for part in above if part in SPLITS][:1], _stem(file)])
        if suffix in UNFINISHED:
            what = f"there is a download that has not finished ({file.name})"
            findings.append(Finding("error", name, what, "Download it again."))
        elif suffix in _PICTURES and suffix in _CUBES and kind is None:
            undecided.append((name, file))  # a TIFF is either
        elif suffix in _PICTURES and kind != "cube":
            add(pictures, name, file)
        elif suffix in _CUBES and kind != "rgb":
            add(cubes, name, file)
    for name, file in undecided:
        add(pictures if name in cubes else cubes, name, file)
    return cubes, pictures, findings


def _stem(file: Path) -> str:
    """Return the scene's name: the file's without its suffix and an ending such as ``_rgb``."""
    return _ENDING.sub("", file.stem)


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
