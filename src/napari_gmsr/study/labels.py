"""Names beside bubbles, where they hide nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Box", "place_labels"]

_WIDE, _HIGH = 0.6, 1.25
"""A letter's mean width and a line's height, in sizes of the type."""
_APART = 2.5


@dataclass(frozen=True)
class Box:
    """A rectangle, in points.

    Parameters
    ----------
    left, bottom, right, top
        Its sides.
    """

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, half: float) -> Box:
        """Return a square about a point."""
        return cls(x - half, y - half, x + half, y + half)

    def shared(self, other: Box) -> float:
        """Return the area that two have in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        """Its area."""
        return (self.right - self.left) * (self.top - self.bottom)


def place_labels(
    centres: Sequence[tuple[float, float]],
    radii: Sequence[float],
    texts: Sequence[str],
    size: float,
    page: Box,
) -> list[Box]:
    """Choose a place for each text beside its bubble, one after the other.

    Of several places around a bubble the one is taken that shares the least area with other
    bubbles, with the labels before it and with what lies beyond the page; the first of those that
    are alike.

    Parameters
    ----------
    centres, radii
        Of the bubbles, in points.
    texts
        A line each.
    size
        Of the type, in points.
    page
        Where labels may stand.

    Returns
    -------
    list of Box
        Where each text stands.
    """
    bubbles = [Box.around(*centre, radius) for centre, radius in zip(centres, radii, strict=True)]
    placed: list[Box] = []
    for index, text in enumerate(texts):
        others = [bubble for other, bubble in enumerate(bubbles) if other != index]
        width, height = _WIDE * size * len(text), _HIGH * size

        def hidden(box: Box, taken: tuple[Box, ...] = (*others, *placed)) -> float:
            return sum(map(box.shared, taken)) + 3 * (box.area - box.shared(page))

        placed.append(min(_around(bubbles[index], width, height), key=hidden))
    return placed


def _around(bubble: Box, width: float, height: float) -> Iterator[Box]:
    """Yield boxes about a bubble: above, below, right, left, and at its corners."""
    middle = (bubble.left + bubble.right) / 2, (bubble.bottom + bubble.top) / 2
    lefts = middle[0] - width / 2, bubble.right + _APART, bubble.left - _APART - width
    bottoms = bubble.top + _APART / 2, bubble.bottom - _APART / 2 - height, middle[1] - height / 2
    for row, column in ((0, 0), (1, 0), (2, 1), (2, 2), (0, 1), (0, 2), (1, 1), (1, 2)):
        left, bottom = lefts[column], bottoms[row]
        yield Box(left, bottom, left + width, bottom + height)
