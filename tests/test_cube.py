"""The cube, the picture and the errors: what everything else relies on."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import Cancelled, GMSRError, InputError
from napari_gmsr.image import RGBImage, as_rgb_image


@pytest.fixture
def cube() -> SpectralCube:
    data = np.random.default_rng(0).random((31, 6, 9), np.float32)
    return SpectralCube(data, name="noise")


def test_bands_by_wavelength(cube: SpectralCube) -> None:
    assert cube.wavelengths_nm[cube.band_index(543)] == 540
    np.testing.assert_array_equal(cube.band(700), cube.data[-1])
    np.testing.assert_array_equal(cube.band(10_000), cube.data[-1])


def test_uneven_and_falling_wavelengths() -> None:
    cube = SpectralCube(np.zeros((3, 1, 1)), np.array([700.0, 480.0, 410.0]))
    assert [cube.band_index(nm) for nm in (690, 500, 0)] == [0, 1, 2]


@given(y=st.integers(0, 5), x=st.integers(0, 8), radius=st.integers(0, 12))
def test_spectrum_is_the_mean_over_the_square_within_the_picture(
    y: int, x: int, radius: int
) -> None:
    data = np.random.default_rng(0).random((4, 6, 9), np.float32)
    cube = SpectralCube(data, np.arange(4.0))
    inside = [
        data[:, i, j] for i in range(6) for j in range(9) if max(abs(i - y), abs(j - x)) <= radius
    ]
    np.testing.assert_allclose(cube.spectrum(y, x, radius), np.mean(inside, axis=0), rtol=1e-5)


@pytest.mark.parametrize(("y", "x", "radius"), [(-1, 0, 0), (6, 0, 0), (0, 9, 0), (0, 0, -1)])
def test_no_spectrum_outside(cube: SpectralCube, y: int, x: int, radius: int) -> None:
    with pytest.raises(InputError, match="no pixel"):
        cube.spectrum(y, x, radius)


@pytest.mark.parametrize("shape", [(31, 4), (0, 4, 4), (31, 0, 4), (31, 4, 4, 1)])
def test_arrays_that_are_no_cube(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="band, y, x"):
        SpectralCube(np.zeros(shape))


@pytest.mark.parametrize(
    "wavelengths", [WAVELENGTHS_NM[:30], np.full(31, 500.0), np.r_[np.nan, WAVELENGTHS_NM[1:]]]
)
def test_wavelengths_that_do_not_fit(wavelengths: np.ndarray) -> None:
    with pytest.raises(InputError, match="wavelengths"):
        SpectralCube(np.zeros((31, 2, 2)), wavelengths)


def test_a_spread_of_another_shape() -> None:
    with pytest.raises(InputError, match="spread"):
        SpectralCube(np.zeros((31, 2, 2)), spread=np.zeros((31, 2, 3), np.float32))


def test_band_last(cube: SpectralCube) -> None:
    again = SpectralCube.from_band_last(np.moveaxis(cube.data, 0, -1), name="again")
    np.testing.assert_array_equal(again.data, cube.data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_srgb_of_full_scale(dtype: type) -> None:
    top = np.iinfo(dtype).max
    image = as_rgb_image(np.array([[[0, top, top // 2]]], dtype))
    assert (image.encoding, image.bit_depth) == ("srgb", np.dtype(dtype).itemsize * 8)
    np.testing.assert_allclose(image.data, [[[0, 1, (top // 2) / top]]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int16, bool, complex, "U3"])
def test_pixels_of_no_known_scale(dtype: object) -> None:
    with pytest.raises(InputError, match="pixels of the type"):
        as_rgb_image(np.zeros((2, 2, 3), dtype))


def test_a_picture_stays_itself() -> None:
    image = RGBImage(np.zeros((2, 2, 3), np.float32))
    assert as_rgb_image(image) is image


def test_an_error_is_one_line_with_where_and_fix() -> None:
    error = GMSRError("no\n good", where="a.png", fix="Try\n b.png.")
    assert str(error) == "a.png: no good. Try b.png."
    assert str(Cancelled()) == "cancelled"


def test_an_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(InputError("no good", where="a.png", fix="Try b.png.")))
    assert isinstance(error, InputError)
    assert (error.what, error.where, error.fix) == ("no good", "a.png", "Try b.png.")


def test_no_error_of_ours_is_one_that_napari_drops() -> None:
    for cls in GMSRError.__subclasses__():
        assert not issubclass(cls, RuntimeError)
