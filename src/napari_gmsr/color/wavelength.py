"""The colour in which a band is shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_gmsr.color.encoding import XYZ_TO_SRGB, linear_to_srgb

__all__ = ["wavelength_to_rgb"]

# Wyman, Sloan and Shirley (2013), table 1: the lobes (weight, centre in nm, width below and above
# it in nm) of the CIE 1931 colour-matching functions. A viewer asks for these colours while the
# mouse moves, when colour-science, which takes a second to import, would stall it.
_LOBES = (
    ((0.362, 442.0, 16.0, 26.7), (1.056, 599.8, 37.9, 31.0), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)


def wavelength_to_rgb(nm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a display colour for light of one wavelength.

    The chromaticity of monochromatic light lies outside every display's gamut: the negative part is
    clipped, the largest channel is set to 1. Towards the ends of the visible range, below 440 and
    above 630 nm, the colour fades to 0.3 of it in linear light, so that the ends look like ends and
    stay visible. Below 380 and above 780 nm it is a neutral grey.

    Parameters
    ----------
    nm
        One or many wavelengths in nanometres.

    Returns
    -------
    ndarray
        sRGB in [0, 1], float64, of the shape of ``nm`` with an axis of 3 appended.

    References
    ----------
    C. Wyman, P.-P. Sloan, P. Shirley, "Simple Analytic Approximations to the CIE XYZ Color Matching
    Functions", Journal of Computer Graphics Techniques 2(2), 2013.
    """
    wavelength = np.asarray(nm, dtype=np.float64)
    # The chromaticity hardly changes towards the ends, where the lobes no longer follow the
    # functions.
    hue = np.clip(wavelength, 400.0, 670.0)
    xyz = np.stack([_lobes(hue, lobes) for lobes in _LOBES], axis=-1)
    linear = np.maximum(xyz @ XYZ_TO_SRGB.T, 0.0)
    linear /= linear.max(axis=-1, keepdims=True)
    fade = np.interp(wavelength, [380, 440, 630, 720], [0.3, 1.0, 1.0, 0.3])
    visible = (wavelength >= 380) & (wavelength <= 780)
    return linear_to_srgb(np.where(visible[..., None], linear * fade[..., None], 0.2))


def _lobes(
    nm: npt.NDArray[np.float64], lobes: tuple[tuple[float, float, float, float], ...]
) -> npt.NDArray[np.float64]:
    total = np.zeros_like(nm)
    for weight, centre, below, above in lobes:
        width = np.where(nm < centre, below, above)
        total += weight * np.exp(-0.5 * ((nm - centre) / width) ** 2)
    return total
