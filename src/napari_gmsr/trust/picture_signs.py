"""Numbers that tell of a picture's defects: noise, JPEG's blocks, a colour cast, its levels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve

__all__ = ["block_edges", "colour_cast_deg", "empty_levels", "noise_level"]

Floats = npt.NDArray[np.float32]

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Of two second differences; scaled so that white noise keeps its standard deviation."""
_BLOCK = 16
_CALM = 20
"""Percentile of the blocks that counts: the calm ones."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STEP = 0.02
"""Greatest difference that counts as a block's edge; what is more is the scene's."""
_MINKOWSKI = 6


def noise_level(encoded: Floats) -> float:
    """Return the standard deviation of the noise that differs from channel to channel.

    A Laplacian after Immerkær [1]_ in blocks of 16 x 16 pixels; of its 3 x 3 covariance over a
    block the smallest eigenvalue, since texture moves the channels together and a sensor's noise
    does not; of the blocks a calm one.

    Parameters
    ----------
    encoded
        (y, x, 3) within [0, 1].

    Returns
    -------
    float
        In the picture's numbers; 0 where fewer than ten blocks are neither black nor white.

    References
    ----------
    .. [1] J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding
           64(2), 1996.
    """
    height, width = (side // _BLOCK * _BLOCK for side in encoded.shape[:2])
    if height * width < 10 * _BLOCK**2:
        return 0.0
    picture = encoded[:height, :width]
    residual = np.stack([convolve(picture[..., c], _LAPLACIAN) for c in range(3)], axis=-1)
    blocks, levels = (
        a.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3)
        .swapaxes(1, 2)
        .reshape(-1, _BLOCK**2, 3)
        for a in (residual, picture)
    )
    mean = levels.mean(axis=1)
    usable = ((mean > 0.04) & (mean < 0.96)).all(axis=1)
    if np.count_nonzero(usable) < 10:
        return 0.0
    covariance = np.einsum("npi,npj->nij", blocks[usable], blocks[usable]) / _BLOCK**2
    least = np.linalg.eigvalsh(covariance.astype(np.float64))[:, 0]
    return float(np.percentile(np.sqrt(np.maximum(least, 0)), _CALM))


def block_edges(encoded: Floats) -> float:
    """Return how much the differences across the edges of 8 x 8 blocks stand out.

    Parameters
    ----------
    encoded
        (y, x, 3) within [0, 1].

    Returns
    -------
    float
        Mean absolute difference across one of the eight phases of columns, beyond its neighbours',
        less the same of the next phase; the smaller of columns and rows, so that both must have it.
        In the picture's numbers; 0 in pictures under 64 pixels.
    """
    if min(encoded.shape[:2]) < 64:
        return 0.0
    luma = encoded @ _LUMA
    return min(_standing_out(luma), _standing_out(luma.T))


def _standing_out(luma: Floats) -> float:
    step = np.abs(np.diff(luma, axis=0))
    beyond = np.clip(step[1:-1] - (step[:-2] + step[2:]) / 2, -_STEP, _STEP)
    phases = np.sort([beyond[phase::8].mean() for phase in range(8)])
    return float(phases[-1] - phases[-2])


def colour_cast_deg(linear: Floats, white: npt.NDArray[np.float64]) -> float:
    """Return the angle of the light's colour from white, as far as all estimates agree.

    Grey world, white patch, shades of grey and grey edge [1]_ each err on some pictures; the
    smallest of their angles is what is left to say.

    Parameters
    ----------
    linear
        (y, x, 3), linear light within [0, 1].
    white
        What a perfect white gives in each channel.

    Returns
    -------
    float
        In degrees; 0 where too few pixels are neither black nor clipped.

    References
    ----------
    .. [1] J. van de Weijer, T. Gevers and A. Gijsenij, "Edge-based color constancy", IEEE
           Transactions on Image Processing 16(9), 2007.
    """
    usable = (linear < 0.99).all(axis=2) & (linear.max(axis=2) > 0.02)
    if np.count_nonzero(usable) < 100:
        return 0.0
    pixels = linear[usable] / white
    mean = pixels.mean(axis=1)
    return min(
        _angle(pixels.mean(axis=0)),
        _angle(pixels[mean >= np.percentile(mean, 97)].mean(axis=0)),
        _angle((pixels**_MINKOWSKI).mean(axis=0) ** (1 / _MINKOWSKI)),
        _angle(_mean_edge(linear / white)),
    )


def _mean_edge(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    down, right = np.diff(linear, axis=0)[:, :-1], np.diff(linear, axis=1)[:-1]
    return np.asarray(((down**2 + right**2) ** 2).mean(axis=(0, 1)) ** 0.25)


def _angle(colour: npt.NDArray[np.floating]) -> float:
    light = np.asarray(colour, dtype=np.float64)
    length = float(np.linalg.norm(light))
    if length == 0:
        return 0.0
    return float(np.degrees(np.arccos(np.clip(light.sum() / (np.sqrt(3) * length), -1, 1))))


def empty_levels(samples: npt.NDArray[np.int64]) -> float:
    """Return the share of the levels between a channel's 1st and 99th percentile that is unused.

    Parameters
    ----------
    samples
        (y, x, 3), whole numbers.

    Returns
    -------
    float
        Of the channel that uses most; 0 where the levels are too few or the pixels too few to tell.
    """
    return min(_unused(samples[..., c]) for c in range(3))


def _unused(channel: npt.NDArray[np.int64]) -> float:
    low, high = (int(v) for v in np.percentile(channel, (1, 99)))
    count = high - low + 1
    if count < 32 or channel.size < 50 * count:
        return 0.0
    used = np.unique(channel[(channel >= low) & (channel <= high)]).size
    return 1 - used / count
