import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate import error_map, evaluate


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 1, (31, 8, 11)).astype(np.float32)
    cube = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1).astype(np.float32)
    return SpectralCube(cube, name="mine"), SpectralCube(truth, name="measured")


def test_over_all_bands(pair):
    cube, truth = (one.data.astype(float) for one in pair)
    rmse = np.sqrt(((cube - truth) ** 2).mean(axis=0))
    mrae = (np.abs(cube - truth) / (truth + 0.001)).mean(axis=0)
    cosine = (cube * truth).sum(0) / np.linalg.norm(cube, axis=0) / np.linalg.norm(truth, axis=0)
    for metric, expected in (
        ("rmse", rmse),
        ("mrae", mrae),
        ("sam", np.degrees(np.arccos(cosine))),
    ):
        ours = error_map(*pair, metric)
        assert (ours.dtype, ours.shape) == (np.float32, (8, 11))
        np.testing.assert_allclose(ours, expected, rtol=1e-5, err_msg=metric)


def test_at_one_band(pair):
    cube, truth = (one.data[14].astype(float) for one in pair)
    error = np.abs(cube - truth)
    np.testing.assert_allclose(error_map(*pair, band_nm=540), error, rtol=1e-5, atol=1e-8)
    relative = error_map(*pair, "mrae", band_nm=542)
    np.testing.assert_allclose(relative, error / (truth + 0.001), rtol=1e-5, atol=1e-8)


def test_the_maps_and_the_metrics_agree(pair):
    standard = evaluate(*pair).standard
    assert np.sqrt(np.mean(error_map(*pair, "rmse") ** 2.0)) == pytest.approx(standard.rmse)
    assert error_map(*pair, "sam").mean() == pytest.approx(standard.sam_deg, rel=1e-5)
    assert error_map(*pair, "mrae").mean() == pytest.approx(standard.mrae, rel=1e-5)


def test_black_pixels_are_finite():
    black, grey = np.zeros((31, 1, 1), np.float32), np.full((31, 1, 1), 0.5, np.float32)
    assert error_map(black, black, "sam") == 0
    assert error_map(grey, black, "sam") == 90
    assert error_map(grey, black, "mrae") == pytest.approx(500, rel=1e-5)


def test_a_broken_band_does_not_hide_the_others(pair):
    broken = pair[0].data.copy()
    broken[3, 0, 0] = np.nan
    assert np.isfinite(error_map(broken, pair[1], band_nm=550)).all()
    with pytest.raises(InputError, match="NaN"):
        error_map(broken, pair[1], band_nm=430)
    with pytest.raises(InputError, match="NaN"):
        error_map(broken, pair[1])


def test_what_cannot_be_mapped(pair):
    with pytest.raises(InputError, match="rmse, sam, mrae"):
        error_map(*pair, "psnr")
    with pytest.raises(InputError, match="needs all bands"):
        error_map(*pair, "sam", band_nm=550)
    with pytest.raises(InputError, match="between 400 and 700 nm"):
        error_map(*pair, band_nm=900)
    with pytest.raises(InputError, match="pixels"):
        error_map(pair[0], pair[1].data[:, 1:])
