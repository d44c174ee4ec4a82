"""The paper's Figs. 4 to 6, 8 and 9: each model's band and where it is wrong, in one scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_gmsr.color import linear_to_srgb, wavelength_to_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import error_map
from napari_gmsr.io import read_cube
from napari_gmsr.study.canvas import GREY, HEAT, INK, NORMAL, SMALL, Canvas, Drawing
from napari_gmsr.study.findings import Findings
from napari_gmsr.study.folder import StudyFolder
from napari_gmsr.study.settings import StudyDataset, TableName, View
from napari_gmsr.study.study import slug
from napari_gmsr.study.work import MODELS, PICTURE, TRUTH

__all__ = ["Shown", "draw_pictures", "shown_views"]

Floats = npt.NDArray[np.float32]

_CELL, _GAP, _LEFT, _TOP, _BAR = 1.18, 0.05, 0.42, 0.34, 0.62  # inches
_UNDER = 0.19  # room for a number below a heatmap
_FIGURES: dict[TableName, tuple[str, str]] = {
    "comparison": ("fig4", "Figs. 4 to 6"),
    "ablations": ("fig8", "Fig. 8"),
    "depth": ("fig9", "Fig. 9"),
}


@dataclass(frozen=True)
class Shown:
    """A view with its cubes.

    Parameters
    ----------
    view
        What the study says.
    picture
        sRGB, uint8 (y, x, 3).
    truth
        The measured cube.
    cubes
        Of models by their titles; those that failed or are missing are not among them.
    """

    view: View
    picture: npt.NDArray[np.uint8]
    truth: SpectralCube
    cubes: Mapping[str, SpectralCube]


def shown_views(folder: StudyFolder, findings: Findings, dataset: StudyDataset) -> list[Shown]:
    """Return a dataset's views, of those pictures whose cubes are there."""
    views = dataset.views or tuple(
        View(picture=picture, band_nm=550.0) for picture in _kept(folder, findings, dataset)
    )
    found = []
    for view in views:
        place = folder.cubes_folder(dataset, view.picture)
        if not (place / TRUTH).is_file():
            continue
        truth = read_cube(place / TRUTH)
        cubes = {
            model.title: read_cube(file)
            for model in findings.study.models
            if (file := place / MODELS / f"{slug(model.title)}.npz").is_file()
            and (model.title, dataset.title) in findings.done
        }
        # A model of other bands is compared elsewhere: here all curves have one axis.
        cubes = {m: cube for m, cube in cubes.items() if cube.shape == truth.shape}
        with Image.open(place / PICTURE) as image:
            picture = np.asarray(image)
        found.append(Shown(view, picture, truth, cubes))
    return found


def _kept(folder: StudyFolder, findings: Findings, dataset: StudyDataset) -> list[str]:
    """Return the pictures whose cubes were kept, in the order in which they were measured."""
    names = [
        result.picture
        for outcome in findings.outcomes
        if outcome.dataset == dataset.title
        for result in outcome.pictures
        if (folder.cubes_folder(dataset, result.picture) / TRUTH).is_file()
    ]
    return list(dict.fromkeys(names))


def draw_pictures(
    findings: Findings, dataset: StudyDataset, table: TableName, views: list[Shown]
) -> Drawing | None:
    """Draw a table's models on a dataset: two rows a view, one colour bar for all of it.

    The upper row has the band in grey, encoded as sRGB like a photograph, the truth first and in
    its range; the lower one the picture, and the absolute error of the band, whose root mean square
    stands below.
    """
    titles = [model.title for model in findings.models(table)]
    views = [view for view in views if any(title in view.cubes for title in titles)]
    if not views:
        return None
    maps = [_errors(view, titles) for view in views]
    limit = float(
        np.percentile(np.concatenate([m.ravel() for each in maps for m in each.values()]), 99.5)
    )
    limit = max(limit, 1e-6)
    heights = [_CELL * float(np.clip(v.truth.shape[1] / v.truth.shape[2], 0.4, 2)) for v in views]
    width = _LEFT + (1 + len(titles)) * (_CELL + _GAP) + _BAR
    row = [2 * (height + _GAP) + _UNDER for height in heights]
    canvas = Canvas(width, _TOP + sum(row) + 0.05)
    tops = [_TOP + sum(row[:i]) for i in range(len(views))]
    for column, title in enumerate(["truth", *titles]):
        x = _LEFT + column * (_CELL + _GAP) + _CELL / 2
        weight = "bold" if title == findings.reference else "normal"
        canvas.text(x, _TOP - 0.13, _short(title), ha="center", size=NORMAL, weight=weight)
    heat = None
    for view, errors, top, height in zip(views, maps, tops, heights, strict=True):
        heat = _draw_view(canvas, view, titles, errors, limit, (top, height)) or heat
    if heat is not None:
        first = tops[0] + heights[0] + _GAP
        last = tops[-1] + 2 * heights[-1] + _GAP
        bar = canvas.axes(width - _BAR + 0.05, first, 0.1, last - first)
        most = max(float(each.max()) for errors in maps for each in errors.values())
        colorbar = canvas.figure.colorbar(
            heat, cax=bar, extend="max" if most > limit else "neither"
        )
        colorbar.outline.set_visible(False)
        bar.set_title("error", size=SMALL, color=INK, loc="left", pad=8)
        bar.tick_params(labelsize=SMALL, colors=INK, length=2, width=0.6, pad=2)
    name, figures = _FIGURES[table]
    return Drawing(
        f"{name}_{slug(dataset.title)}",
        f"{dataset.title}: a band by each model, and its absolute error in one scale for all "
        f"(as the paper's {figures})",
        canvas.figure,
        {
            "error_max": limit,
            "views": [_record(view, errors) for view, errors in zip(views, maps, strict=True)],
        },
    )


def _errors(shown: Shown, titles: list[str]) -> dict[str, Floats]:
    return {
        title: error_map(shown.cubes[title], shown.truth, "rmse", shown.view.band_nm)
        for title in titles
        if title in shown.cubes
    }


def _draw_view(
    canvas: Canvas,
    shown: Shown,
    titles: list[str],
    errors: Mapping[str, Floats],
    limit: float,
    place: tuple[float, float],
) -> Any:
    top, height = place
    below = top + height + _GAP
    band = shown.truth.band_index(shown.view.band_nm)
    nm = float(shown.truth.wavelengths_nm[band])
    white = max(float(np.percentile(shown.truth.data[band], 99.8)), 1e-6)
    canvas.text(
        0.1,
        top + height,
        f"{_short(shown.view.picture, 22)}, {nm:g} nm",
        rotation=90,
        ha="center",
        size=SMALL,
    )
    strip = canvas.picture(0.24, top, 0.05, 2 * height + _GAP)
    strip.imshow(wavelength_to_rgb(np.array([nm]))[None], aspect="auto")
    heat = None
    for column, title in enumerate([None, *titles]):
        x = _LEFT + column * (_CELL + _GAP)
        cube = shown.truth if title is None else shown.cubes.get(title)
        upper = canvas.picture(x, top, _CELL, height)
        if cube is None:
            upper.text(0.5, 0.5, "no result", size=SMALL, color=GREY, ha="center", va="center")
            continue
        grey = linear_to_srgb(np.clip(cube.data[band] / white, 0, 1))
        upper.imshow(grey, cmap="gray", vmin=0, vmax=1, aspect="auto")
        lower = canvas.picture(x, below, _CELL, height)
        if title is None:
            lower.imshow(shown.picture, aspect="auto")
            continue
        heat = lower.imshow(errors[title], cmap=HEAT, vmin=0, vmax=limit, aspect="auto")
        rmse = float(np.sqrt(np.mean(errors[title].astype(np.float64) ** 2)))
        canvas.text(
            x + _CELL / 2,
            below + height + 0.09,
            f"RMSE {rmse:.4f}",
            ha="center",
            size=SMALL,
            color=GREY,
        )
    return heat


def _short(text: str, most: int = 18) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _record(shown: Shown, errors: Mapping[str, Floats]) -> dict[str, Any]:
    band = shown.truth.band_index(shown.view.band_nm)
    return {
        "picture": shown.view.picture,
        "band_nm": float(shown.truth.wavelengths_nm[band]),
        "models": {
            title: {
                "rmse": float(np.sqrt(np.mean(error.astype(np.float64) ** 2))),
                "largest": float(error.max()),
                "percentiles": {
                    str(p): float(np.percentile(error, p)) for p in (5, 25, 50, 75, 95, 99)
                },
            }
            for title, error in errors.items()
        },
    }
