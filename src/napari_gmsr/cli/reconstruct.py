"""`napari-gmsr reconstruct`: pictures to cubes."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_gmsr.cli.console import Verbose, interrupts, one_line, progress
from napari_gmsr.errors import Cancelled, GMSRError, InputError

if TYPE_CHECKING:
    from napari_gmsr.cube import SpectralCube

__all__ = ["reconstruct"]


class Mode(StrEnum):
    """How a picture is cut."""

    auto = "auto"
    whole = "whole"
    tiled = "tiled"
    paper = "paper"


class Encoding(StrEnum):
    """How numbers relate to light."""

    srgb = "srgb"
    linear = "linear"


class Format(StrEnum):
    """A cube's file format, by its suffix."""

    zarr = "zarr"
    tif = "tif"
    hdr = "hdr"
    mat = "mat"
    npz = "npz"


def reconstruct(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO", help="RGB pictures: png, jpg, tif, bmp.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="A folder; for one picture also a file (.zarr .tif .hdr .mat .npz)."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="A shipped model (see `models`) or a checkpoint file.")
    ] = "photo",
    mode: Annotated[
        Mode,
        typer.Option(
            help="The whole picture at once, in tiles, or in 128-pixel tiles as in the paper; "
            "auto takes the whole where it fits in memory."
        ),
    ] = Mode.auto,
    encoding: Annotated[
        Encoding | None,
        typer.Option(help="How the numbers relate to light; by default as the file is read."),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")
    ] = "auto",
    engine: Annotated[
        str, typer.Option(metavar="auto|NAME", help="The scan's engine; `doctor` lists them.")
    ] = "auto",
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Average over 8 flips and rotations; 8 times slower.")
    ] = False,
    tile: Annotated[int, typer.Option(help="Side of a tile in pixels.")] = 256,
    overlap: Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")] = 32,
    format: Annotated[
        Format | None, typer.Option(help="Format of the cubes in a folder; zarr by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing cubes.")] = False,
    verbose: Verbose = False,
) -> None:
    """Reconstruct the spectra of RGB pictures and write a cube for each."""
    targets = _targets(photos, out, format)

    from napari_gmsr.reconstruct import reconstruct_file
    from napari_gmsr.weights import load_model

    loaded = load_model(model)
    failed = 0
    for photo, target in targets.items():
        start = time.perf_counter()
        try:
            with progress(photo.name) as show, interrupts() as interrupted:
                cube = reconstruct_file(
                    photo,
                    target,
                    loaded,
                    encoding=None if encoding is None else encoding.value,
                    overwrite=overwrite,
                    mode=mode.value,
                    device=device,
                    ensemble=ensemble,
                    progress=show,
                    cancel=interrupted,
                    engine=engine,
                    tile=tile,
                    overlap=overlap,
                )
        except Cancelled:
            raise KeyboardInterrupt from None
        except GMSRError as error:
            if len(targets) == 1:
                raise
            failed += 1
            print(f"napari-gmsr: {one_line(str(error))}", file=sys.stderr)
        else:
            _report(photo, cube, target, time.perf_counter() - start)
    if failed:
        raise InputError(
            f"{failed} of {len(targets)} pictures failed, for the reasons above",
            fix="The other cubes are written.",
        )


def _targets(photos: list[Path], out: Path, format: Format | None) -> dict[Path, Path]:
    """Return where each picture's cube goes."""
    from napari_gmsr.io import supported_suffixes
    from napari_gmsr.jobs.batch import batch_targets, check_targets

    suffix = out.suffix.lower()
    if suffix in supported_suffixes("output"):
        if len(photos) > 1:
            raise InputError(
                f"{len(photos)} pictures do not fit into one file",
                where=out,
                fix="Give a folder, and the format with --format.",
            )
        if format is not None and suffix != f".{format}":
            raise InputError(
                f"--format says {format}, the file's name does not",
                where=out,
                fix="Give one of them.",
            )
        targets = {photos[0]: out}
    elif suffix in (*supported_suffixes("rgb"), *supported_suffixes("cube")):
        raise InputError(
            f"no cube can be written as '{out.suffix}'",
            where=out,
            fix=f"Give a folder, or a file with one of {' '.join(supported_suffixes('output'))}.",
        )
    else:
        return batch_targets(photos, out, f".{format or Format.zarr}")
    check_targets(targets)
    return targets


def _report(photo: Path, cube: SpectralCube, written: Path, seconds: float) -> None:
    bands, height, width = cube.shape
    done = cube.provenance
    engine = "" if done["engine"] == "none" else f", {done['engine']} engine"
    print(
        f"{photo} -> {written}: {bands} bands of {height} x {width} pixels in {seconds:.1f} s "
        f"({done['mode']}{engine} on {done['device']})"
    )
    for note in done["notes"]:
        print(f"  {note}")
