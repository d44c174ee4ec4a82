import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import structural_similarity
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.image import (
    error_relative_global_dimensionless_synthesis,
    peak_signal_noise_ratio,
    spectral_angle_mapper,
)

from napari_gmsr.color import render_rgb, rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate import common_bands, evaluate


@pytest.fixture(scope="module")
def pair():
    """A truth with bands of different brightness, and a cube near it; (band, y, x)."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.05, 0.9, (31, 16, 20)) * np.linspace(0.3, 1, 31)[:, None, None]
    cube = np.clip(truth * rng.uniform(0.7, 1.2, truth.shape) + 0.01, 0, 1)
    return cube.astype(np.float32), truth.astype(np.float32)


def constant(value, bands=31, size=(8, 9)):
    return np.full((bands, *size), value, np.float32)


def paper_transcribed(rec, gt):
    """The formulas of the paper's test script, literally."""
    rec, gt = rec.astype(float), gt.astype(float)
    psnr, ssim, sam = [], [], []
    for b in range(gt.shape[0]):
        mse = np.mean((gt[b] - rec[b]) ** 2)
        psnr.append(10 * np.log10(np.max(gt[b]) ** 2 / mse))
        ssim.append(structural_similarity(gt[b], rec[b], data_range=gt.max() - gt.min()))
        cosine = np.sum(gt[b] * rec[b]) / np.sqrt(np.sum(gt[b] ** 2)) / np.sqrt(np.sum(rec[b] ** 2))
        sam.append(np.arccos(cosine) * 180 / np.pi)
    return {
        "rmse": np.sqrt(np.mean((gt - rec) ** 2)),
        "psnr_db": np.mean(psnr),
        "assim": np.mean(ssim),
        "sam_deg": np.mean(sam),
        "mrae": np.mean(np.abs(gt - rec) / (rec + 0.001)),
    }


def test_the_paper_set_is_its_formula(pair):
    paper = evaluate(*pair).paper
    for name, expected in paper_transcribed(*pair).items():
        assert getattr(paper, name) == pytest.approx(expected, rel=1e-6), name


def test_the_standard_set_is_that_of_torchmetrics(pair):
    standard = evaluate(*pair).standard
    cube, truth = (torch.from_numpy(array).double()[None] for array in pair)
    assert standard.rmse == pytest.approx(float(mean_squared_error(cube, truth, squared=False)))
    assert standard.psnr_db == pytest.approx(
        float(peak_signal_noise_ratio(cube, truth, data_range=1.0))
    )
    assert standard.sam_deg == pytest.approx(
        float(torch.rad2deg(spectral_angle_mapper(cube, truth)))
    )
    assert standard.ergas == pytest.approx(
        float(error_relative_global_dimensionless_synthesis(cube, truth, ratio=1))
    )


def naive_ssim(x, y, data_range, window=7):
    """Wang et al. (2004) with a uniform window and sample covariances, window by window."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for i in range(x.shape[0] - window + 1):
        for j in range(x.shape[1] - window + 1):
            a, b = (z[i : i + window, j : j + window].astype(float).ravel() for z in (x, y))
            (vx, vxy), (_, vy) = np.cov(a, b)
            mx, my = a.mean(), b.mean()
            values.append(
                (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    return np.mean(values)


def test_the_similarities_are_the_formula_over_windows(pair):
    cube, truth = pair
    evaluation = evaluate(cube, truth)
    span = float(truth.max() - truth.min())
    for b in (0, 30):
        ours = evaluation.standard.bands["ssim"][b]
        assert ours == pytest.approx(naive_ssim(cube[b], truth[b], 1.0), rel=1e-6)
        ours = evaluation.paper.bands["assim"][b]
        assert ours == pytest.approx(naive_ssim(cube[b], truth[b], span), rel=1e-6)
    similarity = structural_similarity(truth, cube, data_range=1.0, channel_axis=0)
    assert evaluation.standard.ssim == pytest.approx(similarity, rel=1e-5)


def test_by_hand_a_constant_offset():
    truth = constant(0.4)
    truth[:, 0, 0] = 0.8
    evaluation = evaluate(truth + np.float32(0.1), truth)
    paper, standard = evaluation.paper, evaluation.standard
    assert paper.rmse == standard.rmse == pytest.approx(0.1)
    assert paper.psnr_db == pytest.approx(20 * np.log10(0.8 / 0.1))
    assert standard.psnr_db == pytest.approx(20.0)
    assert paper.mrae == pytest.approx((71 * 0.1 / 0.501 + 0.1 / 0.901) / 72)
    assert standard.mrae == pytest.approx((71 * 0.1 / 0.401 + 0.1 / 0.801) / 72)
    assert standard.sam_deg == pytest.approx(0, abs=1e-4)  # each spectrum is flat in both
    mean = (71 * 0.4 + 0.8) / 72
    assert standard.ergas == pytest.approx(100 * 0.1 / mean)
    assert standard.back_projection == pytest.approx(0.1 * 255 / 256)


def test_by_hand_the_two_angles():
    truth, cube = constant(0.5), constant(0.5)
    truth[:15], cube[:15] = 0.0, 0.25
    # Every spectrum turns by the same angle; band images that are multiples of each other do not.
    angle = np.degrees(np.arccos(16 * 0.25 / np.sqrt(16 * 0.25) / np.sqrt(15 / 16 + 16 / 4)))
    assert evaluate(cube, truth).standard.sam_deg == pytest.approx(angle)
    truth[:15] = 0.125
    assert evaluate(cube, truth).paper.sam_deg == pytest.approx(0, abs=1e-4)
    truth, cube = constant(0.0), constant(0.0)
    truth[:, 0, 0] = 1
    cube[:, 0, :2] = 1
    assert evaluate(cube, truth).paper.sam_deg == pytest.approx(45)


def test_a_gain_from_band_to_band_is_seen_by_the_standard_angle_alone(pair):
    _, truth = pair
    evaluation = evaluate(truth * np.linspace(0.5, 1, 31, dtype=np.float32)[:, None, None], truth)
    assert evaluation.paper.sam_deg == pytest.approx(0, abs=0.01)
    assert evaluation.standard.sam_deg > 5


def test_the_back_projection_is_the_error_of_the_rendered_pictures(pair):
    cube, truth = pair
    difference = render_rgb(cube).data - render_rgb(truth).data
    expected = np.sqrt(np.mean(difference.astype(float) ** 2))
    assert evaluate(cube, truth).standard.back_projection == pytest.approx(expected, rel=1e-4)
    assert rendering_matrix().sum(axis=0) == pytest.approx(255 / 256)  # nothing was clipped


def test_the_values_are_the_means_of_the_bands(pair):
    evaluation = evaluate(*pair)
    for metrics in (evaluation.paper, evaluation.standard):
        for name, values in metrics.bands.items():
            assert values.shape == (31,)
            if name == "rmse":
                assert metrics.rmse == pytest.approx(np.sqrt(np.mean(values**2)))
            elif (metrics, name) != (evaluation.standard, "psnr_db"):
                assert getattr(metrics, name) == pytest.approx(values.mean())


def test_an_identical_cube_has_no_error(pair):
    _, truth = pair
    evaluation = evaluate(truth, truth)
    for metrics in (evaluation.paper, evaluation.standard):
        assert (metrics.rmse, metrics.mrae, metrics.psnr_db) == (0, 0, np.inf)
        assert metrics.sam_deg == pytest.approx(0, abs=1e-5)
    assert evaluation.paper.assim == evaluation.standard.ssim == pytest.approx(1)
    assert evaluation.standard.ergas == evaluation.standard.back_projection == 0
    assert any("infinite" in note for note in evaluation.notes)


def test_dark_bands_are_left_out_and_told():
    truth, cube = constant(0.5), constant(0.4)
    truth[:2], cube[0] = 0, 0
    evaluation = evaluate(cube, truth)
    assert evaluation.paper.psnr_db == pytest.approx(20 * np.log10(0.5 / 0.1), rel=1e-5)
    assert np.isnan(evaluation.paper.bands["psnr_db"][:2]).all()
    np.testing.assert_allclose(evaluation.paper.bands["sam_deg"][:3], [0, 90, 0], atol=1e-5)
    assert evaluation.standard.ergas == pytest.approx(20, rel=1e-5)
    assert np.isfinite(evaluation.standard.psnr_db)
    assert len([note for note in evaluation.notes if "2 of 31 bands" in note]) == 2


def test_a_black_truth_and_a_black_cube():
    black = evaluate(constant(0), constant(0))
    assert (black.standard.rmse, black.standard.sam_deg, black.standard.mrae) == (0, 0, 0)
    assert np.isnan(black.paper.psnr_db)
    assert np.isnan(black.standard.ergas)
    assert np.isnan(black.paper.assim)
    assert black.standard.ssim == pytest.approx(1)
    assert evaluate(constant(0.5), constant(0)).standard.sam_deg == 90


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (6, 7)])
def test_a_small_picture_has_no_similarity_and_says_so(size):
    evaluation = evaluate(constant(0.5, size=size), constant(0.4, size=size))
    assert np.isnan(evaluation.paper.assim)
    assert np.isnan(evaluation.standard.ssim)
    assert evaluation.standard.rmse == pytest.approx(0.1)
    assert evaluation.notes == (
        f"SSIM needs 7 x 7 pixels: it is not defined for {size[0]} x {size[1]}.",
    )


def test_bands_that_the_observer_cannot_see_have_no_back_projection():
    nm = np.array([900.0, 950.0])
    truth = SpectralCube(constant(0.5, 2), nm)
    evaluation = evaluate(constant(0.4, 2), truth)
    assert np.isnan(evaluation.standard.back_projection)
    assert any("back-projection" in note for note in evaluation.notes)


unit = st.floats(0, 1, width=32)
small = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=30, deadline=None)
@given(small.flatmap(lambda s: st.tuples(*[hnp.arrays(np.float32, s, elements=unit)] * 2)))
def test_any_pair_gives_values_or_a_note(arrays):
    nm = 450 + 50.0 * np.arange(len(arrays[0]))
    evaluation = evaluate(*(SpectralCube(array, nm) for array in arrays))
    assert np.isfinite([evaluation.standard.rmse, evaluation.standard.sam_deg]).all()
    assert 0 <= evaluation.standard.sam_deg <= 180
    for metrics in (evaluation.to_dict()["paper"], evaluation.to_dict()["standard"]):
        assert evaluation.notes or None not in metrics.values()


def test_pictures_of_another_size_are_an_error_that_names_both():
    cube = SpectralCube(constant(0.5), name="mine")
    truth = SpectralCube(constant(0.5, size=(9, 8)), name="measured")
    with pytest.raises(InputError, match=r"mine and measured: .*8 x 9 pixels.*9 x 8.*crop"):
        evaluate(cube, truth)


def test_other_wavelengths_are_an_error_whose_fix_works(pair):
    cube = SpectralCube(pair[0], name="mine")
    truth = SpectralCube(pair[1], np.arange(420.0, 721.0, 10.0) + 0.3, name="harvard")
    with pytest.raises(InputError, match=r"mine and harvard: .*29 bands.*common_bands"):
        evaluate(cube, truth)
    shared = common_bands(cube, truth)
    np.testing.assert_array_equal(shared[0].data, pair[0][2:])
    np.testing.assert_array_equal(shared[1].data, pair[1][:-2])
    assert evaluate(*shared).wavelengths_nm.size == 29


def test_bands_in_another_order_are_matched(pair):
    cube = SpectralCube(pair[0])
    falling = SpectralCube(pair[1][::-1], cube.wavelengths_nm[::-1])
    with pytest.raises(InputError, match="31 bands they share"):
        evaluate(cube, falling)
    np.testing.assert_array_equal(common_bands(cube, falling)[1].data, pair[1])


def test_no_band_in_common():
    cube, infrared = SpectralCube(constant(0.5)), SpectralCube(constant(0.5), np.arange(900, 931.0))
    for compare in (evaluate, common_bands):
        with pytest.raises(InputError, match="wavelengths"):
            compare(cube, infrared)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_broken_values_are_an_error_that_names_both(pair, broken, which):
    arrays = [array.copy() for array in pair]
    arrays[which][3, 2, 1] = broken
    cube, truth = (
        SpectralCube(a, name=n) for a, n in zip(arrays, ("mine", "measured"), strict=True)
    )
    names = (r"mine: 1 of .*measured", r"measured: 1 of .*mine")
    with pytest.raises(InputError, match=names[which] + ".*nan_to_num"):
        evaluate(cube, truth)


def test_the_published_baseline_scene_has_finite_metrics(shared_data):
    from scipy.io import loadmat

    scene = loadmat(shared_data / "scenes" / "cave_balloons_101.mat")["Omsi"]
    truth = SpectralCube.from_band_last(scene, name="balloons")
    evaluation = evaluate(truth.data * np.float32(0.9), truth)
    assert evaluation.paper.rmse == pytest.approx(0.1 * np.sqrt(np.mean(scene**2)), rel=1e-5)
    assert evaluation.standard.sam_deg == pytest.approx(0, abs=0.01)
    assert evaluation.paper.psnr_db == pytest.approx(
        np.mean(20 * np.log10(scene.max((0, 1)) / (0.1 * np.sqrt((scene**2).mean((0, 1)))))), 1e-5
    )
