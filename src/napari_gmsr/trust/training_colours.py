"""The colours that the shipped checkpoints saw in training, and whether a picture keeps to them.

The table beside this file is written by ``scripts/training_colours.py``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

__all__ = ["CELLS", "TABLE", "cells_of", "share_of_strange_colours"]

CELLS = 64
"""Of the grid along each of the chromaticities r and g."""
TABLE = Path(__file__).with_suffix(".npz")
_DARK = 0.06
"""R + G + B below which a pixel has no colour worth the name."""


def cells_of(
    linear: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the cells of a picture's colours; pixels too dark for one are left out.

    Parameters
    ----------
    linear
        (..., 3), linear light within [0, 1].

    Returns
    -------
    r, g
        Indices (pixel,) into a grid of `CELLS` by `CELLS`.
    """
    pixels = linear.reshape(-1, 3)
    total = pixels.sum(axis=1)
    pixels, total = pixels[total > _DARK], total[total > _DARK]
    r, g = (np.minimum((pixels[:, c] / total * CELLS).astype(np.int64), CELLS - 1) for c in (0, 1))
    return r, g


def share_of_strange_colours(linear: npt.NDArray[np.float32], checkpoint: str) -> float | None:
    """Return the share of a picture's pixels whose colour is far from those of the training.

    Parameters
    ----------
    linear
        (y, x, 3), linear light within [0, 1].
    checkpoint
        Name of a shipped checkpoint.

    Returns
    -------
    float or None
        Of the pixels that have a colour; ``None`` for another checkpoint, of whose training
        nothing is known here.
    """
    known = _training_colours().get(checkpoint)
    if known is None:
        return None
    r, g = cells_of(linear)
    return float(np.mean(~known[r, g])) if r.size else 0.0


@cache
def _training_colours() -> dict[str, npt.NDArray[np.bool_]]:
    """Return the cells by checkpoint, with a margin of one cell for noise."""
    with np.load(TABLE) as table:
        return {
            name: binary_dilation(
                np.unpackbits(packed)[: CELLS * CELLS].reshape(CELLS, CELLS).astype(bool),
                np.ones((3, 3), bool),
            )
            for name, packed in table.items()
        }
