"""Pixels worth looking at, where nobody has marked any."""

from __future__ import annotations

import numpy as np

from napari_gmsr.cube import SpectralCube

__all__ = ["representative_points"]

_CELLS = 24  # candidates a side: enough to meet every object, few enough to compare all at once
_DARK = 0.15  # of the brightest candidate; the spectrum of a darker pixel is mostly noise


def representative_points(cube: SpectralCube, count: int = 4) -> list[tuple[int, int]]:
    """Return pixels whose spectra differ most in shape.

    The first is the brightest of a coarse grid of pixels; each further one is the pixel of the grid
    with the largest spectral angle to the nearest of those before it (farthest-point sampling).
    Dark pixels are left out.

    Parameters
    ----------
    cube
        The cube, finite.
    count
        How many to return; fewer where the picture has fewer pixels.

    Returns
    -------
    list of (int, int)
        Rows and columns, from top to bottom.
    """
    _, height, width = cube.shape
    rows, columns = (
        np.unique(((np.arange(_CELLS) + 0.5) * size / _CELLS).astype(int))
        for size in (height, width)
    )
    spectra = cube.data[:, rows][:, :, columns].reshape(cube.shape[0], -1).T.astype(np.float64)
    norms = np.linalg.norm(spectra, axis=1)
    candidates = np.flatnonzero(norms >= _DARK * norms.max())
    directions = spectra[candidates] / np.maximum(norms[candidates], np.finfo(float).tiny)[:, None]
    chosen = [int(norms[candidates].argmax())]
    nearest = directions @ directions[chosen[0]]  # cosine to the nearest chosen pixel
    while len(chosen) < min(count, len(candidates)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, directions @ directions[chosen[-1]])
    at = np.sort(candidates[chosen])
    return [(int(rows[i // columns.size]), int(columns[i % columns.size])) for i in at]
