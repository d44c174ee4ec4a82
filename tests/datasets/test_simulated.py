import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr import RGBImage
from napari_gmsr.color import render_rgb, srgb_to_linear
from napari_gmsr.datasets import (
    color_checker,
    measured_reflectances,
    sample_scene,
    simulate_scene,
)
from napari_gmsr.errors import InputError


def photo(height: int = 24, width: int = 31, seed: int = 0, encoding: str = "srgb") -> RGBImage:
    data = np.random.default_rng(seed).uniform(size=(height, width, 3)).astype(np.float32)
    return RGBImage(data, encoding=encoding, name="noise")


def test_picture_and_cube_agree_exactly():
    picture, cube = simulate_scene(photo(), seed=3)
    seen = render_rgb(cube, camera="srgb", illuminant="D65", encoding="srgb")
    np.testing.assert_array_equal(picture.data, (np.rint(seen.data * 255) / 255).astype(np.float32))
    assert picture.bit_depth == 8
    assert picture.encoding == "srgb"


def test_colours_within_the_palette_are_those_of_the_photograph():
    # Colours near grey lie within every palette, and ask for no more light than there is.
    grey = RGBImage(0.4 + 0.1 * photo().data)
    picture, cube = simulate_scene(grey)
    assert cube.data.max() < 1
    assert np.abs(picture.data - grey.data).max() <= 0.51 / 255


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 1000))
def test_any_shape_gives_reflectances(height, width, seed):
    picture, cube = simulate_scene(photo(height, width, seed), seed=seed)
    assert picture.shape == (height, width)
    assert cube.shape == (31, height, width)
    assert cube.data.min() >= 0
    assert cube.data.max() <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_pictures(value):
    picture, cube = simulate_scene(RGBImage(np.full((4, 5, 3), value)))
    assert np.isfinite(cube.data).all()
    assert (cube.data.max() == 0) == (value == 0)
    assert np.ptp(picture.data) < 0.02


def test_a_seed_is_a_scene_and_another_seed_a_metamer_of_it():
    first, again, other = (simulate_scene(photo(), seed=s)[1].data for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_every_spectrum_is_a_mixture_of_the_given_ones():
    spectra = np.eye(31)[[2, 9, 15, 22]] * 0.5
    _, cube = simulate_scene(photo(), spectra)
    others = np.delete(np.arange(31), [2, 9, 15, 22])
    assert not cube.data[others].any()
    assert cube.provenance["spectra"] == {"given": 4}


def test_linear_photographs_are_not_decoded_again():
    encoded = photo()
    linear = RGBImage(srgb_to_linear(encoded.data), encoding="linear", name="noise")
    a, b = (simulate_scene(p)[1].data for p in (encoded, linear))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_sample_scene_holds_a_chart_of_measured_reflectances():
    picture, cube = sample_scene()
    assert cube.shape == (31, 384, 384)
    assert cube.provenance["simulated"]
    assert "simulated" in picture.name
    assert "simulated" in cube.name
    patches = color_checker()
    for number in (0, 5, 18, 23):
        row, column = divmod(number, 6)
        y, x = 384 - 100 + 4 + 24 * row + 10, 384 - 148 + 4 + 24 * column + 10
        np.testing.assert_array_equal(cube.spectrum(y, x, radius=5), patches[number])
    white = picture.data[384 - 100 + 4 + 72 + 10, 384 - 148 + 14]
    assert white.min() > 0.93


def test_measured_reflectances_are_reflectances():
    library = measured_reflectances()
    assert len(library.spectra) == sum(library.sources.values()) > 400
    assert library.spectra.min() >= 0
    assert library.spectra.max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        library.spectra[0, 0] = 0


def test_the_scene_needs_no_torch():
    code = (
        "import sys; from napari_gmsr.datasets import sample_scene; sample_scene();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


@pytest.mark.parametrize(
    "spectra",
    [np.zeros((10, 30)), np.ones((3, 31)), np.full((9, 31), np.nan), np.full((9, 31), 2.0)],
)
def test_bad_spectra_are_refused(spectra):
    with pytest.raises(InputError):
        simulate_scene(photo(), spectra)


def test_bad_pictures_are_refused():
    broken = photo().data.copy()
    broken[1, 1, 1] = np.nan
    with pytest.raises(InputError, match="NaN"):
        simulate_scene(RGBImage(broken))
    with pytest.raises(InputError, match="no room"):
        simulate_scene(photo(), color_checker=True)
