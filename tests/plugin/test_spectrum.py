"""The spectrum of one pixel beside its truth."""

import numpy as np
import pytest

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.evaluate import error_map
from napari_gmsr.plugin.spectrum import PixelSpectrum

BRIGHT = np.linspace(0.2, 0.8, 31, dtype=np.float32)
BLACK = np.zeros(31, np.float32)


@pytest.mark.parametrize(
    ("response", "truth", "angle"),
    [(BLACK, BLACK, 0), (BLACK, BRIGHT, 90), (BRIGHT, BLACK, 90), (BRIGHT, BRIGHT[::-1], None)],
)
def test_the_angle_is_the_error_maps(response, truth, angle):
    pixel = PixelSpectrum("scene", 0, 0, "#ff0000", WAVELENGTHS_NM, response, truth)
    mapped = error_map(response[:, None, None], truth[:, None, None], "sam")[0, 0]
    assert pixel.angle_deg == pytest.approx(mapped, rel=1e-5)
    assert angle is None or pixel.angle_deg == angle
