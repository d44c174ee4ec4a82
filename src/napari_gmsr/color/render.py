"""The RGB picture that a camera takes of a spectral cube."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_gmsr.color.encoding import XYZ_TO_SRGB, linear_to_srgb
from napari_gmsr.color.illuminants import illuminant as illuminant_power
from napari_gmsr.color.responses import WHITE_LEVEL, CameraResponse, camera_response
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import Encoding, RGBImage

__all__ = ["render_rgb", "rendering_matrix"]

_LUMINANCE = np.linalg.inv(XYZ_TO_SRGB)[1]  # Y of linear sRGB


def rendering_matrix(
    camera: CameraResponse | str | Path = "cie_1964",
    illuminant: str | None = None,
    wavelengths_nm: npt.ArrayLike = WAVELENGTHS_NM,
) -> npt.NDArray[np.float64]:
    """Return the matrix that takes spectra to a camera's linear RGB: ``rgb = spectra @ matrix``.

    A row is the camera's sensitivity at a band, times the illuminant's power there, times the
    band's width (the mean distance to its neighbours). One common factor, the exposure, is set by a
    perfect white, whose spectrum is 1 in every band: its strongest channel gives 255/256, as in
    NTIRE2020. With the colorimetric ``"srgb"`` its luminance is 1. There is no white balance: the
    channels keep their proportions.

    Parameters
    ----------
    camera
        A response, a shipped name or a file, as for `camera_response`.
    illuminant
        The light on a reflectance cube, as for `napari_gmsr.color.illuminant`. ``None`` is equal
        power at every band, and right for a cube that holds radiance.
    wavelengths_nm
        The bands, in nanometres, strictly rising or falling.

    Returns
    -------
    ndarray
        float64 (band, 3).

    Raises
    ------
    InputError
        Where a name is unknown, or the bands miss a whole channel of the camera or a part of the
        illuminant.
    """
    response = camera if isinstance(camera, CameraResponse) else camera_response(camera)
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    matrix = response.at(nm)
    if not matrix.any(axis=0).all():
        raise InputError(
            f"camera '{response.name}' has a channel that sees nothing "
            f"at {nm.min():g} to {nm.max():g} nm",
            fix=f"It is sensitive between {response.wavelengths_nm[0]:g} and "
            f"{response.wavelengths_nm[-1]:g} nm: use a cube with bands there, or another camera.",
        )
    if nm.size > 1:
        matrix *= np.abs(np.gradient(nm))[:, None]
    if illuminant is not None:
        matrix *= illuminant_power(illuminant, nm)[:, None]
    white = matrix.sum(axis=0)
    exposure = 1 / (white @ _LUMINANCE) if response.colorimetric else WHITE_LEVEL / white.max()
    return np.asarray(matrix * exposure, dtype=np.float64)


def render_rgb(
    cube: SpectralCube | npt.ArrayLike,
    camera: CameraResponse | str | Path = "cie_1964",
    illuminant: str | None = None,
    encoding: Encoding = "linear",
) -> RGBImage:
    """Return the RGB picture that a camera takes of a cube.

    The linear picture is ``clip(cube @ matrix, 0, 1)`` with the matrix of `rendering_matrix`; it is
    not quantised. With the defaults and bands at 400, 410, ... 700 nm that is NTIRE2020's "Clean"
    picture before its rounding to 8 bits. ``render_rgb(cube, camera="srgb", illuminant="D65",
    encoding="srgb")`` is an ideal photograph of a reflectance cube: the CIE 1964 observer's XYZ
    under D65, with Y = 1 for a perfect white, to linear sRGB by IEC 61966-2-1's matrix, clipped,
    encoded.

    Parameters
    ----------
    cube
        A cube, or an array (31, y, x) with bands at 400, 410, ... 700 nm; 1 is a perfect white.
    camera
        A response, a shipped name or a file, as for `camera_response`.
    illuminant
        The light on a reflectance cube, such as ``"D65"``; ``None`` is equal power at every band.
    encoding
        ``"linear"``, or ``"srgb"`` to encode by the transfer curve of IEC 61966-2-1.

    Returns
    -------
    RGBImage
        float32 (y, x, 3) within [0, 1]: what is brighter than full scale, or outside the gamut, is
        clipped. NaN stays NaN.

    Raises
    ------
    InputError
        Where a name is unknown, the array is no cube, or its bands miss a whole channel of the
        camera.
    """
    if encoding not in ("srgb", "linear"):
        raise InputError(f"unknown encoding '{encoding}'", fix="Use 'srgb' or 'linear'.")
    if not isinstance(cube, SpectralCube):
        cube = SpectralCube(np.asarray(cube, dtype=np.float32))
    matrix = rendering_matrix(camera, illuminant, cube.wavelengths_nm).astype(np.float32)
    bands, height, width = cube.shape
    rgb = (cube.data.reshape(bands, -1).T @ matrix).reshape(height, width, 3)
    rgb = np.clip(rgb, 0.0, 1.0)
    if encoding == "srgb":
        rgb = linear_to_srgb(rgb)
    return RGBImage(rgb, encoding=encoding, bit_depth=32, name=cube.name)
