"""What a figure compares, made definite and checked, and how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from os.path import commonprefix
from typing import Self

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.figure_parts import (
    Curves,
    draw_band,
    draw_bar,
    draw_heatmap,
    draw_picture,
    draw_spectra,
    draw_title,
    elide,
    name_column,
    name_row,
    picture_to_show,
)
from napari_gmsr.evaluate.layout import Layout
from napari_gmsr.evaluate.maps import error_map
from napari_gmsr.evaluate.pairs import as_pair, require_finite
from napari_gmsr.evaluate.points import representative_points
from napari_gmsr.image import RGBImage

__all__ = ["Comparison", "Errors"]

_LONGEST_LABEL = 18
_HEAD_CHARACTERS = 112
"""So many fit into the width of all columns together."""
_MOST_BESIDE = 3
"""So many cubes have their errors beside them; more have them below."""


@dataclass(frozen=True)
class Errors:
    """How far one cube is from the truth.

    Parameters
    ----------
    rmse
        Root mean squared error over all bands and pixels.
    sam_deg
        Mean over pixels of the angle between the two spectra.
    """

    rmse: float
    sam_deg: float


@dataclass(frozen=True)
class Comparison:
    """What a figure shows. Make it with :meth:`of`, which checks and fills in what is left open.

    Parameters
    ----------
    cubes
        The reconstructions, of one size and the same bands.
    labels
        A short name for each.
    truth
        The measured cube.
    rgb
        The picture that the cubes were made from.
    points
        Rows and columns of the marked pixels.
    bands
        Indices of the bands drawn.
    error_max
        Upper end of the heatmaps' range; 0 without truth.
    """

    cubes: tuple[SpectralCube, ...]
    labels: tuple[str, ...]
    truth: SpectralCube | None
    rgb: RGBImage | None
    points: tuple[tuple[int, int], ...]
    bands: tuple[int, ...]
    error_max: float

    @classmethod
    def of(
        cls,
        cubes: SpectralCube | Sequence[SpectralCube],
        truth: SpectralCube | None = None,
        rgb: RGBImage | None = None,
        points: Sequence[tuple[int, int]] | None = None,
        bands_nm: Sequence[float] | None = None,
        *,
        labels: Sequence[str] | None = None,
        error_max: float | None = None,
    ) -> Self:
        """Check what is given, and choose what is not; see `comparison_figure`."""
        several = (cubes,) if isinstance(cubes, SpectralCube) else tuple(cubes)
        if not several:
            raise InputError("no cube is given", fix="Give at least one reconstruction.")
        for cube in several:
            require_finite(*as_pair(cube, truth or several[0]))
        first = several[0]
        if rgb is not None and rgb.shape != first.shape[1:]:
            raise InputError(
                f"the picture has {rgb.shape[0]} x {rgb.shape[1]} pixels, "
                f"the cube {first.shape[1]} x {first.shape[2]}",
                where=f"{rgb.name} and {first.name}",
                fix="Give the picture that the cube was made from.",
            )
        named = tuple(_labels(several)) if labels is None else tuple(labels)
        if len(named) != len(several):
            raise InputError(
                f"{len(named)} labels for {len(several)} cubes", fix="Give one label for each cube."
            )
        marked = representative_points(truth or first) if points is None else points
        for y, x in marked:
            first.spectrum(y, x)  # raises where there is no such pixel
        bands = tuple(_band_indices(first, bands_nm))
        if truth is None:
            limit = 0.0
        elif error_max is not None:
            limit = float(error_max)
            if not 0 < limit < inf:
                raise InputError(
                    f"the errors' range cannot end at {limit:g}",
                    where="error_max",
                    fix="Give a number above 0, or leave it out.",
                )
        else:
            nm = first.wavelengths_nm
            maps = [error_map(cube, truth, "rmse", nm[band]) for cube in several for band in bands]
            limit = max(float(np.percentile(maps, 99.5)), 1e-6)
        spots = tuple((int(y), int(x)) for y, x in marked)
        return cls(several, named, truth, rgb, spots, bands, limit)

    @property
    def bands_nm(self) -> tuple[float, ...]:
        """Wavelengths of the bands drawn."""
        return tuple(float(self.cubes[0].wavelengths_nm[band]) for band in self.bands)

    @property
    def title(self) -> str:
        """What the picture is called."""
        first = self.cubes[0]
        if len(self.cubes) == 1:
            return first.name
        if self.rgb is not None:
            return self.rgb.name
        return str(first.provenance.get("picture", (self.truth or first).name))

    def errors(self, cube: SpectralCube) -> Errors:
        """Return how far one of the cubes is from the truth, which must be there."""
        assert self.truth is not None
        squared = error_map(cube, self.truth).astype(np.float64) ** 2
        angles = error_map(cube, self.truth, "sam")
        return Errors(sqrt(float(squared.mean())), float(angles.mean()))

    def error_map(self, cube: SpectralCube, band: int) -> npt.NDArray[np.float32]:
        """Return the map of one of the cubes' errors at one of the bands, float32 (y, x)."""
        assert self.truth is not None
        return error_map(cube, self.truth, "rmse", float(cube.wavelengths_nm[band]))

    def draw(self) -> Figure:
        """Return the figure."""
        grid = _arrange(self)
        layout = Layout.of(
            self.cubes[0].shape[1:],
            rows=len(grid.rows),
            columns=len(grid.columns),
            spectra=len(self.points),
            head_lines=1 + any("\n" in name for name, _ in grid.columns),
        )
        figure = Figure(figsize=(layout.width, layout.height), facecolor="white")
        curves = Curves(self.cubes, self.labels, self.truth)
        detail = ""
        if self.truth is not None and len(self.cubes) == 1:
            errors = self.errors(self.cubes[0])
            detail = f"RMSE {errors.rmse:.4f}    SAM {errors.sam_deg:.1f}°"
        draw_title(figure, layout, self.title, detail, curves)
        picture = picture_to_show(self.rgb, self.truth or self.cubes[0])
        draw_picture(figure, layout, picture, self.points, curves)
        if self.points:
            draw_spectra(figure, layout, self.points, curves)
        self._draw_grid(figure, layout, grid)
        return figure

    def _draw_grid(self, figure: Figure, layout: Layout, grid: _Grid) -> None:
        heatmap: AxesImage | None = None
        heatmap_rows = []
        beyond = False
        for cell in grid.cells:
            rect = layout.cell_rect(cell.row, cell.column)
            if cell.is_error:
                assert cell.cube is not None
                error = self.error_map(cell.cube, cell.band)
                axes, heatmap = draw_heatmap(figure, rect, error, self.error_max)
                heatmap_rows.append(cell.row)
                beyond |= bool(error.max() > self.error_max)
            else:
                shown = cell.cube or self.truth
                assert shown is not None
                axes = draw_band(figure, rect, shown.data[cell.band], self._white(cell.band))
            if cell.row == 0:
                name_column(axes, *grid.columns[cell.column])
            if cell.column == 0:
                name_row(axes, layout, *grid.rows[cell.row])
        if heatmap is not None:
            draw_bar(figure, layout, heatmap, (min(heatmap_rows), max(heatmap_rows)), beyond)

    def _white(self, band: int) -> float:
        """Return what is drawn white in a band: just below the highlights of the truth."""
        reference = self.truth or self.cubes[0]
        return max(float(np.percentile(reference.data[band], 99.8)), 1e-6)


@dataclass(frozen=True)
class _Cell:
    row: int
    column: int
    band: int
    cube: SpectralCube | None
    """None is the truth."""
    is_error: bool = False


@dataclass(frozen=True)
class _Grid:
    cells: list[_Cell]
    columns: list[tuple[str, float | None]]
    """Each name, and the wavelength whose colour stands beside it."""
    rows: list[tuple[str, float | None]]


def _arrange(shown: Comparison) -> _Grid:
    """Choose what stands where: a column a band for one cube, a row a band for several."""
    bands = list(zip(shown.bands, shown.bands_nm, strict=True))
    by_band: list[tuple[str, float | None]] = [(f"{nm:g} nm", nm) for _, nm in bands]
    truth, count = shown.truth, len(shown.cubes)
    cells: list[_Cell] = []
    if truth is None or count == 1:
        names = list(shown.labels) if count > 1 else ["reconstruction"]
        pictures: list[tuple[SpectralCube | None, bool]] = [(cube, False) for cube in shown.cubes]
        if truth is not None:
            names += ["truth", "absolute error"]
            pictures += [(None, False), (shown.cubes[0], True)]
        for row, (cube, is_error) in enumerate(pictures):
            cells += [
                _Cell(row, column, band, cube, is_error) for column, band in enumerate(shown.bands)
            ]
        return _Grid(cells, by_band, [(elide(name, _LONGEST_LABEL), None) for name in names])
    beside = count <= _MOST_BESIDE
    columns = 2 * count + 1 if beside else count + 1
    room = _HEAD_CHARACTERS // columns - (len(": error") if beside else 0)
    labels = [elide(label, min(room, _LONGEST_LABEL)) for label in shown.labels]
    rmse = [f"RMSE {shown.errors(cube).rmse:.4f}" for cube in shown.cubes]
    if beside:
        heads = [*labels, "truth", *map("{}: error\n{}".format, labels, rmse)]
        for row, band in enumerate(shown.bands):
            cells += [_Cell(row, at, band, cube) for at, cube in enumerate((*shown.cubes, None))]
            cells += [
                _Cell(row, count + 1 + at, band, cube, True) for at, cube in enumerate(shown.cubes)
            ]
        return _Grid(cells, [(head, None) for head in heads], by_band)
    heads = [*map("{}\n{}".format, labels, rmse), "truth"]
    rows = [row for named in by_band for row in (named, ("abs. error", None))]
    for block, band in enumerate(shown.bands):
        cells += [_Cell(2 * block, at, band, cube) for at, cube in enumerate((*shown.cubes, None))]
        cells += [_Cell(2 * block + 1, at, band, cube, True) for at, cube in enumerate(shown.cubes)]
    return _Grid(cells, [(head, None) for head in heads], rows)


def _band_indices(cube: SpectralCube, bands_nm: Sequence[float] | None) -> list[int]:
    if bands_nm is None:
        nm = cube.wavelengths_nm
        bands_nm = np.linspace(nm[0], nm[-1], 7)[1:-1].tolist()
    if not len(bands_nm):
        raise InputError("no band is chosen", fix="Give at least one wavelength in nm.")
    return list(dict.fromkeys(cube.band_index(nm) for nm in bands_nm))


def _labels(cubes: Sequence[SpectralCube]) -> list[str]:
    """Return short names: the models' where they differ, else what is not common to all names."""
    models = [str(cube.provenance.get("model", "")) for cube in cubes]
    if all(models) and len(set(models)) == len(models):
        return models
    names = [cube.name for cube in cubes]
    if len(set(names)) < len(names):
        return [f"{name} {number}" for number, name in enumerate(names, 1)]
    # "toy [photo]" and "toy [rootpoly]" differ in what a narrow column would cut off.
    shared = commonprefix(names).rfind(" ") + 1 if len(names) > 1 else 0  # noqa: RUF071
    return [name[shared:].strip("[]") or name for name in names]
