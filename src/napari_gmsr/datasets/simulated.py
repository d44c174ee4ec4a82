"""Simulated scenes: a photograph's structure, measured reflectances as its spectra.

A pixel's spectrum is a non-negative mixture of measured spectra that has the pixel's colour. Many
mixtures have (they are metamers): which one is taken follows from a random palette.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, Delaunay, cKDTree

from napari_gmsr.color import render_rgb, rendering_matrix, srgb_to_linear
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.datasets.spectra import color_checker as color_checker_reflectances
from napari_gmsr.datasets.spectra import measured_reflectances
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage

__all__ = ["sample_scene", "simulate_scene"]

Array = npt.NDArray[np.float64]

PALETTE_SIZE = 64
PATCH = 20  # side of a ColorChecker patch in pixels, and
GAP = 4  # the black frame around it


def simulate_scene(
    photo: RGBImage,
    spectra: npt.ArrayLike | None = None,
    seed: int = 0,
    *,
    color_checker: bool = False,
    regions: int = 1,
) -> tuple[RGBImage, SpectralCube]:
    """Give a photograph a spectrum at every pixel, and photograph that again.

    The picture is decoded to linear light and taken for a surface under daylight (CIE D65). Where a
    random palette of measured reflectances can mix a pixel's chromaticity, the pixel gets the
    mixture of the three nearest of them (barycentric coordinates in a Delaunay triangulation of the
    palette's chromaticities); elsewhere that of the nearest chromaticity the palette reaches. Its
    brightness is the photograph's. The cube is then rendered under D65, clipped, encoded and
    rounded to 8 bits, so that the returned picture is exactly what the ideal camera ``"srgb"`` sees
    of the returned cube.

    Parameters
    ----------
    photo
        A photograph, any encoding.
    spectra
        Reflectances (n, 31) at 400, 410, ... 700 nm within [0, 1], at least four; by default those
        that `measured_reflectances` finds in colour-science.
    seed
        Chooses the palette, and with it the metamers. The same seed gives the same scene.
    color_checker
        Lay a ColorChecker with its measured reflectances into the lower right corner. It needs a
        picture of at least 148 x 100 pixels.
    regions
        Parts of the picture, alike in place and colour, each with a palette of its own: the same
        colour is another metamer in another region.

    Returns
    -------
    picture : RGBImage
        sRGB rounded to 8 bits, as float32 (y, x, 3) within [0, 1].
    cube : SpectralCube
        The truth: reflectance times shading, float32 (31, y, x) within [0, 1].

    Raises
    ------
    InputError
        Where the spectra are no such array, the picture is not finite, or too small for the chart.
    """
    rng = np.random.default_rng(seed)
    palettes = [_palette(spectra, rng) for _ in range(max(1, regions))]
    palette = palettes[0]
    matrix = rendering_matrix("srgb", "D65")
    linear = _linear(photo)
    region = _regions(linear, len(palettes), rng)
    data = np.empty((*linear.shape[:2], WAVELENGTHS_NM.size), np.float32)
    for number, own in enumerate(palettes):
        inside = region == number
        if inside.any():
            data[inside] = _mixtures(linear[inside][None], own, matrix)[0]
    # A saturated highlight asks for more than all light back: the whole scene is darkened for it.
    exposure = 1.0 / max(1.0, float(np.percentile(data.max(axis=2), 99.5)))
    data = np.clip(data * exposure, 0.0, 1.0)
    if color_checker:
        _lay_color_checker(data, photo.name)
    sources = dict(measured_reflectances().sources) if spectra is None else {"given": len(palette)}
    cube = SpectralCube.from_band_last(
        data,
        name=f"{photo.name} (simulated) truth",
        provenance={
            "simulated": True,
            "structure": photo.name,
            "spectra": sources,
            "illuminant": "D65",
            "camera": "srgb",
            "seed": seed,
            "color_checker": color_checker,
        },
    )
    picture = render_rgb(cube, camera="srgb", illuminant="D65", encoding="srgb")
    return (
        replace(
            picture,
            data=(np.rint(picture.data * 255) / 255).astype(np.float32),
            bit_depth=8,
            name=f"{photo.name} (simulated)",
            notes=(
                f"Simulated: the structure of '{photo.name}', measured reflectances as spectra.",
            ),
        ),
        cube,
    )


def sample_scene() -> tuple[RGBImage, SpectralCube]:
    """Return a simulated scene with its truth, always the same, made in about a second.

    The structure is scikit-image's photograph of the astronaut Eileen Collins (NASA, public
    domain), a ColorChecker with its measured reflectances lies in the corner, and every other
    spectrum is a mixture of reflectances from colour-science.

    Returns
    -------
    picture : RGBImage
        sRGB rounded to 8 bits, (384, 384, 3).
    cube : SpectralCube
        The truth, (31, 384, 384).
    """
    from PIL import Image
    from skimage.data import astronaut

    small = Image.fromarray(astronaut()).resize((384, 384))  # type: ignore[no-untyped-call]
    photo = RGBImage(
        np.float32(1 / 255) * np.asarray(small, np.float32), bit_depth=8, name="astronaut"
    )
    return simulate_scene(photo, seed=7, color_checker=True)


def _palette(spectra: npt.ArrayLike | None, rng: np.random.Generator) -> Array:
    library = measured_reflectances().spectra if spectra is None else np.asarray(spectra)
    bands = WAVELENGTHS_NM.size
    if library.ndim != 2 or library.shape[1] != bands or len(library) < 4:
        raise InputError(
            f"spectra of the shape {library.shape}", fix=f"Give at least four, as (n, {bands})."
        )
    if not ((library >= 0) & (library <= 1)).all():
        raise InputError(
            "the spectra are no reflectances", fix="Give finite numbers within [0, 1]."
        )
    # Black reflects no colour that could be scaled to a pixel's.
    library = library[library.max(axis=1) > 0.01]
    chosen = rng.choice(len(library), min(PALETTE_SIZE, len(library)), replace=False)
    palette: Array = library[chosen].astype(np.float64)
    return palette


def _linear(photo: RGBImage) -> Array:
    if not np.isfinite(photo.data).all():
        raise InputError(
            "the picture holds NaN or infinity", where=photo.name, fix="Replace those pixels."
        )
    data = np.clip(photo.data.astype(np.float64), 0.0, 1.0)
    return srgb_to_linear(data) if photo.encoding == "srgb" else data


def _regions(linear: Array, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return which region each pixel (y, x) is in: that of the nearest of random pixels.

    Near is in place and in chromaticity alike, so that an object is mostly one region.
    """
    height, width = linear.shape[:2]
    if count == 1:
        return np.zeros((height, width), np.intp)
    y, x = np.mgrid[:height, :width] / max(height, width)
    brightness = linear.sum(axis=2).clip(1e-3, None)
    chroma = linear[..., :2] / brightness[..., None]
    features = np.dstack([y, x, 3 * chroma]).reshape(-1, 4)
    centres = features[rng.choice(len(features), min(count, len(features)), replace=False)]
    return cKDTree(centres).query(features)[1].reshape(height, width)


def _mixtures(linear: Array, palette: Array, matrix: Array) -> Array:
    """Return spectra (y, x, band), mixed from the palette (n, band), of the colours (y, x, 3)."""
    # Scaled to the sum 1, a mixture's chromaticity is the mean of its parts', with the same
    # weights.
    colours = palette @ matrix
    total = colours.sum(axis=1, keepdims=True)
    unit, points = palette / total, (colours / total)[:, :2]
    triangles = Delaunay(points)

    brightness = linear.sum(axis=2, keepdims=True)
    chroma = np.divide(linear, brightness, out=np.full_like(linear, 1 / 3), where=brightness > 0)
    wanted = _into_hull(chroma[..., :2].reshape(-1, 2), points)
    found = triangles.find_simplex(wanted, tol=1e-6)
    to_barycentric = triangles.transform[found]
    first = np.einsum("nij,nj->ni", to_barycentric[:, :2], wanted - to_barycentric[:, 2])
    weights = np.column_stack([first, 1 - first.sum(axis=1)]).clip(0, None)
    mixed: Array = np.einsum("nk,nkb->nb", weights, unit[triangles.simplices[found]])
    spectra: Array = mixed.reshape(*linear.shape[:2], -1) * brightness
    return spectra


def _into_hull(points: Array, palette: Array) -> Array:
    """Return the points (n, 2), those outside the palette's hull moved towards its middle."""
    hull = ConvexHull(palette)
    middle = palette[hull.vertices].mean(axis=0)
    normals, offsets = hull.equations[:, :2], hull.equations[:, 2]
    inside = -(normals @ middle + offsets)  # distances of the middle from the edges, positive
    towards = (points - middle) @ normals.T
    share = (towards / inside).max(axis=1, keepdims=True)  # 1 on the hull
    # A hair inside, so that rounding leaves no point without a triangle.
    moved: Array = middle + (points - middle) / np.maximum(share / (1 - 1e-6), 1.0)
    return moved


def _lay_color_checker(data: npt.NDArray[np.float32], name: str) -> None:
    """Write a chart of 4 x 6 patches into the lower right corner of the scene (y, x, band)."""
    step = PATCH + GAP
    height, width = 4 * step + GAP, 6 * step + GAP
    if data.shape[0] < height or data.shape[1] < width:
        raise InputError(
            f"a picture of {data.shape[1]} x {data.shape[0]} pixels has no room for a ColorChecker",
            where=name,
            fix=f"It takes {width} x {height} pixels.",
        )
    patches = color_checker_reflectances()
    chart = np.tile(patches[-1] * np.float32(0.5), (height, width, 1))
    for number, reflectance in enumerate(patches):
        row, column = divmod(number, 6)
        y, x = GAP + row * step, GAP + column * step
        chart[y : y + PATCH, x : x + PATCH] = reflectance
    data[-height:, -width:] = chart
