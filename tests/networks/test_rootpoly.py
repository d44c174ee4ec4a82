import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.errors import InputError
from napari_gmsr.networks.rootpoly import RootPolynomialRegression, root_polynomial


def smooth_spectra(n: int, seed: int = 0) -> torch.Tensor:
    """Spectra of three cosines each, between 0 and 1."""
    rng = np.random.default_rng(seed)
    waves = np.cos(np.pi * np.arange(3)[:, None] * np.linspace(0, 1, 31))
    return torch.from_numpy(np.clip(0.5 + 0.2 * rng.normal(size=(n, 3)) @ waves, 0, 1))


def response() -> torch.Tensor:
    bands = np.arange(31)[:, None]
    curves = np.exp(-(((bands - np.array([20.0, 14.0, 5.0])) / 4) ** 2))
    return torch.from_numpy(curves / curves.sum(0))


def test_features_are_those_of_the_paper():
    r, g, b = 0.2, 0.5, 0.8
    expected = [r, g, b]
    expected += [(r * g) ** (1 / 2), (g * b) ** (1 / 2), (r * b) ** (1 / 2)]
    expected += [(r * g**2) ** (1 / 3), (g * b**2) ** (1 / 3), (r * b**2) ** (1 / 3)]
    expected += [(g * r**2) ** (1 / 3), (b * g**2) ** (1 / 3), (b * r**2) ** (1 / 3)]
    expected += [(r * g * b) ** (1 / 3)]
    features = root_polynomial(torch.tensor([r, g, b], dtype=torch.float64))
    np.testing.assert_allclose(features, expected, rtol=1e-12)


def test_fit_agrees_with_numpy_least_squares():
    spectra = smooth_spectra(400)
    rgb = spectra @ response()
    features = root_polynomial(rgb).numpy()
    solution = np.linalg.lstsq(features, spectra.numpy(), rcond=None)[0]
    fitted = RootPolynomialRegression().fit(rgb, spectra)
    picture = rgb.T.reshape(1, 3, 20, 20)
    np.testing.assert_allclose(fitted(picture)[0].reshape(31, -1).T, features @ solution, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(1e-3, 50.0), seed=st.integers(0, 100))
def test_exposure_invariance(gain, seed):
    spectra = smooth_spectra(200)
    network = RootPolynomialRegression().fit(spectra @ response(), spectra)
    picture = torch.rand((2, 3, 4, 5), generator=torch.Generator().manual_seed(seed)).double()
    torch.testing.assert_close(
        network(gain * picture), gain * network(picture), rtol=1e-9, atol=1e-9
    )


def test_ridge_is_that_of_the_normal_equations():
    spectra = smooth_spectra(300)
    rgb = spectra @ response()
    x, y = root_polynomial(rgb).numpy(), spectra.numpy()
    solution = np.linalg.solve(x.T @ x + 300 * 1e-4 * np.eye(13), x.T @ y)
    fitted = RootPolynomialRegression().fit(rgb, spectra, ridge=1e-4)
    np.testing.assert_allclose(fitted.coefficients.T, solution, atol=1e-8)


@pytest.mark.parametrize(
    ("scene", "variable", "error"),
    [
        ("cave_balloons_crop100", "Omsi", 0.0179),
        ("cave_chart_and_stuffed_toy_crop150", "Omsi", 0.0367),
        ("cave_feathers_crop150", "Omsi", 0.0218),
    ],
)
def test_errors_on_real_scenes_are_those_measured_before(shared_data, scene, variable, error):
    from scipy.io import loadmat

    filters = np.load(shared_data / "responses/ntire2020_cie_1964_w_gain.npz")["filters"] / 256
    reflectances = np.load(shared_data / "reflectances/capbone.npz")["reflectance"].astype(float)
    reflectances *= np.random.default_rng(0).uniform(0.02, 1, (len(reflectances), 1))
    rgb = np.clip(reflectances @ filters, 0, 1)
    network = RootPolynomialRegression()
    network.fit(torch.from_numpy(rgb), torch.from_numpy(reflectances), ridge=1e-9)
    cube = loadmat(shared_data / "scenes" / f"{scene}.mat")[variable]
    picture = torch.from_numpy(np.clip(cube @ filters, 0, 1).transpose(2, 0, 1))[None]
    prediction = network(picture)[0].numpy().transpose(1, 2, 0).clip(0, 1)
    # The random draws change the fourth decimal by one or two.
    assert np.sqrt(np.mean((prediction - cube) ** 2)) == pytest.approx(error, abs=2e-4)


def test_shape_type_and_black():
    spectra = smooth_spectra(50)
    network = RootPolynomialRegression().fit(spectra @ response(), spectra)
    cube = network(torch.zeros(2, 3, 1, 7))
    assert cube.shape == (2, 31, 1, 7)
    assert cube.dtype == torch.float32
    assert not cube.any()
    assert network(torch.full((1, 3, 2, 2), -0.5)).isfinite().all()


def test_state_survives_saving(tmp_path):
    spectra = smooth_spectra(50)
    network = RootPolynomialRegression().fit(spectra @ response(), spectra)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = RootPolynomialRegression()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    picture = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(picture), other(picture))


def test_a_scene_of_one_colour_can_be_fitted():
    spectra = smooth_spectra(1).expand(100, 31)
    rgb = spectra @ response()
    network = RootPolynomialRegression().fit(rgb, spectra)
    cube = network(rgb[:1, :, None, None])
    np.testing.assert_allclose(cube[0, :, 0, 0], spectra[0], atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "spectra", "words"),
    [
        (torch.zeros(20, 3), torch.zeros(20, 30), "do not fit"),
        (torch.zeros(20, 4), torch.zeros(20, 31), "do not fit"),
        (torch.zeros(20, 3), torch.zeros(19, 31), "do not fit"),
        (torch.zeros(12, 3), torch.zeros(12, 31), "12 samples"),
        (torch.full((20, 3), torch.nan), torch.zeros(20, 31), "NaN"),
    ],
)
def test_bad_samples_are_refused(rgb, spectra, words):
    with pytest.raises(InputError, match=words):
        RootPolynomialRegression().fit(rgb, spectra)
