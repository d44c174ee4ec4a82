import numpy as np
import pytest
import torch

from napari_gmsr.errors import InputError
from napari_gmsr.networks import WienerEstimation, create


def samples(n: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy(rng.random((n, 31)))
    matrix = torch.from_numpy(rng.random((31, 3)) / 31)
    return spectra @ matrix, spectra


def test_without_noise_it_is_least_squares():
    rgb, spectra = samples()
    fitted = create("wiener").fit(rgb, spectra)
    solution = np.linalg.lstsq(rgb.numpy(), spectra.numpy(), rcond=None)[0]
    np.testing.assert_allclose(fitted.coefficients.mT, solution, rtol=1e-9, atol=1e-9)
    picture = rgb.T.reshape(1, 3, 10, 20)
    np.testing.assert_allclose(
        fitted(picture)[0].reshape(31, -1).T, rgb.numpy() @ solution, atol=1e-9
    )


def test_with_noise_it_errs_least_on_noisy_colours():
    rgb, spectra = samples(5000)
    noisy = rgb + 0.05 * torch.randn(rgb.shape, generator=torch.Generator().manual_seed(0))

    def error(noise: float) -> float:
        network = WienerEstimation().fit(rgb, spectra, noise)
        found = network(noisy[:, :, None, None])[..., 0, 0]
        return (found - spectra).square().mean().item()

    assert error(0.05) < min(error(0.0), error(0.005), error(0.5))


def test_exposure_invariance_and_type():
    network = WienerEstimation().fit(*samples())
    picture = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(network(0.25 * picture), 0.25 * network(picture))
    assert network(picture).shape == (2, 31, 4, 5)
    assert network(picture).dtype == torch.float32


@pytest.mark.parametrize(
    ("rgb", "spectra", "words"),
    [
        (torch.zeros(20, 3), torch.zeros(20, 30), "do not fit"),
        (torch.zeros(20, 3), torch.zeros(19, 31), "do not fit"),
        (torch.ones(20, 3), torch.zeros(20, 31), "do not span"),
        (torch.zeros(0, 3), torch.zeros(0, 31), "do not span"),
        (torch.full((20, 3), torch.nan), torch.zeros(20, 31), "NaN"),
    ],
)
def test_bad_samples_are_refused(rgb, spectra, words):
    with pytest.raises(InputError, match=words):
        WienerEstimation().fit(rgb, spectra)
