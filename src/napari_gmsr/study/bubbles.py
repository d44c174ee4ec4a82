"""The paper's Fig. 1: PSNR against cost, a bubble's area for parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from napari_gmsr.networks import NetworkCost
from napari_gmsr.study.canvas import GREY, INK, NORMAL, SMALL, Canvas, Drawing, ModelStyle, plain
from napari_gmsr.study.findings import METRICS, Findings, Group, Value
from napari_gmsr.study.labels import Box, place_labels

__all__ = ["draw_bubbles"]

_PSNR = METRICS["paper"][1]
_PANEL, _GAP, _LEFT, _TOP, _BOTTOM = 3.1, 0.62, 0.62, 0.62, 0.62  # inches
_LARGEST, _SMALLEST = 1500.0, 22.0  # points squared


def draw_bubbles(findings: Findings, costs: Mapping[str, NetworkCost]) -> Drawing | None:
    """Draw a panel for each dataset; ``None`` where no model has both a PSNR and a cost.

    Parameters
    ----------
    findings
        Of the study.
    costs
        Of models by their titles.
    """
    shown = {
        group: [
            (model.title, value, costs[model.title])
            for model in findings.models("comparison")
            if model.title in costs
            and not math.isnan((value := findings.value(model.title, group, _PSNR)).mean)
        ]
        for group in findings.groups
    }
    shown = {group: points for group, points in shown.items() if points}
    if not shown:
        return None
    numbers = findings.numbers
    everything = [cost for points in shown.values() for *_, cost in points]
    largest = max(cost.parameters_paper for cost in everything)
    canvas = Canvas(_LEFT + len(shown) * (_PANEL + _GAP), _TOP + _PANEL + _BOTTOM)
    for index, (group, points) in enumerate(shown.items()):
        axes = canvas.axes(_LEFT + index * (_PANEL + _GAP), _TOP, _PANEL, _PANEL)
        plain(axes)
        axes.set_title(findings.title(group), size=NORMAL, color=INK, pad=6, parse_math=False)
        _draw(axes, points, numbers, largest)
        axes.set_xlabel("multiply-accumulates at 512 × 482 pixels (G)", size=SMALL, color=INK)
        if index == 0:
            axes.set_ylabel("PSNR (dB), paper's metric", size=SMALL, color=INK)
    canvas.text(
        _LEFT,
        0.2,
        f"Area of a bubble: number of parameters; the largest {_millions(largest)}",
        size=SMALL,
        color=GREY,
    )
    return Drawing(
        "fig1_bubbles",
        "PSNR against cost, a bubble's area for the number of parameters (as the paper's Fig. 1)",
        canvas.figure,
        {"panels": [_record(findings, group, points) for group, points in shown.items()]},
    )


Points = list[tuple[str, Value, NetworkCost]]


def _draw(axes: Axes, points: Points, numbers: Mapping[str, int], largest: int) -> None:
    axes.set_xscale("log")
    xs = [cost.macs / 1e9 for *_, cost in points]
    ys = [value.mean for _, value, _ in points]
    low, high = min(ys), max(ys)
    margin = max(0.14 * (high - low), 0.3)
    axes.set(xlim=(min(xs) / 3.2, max(xs) * 3.2), ylim=(low - margin, high + margin))
    # The large ones lie below, so that none is hidden.
    for title, value, cost in sorted(points, key=lambda point: -point[2].parameters):
        style = ModelStyle(numbers[title])
        area = _area(cost, largest)
        x = cost.macs / 1e9
        if not math.isnan(value.spread):
            axes.errorbar(x, value.mean, value.spread, color=style.color, lw=1.0, capsize=2)
        axes.scatter(x, value.mean, s=area, c=style.color, marker=style.marker, alpha=0.55, lw=0.9)
    _label(axes, points, [_area(cost, largest) for *_, cost in points])
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _area(cost: NetworkCost, largest: int) -> float:
    return max(_LARGEST * cost.parameters_paper / largest, _SMALLEST)


def _label(axes: Axes, points: Points, areas: list[float]) -> None:
    """Write the models' names beside their bubbles."""
    x0, y0, x1, y1 = (each * 72 for each in _page(axes))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / left) / math.log(right / left)
        return x0 + across * (x1 - x0), y0 + (y - bottom) / (top - bottom) * (y1 - y0)

    centres = [at(cost.macs / 1e9, value.mean) for _, value, cost in points]
    titles = [title for title, *_ in points]
    radii = [math.sqrt(area) / 2 for area in areas]
    boxes = place_labels(centres, radii, titles, SMALL, Box(x0, y0, x1, y1))
    for title, centre, box, (_, value, cost) in zip(titles, centres, boxes, points, strict=True):
        middle = (box.left + box.right) / 2, (box.bottom + box.top) / 2
        axes.annotate(
            title,
            (cost.macs / 1e9, value.mean),
            (middle[0] - centre[0], middle[1] - centre[1]),
            textcoords="offset points",
            ha="center",
            va="center",
            size=SMALL,
            color=INK,
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
            parse_math=False,
        )


def _page(axes: Axes) -> tuple[float, float, float, float]:
    """Return where axes lie, in inches: left, bottom, right, top."""
    figure, box = axes.get_figure(), axes.get_position()
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches()
    return box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.3g} M"


def _record(findings: Findings, group: Group, points: Points) -> dict[str, Any]:
    return {
        "dataset": findings.title(group),
        "models": [
            {
                "model": title,
                "psnr_db": value.mean,
                "spread_db": None if math.isnan(value.spread) else value.spread,
                "cost": asdict(cost),
            }
            for title, value, cost in points
        ],
    }
