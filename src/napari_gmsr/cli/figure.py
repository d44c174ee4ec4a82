"""`napari-gmsr figure`: the paper's figure of one's own cubes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_gmsr.cli.console import Verbose
from napari_gmsr.cli.evaluate import parse_bands
from napari_gmsr.cli.reconstruct import Encoding
from napari_gmsr.errors import InputError

__all__ = ["figure"]


def figure(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="The figure: .png .pdf .svg; beside it a .json.")
    ],
    cubes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CUBE", help="Reconstructions of one picture, as of several models"),
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="The measured cube.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="The RGB picture; by default the cube's own colours.")
    ] = None,
    bands: Annotated[
        str | None, typer.Option(metavar="NM,NM,...", help="Wavelengths of the bands to draw.")
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(
            "--points",
            metavar="Y,X",
            help="Pixels to mark: repeated, or several in quotes; 'none' for no curves.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A short name for each cube, in their order.")
    ] = None,
    error_max: Annotated[
        float | None, typer.Option(help="Upper end of the errors' range, to compare figures.")
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Make the figure that this record lies beside again."),
    ] = None,
    encoding: Annotated[
        Encoding | None, typer.Option(help="How the picture's numbers relate to light.")
    ] = None,
    variable: Annotated[
        str | None, typer.Option(help="The truth's variable, where its file holds several.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="The truth's full scale, where its file does not tell.")
    ] = None,
    wavelengths: Annotated[
        str | None,
        typer.Option(
            metavar="FIRST:LAST:STEP", help="The truth's bands in nm, where its file does not tell."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing figure.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Draw reconstructions beside the truth, their errors under one scale, curves of points."""
    from napari_gmsr.evaluate import Comparison, ComparisonFiles, load_comparison, save_comparison
    from napari_gmsr.io import read_cube, read_rgb

    if again is not None:
        if cubes:
            raise InputError(
                "the record says which cubes", where="--again", fix="Give either it or cubes."
            )
        comparison, files = load_comparison(again)
    else:
        if not cubes:
            raise InputError("no cube is given", fix="Give one or several, or --again a .json.")
        reading: dict[str, Any] = {
            "variable": variable,
            "scale": scale,
            "wavelengths_nm": None if wavelengths is None else parse_bands(wavelengths).tolist(),
        }
        rgb = None if picture is None else read_rgb(picture)
        if rgb is not None and encoding is not None:
            rgb = replace(rgb, encoding=encoding.value)
        comparison = Comparison.of(
            [read_cube(cube) for cube in cubes],
            None if truth is None else read_cube(truth, **reading),
            rgb,
            _points(points),
            None if bands is None else _numbers(bands, "--bands", "480,540,600"),
            labels=label,
            error_max=error_max,
        )
        files = ComparisonFiles(cubes, truth, picture, reading)
    for written in save_comparison(comparison, out, files, overwrite=overwrite):
        print(written)


def _points(texts: list[str] | None) -> list[tuple[int, int]] | None:
    if not texts:
        return None
    if texts == ["none"]:
        return []
    found = []
    for text in " ".join(texts).split():
        pixel = _numbers(text, "--points", "120,64")
        if len(pixel) != 2 or not all(value.is_integer() for value in pixel):
            raise InputError(
                f"this is no pixel: '{text}'", where="--points", fix="Give a row and a column: y,x."
            )
        found.append((int(pixel[0]), int(pixel[1])))
    return found


def _numbers(text: str, option: str, example: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"these are no numbers: '{text}'", where=option, fix=f"Give such as {example}."
        ) from error
