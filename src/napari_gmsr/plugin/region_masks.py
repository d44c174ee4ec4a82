"""Regions drawn in napari, Shapes and Labels, as masks over the pixels of a cube."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from napari.layers import Labels, Shapes

if TYPE_CHECKING:
    from napari.layers import Layer

__all__ = ["Grid", "LabelRegions", "RegionMasks", "ShapeRegions", "region_masks"]

_ELLIPSE_CORNERS = 90

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a layer lie in the world: ``origin + matrix @ (y, x)``.

    Parameters
    ----------
    shape
        Height and width in pixels.
    origin
        float64 (2,): world position of the first pixel.
    matrix
        float64 (2, 2): a step down and a step to the right, as columns.
    """

    shape: tuple[int, int]
    origin: Points
    matrix: Points

    @classmethod
    def of_layer(cls, layer: Layer, shape: tuple[int, int]) -> Grid:
        """Return the grid of a layer whose last two axes are rows and columns."""
        corners = [(0, 0), (1, 0), (0, 1)]
        ahead = (0,) * (layer.ndim - 2)
        origin, down, right = (
            np.asarray(layer.data_to_world((*ahead, *corner))[-2:], dtype=np.float64)
            for corner in corners
        )
        return cls(shape, origin, np.stack([down - origin, right - origin], axis=1))

    def to_world(self, pixels: Points) -> Points:
        """Return world positions (n, 2) of rows and columns (n, 2)."""
        return self.origin + pixels @ self.matrix.T

    def from_world(self, positions: Points) -> Points:
        """Return rows and columns (n, 2), not rounded, of world positions (n, 2)."""
        return np.asarray(np.linalg.solve(self.matrix, (positions - self.origin).T).T, np.float64)

    def is_same(self, other: Grid) -> bool:
        """Say whether two grids are pixel by pixel the same."""
        return self.shape == other.shape and all(
            np.allclose(one, two)
            for one, two in ((self.origin, other.origin), (self.matrix, other.matrix))
        )


class RegionMasks(Protocol):
    """Regions of one layer, read in the window's thread and drawn as masks in another."""

    def masks(self, grid: Grid) -> Iterator[tuple[int, Mask]]:
        """Yield the number of each region that touches a grid, and its mask (y, x) there."""


@dataclass(frozen=True)
class ShapeRegions:
    """Shapes as outlines in the world.

    Parameters
    ----------
    outlines
        For each shape its corners (n, 2), and whether they enclose an area.
    """

    outlines: tuple[tuple[Points, bool], ...]

    def masks(self, grid: Grid) -> Iterator[tuple[int, Mask]]:
        """Yield the shapes counted from 1; a line is the pixels that it crosses."""
        for number, (outline, encloses) in enumerate(self.outlines, start=1):
            corners = grid.from_world(outline)
            mask = _area(corners, grid.shape) if encloses else _line(corners, grid.shape)
            if mask.any():
                yield number, mask


@dataclass(frozen=True)
class LabelRegions:
    """Labels in their own grid.

    Parameters
    ----------
    labels
        Integers (y, x), or (band, y, x), where a region is what any band has of it; 0 is nothing.
    grid
        Of the labels.
    """

    labels: Any
    grid: Grid

    def masks(self, grid: Grid) -> Iterator[tuple[int, Mask]]:
        """Yield the labels that occur, in rising order."""
        labels = np.asarray(self.labels)
        if labels.ndim == 3:
            labels = labels.max(axis=0)
        if not grid.is_same(self.grid):
            labels = self._seen_by(grid, labels)
        for number in np.unique(labels):
            if number:
                yield int(number), labels == number

    def _seen_by(self, grid: Grid, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the label under each pixel of another grid."""
        pixels = np.indices(grid.shape).reshape(2, -1).T.astype(np.float64)
        places = np.rint(self.grid.from_world(grid.to_world(pixels))).astype(np.intp)
        inside = ((places >= 0) & (places < self.grid.shape)).all(axis=1)
        seen = np.zeros(len(pixels), dtype=labels.dtype)
        seen[inside] = labels[tuple(places[inside].T)]
        return seen.reshape(grid.shape)


def region_masks(layer: Shapes | Labels) -> RegionMasks:
    """Return the regions of a layer; its numbers count shapes from 1, or are the labels."""
    if isinstance(layer, Labels):
        labels = layer.data[0] if layer.multiscale else layer.data
        return LabelRegions(labels, Grid.of_layer(layer, labels.shape[-2:]))
    grid = Grid.of_layer(layer, (0, 0))
    return ShapeRegions(
        tuple(
            (grid.to_world(_corners(kind, data[:, -2:])), kind not in ("line", "path"))
            for kind, data in zip(layer.shape_type, layer.data, strict=True)
        )
    )


def _corners(kind: str, data: Points) -> Points:
    """Return a shape's corners; napari keeps an ellipse as the corners of the box around it."""
    if kind != "ellipse":
        return np.asarray(data, dtype=np.float64)
    turn = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    one, other = (data[1] - data[0]) / 2, (data[3] - data[0]) / 2
    corners: Points = data.mean(axis=0) + np.cos(turn) * one + np.sin(turn) * other
    return corners


def _area(corners: Points, shape: tuple[int, int]) -> Mask:
    from skimage.draw import polygon2mask

    mask: Mask = polygon2mask(shape, corners)  # type: ignore[no-untyped-call]
    return mask


def _line(corners: Points, shape: tuple[int, int]) -> Mask:
    from skimage.draw import line

    mask = np.zeros(shape, dtype=bool)
    pixels = np.rint(corners).astype(int)
    for start, end in pairwise(pixels):
        rows, columns = line(*start, *end)  # type: ignore[no-untyped-call]
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        mask[rows[inside], columns[inside]] = True
    return mask
