"""The paper's Fig. 7: spectral response curves of points, by every model and in truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from napari_gmsr.color import wavelength_to_rgb
from napari_gmsr.evaluate import representative_points
from napari_gmsr.study.canvas import (
    INK,
    NORMAL,
    SMALL,
    Canvas,
    Drawing,
    ModelStyle,
    columns_for,
    few_ticks,
    finite_or_none,
    plain,
)
from napari_gmsr.study.findings import Findings
from napari_gmsr.study.pictures import Shown
from napari_gmsr.study.settings import StudyDataset
from napari_gmsr.study.study import slug

__all__ = ["draw_curves"]

_PICTURE, _WIDTH, _HEIGHT = 1.75, 2.1, 1.5  # inches
_LEFT, _GAP_X, _GAP_Y, _FOOT = 0.12, 0.46, 0.5, 0.34
_POINTS = 3
_DASHES = (0, (3.2, 1.8))


def draw_curves(findings: Findings, dataset: StudyDataset, views: list[Shown]) -> Drawing | None:
    """Draw a row for each view: the picture with its points, and the curves at each."""
    titles = [model.title for model in findings.models("comparison")]
    views = [view for view in views if any(title in view.cubes for title in titles)]
    if not views:
        return None
    numbers = findings.numbers
    titles = [title for title in titles if any(title in view.cubes for view in views)]
    points = [
        [p for p in shown.view.points if _inside(p, shown)]
        or representative_points(shown.truth, _POINTS)
        for shown in views
    ]
    most = max(len(each) for each in points)
    width = _LEFT + _PICTURE + most * (_WIDTH + _GAP_X) + 0.16
    names = ["truth", *titles]
    columns = columns_for(names, width - 0.3)
    head = 0.2 + 0.16 * -(-len(names) // columns) + 0.24
    canvas = Canvas(width, head + len(views) * (_HEIGHT + _GAP_Y) + _FOOT - 0.3)
    samples = [
        Line2D([], [], color=INK, lw=1.5, ls=_DASHES),
        *(ModelStyle(numbers[title]).sample() for title in titles),
    ]
    canvas.legend(_LEFT, 0.14, samples, names, columns)
    for row, (shown, chosen) in enumerate(zip(views, points, strict=True)):
        y = head + row * (_HEIGHT + _GAP_Y)
        _draw_picture(canvas, shown, chosen, y)
        for column, point in enumerate(chosen):
            x = _LEFT + _PICTURE + _GAP_X + column * (_WIDTH + _GAP_X)
            _draw_point(canvas, shown, titles, numbers, (column, point), (x, y))
    return Drawing(
        f"fig7_{slug(dataset.title)}",
        f"{dataset.title}: spectra at the marked points, by every model and in truth "
        "(as the paper's Fig. 7)",
        canvas.figure,
        {"views": [_record(s, titles, p) for s, p in zip(views, points, strict=True)]},
    )


def _inside(point: tuple[int, int], shown: Shown) -> bool:
    _, height, width = shown.truth.shape
    return 0 <= point[0] < height and 0 <= point[1] < width


def _draw_picture(canvas: Canvas, shown: Shown, points: list[tuple[int, int]], y: float) -> None:
    height, width = shown.picture.shape[:2]
    scale = min(_PICTURE / width, _HEIGHT / height)
    axes = canvas.picture(_LEFT, y, width * scale, height * scale)
    axes.imshow(shown.picture, aspect="auto")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_title(shown.view.picture, size=SMALL, color=INK, pad=3, loc="left", parse_math=False)
    for number, (row, column) in enumerate(points, start=1):
        axes.plot(column, row, "o", ms=6, mfc="none", mec="white", mew=2.6)
        axes.plot(column, row, "o", ms=6, mfc="none", mec=INK, mew=1.2)
        side = -1 if column > 0.85 * width else 1
        axes.annotate(
            str(number),
            (column, row),
            (6 * side, 0),
            textcoords="offset points",
            size=NORMAL,
            weight="bold",
            color=INK,
            ha="left" if side > 0 else "right",
            va="center_baseline",
            path_effects=[withStroke(linewidth=2.4, foreground="white")],
        )


def _draw_point(
    canvas: Canvas,
    shown: Shown,
    titles: list[str],
    numbers: Mapping[str, int],
    point: tuple[int, tuple[int, int]],
    place: tuple[float, float],
) -> None:
    number, (row, column) = point
    axes = canvas.axes(*place, _WIDTH, _HEIGHT)
    plain(axes)
    few_ticks(axes)
    nm = shown.truth.wavelengths_nm
    true = shown.truth.spectrum(row, column)
    drawn = [true]
    for title in titles:
        if title in shown.cubes:
            style = ModelStyle(numbers[title])
            spectrum = shown.cubes[title].spectrum(row, column)
            axes.plot(nm, spectrum, color=style.color, ls=style.dashes, lw=style.width)
            drawn.append(spectrum)
    axes.plot(nm, true, color=INK, lw=1.5, ls=_DASHES)
    axes.set(xlim=(nm.min(), nm.max()), ylim=(0, max(1.08 * float(np.max(drawn)), 0.01)))
    axes.set_title(f"{number + 1}", loc="left", size=NORMAL, weight="bold", color=INK, pad=3)
    axes.set_title(f"y {row}, x {column}", loc="right", size=SMALL, color=INK, pad=3)
    if number == 0:
        axes.set_ylabel("intensity", size=SMALL, color=INK, labelpad=3)
    strip = axes.inset_axes((0, -0.045, 1, 0.03))
    ends = float(nm.min()), float(nm.max())
    strip.imshow(
        wavelength_to_rgb(np.linspace(*ends, 256))[None], aspect="auto", extent=(*ends, 0, 1)
    )
    strip.set_axis_off()
    axes.tick_params(axis="x", pad=6, length=0)
    axes.set_xlabel("wavelength (nm)", size=SMALL, color=INK, labelpad=1)


def _record(shown: Shown, titles: list[str], points: list[tuple[int, int]]) -> dict[str, Any]:
    cubes = {"truth": shown.truth, **{t: shown.cubes[t] for t in titles if t in shown.cubes}}
    return {
        "picture": shown.view.picture,
        "wavelengths_nm": shown.truth.wavelengths_nm.tolist(),
        "points": [
            {
                "y": y,
                "x": x,
                "spectra": {t: finite_or_none(cube.spectrum(y, x)) for t, cube in cubes.items()},
            }
            for y, x in points
        ],
    }
