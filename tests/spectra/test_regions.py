"""Mean and spread of a region."""

from functools import partial

import dask.array as da
import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.spectra import normalise, region_spectrum, regions

NM = np.linspace(400, 700, 31)
CUBE = np.random.default_rng(0).random((31, 12, 15), dtype=np.float32)
MASK = np.random.default_rng(1).random((12, 15)) < 0.3


def test_mean_and_spread_are_over_the_regions_pixels():
    mean, spread = region_spectrum(SpectralCube(CUBE), MASK)
    np.testing.assert_allclose(mean, CUBE[:, MASK].mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(spread, CUBE[:, MASK].std(axis=1), rtol=1e-5)


def test_only_the_regions_box_of_a_lazy_cube_is_read():
    def block(block_info):
        (_, _), (top, bottom), (left, right) = block_info[None]["array-location"]
        assert top >= 4, "a block beside the region was read"
        return CUBE[:, top:bottom, left:right]

    lazy = da.map_blocks(
        block, chunks=((31,), (4, 4, 4), (15,)), dtype=np.float32, meta=np.empty((0, 0, 0))
    )
    mask = MASK.copy()
    mask[:4] = False
    mean, _ = region_spectrum(lazy, mask)
    np.testing.assert_allclose(mean, CUBE[:, mask].mean(axis=1), rtol=1e-6)


def test_missing_pixels_are_left_out_band_by_band():
    holed = CUBE.copy()
    holed[3, MASK] = np.nan
    rows, columns = np.nonzero(MASK)
    holed[5, rows[0], columns[0]] = np.inf
    mean, spread = region_spectrum(holed, MASK)
    assert np.isnan([mean[3], spread[3]]).all()
    assert mean[5] == pytest.approx(CUBE[5, rows[1:], columns[1:]].mean(), rel=1e-6)
    assert np.isfinite(np.delete(mean, 3)).all()


def test_a_view_is_of_every_pixel(monkeypatch):
    monkeypatch.setattr(regions, "_AT_ONCE", 7)
    view = partial(normalise, wavelengths_nm=NM)
    mean, spread = region_spectrum(CUBE, MASK, view)
    shapes = normalise(CUBE[:, MASK], NM)
    np.testing.assert_allclose(mean, shapes.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(spread, shapes.std(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("mask", "said"), [(MASK[:5], "5 x 15"), (np.zeros_like(MASK), "no pixel")]
)
def test_a_region_that_does_not_fit_is_refused(mask, said):
    with pytest.raises(InputError, match=said):
        region_spectrum(CUBE, mask)
