"""The angle between spectra, and the map of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate import error_map
from napari_gmsr.spectra import similarity_map, spectral_angle

few = settings(max_examples=30, deadline=None)
spectra = hnp.arrays(np.float64, 6, elements=st.floats(0.01, 1))


@few
@given(spectra, spectra, st.floats(0.01, 100))
def test_the_angle_is_that_of_vectors_whatever_their_length(one, other, exposure):
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    expected = np.degrees(np.arccos(min(cosine, 1)))
    assert spectral_angle(one, exposure * other) == pytest.approx(expected, abs=1e-5)


def test_nearly_equal_spectra_keep_their_digits():
    assert spectral_angle([1, 0], [1, 1e-10]) == pytest.approx(np.degrees(1e-10), rel=1e-9)


def test_black_spectra_and_missing_bands():
    black, bright = np.zeros(3), np.array([0.2, 0.4, 0.6])
    assert spectral_angle(black, black) == 0
    assert spectral_angle(black, bright) == 90
    assert np.isnan(spectral_angle([np.nan, 1], [1, np.nan]))
    holed = np.array([0.1, np.nan, 0.3])
    assert spectral_angle(holed, bright) == pytest.approx(0, abs=1e-6)


def test_the_map_is_the_error_maps_angle_to_one_spectrum():
    cube = np.random.default_rng(0).random((31, 4, 5), dtype=np.float32)
    spectrum = cube[:, 1, 2]
    filled = np.broadcast_to(spectrum[:, None, None], cube.shape)
    found = similarity_map(SpectralCube(cube), spectrum)
    np.testing.assert_allclose(found, error_map(cube, filled, "sam"), atol=1e-5)
    assert found[1, 2] == 0
    assert found.dtype == np.float32


def test_other_bands_are_refused():
    with pytest.raises(InputError, match="31 and of 5 bands"):
        similarity_map(np.ones((31, 2, 2)), np.ones(5))
