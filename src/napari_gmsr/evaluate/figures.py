"""The paper's figure for any cube: bands, error heatmaps, and spectra of marked points."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from napari_gmsr.color import linear_to_srgb, render_rgb, wavelength_to_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.evaluate.layout import BAR_WIDTH, GAP, MARGIN, Layout
from napari_gmsr.evaluate.maps import PAPER_COLORMAP, error_map
from napari_gmsr.evaluate.pairs import as_pair, require_finite
from napari_gmsr.evaluate.points import representative_points
from napari_gmsr.image import RGBImage
from napari_gmsr.io import atomic_output

__all__ = ["POINT_COLORS", "comparison_figure", "save_figure"]

POINT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of marked points in their order: those of Okabe and Ito, told apart by everyone."""

_INK, _GREY = "#222222", "#767676"
_SMALL, _NORMAL, _LARGE = 7.5, 8.5, 10.5  # points
_DASHES = (0, (3.2, 1.8))


def comparison_figure(
    rgb: RGBImage | None,
    cube: SpectralCube,
    truth: SpectralCube | None = None,
    points: Sequence[tuple[int, int]] | None = None,
    bands_nm: Sequence[float] | None = None,
    *,
    error_max: float | None = None,
) -> Figure:
    """Draw a cube against its truth as the paper does.

    Above, the RGB picture with the marked points and the spectrum of each, reconstructed and true.
    Below, a column a band: reconstruction and truth in one range of grey, which is encoded as sRGB
    like a photograph, and their absolute difference, all of it in one range of colour with one
    colour bar.

    Parameters
    ----------
    rgb
        The picture that the cube was made from; ``None`` draws the cube's own true colours under
        D65.
    cube
        The reconstruction.
    truth
        The measured cube, of the same size and bands; ``None`` leaves its curves and rows out.
    points
        Row and column of each pixel to mark; ``None`` chooses four that differ most in their
        spectra.
    bands_nm
        Wavelengths of the columns, in nanometres; the nearest band is taken. ``None`` takes five,
        evenly spread.
    error_max
        Upper end of the heatmaps' range, to compare several figures; ``None`` takes the 99.5th
        percentile of the heatmaps drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot: it belongs to no window and changes no global setting.

    Raises
    ------
    InputError
        Where the sizes or bands differ, a value is NaN, or a point lies outside the picture.
    """
    if truth is None:
        require_finite(cube, cube)
    else:
        cube, truth = as_pair(cube, truth)
        require_finite(cube, truth)
    if rgb is not None and rgb.shape != cube.shape[1:]:
        raise InputError(
            f"the picture has {rgb.shape[0]} x {rgb.shape[1]} pixels, "
            f"the cube {cube.shape[1]} x {cube.shape[2]}",
            where=f"{rgb.name} and {cube.name}",
            fix="Give the picture that the cube was made from.",
        )
    marked = list(points) if points is not None else representative_points(truth or cube)
    bands = _band_indices(cube, bands_nm)
    layout = Layout.of(
        cube.shape[1:], rows=1 if truth is None else 3, columns=len(bands), spectra=len(marked)
    )
    figure = Figure(figsize=(layout.width, layout.height), facecolor="white")
    _draw_title(figure, layout, cube, truth)
    _draw_picture(figure, layout, _display(rgb, truth or cube), marked)
    _draw_spectra(figure, layout, cube, truth, marked)
    _draw_bands(figure, layout, cube, truth, bands, error_max)
    return figure


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a figure; the format follows from the suffix.

    Parameters
    ----------
    figure
        The figure.
    path
        ``.png`` (200 dots an inch), ``.pdf`` or ``.svg``.
    overwrite
        Replace an existing file; otherwise an existing name is an error.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        Where the suffix is another one, or the file cannot be written; nothing is left of it then.
    """
    path = Path(path)
    form = path.suffix.lower().lstrip(".")
    # Without the date the same figure gives the same file.
    undated = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    if form not in undated:
        raise OutputError(
            f"a figure cannot be written as '{path.suffix}'",
            where=path,
            fix="Name it .png, .pdf or .svg.",
        )
    with atomic_output(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=form, dpi=200, metadata=undated[form])
    return path


def _band_indices(cube: SpectralCube, bands_nm: Sequence[float] | None) -> list[int]:
    if bands_nm is None:
        nm = cube.wavelengths_nm
        bands_nm = np.linspace(nm[0], nm[-1], 7)[1:-1].tolist()
    if not len(bands_nm):
        raise InputError("no band is chosen", fix="Give at least one wavelength in nm.")
    return list(dict.fromkeys(cube.band_index(nm) for nm in bands_nm))


def _display(rgb: RGBImage | None, cube: SpectralCube) -> npt.NDArray[np.float32]:
    """Return sRGB values to show."""
    if rgb is None:
        try:
            rgb = render_rgb(cube, camera="srgb", illuminant="D65", encoding="srgb")
        except InputError:  # bands outside the visible: the mean over bands, in grey
            grey = cube.data.mean(axis=0)
            rgb = RGBImage(np.stack([grey / max(float(grey.max()), 1e-6)] * 3, axis=-1))
    data = np.clip(np.nan_to_num(rgb.data), 0.0, 1.0)
    shown: npt.NDArray[np.float32] = linear_to_srgb(data) if rgb.encoding == "linear" else data
    return shown


def _draw_title(
    figure: Figure, layout: Layout, cube: SpectralCube, truth: SpectralCube | None
) -> None:
    y = layout.title_height
    x = layout.left / layout.width
    name = cube.name if len(cube.name) <= 48 else f"{cube.name[:47]}…"
    figure.text(x, y, name, size=_LARGE, color=_INK, weight="bold", va="center")
    if truth is not None:
        rmse = sqrt(float(np.mean(error_map(cube, truth).astype(np.float64) ** 2)))
        angle = float(error_map(cube, truth, "sam").mean())
        text = f"RMSE {rmse:.4f}    SAM {angle:.1f}°"
        right = 1 - MARGIN / layout.width
        figure.text(right, y, text, size=_NORMAL, color=_GREY, va="center", ha="right")


def _draw_picture(
    figure: Figure,
    layout: Layout,
    picture: npt.NDArray[np.float32],
    points: Sequence[tuple[int, int]],
) -> None:
    axes = _picture_axes(figure, layout.picture_rect())
    axes.imshow(picture, aspect="auto")
    height, width = picture.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    for index, (y, x) in enumerate(points):
        color = _point_color(index)
        axes.plot(x, y, "o", ms=7, mfc="none", mec="white", mew=2.8)
        axes.plot(x, y, "o", ms=7, mfc="none", mec=color, mew=1.5)
        # The number stands to the inner side of its ring.
        side = -1 if x > 0.85 * width else 1
        axes.annotate(
            str(index + 1),
            (x, y),
            (7 * side, 0),
            textcoords="offset points",
            size=_NORMAL,
            weight="bold",
            color=color,
            ha="left" if side > 0 else "right",
            va="center_baseline",
            path_effects=[withStroke(linewidth=2.4, foreground="white")],
        )


def _draw_spectra(
    figure: Figure,
    layout: Layout,
    cube: SpectralCube,
    truth: SpectralCube | None,
    points: Sequence[tuple[int, int]],
) -> None:
    if not points:
        return
    nm = cube.wavelengths_nm
    for index, (y, x) in enumerate(points):
        axes = figure.add_axes(layout.spectrum_rect(index))
        ours = cube.spectrum(y, x)
        axes.plot(nm, ours, color=_point_color(index), lw=1.9)
        detail, top, bottom = f"y {y}, x {x}", float(ours.max()), float(ours.min())
        if truth is not None:
            true = truth.spectrum(y, x)
            axes.plot(nm, true, color=_INK, lw=1.1, ls=_DASHES)
            detail += f"    RMSE {np.sqrt(np.mean((ours - true) ** 2)):.3f}"
            top, bottom = max(top, float(true.max())), min(bottom, float(true.min()))
        axes.set(xlim=_ends(nm), ylim=(min(1.1 * bottom, 0), max(1.1 * top, 0.01)))
        axes.set_title(
            f"{index + 1}",
            loc="left",
            size=_NORMAL,
            weight="bold",
            color=_point_color(index),
            pad=3,
        )
        axes.set_title(detail, loc="right", size=_SMALL, color=_GREY, pad=3)
        lowest = index + layout.spectrum_columns >= len(points)
        _style_spectrum(axes, nm, label=lowest)
        if lowest:
            axes.set_xlabel("wavelength (nm)", size=_SMALL, color=_INK, labelpad=2)
        if index % layout.spectrum_columns == 0:
            axes.set_ylabel("intensity", size=_SMALL, color=_INK, labelpad=3)
    right = MARGIN if truth is None else MARGIN + 1.75  # beside the title's numbers
    curves = [Line2D([], [], color=_GREY, lw=1.9), Line2D([], [], color=_INK, lw=1.1, ls=_DASHES)]
    figure.legend(
        curves if truth is not None else curves[:1],
        ["reconstruction", "truth"][: 1 if truth is None else 2],
        loc="center right",
        bbox_to_anchor=(1 - right / layout.width, layout.title_height),
        ncols=2,
        fontsize=_SMALL,
        labelcolor=_INK,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.4,
        borderaxespad=0,
        borderpad=0,
    )


def _style_spectrum(axes: Axes, nm: npt.NDArray[np.float64], *, label: bool) -> None:
    """Give the axes light lines, and the colours of the wavelengths under them."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=_GREY, linewidth=0.6)
    axes.grid(axis="y", color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=_SMALL, colors=_INK, length=0, pad=2)
    axes.tick_params(axis="x", labelbottom=label, pad=7)
    ends = _ends(nm)
    strip = axes.inset_axes((0, -0.055, 1, 0.035))
    strip.imshow(
        wavelength_to_rgb(np.linspace(*ends, 256))[None], aspect="auto", extent=(*ends, 0, 1)
    )
    strip.set_axis_off()


def _ends(nm: npt.NDArray[np.float64]) -> tuple[float, float]:
    first, last = float(nm.min()), float(nm.max())
    return (first, last) if first < last else (first - 5, last + 5)


def _draw_bands(
    figure: Figure,
    layout: Layout,
    cube: SpectralCube,
    truth: SpectralCube | None,
    bands: list[int],
    error_max: float | None,
) -> None:
    for column, band in enumerate(bands):
        white = max(float(np.percentile((truth or cube).data[band], 99.8)), 1e-6)
        for row, shown in enumerate((cube, truth)):
            if shown is None:
                continue
            axes = _picture_axes(figure, layout.cell_rect(row, column))
            grey = linear_to_srgb(np.clip(shown.data[band] / white, 0, 1))
            axes.imshow(grey, cmap="gray", vmin=0, vmax=1, aspect="auto")
            if column == 0:
                _name_row(axes, layout, ("reconstruction", "truth")[row])
            if row == 0:
                nm = cube.wavelengths_nm[band]
                axes.set_title(f"{nm:g} nm", size=_NORMAL, color=_INK, pad=5)
                # The band's own colour, as a line over its column.
                axes.spines["top"].set(
                    visible=True, color=tuple(wavelength_to_rgb(nm)), linewidth=3
                )
                axes.spines["top"].set_position(("outward", 1.5))
                axes.spines["top"].set_capstyle("butt")
    if truth is not None:
        nms = [float(cube.wavelengths_nm[band]) for band in bands]
        _draw_errors(figure, layout, [error_map(cube, truth, "rmse", nm) for nm in nms], error_max)


def _draw_errors(
    figure: Figure,
    layout: Layout,
    errors: list[npt.NDArray[np.float32]],
    error_max: float | None,
) -> None:
    """Draw the heatmaps in the last row, and the one colour bar beside it."""
    limit = error_max or max(float(np.percentile(errors, 99.5)), 1e-6)
    for column, error in enumerate(errors):
        axes = _picture_axes(figure, layout.cell_rect(layout.rows - 1, column))
        heatmap = axes.imshow(error, cmap=PAPER_COLORMAP, vmin=0, vmax=limit, aspect="auto")
        if column == 0:
            _name_row(axes, layout, "absolute error")
    x, y, width, height = layout.cell_rect(layout.rows - 1, len(errors) - 1)
    bar = figure.add_axes((x + width + GAP / layout.width, y, BAR_WIDTH / layout.width, height))
    beyond = "max" if max(float(error.max()) for error in errors) > limit else "neither"
    colorbar = figure.colorbar(heatmap, cax=bar, extend=beyond, extendfrac=0.04)
    colorbar.locator = MaxNLocator(5 if layout.cell[1] > 1 else 2)
    colorbar.update_ticks()
    colorbar.outline.set_visible(False)
    bar.tick_params(labelsize=_SMALL, colors=_INK, length=2, width=0.6, pad=2)


def _name_row(axes: Axes, layout: Layout, name: str) -> None:
    if layout.level_labels:
        axes.set_ylabel(name, size=_NORMAL, color=_INK, rotation=0, ha="right", va="center")
    else:
        axes.set_ylabel(name, size=_NORMAL, color=_INK)


def _picture_axes(figure: Figure, rect: tuple[float, float, float, float]) -> Axes:
    axes = figure.add_axes(rect)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _point_color(index: int) -> str:
    return POINT_COLORS[index % len(POINT_COLORS)]
