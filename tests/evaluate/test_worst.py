"""The worst pixels, well apart, and the error of each band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate import band_errors, error_map, worst_pixel

RNG = np.random.default_rng(0)


@given(st.integers(0, 999), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_finds_are_the_largest_of_what_is_far_enough(seed, distance):
    errors = np.random.default_rng(seed).random((9, 13))
    found = []
    while (pixel := worst_pixel(errors, found, distance)) is not None:
        far = [
            value
            for at, value in np.ndenumerate(errors)
            if all(max(abs(at[0] - y), abs(at[1] - x)) > distance for y, x in found)
        ]
        assert errors[pixel] == max(far)
        found.append(pixel)
    assert found


def test_nothing_is_found_where_nothing_is_wrong():
    assert worst_pixel(np.zeros((4, 5))) is None
    assert worst_pixel(np.full((4, 5), np.nan)) is None
    errors = np.array([[np.nan, 1.0], [np.inf, 2.0]])
    assert worst_pixel(errors) == (1, 1)


@pytest.mark.parametrize("metric", ["rmse", "mrae"])
def test_a_bands_error_is_that_of_its_map(metric):
    nm = np.linspace(400, 700, 5)
    truth = SpectralCube(RNG.uniform(0.1, 1, (5, 6, 7)), nm)
    cube = SpectralCube(truth.data + RNG.normal(0, 0.1, truth.shape), nm)
    expected = [error_map(cube, truth, metric, band) for band in nm]
    expected = [np.sqrt((m**2).mean()) if metric == "rmse" else m.mean() for m in expected]
    np.testing.assert_allclose(band_errors(cube, truth, metric), expected, rtol=1e-5)


def test_a_lost_band_has_no_error_and_an_angle_is_none():
    data = np.ones((3, 4, 5))
    data[1, 2, 3] = np.nan
    nm = np.array([400.0, 500, 600])
    errors = band_errors(SpectralCube(data, nm), SpectralCube(np.zeros((3, 4, 5)), nm))
    np.testing.assert_array_equal(errors, [1, np.nan, 1])
    with pytest.raises(InputError, match="unknown error of a band"):
        band_errors(data, data, "sam")
