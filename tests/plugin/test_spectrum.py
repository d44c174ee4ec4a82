"""The spectrum of one place beside its truth."""

import numpy as np
import pytest

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.evaluate import error_map
from napari_gmsr.plugin.spectrum import Curve, PixelSpectrum

BRIGHT = np.linspace(0.2, 0.8, 31, dtype=np.float32)
BLACK = np.zeros(31, np.float32)


def pixel(response, truth):
    curve = Curve(response, truth)
    return PixelSpectrum(
        cube="scene",
        color="#ff0000",
        wavelengths_nm=WAVELENGTHS_NM,
        measured=curve,
        shown=curve,
        y=0,
        x=0,
    )


@pytest.mark.parametrize(
    ("response", "truth"),
    [(BLACK, BLACK), (BLACK, BRIGHT), (BRIGHT, BLACK), (BRIGHT, BRIGHT[::-1])],
)
def test_the_errors_are_the_error_maps(response, truth):
    spectrum = pixel(response, truth)
    for metric, error in (
        ("rmse", spectrum.rmse),
        ("mrae", spectrum.mrae),
        ("sam", spectrum.angle_deg),
    ):
        mapped = error_map(response[:, None, None], truth[:, None, None], metric)[0, 0]
        assert error == pytest.approx(mapped, rel=1e-5)


def test_missing_bands_are_left_out_of_the_errors():
    holed = BRIGHT.copy()
    holed[[0, 7]] = np.nan
    spectrum = pixel(holed, BRIGHT + np.float32(0.1))
    assert spectrum.rmse == pytest.approx(0.1, rel=1e-5)
    assert np.isnan(pixel(np.full(31, np.nan), BRIGHT).rmse)
