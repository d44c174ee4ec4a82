"""Views of spectra, over any order, spacing and lack of bands."""

from functools import partial
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import savgol_filter
from scipy.spatial import ConvexHull

from napari_gmsr.errors import InputError
from napari_gmsr.spectra import (
    NORMALISATIONS,
    Normalisation,
    derivative,
    normalise,
    remove_continuum,
    smooth,
)

VIEWS = {
    "smooth": smooth,
    "derivative": derivative,
    "continuum": remove_continuum,
    **{kind: partial(normalise, by=kind) for kind in NORMALISATIONS},
}
few = settings(max_examples=30, deadline=None)
any_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@st.composite
def measured(draw, least=1):
    """Spectra (band, n) at wavelengths of any order and spacing."""
    bands = draw(st.integers(least, 12))
    steps = draw(st.lists(st.floats(0.5, 40), min_size=bands, max_size=bands))
    nm = np.array(draw(st.permutations((380 + np.cumsum(steps)).tolist())))
    shape = (bands, draw(st.integers(1, 4)))
    return draw(hnp.arrays(np.float64, shape, elements=st.floats(0.01, 2))), nm


def test_every_kind_of_normalisation_is_offered():
    assert set(NORMALISATIONS) == set(get_args(Normalisation))


@any_view
@few
@given(measured(), st.randoms())
def test_the_order_of_bands_does_not_matter(view, case, random):
    spectra, nm = case
    order = random.sample(range(nm.size), nm.size)
    shuffled = view(spectra[order], nm[order])
    np.testing.assert_allclose(shuffled, view(spectra, nm)[order], rtol=1e-6, atol=1e-9)


@any_view
@few
@given(measured(least=2), st.data())
def test_missing_bands_are_left_out_and_stay_missing(view, case, data):
    spectra, nm = case
    missing = data.draw(hnp.arrays(bool, spectra.shape))
    holed = np.where(missing, data.draw(st.sampled_from([np.nan, np.inf])), spectra)
    shown = view(holed, nm)
    assert np.isnan(shown[missing]).all()
    for column in range(spectra.shape[1]):
        there = ~missing[:, column]
        if there.any():
            alone = view(spectra[there, column], nm[there])
            np.testing.assert_allclose(shown[there, column], alone, rtol=1e-6, atol=1e-9)


@any_view
def test_data_type_and_shape_stay_and_the_data_too(view):
    cube = np.random.default_rng(0).random((7, 3, 4), dtype=np.float32)
    before = cube.copy()
    shown = view(cube, np.arange(400, 470, 10))
    assert shown.shape == cube.shape
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(cube, before)
    np.testing.assert_allclose(shown[:, 2, 1], view(cube[:, 2, 1], np.arange(400, 470, 10)), 1e-5)


@any_view
@pytest.mark.parametrize("nm", [[400, 410], [400, 410, 410], [400, 410, np.nan]])
def test_wavelengths_that_do_not_fit_are_refused(view, nm):
    with pytest.raises(InputError, match="wavelength"):
        view(np.ones((3, 2)), nm)


@pytest.mark.parametrize(("window", "degree"), [(3, 0), (5, 2), (7, 2), (9, 3)])
def test_smoothing_even_bands_is_savitzky_and_golays(window, degree):
    spectra = np.random.default_rng(1).random((31, 5))
    expected = savgol_filter(spectra, window, degree, axis=0)
    np.testing.assert_allclose(
        smooth(spectra, np.arange(400, 701, 10), window, degree), expected, rtol=1e-9
    )


@few
@given(measured(least=3), st.sampled_from([3, 5, 7]))
def test_smoothing_keeps_parabolas(case, window):
    _, nm = case
    parabola = 0.3 + 2e-3 * (nm - 500) - 1e-5 * (nm - 500) ** 2
    np.testing.assert_allclose(smooth(parabola, nm, window), parabola, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("window", "degree"), [(4, 2), (0, 0), (-1, 0), (3, 3), (5, -1)])
def test_a_window_that_cannot_be_is_refused(window, degree):
    with pytest.raises(InputError, match="odd"):
        smooth(np.ones(9), np.arange(9), window, degree)


@few
@given(measured(least=3))
def test_the_derivative_of_a_parabola_is_exact(case):
    _, nm = case
    parabola = 0.3 + 2e-3 * nm - 1e-5 * nm**2
    np.testing.assert_allclose(derivative(parabola, nm), 2e-3 - 2e-5 * nm, rtol=1e-6, atol=1e-9)


def test_two_bands_have_a_slope_and_one_has_none():
    np.testing.assert_allclose(derivative([0.2, 0.4], [500, 520]), 0.01)
    assert np.isnan(derivative([0.2], [500])).all()


@few
@given(measured(least=2), st.floats(0.1, 10))
def test_normalisation_leaves_only_the_shape(case, exposure):
    spectra, nm = case
    order = np.argsort(nm)
    shapes = {kind: normalise(spectra, nm, kind) for kind in NORMALISATIONS}
    np.testing.assert_allclose(shapes["maximum"].max(axis=0), 1)
    np.testing.assert_allclose(np.trapezoid(shapes["area"][order], nm[order], axis=0), 1)
    np.testing.assert_allclose(np.linalg.norm(shapes["vector"], axis=0), 1)
    for kind in ("maximum", "area", "vector"):
        np.testing.assert_allclose(normalise(exposure * spectra, nm, kind), shapes[kind], rtol=1e-9)


def test_snv_by_hand():
    np.testing.assert_allclose(normalise([1.0, 2.0, 6.0], [1, 2, 3], "snv").mean(), 0, atol=1e-12)
    np.testing.assert_allclose(normalise([1.0, 2.0, 6.0], [1, 2, 3], "snv").std(), 1)


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_a_black_spectrum_has_no_shape(kind):
    spectra = np.stack([np.zeros(4), [0.1, 0.4, 0.2, 0.3]], axis=1)
    shapes = normalise(spectra, [400, 500, 600, 700], kind)
    assert np.isnan(shapes[:, 0]).all()
    assert np.isfinite(shapes[:, 1]).all()


def test_a_flat_spectrum_has_no_deviation():
    assert np.isnan(normalise(np.full(31, 0.1), np.arange(31), "snv")).all()


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(InputError, match="maximum"):
        normalise(np.ones(3), np.arange(3), "median")


@few
@given(measured(least=3))
def test_the_continuum_is_the_upper_convex_hull(case):
    spectra, nm = case
    shown = remove_continuum(spectra, nm)
    assert shown.min() >= 0
    assert shown.max() <= 1 + 1e-12
    order = np.argsort(nm)
    for values, depth in zip(spectra.T[:, order], shown.T[:, order], strict=True):
        x = nm[order]
        # Two corners far below leave the upper side of the hull as it is.
        corners = np.column_stack([[*x, x[0], x[-1]], [*values, -10, -10]])
        upper = [i for i in ConvexHull(corners).vertices if i < x.size]
        hull = np.interp(x, x[np.sort(upper)], values[np.sort(upper)])
        np.testing.assert_allclose(depth, values / hull, rtol=1e-6)


def test_an_absorption_band_by_hand():
    np.testing.assert_allclose(
        remove_continuum([0.2, 0.2, 0.6], [400, 500, 600]), [1, 0.5, 1], rtol=1e-12
    )
    assert np.isnan(remove_continuum(np.zeros(3), [400, 500, 600])).all()
