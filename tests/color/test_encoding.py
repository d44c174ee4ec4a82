import colour
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.color import linear_to_srgb, match_encoding, srgb_to_linear
from napari_gmsr.color.encoding import XYZ_TO_SRGB
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage

SAMPLES = np.linspace(0, 1, 4097)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_curves_are_those_of_colour_science(dtype):
    tolerance = 2e-6 if dtype is np.float32 else 1e-12
    decoded, encoded = srgb_to_linear(SAMPLES.astype(dtype)), linear_to_srgb(SAMPLES.astype(dtype))
    assert decoded.dtype == encoded.dtype == dtype
    np.testing.assert_allclose(decoded, colour.eotf(SAMPLES, "sRGB"), atol=tolerance)
    np.testing.assert_allclose(encoded, colour.eotf_inverse(SAMPLES, "sRGB"), atol=tolerance)


def test_the_matrix_is_that_of_colour_science():
    ours = colour.RGB_COLOURSPACES["sRGB"].matrix_XYZ_to_RGB
    np.testing.assert_array_equal(XYZ_TO_SRGB, ours)


def test_known_values():
    np.testing.assert_allclose(srgb_to_linear([0, 0.5, 1]), [0, 0.21404114, 1], atol=1e-8)


@given(st.floats(-0.5, 4.0))
def test_one_curve_undoes_the_other(value):
    assert linear_to_srgb(srgb_to_linear(value)) == pytest.approx(value, abs=1e-4)


def test_nan_stays_nan():
    assert np.isnan(srgb_to_linear(np.nan))
    assert np.isnan(linear_to_srgb(np.nan))


def test_a_picture_that_fits_is_left_alone():
    picture = RGBImage(np.full((2, 3, 3), 0.5), encoding="srgb", bit_depth=8)
    matched, changes = match_encoding(picture, "srgb")
    assert matched is picture
    assert changes == []


@pytest.mark.parametrize(
    ("have", "want", "value"), [("srgb", "linear", 0.21404114), ("linear", "srgb", 0.73535698)]
)
def test_another_encoding_is_converted_and_told(have, want, value):
    picture = RGBImage(np.full((2, 3, 3), 0.5), encoding=have, bit_depth=8, name="rose")
    matched, changes = match_encoding(picture, want)
    assert matched.encoding == want
    assert (matched.name, matched.bit_depth) == ("rose", 8)
    np.testing.assert_allclose(matched.data, value, rtol=1e-5)
    assert len(changes) == 1
    assert "sRGB" in changes[0]
    assert picture.encoding == have


def test_values_beyond_the_range_are_clipped_and_told():
    data = np.full((2, 2, 3), 0.5, np.float32)
    data[0, 0] = [-0.25, 0.5, 3.0]
    matched, changes = match_encoding(RGBImage(data), "srgb")
    np.testing.assert_array_equal(matched.data[0, 0], [0, 0.5, 1])
    assert len(changes) == 1
    assert "17 % of the samples" in changes[0]
    assert "-0.25 to 3" in changes[0]
    assert data[0, 0, 2] == 3.0


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_pixels_are_an_error_that_names_the_picture(broken):
    data = np.zeros((4, 4, 3), np.float32)
    data[1, 2] = broken
    with pytest.raises(InputError, match=r"rose: 1 of 16 pixels .*nan_to_num"):
        match_encoding(RGBImage(data, name="rose"), "srgb")


def test_an_unknown_encoding_is_an_error():
    with pytest.raises(InputError, match="'srgb' or 'linear'"):
        match_encoding(RGBImage(np.zeros((1, 1, 3))), "gamma")
