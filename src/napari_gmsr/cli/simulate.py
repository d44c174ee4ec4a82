"""`napari-gmsr simulate`: pairs of pictures and cubes to train on."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_gmsr.cli.console import Verbose, progress
from napari_gmsr.errors import InputError

__all__ = ["simulate"]


class TargetName(StrEnum):
    """What pictures shall look like."""

    photo = "photo"
    ntire2020_clean = "ntire2020-clean"


class Encoding(StrEnum):
    """How numbers relate to light."""

    srgb = "srgb"
    linear = "linear"


def simulate(
    out: Annotated[Path, typer.Option("-o", "--out", help="A folder for the pairs.")],
    photos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PHOTO]...", help="Photographs that give the structure."),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(help="A folder with photographs/, spectra.npz or spectra/, sources.json."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Scenes.")] = 10,
    size: Annotated[int, typer.Option(min=8, help="Side of a scene in pixels.")] = 512,
    seed: Annotated[int, typer.Option(min=0, help="Gives the same scenes again.")] = 0,
    target: Annotated[
        TargetName, typer.Option(help="The camera, light and encoding of a shipped model.")
    ] = TargetName.photo,
    camera: Annotated[
        str | None, typer.Option(help="Another camera: a name, or a file wavelength,r,g,b.")
    ] = None,
    illuminant: Annotated[
        str | None, typer.Option(help="Another light, such as A, D50, FL2, LED-B3.")
    ] = None,
    encoding: Annotated[Encoding | None, typer.Option(help="Another encoding.")] = None,
    noise: Annotated[
        float, typer.Option(metavar="ELECTRONS", help="Shot noise: electrons at full scale.")
    ] = 0.0,
    read_noise: Annotated[
        float, typer.Option(metavar="ELECTRONS", help="Read noise; needs --noise.")
    ] = 0.0,
    mosaic: Annotated[
        bool, typer.Option("--mosaic", help="Through a Bayer pattern, interpolated.")
    ] = False,
    jpeg: Annotated[
        int | None, typer.Option(metavar="QUALITY", min=1, max=100, help="JPEG pictures.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Simulate scenes with their spectra, and write pairs of pictures and cubes."""
    from napari_gmsr.datasets import Capture, SimulationSources
    from napari_gmsr.datasets.simulation import TARGETS
    from napari_gmsr.datasets.simulation_pairs import simulate_pairs
    from napari_gmsr.reconstruct import Progress

    given = SimulationSources.from_folder(sources) if sources else SimulationSources.defaults()
    for photo in photos or []:
        if not photo.is_file():
            raise InputError("there is no such file", where=photo, fix="Check the path.")
    own = tuple((photo.name, "not stated") for photo in photos or [])
    given = replace(
        given,
        photographs=given.photographs + tuple(photos or []),
        licences=own + given.licences,
    )
    look = TARGETS[target.value]
    quality = None if jpeg is None else (jpeg, jpeg)
    capture = Capture(noise, read_noise, mosaic, quality)
    look = replace(
        look,
        camera=look.camera if camera is None else camera,
        illuminant=look.illuminant if illuminant is None else illuminant,
        encoding=look.encoding if encoding is None else encoding.value,
        recipe=replace(look.recipe, capture=capture),
    )
    with progress("simulate") as show:
        written = simulate_pairs(
            given,
            out,
            count=count,
            seed=seed,
            size=size,
            target=look,
            overwrite=overwrite,
            progress=lambda done, name: show(Progress(done, count, f"{done} of {count}, {name}")),
        )
    if as_json:
        answer = {"folder": str(out), "pictures": [str(path) for path in written]}
        print(json.dumps(answer, indent=2))
    else:
        print(f"{out}: {len(written)} pairs of {size} x {size} pixels")
