"""Tiles of a picture, and how their results are blended into one cube."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_gmsr.reconstruct.progress import Reporter

__all__ = ["Cut", "Predict", "blend_tiles", "cuts", "paper_tile_count", "paper_tiles", "tile_count"]

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]
"""(y, x, 3) -> (band, y, x)."""

PAPER_TILE = 128


@dataclass(frozen=True)
class Cut:
    """One tile along one axis: where it lies and how much each of its pixels counts."""

    start: int
    stop: int
    weight: Floats

    @property
    def slice(self) -> slice:
        """The pixels of the tile."""
        return slice(self.start, self.stop)


def cuts(length: int, tile: int, overlap: int) -> list[Cut]:
    """Cut an axis into tiles of one size, spread evenly, with weights that sum to 1 at every pixel.

    Parameters
    ----------
    length
        Pixels along the axis.
    tile
        Pixels of a tile; all have this size unless the axis is shorter.
    overlap
        Least number of pixels that neighbours share, below ``tile``; the weights fade over what
        they share.

    Returns
    -------
    list of Cut
    """
    size = min(tile, length)
    count = 1 if length <= tile else -(-(length - overlap) // (tile - overlap))
    starts = np.linspace(0, length - size, count).round().astype(int)
    ramp = np.minimum(np.arange(size) + 1, np.arange(size)[::-1] + 1)
    weights = np.zeros((count, length))
    for row, start in zip(weights, starts, strict=True):
        row[start : start + size] = np.minimum(ramp, max(1, overlap))
    weights /= weights.sum(axis=0)
    return [
        Cut(int(s), int(s) + size, w[s : s + size].astype(np.float32))
        for s, w in zip(starts, weights, strict=True)
    ]


def tile_count(shape: tuple[int, int], tile: int, overlap: int) -> int:
    """Return how many tiles a picture of (y, x) pixels is cut into."""
    return len(cuts(shape[0], tile, overlap)) * len(cuts(shape[1], tile, overlap))


def blend_tiles(
    picture: Floats, predict: Predict, cube: Floats, report: Reporter, tile: int, overlap: int
) -> Floats:
    """Reconstruct tile by tile, and blend the tiles where they overlap.

    Parameters
    ----------
    picture
        float32 (y, x, 3).
    predict
        Reconstructs one tile.
    cube
        float32 (band, y, x), zero; the result is added to it.
    report
        Told after every tile.
    tile, overlap
        See `cuts`.

    Returns
    -------
    ndarray
        float32 (y, x): how much the tiles disagree at a pixel before they are blended, as the root
        mean square over bands of the standard deviation between them, weighted as they are blended;
        0 where one tile lies alone. Rounding adds up to about 0.0003.
    """
    rows, columns = (cuts(length, tile, overlap) for length in picture.shape[:2])
    squares = np.zeros(picture.shape[:2], np.float32)
    for row in rows:
        for column in columns:
            report.check()
            here = (row.slice, column.slice)
            weight = row.weight[:, None] * column.weight
            # Without a name for the tile's result, which would live on beside the next one.
            _lay(predict(picture[here]), weight, cube[:, *here], squares[here])
            report.advance()
    return _deviation(squares, cube, rows, columns)


def _lay(part: Floats, weight: Floats, cube: Floats, squares: Floats) -> None:
    """Add a tile's result to the cube, and its mean square over bands to the squares."""
    squares += weight * np.einsum("byx,byx->yx", part, part) / len(part)
    cube += part * weight


def _deviation(
    squares: Floats, cube: Floats, rows: Sequence[Cut], columns: Sequence[Cut]
) -> Floats:
    """Turn the mean squares into deviations, in place: less the square of the mean, the cube."""
    several = np.add.outer(_covered(rows), _covered(columns)) > 2
    for start in range(0, len(squares), PAPER_TILE):
        some = slice(start, start + PAPER_TILE)
        mean = cube[:, some]
        squares[some] -= np.einsum("byx,byx->yx", mean, mean) / len(cube)
    np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
    squares *= several
    return squares


def _covered(pieces: Sequence[Cut]) -> npt.NDArray[np.int64]:
    """Return how many tiles lie over each pixel of an axis."""
    count = np.zeros(pieces[-1].stop, np.int64)
    for cut in pieces:
        count[cut.slice] += 1
    return count


def paper_tiles(picture: Floats, predict: Predict, cube: Floats, report: Reporter) -> None:
    """Reconstruct as the paper's test does: 128-pixel tiles on two grids, and flipped too.

    The mean over both orientations of the mean over both grids; pixels that the second grid does
    not reach have the first alone. A tile that would leave the picture is moved back inside, and
    its own pixels only are taken: the notes on the reference say nothing of them.

    Parameters
    ----------
    picture
        float32 (y, x, 3).
    predict
        Reconstructs one tile.
    cube
        float32 (band, y, x), zero; the result is added to it.
    report
        Told after every tile.
    """
    height, width = picture.shape[:2]
    for view, target in ((picture, cube), (picture[::-1], cube[:, ::-1])):
        reached = np.ones((height, width), np.float32)
        if _has_offset_grid(height, width):
            reached[PAPER_TILE // 2 :, PAPER_TILE // 2 :] = 2
        for offset in _offsets(height, width):
            for y, y0 in _grid(height, offset):
                for x, x0 in _grid(width, offset):
                    report.check()
                    part = predict(view[y0 : y0 + PAPER_TILE, x0 : x0 + PAPER_TILE])
                    part = part[:, y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0]
                    target[:, y, x] += part / (2 * reached[y, x])
                    report.advance()


def paper_tile_count(shape: tuple[int, int]) -> int:
    """Return how many tiles `paper_tiles` reconstructs for a picture of (y, x) pixels."""
    return 2 * sum(
        len(list(_grid(shape[0], offset))) * len(list(_grid(shape[1], offset)))
        for offset in _offsets(*shape)
    )


def _has_offset_grid(height: int, width: int) -> bool:
    return min(height, width) > PAPER_TILE // 2


def _offsets(height: int, width: int) -> tuple[int, ...]:
    return (0, PAPER_TILE // 2) if _has_offset_grid(height, width) else (0,)


def _grid(length: int, offset: int) -> Iterator[tuple[slice, int]]:
    """Give the pixels that each tile answers for, and where the tile begins."""
    for start in range(offset, length, PAPER_TILE):
        yield slice(start, min(start + PAPER_TILE, length)), max(0, min(start, length - PAPER_TILE))
