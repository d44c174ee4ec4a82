"""`napari-gmsr evaluate`: a cube against the truth."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_gmsr.cli.console import Verbose
from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["evaluate", "parse_bands"]

_MOST_BANDS = 10_000


def evaluate(
    cube: Annotated[Path, typer.Argument(metavar="CUBE", help="A reconstructed cube.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The measured cube.")],
    figure: Annotated[
        Path | None, typer.Option(help="Also draw bands, spectra and error maps: .png .svg .pdf.")
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing figure.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Compare a cube with the truth: error metrics, the paper's and the standard ones."""
    from napari_gmsr.evaluate import common_bands, comparison_figure, save_figure
    from napari_gmsr.evaluate import evaluate as compare
    from napari_gmsr.io import read_cube

    prediction = read_cube(cube)
    bands = None if wavelengths is None else parse_bands(wavelengths)
    measured = read_cube(truth, variable=variable, wavelengths_nm=bands, scale=scale)
    # An error, as well as the table, is to name the files, not what the cubes in them are called.
    named = replace(prediction, name=str(cube)), replace(measured, name=str(truth))
    if common:
        named = common_bands(*named)
    evaluation = compare(*named)
    if figure is not None:
        drawn = comparison_figure(None, replace(named[0], name=prediction.name), named[1])
        save_figure(drawn, figure, overwrite=overwrite)
    print(json.dumps(evaluation.to_dict(), indent=2) if as_json else evaluation.to_text())


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
