"""Re-projection and the exact correction, against the camera and against a general solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from napari_gmsr.color import linear_to_srgb, render_rgb, rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.trust import exact_correction, reproject

RNG = np.random.default_rng(0)
TRUTH = SpectralCube(RNG.uniform(0, 0.6, (31, 9, 11)), name="truth")
PHOTO = render_rgb(TRUTH, "srgb", "D65", "srgb")


def test_a_cube_gives_its_own_picture_back():
    found = reproject(TRUTH, PHOTO)
    assert found.rmse < 1e-6
    assert found.map.max() < 1e-5
    assert found.rgb.encoding == "linear"


def test_the_numbers_are_those_of_the_pictures():
    darker = SpectralCube(TRUTH.data * 0.8)
    found = reproject(darker, PHOTO)
    linear, seen = (render_rgb(cube, "srgb", "D65").data for cube in (TRUTH, darker))
    np.testing.assert_allclose(found.difference, seen - linear, atol=1e-6)
    np.testing.assert_allclose(found.map, np.sqrt(((seen - linear) ** 2).mean(axis=2)), atol=1e-6)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((seen - linear) ** 2)), rel=1e-4)
    encoded = linear_to_srgb(seen) - PHOTO.data
    assert found.rmse_encoded == pytest.approx(np.sqrt(np.mean(encoded**2)), rel=1e-4)
    assert f"{found.rmse:.4f}" in found.to_text()


def test_camera_and_light_count():
    linear = render_rgb(TRUTH)
    assert reproject(TRUTH, linear, "cie_1964", None).rmse < 1e-6
    assert reproject(TRUTH, linear, "nikon_5100", "A").rmse > 0.01


def test_floats_are_in_the_encoding_that_the_cube_was_made_from():
    made = SpectralCube(TRUTH.data, provenance={"encoding": "srgb"})
    assert reproject(made, PHOTO.data).rmse < 1e-6
    assert reproject(TRUTH, PHOTO.data).rmse > 0.1  # linear, where nothing is known


def test_clipped_pixels_are_counted():
    data = np.full((4, 5, 3), 0.5, np.float32)
    data[0, :, 1] = 1
    data[1, 0, 2] = 0
    cube = SpectralCube(np.full((31, 4, 5), 0.5))
    assert reproject(cube, RGBImage(data, "linear")).clipped == pytest.approx(6 / 20)


def test_all_of_it_is_100_percent():
    black = np.zeros((*TRUTH.shape[1:], 3))
    assert "100 % of the pixels are clipped" in reproject(TRUTH, black).to_text()


def test_pixels_without_a_number_are_left_out():
    holed = TRUTH.data.copy()
    holed[3, 0, 0] = np.nan
    found = reproject(SpectralCube(holed), PHOTO)
    assert np.isnan(found.map[0, 0])
    assert np.isnan(found.map).sum() == 1
    assert found.rmse < 1e-6
    fixed = exact_correction(SpectralCube(holed), PHOTO).data
    np.testing.assert_array_equal(fixed[:, 0, 0], holed[:, 0, 0])
    holed[5] = np.nan
    with pytest.raises(InputError, match="finite"):
        reproject(SpectralCube(holed), PHOTO)


@pytest.mark.parametrize("function", [reproject, exact_correction])
def test_another_size_is_refused(function):
    with pytest.raises(InputError, match="9 x 11"):
        function(TRUTH, np.zeros((9, 10, 3), np.uint8))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("camera", "light"), [("srgb", "D65"), ("cie_1964", None)])
def test_the_corrected_cube_re_projects_exactly(camera, light, smooth):
    picture = render_rgb(TRUTH, camera, light)
    guess = SpectralCube(TRUTH.data * RNG.uniform(0.7, 1.3, TRUTH.shape), name="guess")
    exact = exact_correction(guess, picture, camera, light, smooth=smooth)
    assert reproject(guess, picture, camera, light).rmse > 1e-3
    assert reproject(exact, picture, camera, light).rmse < 1e-6
    assert exact.provenance["exact_correction"]["camera"] == camera
    assert "outside [0, 1]" in exact.provenance["notes"][-1]


def test_the_change_is_the_pseudo_inverse_where_nothing_is_clipped():
    guess = SpectralCube(TRUTH.data * 0.9)
    matrix = rendering_matrix("cie_1964", None)
    picture = render_rgb(TRUTH)
    seen = np.einsum("byx,bc->yxc", guess.data, matrix)
    expected = (picture.data - seen) @ np.linalg.pinv(matrix)
    change = exact_correction(guess, picture, "cie_1964", None).data - guess.data
    np.testing.assert_allclose(np.moveaxis(change, 0, -1), expected, atol=1e-6)


def test_an_exact_cube_is_left_alone():
    np.testing.assert_allclose(exact_correction(TRUTH, PHOTO).data, TRUTH.data, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.05, 0.4, 0.9, 1.0]), min_size=3, max_size=3),
    st.integers(0, 1000),
    st.booleans(),
)
def test_clipped_samples_are_bounds(rgb, seed, smooth):
    """Against a general solver of the same quadratic programme, with 7 bands."""
    nm = np.linspace(420, 680, 7)
    spectrum = np.random.default_rng(seed).uniform(0, 1.4, 7).astype(np.float32)
    cube = SpectralCube(spectrum[:, None, None], nm)
    picture = RGBImage(np.array(rgb, np.float32)[None, None], "linear")
    change = exact_correction(cube, picture, smooth=smooth).data[:, 0, 0] - spectrum
    matrix = rendering_matrix("srgb", "D65", nm)
    cost = np.eye(7)
    if smooth:
        second = np.diff(np.eye(7), n=2, axis=0)
        cost = second.T @ second + 1e-3 * np.eye(7)
    wanted = picture.data[0, 0].astype(float)

    def gap(d, c):
        return (spectrum + d) @ matrix[:, c] - wanted[c]

    constraints = [
        {"type": "ineq", "fun": lambda d, c=c: gap(d, c)}
        if wanted[c] >= 1
        else {"type": "ineq", "fun": lambda d, c=c: -gap(d, c)}
        if wanted[c] <= 0
        else {"type": "eq", "fun": lambda d, c=c: gap(d, c)}
        for c in range(3)
    ]
    for c in range(3):
        if wanted[c] >= 1:
            assert gap(change, c) >= -1e-5
        elif wanted[c] <= 0:
            assert gap(change, c) <= 1e-5
        else:
            assert gap(change, c) == pytest.approx(0, abs=1e-5)
    solver = minimize(
        lambda d: d @ cost @ d,
        np.zeros(7),
        jac=lambda d: 2 * cost @ d,
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert change @ cost @ change <= solver.fun + 1e-5
