"""`napari-gmsr show`: a cube as a picture for the eye."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_gmsr.cli.console import Verbose
from napari_gmsr.errors import InputError

__all__ = ["show"]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}


def show(
    cube: Annotated[Path, typer.Argument(help="A cube, of any format that can be read.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The picture: .png .jpg .tif.")],
    illuminant: Annotated[
        str,
        typer.Option(help="The light on a cube of reflectance; 'none' for a cube of radiance."),
    ] = "D65",
    adapted: Annotated[
        bool, typer.Option("--adapted", help="As an eye that is used to the light: white is white.")
    ] = False,
    exposure: Annotated[
        str, typer.Option(help="A factor on the light, or 'auto': for the highlights.")
    ] = "1",
    bands: Annotated[
        str | None,
        typer.Option(metavar="R,G,B", help="False colour instead: three wavelengths in nm."),
    ] = None,
    no_stretch: Annotated[
        bool,
        typer.Option(
            "--no-stretch", help="Bands from 0 to 1, not from their 1st to 99th percentile"
        ),
    ] = False,
    variable: Annotated[
        str | None, typer.Option(help="The cube's variable, where its file holds several.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture.")] = False,
    verbose: Verbose = False,
) -> None:
    """Make a picture of a cube: its colours to the eye (CIE 1931) under a light, or three bands."""
    from PIL import Image

    from napari_gmsr.color import false_color, true_color
    from napari_gmsr.io import atomic_output, read_cube

    if out.suffix.lower() not in _FORMATS:
        raise InputError(
            f"no picture format has the suffix '{out.suffix}'",
            where=out,
            fix=f"Name it {' '.join(_FORMATS)}.",
        )
    spectral = read_cube(cube, variable=variable)
    if bands is not None:
        stretch = None if no_stretch else (1.0, 99.0)
        pixels = false_color(spectral, _three(bands), stretch=stretch)
    else:
        light = None if illuminant.lower() == "none" else illuminant
        pixels = true_color(spectral, illuminant=light, adapted=adapted, exposure=_factor(exposure))
    with atomic_output(out, overwrite=overwrite) as temporary:
        Image.fromarray(pixels).save(temporary, format=_FORMATS[out.suffix.lower()])
    print(out)


def _three(text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError:
        raise InputError(
            f"no three wavelengths in nm: '{text}'", where="--bands", fix="Write 650,550,450."
        ) from None
    return red, green, blue


def _factor(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise InputError(
            f"no exposure: '{text}'", where="--exposure", fix="Give a positive number, or auto."
        )
    return factor
