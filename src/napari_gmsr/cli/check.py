"""`napari-gmsr check`: a look at pictures before they are reconstructed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_gmsr.cli.console import Verbose, one_line
from napari_gmsr.cli.reconstruct import Encoding
from napari_gmsr.errors import GMSRError, InputError

__all__ = ["check"]


def check(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="RGB pictures: png, jpg, tif, bmp.")
    ],
    model: Annotated[
        str, typer.Option(help="The model that they are for: a name or a checkpoint file.")
    ] = "photo",
    encoding: Annotated[
        Encoding | None,
        typer.Option(help="How the numbers relate to light; by default as the file is read."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Look for what would make a picture's spectra wrong: clipping, noise, JPEG, a colour cast."""
    from napari_gmsr.io import read_rgb
    from napari_gmsr.trust import check_picture
    from napari_gmsr.weights import list_models, load_model

    named = {card.name: card for card in list_models()}  # loads no torch
    card = named.get(model) or load_model(model).card
    report: dict[str, Any] = {}
    failed = 0
    for path in pictures:
        try:
            picture = read_rgb(path)
            if encoding is not None:
                picture = replace(picture, encoding=encoding.value)
            findings = check_picture(picture, card)
        except GMSRError as error:
            if len(pictures) == 1:
                raise
            failed += 1
            print(f"napari-gmsr: {one_line(str(error))}", file=sys.stderr)
            continue
        report[str(path)] = [asdict(finding) for finding in findings]
        if not as_json:
            print(f"{path}: {_count(len(findings))}")
            for finding in findings:
                print(f"  {finding}")
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    if failed:
        raise InputError(
            f"{failed} of {len(pictures)} pictures could not be looked at, for the reasons above"
        )


def _count(findings: int) -> str:
    if not findings:
        return "nothing found"
    return "1 finding" if findings == 1 else f"{findings} findings"
