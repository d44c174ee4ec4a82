"""The record beside a figure: its numbers, and all that it takes to make it again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.comparison import Comparison
from napari_gmsr.evaluate.figures import save_figure
from napari_gmsr.image import RGBImage
from napari_gmsr.io import atomic_output, read_cube, read_rgb
from napari_gmsr.io.atomic import check_outputs
from napari_gmsr.io.references import FileReference, fingerprint

__all__ = ["ComparisonFiles", "load_comparison", "save_comparison"]

_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ComparisonFiles:
    """Where what a figure shows was read from; ``None`` for what was in memory only.

    Parameters
    ----------
    cubes
        A file for each cube.
    truth, picture
        Likewise.
    truth_reading
        How the truth was read, where its file does not say it all: ``variable``,
        ``wavelengths_nm``, ``scale``.
    """

    cubes: Sequence[str | Path | None] = ()
    truth: str | Path | None = None
    picture: str | Path | None = None
    truth_reading: Mapping[str, Any] = field(default_factory=dict)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Source(_Record):
    name: str
    file: FileReference | None
    sha256: str
    provenance: dict[str, Any] = {}


class _Curve(_Record):
    label: str
    spectra: list[list[float]]
    """Of each point."""


class _CubeErrors(_Record):
    label: str
    rmse: float
    sam_deg: float
    band_rmse: list[float]
    """Over all pixels of each band drawn."""


class _Figure(_Record):
    format: Literal["napari-gmsr figure"] = "napari-gmsr figure"
    version: Literal[1] = 1
    figure: str
    cubes: Annotated[list[_Source], Field(min_length=1)]
    labels: list[str]
    truth: _Source | None
    picture: _Source | None
    points: list[tuple[int, int]]
    bands_nm: list[float]
    error_max: float
    wavelengths_nm: list[float]
    curves: list[_Curve]
    errors: list[_CubeErrors]
    versions: dict[str, str]


def save_comparison(
    comparison: Comparison,
    path: str | Path,
    files: ComparisonFiles | None = None,
    *,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Draw and write a figure, and beside it a record of everything as JSON.

    The record (``figure.pdf.json`` for ``figure.pdf``) holds the numbers that are drawn (curves,
    errors, the colour bar's range), the files with the hashes of what was read from them, the
    cubes' provenance (checkpoint, settings), points, bands and versions: `load_comparison` makes
    the figure again from it.

    Parameters
    ----------
    comparison
        What to draw.
    path
        ``.png``, ``.pdf`` or ``.svg``.
    files
        Where the cubes came from; without, the record is of no use to make the figure again.
    overwrite
        Replace existing files.

    Returns
    -------
    tuple of Path
        The figure and its record.

    Raises
    ------
    OutputError
        Where one of them cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f"{path.name}.json")
    check_outputs([beside, path], overwrite=overwrite)
    record = _record(comparison, path, files or ComparisonFiles()).model_dump(mode="json")
    description = json.dumps(_for_the_picture(record), sort_keys=True)
    save_figure(comparison.draw(), path, overwrite=overwrite, description=description)
    with atomic_output(beside, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path, beside


def _for_the_picture(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a picture tells of itself: it travels alone, so no numbers and no folders."""
    sources = [*record["cubes"], record["truth"], record["picture"]]
    names = [
        None if source is None or source["file"] is None else Path(source["file"]["path"]).name
        for source in sources
    ]
    told = [
        None if source is None else {**source, "file": name}
        for source, name in zip(sources, names, strict=True)
    ]
    kept = {key: record[key] for key in record if key not in {"curves", "wavelengths_nm"}}
    return {**kept, "cubes": told[:-2], "truth": told[-2], "picture": told[-1]}


def load_comparison(path: str | Path) -> tuple[Comparison, ComparisonFiles]:
    """Read what a figure showed from its record, and from the files that this names.

    Parameters
    ----------
    path
        The ``.json`` beside a figure. Files are looked for as they lay beside it, then where they
        were.

    Returns
    -------
    Comparison, ComparisonFiles
        ``draw()`` of the first gives the figure; the second is where everything lay.

    Raises
    ------
    InputError
        Where it is no such record, a file is not there any more or has changed, or a cube had no
        file.
    """
    path = Path(path)
    record = _load(path)

    def find(source: _Source) -> Path:
        if source.file is None:
            raise InputError(
                f"'{source.name}' had no file when the figure was made",
                where=path,
                fix="Save the cube to a file, and make the figure anew.",
            )
        return source.file.find(path.parent)

    def cube(source: _Source, file: Path) -> SpectralCube:
        assert source.file is not None
        reading: Any = source.file.reading
        read = read_cube(file, **reading)
        source.file.check(read)
        return SpectralCube(read.data, read.wavelengths_nm, source.name, read.provenance)

    def picture(source: _Source, file: Path) -> RGBImage:
        assert source.file is not None
        read = read_rgb(file)
        encoding: Any = source.file.reading.get("encoding", read.encoding)
        read = RGBImage(read.data, encoding, read.bit_depth, source.name, read.notes)
        source.file.check(read)
        return read

    truth, rgb = record.truth, record.picture
    places = [find(source) for source in record.cubes]
    truth_place = None if truth is None else find(truth)
    picture_place = None if rgb is None else find(rgb)
    reading = {} if truth is None or truth.file is None else dict(truth.file.reading)
    files = ComparisonFiles(places, truth_place, picture_place, reading)
    comparison = Comparison.of(
        [cube(source, place) for source, place in zip(record.cubes, places, strict=True)],
        None if truth is None or truth_place is None else cube(truth, truth_place),
        None if rgb is None or picture_place is None else picture(rgb, picture_place),
        record.points,
        record.bands_nm,
        labels=record.labels,
        error_max=None if truth is None else record.error_max,
    )
    return comparison, files


def _load(path: Path) -> _Figure:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        return _Figure.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", where=path, fix="Give a figure's .json."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(
            f"it is no record of a figure that this version reads: {what}",
            where=path,
            fix="Give the .json that lies beside a figure of napari-gmsr.",
        ) from error
    except ValueError as error:
        raise InputError(str(error), where=path, fix="Give a figure's .json.") from error


def _record(comparison: Comparison, path: Path, files: ComparisonFiles) -> _Figure:
    folder = path.parent
    first = comparison.cubes[0]
    paths = list(files.cubes) or [None] * len(comparison.cubes)

    def source(
        content: SpectralCube | RGBImage, file: str | Path | None, reading: Mapping[str, Any]
    ) -> _Source:
        sha256 = fingerprint(content)
        reference = None
        if file is not None:
            reference = FileReference.to(os.fspath(file), folder, sha256, dict(reading))
        provenance = dict(content.provenance) if isinstance(content, SpectralCube) else {}
        return _Source(name=content.name, file=reference, sha256=sha256, provenance=provenance)

    rgb, truth = comparison.rgb, comparison.truth
    curves = list(zip(comparison.labels, comparison.cubes, strict=True))
    if truth is not None:
        curves.append(("truth", truth))
    errors = []
    for label, cube in zip(comparison.labels, comparison.cubes, strict=True):
        if truth is None:
            break
        means = [
            float((comparison.error_map(cube, band).astype(float) ** 2).mean() ** 0.5)
            for band in comparison.bands
        ]
        all_bands = comparison.errors(cube)
        errors.append(
            _CubeErrors(
                label=label, rmse=all_bands.rmse, sam_deg=all_bands.sam_deg, band_rmse=means
            )
        )
    return _Figure(
        figure=path.name,
        cubes=[source(cube, file, {}) for cube, file in zip(comparison.cubes, paths, strict=True)],
        labels=list(comparison.labels),
        truth=None if truth is None else source(truth, files.truth, files.truth_reading),
        picture=None if rgb is None else source(rgb, files.picture, {"encoding": rgb.encoding}),
        points=list(comparison.points),
        bands_nm=list(comparison.bands_nm),
        error_max=comparison.error_max,
        wavelengths_nm=first.wavelengths_nm.tolist(),
        curves=[
            _Curve(
                label=label, spectra=[cube.spectrum(y, x).tolist() for y, x in comparison.points]
            )
            for label, cube in curves
        ],
        errors=errors,
        versions={name: version(name) for name in ("napari-gmsr", "numpy", "matplotlib")},
    )
