"""Cubes for the eye: the standards' numbers, any bands, any array, and one light for another."""

import colour
import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.color import (
    auto_exposure,
    display_matrix,
    display_picture,
    false_color,
    linear_to_srgb,
    relight,
    true_color,
)
from napari_gmsr.color.encoding import XYZ_TO_SRGB
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError

RNG = np.random.default_rng(0)
OBSERVERS = {
    "cie_1931": "CIE 1931 2 Degree Standard Observer",
    "cie_1964": "CIE 1964 10 Degree Standard Observer",
}


def flat(spectrum, nm=WAVELENGTHS_NM):
    return SpectralCube(np.asarray(spectrum, np.float32)[:, None, None], np.asarray(nm, float))


def colour_sciences_xyz(spectrum, nm, observer, illuminant):
    """Integrate at 1 nm by colour-science a spectrum that is linear between its bands."""
    functions = colour.MSDS_CMFS[OBSERVERS[observer]]
    order = np.argsort(nm)
    fine = np.interp(functions.wavelengths, np.asarray(nm)[order], np.asarray(spectrum)[order])
    light = colour.SDS_ILLUMINANTS[illuminant]
    light = np.interp(functions.wavelengths, light.wavelengths, light.values, left=0, right=0)
    return colour.sd_to_XYZ(
        colour.SpectralDistribution(fine, functions.wavelengths),
        functions,
        colour.SpectralDistribution(light, functions.wavelengths),
        method="Integration",
    )


@pytest.mark.parametrize("illuminant", ["D65", "A", "FL2"])
@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize(
    "nm",
    [
        WAVELENGTHS_NM,
        np.linspace(400, 1000, 204),
        np.array([450.0, 500, 560, 600, 680]),
        np.array([650.0, 420, 550, 700, 480]),
    ],
    ids=["31", "204 into the infrared", "5", "out of order"],
)
def test_the_colour_is_the_standards_whatever_the_bands(nm, observer, illuminant):
    spectrum = RNG.uniform(0.1, 0.9, nm.size)
    expected = XYZ_TO_SRGB @ colour_sciences_xyz(spectrum, nm, observer, illuminant) / 100
    linear = spectrum @ display_matrix(nm, illuminant=illuminant, observer=observer)
    np.testing.assert_allclose(linear, expected, atol=1e-5)


@given(st.integers(0, 10**6), st.sampled_from([(3, 4, 5), (31, 1, 1), (31, 7, 2000)]))
@settings(max_examples=10)
def test_a_picture_is_the_naive_one_within_a_level(seed, shape):
    data = np.random.default_rng(seed).uniform(-0.2, 1.5, shape).astype(np.float32)
    nm = np.linspace(400, 700, shape[0])
    linear = np.einsum("byx,bc->yxc", data.astype(float), display_matrix(nm))
    expected = 255 * linear_to_srgb(np.clip(linear, 0, 1))
    picture = true_color(SpectralCube(data, nm))
    assert (picture.dtype, picture.shape) == (np.uint8, (*shape[1:], 3))
    np.testing.assert_allclose(picture, expected, atol=0.75)


def test_a_perfect_white_is_white_by_daylight_and_warm_by_a_lamp():
    white = flat(np.ones(31))
    np.testing.assert_array_equal(true_color(white)[0, 0], [255, 255, 255])
    red, green, blue = true_color(white, illuminant="A", exposure=0.5)[0, 0]
    assert red > green > blue
    np.testing.assert_allclose(true_color(white, illuminant="A", adapted=True)[0, 0], 255, atol=1)


def test_radiance_is_reflectance_with_its_light():
    surface = flat(RNG.uniform(0.2, 0.5, 31))
    for light in ("D65", "A"):
        radiance = relight(surface, None, light)
        np.testing.assert_allclose(
            true_color(radiance, illuminant=None)[0, 0].astype(int),
            true_color(surface, illuminant=light)[0, 0].astype(int),
            atol=2,
        )


def test_relighting_goes_there_and_back():
    data = RNG.random((31, 4, 5), dtype=np.float32)
    lit = relight(data, "D65", "A")
    assert lit.provenance["relit"] == {"from": "D65", "to": "A"}
    assert lit.data[-1].mean() / data[-1].mean() > lit.data[0].mean() / data[0].mean()
    np.testing.assert_allclose(relight(lit, "A", "D65").data, data, rtol=1e-5)
    np.testing.assert_array_equal(relight(data, "D50", "D50").data, data)


def test_exposure_is_a_factor_on_light_and_finds_the_highlights():
    dim = flat(np.full(31, 0.01))
    automatic = auto_exposure(dim.data, display_matrix(WAVELENGTHS_NM))
    assert automatic == pytest.approx(100, rel=1e-3)
    np.testing.assert_array_equal(true_color(dim, exposure=100), true_color(dim, exposure="auto"))
    assert auto_exposure(np.zeros((31, 2, 2)), display_matrix(WAVELENGTHS_NM)) == 1
    assert not true_color(dim, exposure=0).any()


def test_a_lost_band_is_bridged_and_a_lost_pixel_black():
    spectrum = np.linspace(0.2, 0.8, 31)
    data = np.tile(spectrum[:, None, None], (1, 2, 2)).astype(np.float32)
    whole = true_color(data)
    data[12] = np.nan
    np.testing.assert_array_equal(true_color(data), whole)
    data[3, 0, 1] = np.inf
    data[4, 1, 1] = np.nan
    picture = true_color(data)
    assert not picture[1, 1].any()
    np.testing.assert_array_equal(picture[:, 0], whole[:, 0])
    assert not true_color(np.full((31, 2, 2), np.nan)).any()


def test_a_lazy_array_is_read_in_parts_and_where_it_has_weight():
    shape, nm = (40, 30, 20), np.linspace(400, 1180, 40)
    data = RNG.random(shape, dtype=np.float32)
    matrix = display_matrix(nm)
    read = []

    def watched(block, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"][0])
        return block

    lazy = dask.array.from_array(data, chunks=(1, 30, 20)).map_blocks(watched)
    np.testing.assert_array_equal(display_picture(lazy, matrix), display_picture(data, matrix))
    assert max(read) < np.searchsorted(nm, 860)


def test_false_colour_takes_the_nearest_bands_as_they_are():
    data = RNG.random((31, 6, 7), dtype=np.float32)
    picture = false_color(data, (604, 552, 448), stretch=None)
    np.testing.assert_allclose(picture, 255 * np.moveaxis(data[[20, 15, 5]], 0, -1), atol=0.51)


def test_a_stretch_brings_each_band_to_full_scale():
    ramp = np.linspace(0.1, 0.3, 101, dtype=np.float32)
    data = np.stack([ramp, 2 * ramp, np.full_like(ramp, 0.4)])[:, None, :]
    data[1, 0, 50] = np.nan
    cube = SpectralCube(data, np.array([450.0, 550, 1650]))
    picture = false_color(cube, (450, 550, 1650), stretch=(0, 100))[0]
    np.testing.assert_allclose(picture[[0, 100], :2], [[0, 0], [255, 255]])
    assert picture[50, 1] == 0
    assert not picture[:, 2].any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: true_color(c, illuminant="sun"), "unknown illuminant 'sun'"),
        (lambda c: true_color(c, observer="me"), "unknown observer 'me'"),
        (lambda c: true_color(flat([1, 1], [900, 1000])), "no band is visible"),
        (lambda c: relight(c, "D65", "moon"), "unknown illuminant 'moon'"),
        (lambda c: relight(flat([1, 1], [500, 1000]), None, "D65"), "tabulated from 300 to"),
        (lambda c: false_color(c, (500, 600)), "three wavelengths"),
        (lambda c: false_color(c, stretch=(99, 1)), "stretch from 99 to 1 %"),
    ],
)
def test_mistakes_are_told_with_their_fix(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call(flat(np.ones(31)))
    assert caught.value.fix
