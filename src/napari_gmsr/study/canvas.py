"""What the report's figures share: a page in inches, colours for models, plain axes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from napari_gmsr.evaluate import save_figure
from napari_gmsr.io import atomic_output

__all__ = ["GREY", "HEAT", "INK", "LARGE", "NORMAL", "SMALL", "Canvas", "Drawing", "ModelStyle"]

INK, GREY, FAINT = "#222222", "#767676", "#e6e6e6"
SMALL, NORMAL, LARGE = 7.0, 8.0, 9.5  # points
HEAT = "inferno"
"""Of heatmaps: rising in lightness all the way, so that everyone reads it, in print too."""

# Okabe and Ito's, told apart by everyone; a second round is dashed.
_COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.4)), (0, (1.2, 1.2)))
_MARKERS = "osD^vPX"


@dataclass(frozen=True)
class ModelStyle:
    """How a model is drawn, the same in every figure.

    Parameters
    ----------
    number
        Of the model; 0 is the one that others are compared with.
    """

    number: int

    @property
    def color(self) -> str:
        """Its colour."""
        return _COLORS[self.number % len(_COLORS)]

    @property
    def dashes(self) -> Any:
        """Its line, where there are more models than colours."""
        return _DASHES[self.number // len(_COLORS) % len(_DASHES)]

    @property
    def marker(self) -> str:
        """Its marker."""
        return _MARKERS[self.number // len(_COLORS) % len(_MARKERS)]

    @property
    def width(self) -> float:
        """Of its line, in points."""
        return 1.9 if self.number == 0 else 1.1

    def sample(self) -> Line2D:
        """Return a line for a legend."""
        return Line2D([], [], color=self.color, ls=self.dashes, lw=self.width)


@dataclass(frozen=True)
class Drawing:
    """A figure with the data that it shows.

    Parameters
    ----------
    name
        Of its files.
    caption
        What it shows.
    figure
        Made without pyplot: it belongs to no window and changes no global setting.
    data
        JSON types.
    """

    name: str
    caption: str
    figure: Figure
    data: dict[str, Any]

    def save(self, folder: Path) -> list[Path]:
        """Write it as PNG, PDF and SVG, with its data as JSON beside them."""
        files = [folder / f"{self.name}{suffix}" for suffix in (".png", ".pdf", ".svg")]
        for file in files:
            save_figure(self.figure, file, overwrite=True)
        beside = folder / f"{self.name}.json"
        with atomic_output(beside, overwrite=True) as temporary:
            record = {"caption": self.caption, **self.data}
            temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return [*files, beside]


class Canvas:
    """A white page, measured in inches from its top left corner.

    Parameters
    ----------
    width, height
        In inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes."""
        return self.figure.add_axes(
            (
                x / self.width,
                1 - (y + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def picture(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes without ticks and frame."""
        axes = self.axes(x, y, width, height)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return axes

    def text(self, x: float, y: float, text: str, **more: Any) -> None:
        """Write a text; a dollar sign in it is a dollar sign."""
        style = {"size": NORMAL, "color": INK, "va": "center", "parse_math": False, **more}
        self.figure.text(x / self.width, 1 - y / self.height, text, **style)

    def legend(
        self, x: float, y: float, samples: Sequence[Any], names: Sequence[str], columns: int
    ) -> None:
        """Write a legend, its upper left corner here."""
        legend = self.figure.legend(
            samples,
            names,
            loc="upper left",
            bbox_to_anchor=(x / self.width, 1 - y / self.height),
            ncols=columns,
            fontsize=SMALL,
            labelcolor=INK,
            frameon=False,
            handlelength=1.9,
            columnspacing=1.4,
            borderaxespad=0,
            borderpad=0,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def plain(axes: Axes) -> None:
    """Give axes light lines and small labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=GREY, linewidth=0.6)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL, colors=INK, length=2, width=0.6, color=GREY, pad=2)


def few_ticks(axes: Axes, most: int = 4) -> None:
    """Let both axes have a few round ticks."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))


def columns_for(names: Sequence[str], width: float) -> int:
    """Return how many columns of a legend fit into a width in inches."""
    widest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), int(width / (0.055 * widest + 0.62))))


def finite_or_none(values: npt.NDArray[np.floating[Any]]) -> list[float | None]:
    """Return values for JSON."""
    return [float(value) if np.isfinite(value) else None for value in values]
