"""What figures are made of: a picture with points, curves, bands, heatmaps and their bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from napari_gmsr.color import linear_to_srgb, render_rgb, wavelength_to_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.layout import BAR_WIDTH, GAP, MARGIN, Layout, Rect
from napari_gmsr.evaluate.maps import PAPER_COLORMAP
from napari_gmsr.image import RGBImage

__all__ = [
    "POINT_COLORS",
    "Curves",
    "draw_band",
    "draw_bar",
    "draw_heatmap",
    "draw_picture",
    "draw_spectra",
    "draw_title",
    "elide",
    "name_column",
    "name_row",
    "picture_to_show",
]

POINT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of marked points in their order: those of Okabe and Ito, told apart by everyone."""

_CURVE_COLORS = (*POINT_COLORS, "#882255", "#999933")
_INK, _GREY = "#222222", "#767676"
_SMALL, _NORMAL, _LARGE = 7.5, 8.5, 10.5  # points
_DASHES = (0, (3.2, 1.8))


def elide(text: str, length: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


@dataclass(frozen=True)
class Curves:
    """Which curves stand at each point, and their colours.

    Parameters
    ----------
    cubes
        A curve each. One alone is drawn in the point's colour; several have a colour each, and the
        points are all of the colour of ink.
    labels
        A name for each cube.
    truth
        Drawn dashed, where there is one.
    """

    cubes: Sequence[SpectralCube]
    labels: Sequence[str]
    truth: SpectralCube | None

    def point_color(self, point: int) -> str:
        """Return the colour of a point's ring and number."""
        return POINT_COLORS[point % len(POINT_COLORS)] if len(self.cubes) == 1 else _INK

    def color(self, cube: int, point: int) -> str:
        """Return the colour of a cube's curve at a point."""
        if len(self.cubes) == 1:
            return self.point_color(point)
        return _CURVE_COLORS[cube % len(_CURVE_COLORS)]

    def legend(self) -> list[tuple[Line2D, str]]:
        """Return a sample line and the name of each kind of curve."""
        if len(self.cubes) == 1:
            kinds = [(Line2D([], [], color=_GREY, lw=1.9), "reconstruction")]
        else:
            kinds = [
                (Line2D([], [], color=self.color(index, 0), lw=1.7), elide(label, 16))
                for index, label in enumerate(self.labels)
            ]
        if self.truth is not None:
            kinds.append((Line2D([], [], color=_INK, lw=1.1, ls=_DASHES), "truth"))
        return kinds


def picture_to_show(rgb: RGBImage | None, cube: SpectralCube) -> npt.NDArray[np.float32]:
    """Return sRGB values (y, x, 3) in [0, 1]: of the picture, or the cube's own colours."""
    if rgb is None:
        try:
            rgb = render_rgb(cube, camera="srgb", illuminant="D65", encoding="srgb")
        except InputError:  # bands outside the visible: the mean over bands, in grey
            grey = cube.data.mean(axis=0)
            rgb = RGBImage(np.stack([grey / max(float(grey.max()), 1e-6)] * 3, axis=-1))
    data = np.clip(np.nan_to_num(rgb.data), 0.0, 1.0)
    shown: npt.NDArray[np.float32] = linear_to_srgb(data) if rgb.encoding == "linear" else data
    return shown


def draw_title(figure: Figure, layout: Layout, name: str, detail: str, curves: Curves) -> None:
    """Write the name at the left, the legend of the curves and a detail at the right."""
    y = layout.title_height
    figure.text(
        layout.left / layout.width,
        y,
        elide(name, 48 if len(curves.cubes) == 1 else 26),
        size=_LARGE,
        color=_INK,
        weight="bold",
        va="center",
        parse_math=False,  # a dollar sign in a name is a dollar sign
    )
    right = MARGIN
    if detail:
        figure.text(
            1 - MARGIN / layout.width, y, detail, size=_NORMAL, color=_GREY, va="center", ha="right"
        )
        right += 1.75
    if not layout.spectra:
        return
    samples, names = zip(*curves.legend(), strict=True)
    legend = figure.legend(
        samples,
        names,
        loc="center right",
        bbox_to_anchor=(1 - right / layout.width, y),
        ncols=len(names),
        fontsize=_SMALL,
        labelcolor=_INK,
        frameon=False,
        handlelength=2.2 if len(names) < 5 else 1.4,
        columnspacing=1.4 if len(names) < 5 else 1.0,
        borderaxespad=0,
        borderpad=0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def draw_picture(
    figure: Figure,
    layout: Layout,
    picture: npt.NDArray[np.float32],
    points: Sequence[tuple[int, int]],
    curves: Curves,
) -> None:
    """Draw the colour picture, a numbered ring around every point."""
    axes = _picture_axes(figure, layout.picture_rect())
    axes.imshow(picture, aspect="auto")
    height, width = picture.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    for index, (y, x) in enumerate(points):
        color = curves.point_color(index)
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


def draw_spectra(
    figure: Figure, layout: Layout, points: Sequence[tuple[int, int]], curves: Curves
) -> None:
    """Draw the spectral response curves of each point in axes of its own."""
    nm = curves.cubes[0].wavelengths_nm
    for index, (y, x) in enumerate(points):
        axes = figure.add_axes(layout.spectrum_rect(index))
        drawn = [cube.spectrum(y, x) for cube in curves.cubes]
        for cube, spectrum in enumerate(drawn):
            width = 1.9 if len(drawn) == 1 else 1.3
            axes.plot(nm, spectrum, color=curves.color(cube, index), lw=width)
        detail = f"y {y}, x {x}"
        if curves.truth is not None:
            true = curves.truth.spectrum(y, x)
            axes.plot(nm, true, color=_INK, lw=1.1, ls=_DASHES)
            if len(drawn) == 1:
                detail += f"    RMSE {np.sqrt(np.mean((drawn[0] - true) ** 2)):.3f}"
            drawn.append(true)
        top, bottom = (float(end(drawn)) for end in (np.max, np.min))
        axes.set(xlim=_ends(nm), ylim=(min(1.1 * bottom, 0), max(1.1 * top, 0.01)))
        axes.set_title(
            f"{index + 1}",
            loc="left",
            size=_NORMAL,
            weight="bold",
            color=curves.point_color(index),
            pad=3,
        )
        axes.set_title(detail, loc="right", size=_SMALL, color=_GREY, pad=3)
        lowest = index + layout.spectrum_columns >= len(points)
        _style_spectrum(axes, nm, label=lowest)
        if lowest:
            axes.set_xlabel("wavelength (nm)", size=_SMALL, color=_INK, labelpad=2)
        if index % layout.spectrum_columns == 0:
            axes.set_ylabel("intensity", size=_SMALL, color=_INK, labelpad=3)


def draw_band(figure: Figure, rect: Rect, band: npt.NDArray[np.float32], white: float) -> Axes:
    """Draw a band in grey, encoded as sRGB like a photograph; ``white`` is its white."""
    axes = _picture_axes(figure, rect)
    grey = linear_to_srgb(np.clip(band / white, 0, 1))
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, aspect="auto")
    return axes


def draw_heatmap(
    figure: Figure, rect: Rect, error: npt.NDArray[np.float32], limit: float
) -> tuple[Axes, AxesImage]:
    """Draw a map of errors in the paper's blue to red."""
    axes = _picture_axes(figure, rect)
    return axes, axes.imshow(error, cmap=PAPER_COLORMAP, vmin=0, vmax=limit, aspect="auto")


def draw_bar(
    figure: Figure, layout: Layout, heatmap: AxesImage, rows: tuple[int, int], beyond: bool
) -> None:
    """Draw the one colour bar beside the last column.

    Parameters
    ----------
    figure, layout
        Where.
    heatmap
        Any of those that share the bar.
    rows
        The first and the last row that it stands beside.
    beyond
        Whether some errors exceed the range.
    """
    x, top, width, height = layout.cell_rect(rows[0], layout.columns - 1)
    bottom = layout.cell_rect(rows[1], layout.columns - 1)[1]
    bar = figure.add_axes(
        (
            x + width + GAP / layout.width,
            bottom,
            BAR_WIDTH / layout.width,
            top + height - bottom,
        )
    )
    colorbar = figure.colorbar(
        heatmap, cax=bar, extend="max" if beyond else "neither", extendfrac=0.04
    )
    colorbar.locator = MaxNLocator(5 if layout.cell[1] * (rows[1] - rows[0] + 1) > 1 else 2)
    colorbar.update_ticks()
    colorbar.outline.set_visible(False)
    bar.tick_params(labelsize=_SMALL, colors=_INK, length=2, width=0.6, pad=2)


def name_column(axes: Axes, name: str, nm: float | None = None) -> None:
    """Write a column's name above it, and draw the colour of its band as a line over it."""
    axes.set_title(name, size=_NORMAL, color=_INK, pad=5, parse_math=False)
    if nm is not None:
        _color_line(axes, "top", nm)


def name_row(axes: Axes, layout: Layout, name: str, nm: float | None = None) -> None:
    """Write a row's name beside it, and draw the colour of its band as a line."""
    label = axes.set_ylabel(name, size=_NORMAL, color=_INK, parse_math=False)
    if layout.level_labels:
        label.set(rotation=0, ha="right", va="center")
    if nm is not None:
        _color_line(axes, "left", nm)


def _color_line(axes: Axes, side: str, nm: float) -> None:
    axes.spines[side].set(visible=True, color=tuple(wavelength_to_rgb(nm)), linewidth=3)
    axes.spines[side].set_position(("outward", 1.5))
    axes.spines[side].set_capstyle("butt")


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
    # The strip lies between the axis and its labels, which are points away, however tall the axes.
    figure = axes.get_figure(root=True)
    assert figure is not None
    point = 1 / (72 * axes.get_position().height * figure.get_figheight())
    strip = axes.inset_axes((0, -6 * point, 1, 4 * point))
    strip.imshow(
        wavelength_to_rgb(np.linspace(*ends, 256))[None], aspect="auto", extent=(*ends, 0, 1)
    )
    strip.set_axis_off()


def _ends(nm: npt.NDArray[np.float64]) -> tuple[float, float]:
    first, last = float(nm.min()), float(nm.max())
    return (first, last) if first < last else (first - 5, last + 5)


def _picture_axes(figure: Figure, rect: Rect) -> Axes:
    axes = figure.add_axes(rect)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes
