"""`napari-gmsr evaluate`: a cube against the truth."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_gmsr.cli.console import Verbose, progress
from napari_gmsr.errors import InputError, OutputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_gmsr.cube import SpectralCube

__all__ = ["evaluate", "parse_bands"]

_MOST_BANDS = 10_000


def evaluate(
    cube: Annotated[
        Path, typer.Argument(metavar="CUBE", help="A reconstructed cube; with --stress the truth.")
    ],
    truth: Annotated[
        Path | None, typer.Argument(metavar="TRUTH", help="The measured cube.")
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw bands, spectra and error maps, or the stress report: .png .svg .pdf."
        ),
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
    common: Annotated[
        bool, typer.Option("--common-bands", help="Compare only the bands that both have.")
    ] = False,
    under_stress: Annotated[
        bool,
        typer.Option(
            "--stress",
            help="Take pictures of a measured cube that get worse, and reconstruct each.",
        ),
    ] = False,
    model: Annotated[str, typer.Option(help="With --stress: the model to try.")] = "photo",
    camera: Annotated[
        str | None,
        typer.Option(
            help="With --stress: a camera's name, CSV or npz; by default the model's own."
        ),
    ] = None,
    illuminant: Annotated[
        str | None, typer.Option(help="With --camera: the light, such as D65.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --stress: print CSV.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing figure.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Compare a cube with the truth: error metrics, the paper's and the standard ones.

    With --stress one cube is given, a measured one: pictures of it are taken with other exposures,
    noise, JPEG and white balance, and the table says what becomes of the reconstruction.
    """
    bands = None if wavelengths is None else parse_bands(wavelengths)
    if under_stress:
        if truth is not None:
            raise InputError(
                "--stress takes one cube, a measured one",
                where=truth,
                fix="Give the measured cube alone, and the model to try with --model.",
            )
        from napari_gmsr.io import read_cube

        measured = read_cube(cube, variable=variable, wavelengths_nm=bands, scale=scale)
        _stress(
            measured,
            model,
            camera,
            illuminant,
            figure,
            form="json" if as_json else "csv" if as_csv else "text",
            overwrite=overwrite,
        )
        return
    if truth is None:
        raise InputError(
            "there is nothing to compare the cube with",
            where=cube,
            fix="Give the measured cube too, or a measured cube alone with --stress.",
        )
    from napari_gmsr.evaluate import Comparison, ComparisonFiles, common_bands, save_comparison
    from napari_gmsr.evaluate import evaluate as compare
    from napari_gmsr.io import read_cube

    prediction = read_cube(cube)
    measured = read_cube(truth, variable=variable, wavelengths_nm=bands, scale=scale)
    # An error, as well as the table, is to name the files, not what the cubes in them are called.
    named = replace(prediction, name=str(cube)), replace(measured, name=str(truth))
    if common:
        named = common_bands(*named)
    evaluation = compare(*named)
    if figure is not None:
        drawn = Comparison.of(replace(named[0], name=prediction.name), named[1])
        reading = {
            "variable": variable,
            "scale": scale,
            "wavelengths_nm": None if bands is None else bands.tolist(),
        }
        # Of cubes with fewer bands than their files the figure is not made again.
        files = ComparisonFiles() if common else ComparisonFiles([cube], truth, None, reading)
        save_comparison(drawn, figure, files, overwrite=overwrite)
    print(json.dumps(evaluation.to_dict(), indent=2) if as_json else evaluation.to_text())


def _stress(
    measured: SpectralCube,
    model: str,
    camera: str | None,
    illuminant: str | None,
    figure: Path | None,
    *,
    form: str,
    overwrite: bool,
) -> None:
    """Make a stress report, print it, and draw it where that is asked for."""
    from napari_gmsr.evaluate import save_figure
    from napari_gmsr.trust import stress, stress_figure

    if figure is not None and os.path.lexists(figure) and not overwrite:
        # Noticed before the work, not after.
        raise OutputError(
            "this file exists", where=figure, fix="Give another name, or --overwrite."
        )
    with progress("stress") as show:
        report = stress(measured, model, camera, illuminant, progress=show)
    if figure is not None:
        save_figure(stress_figure(report), figure, overwrite=overwrite)
    if form == "json":
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(report.to_csv().rstrip() if form == "csv" else report.to_text())


def parse_bands(text: str) -> npt.NDArray[np.float64]:
    """Return the wavelengths that ``first:last:step`` names, the last one among them."""
    import numpy as np

    try:
        first, last, step = map(float, text.split(":"))
        count = round((last - first) / step)
    except (ValueError, ZeroDivisionError, OverflowError):
        count = -1
    if not 0 <= count < _MOST_BANDS or not math.isclose(first + count * step, last):
        raise InputError(
            f"these are no wavelengths from first to last in steps: '{text}'",
            where="--wavelengths",
            fix="Give them in nm, such as 420:720:10.",
        )
    return np.linspace(first, last, count + 1)
