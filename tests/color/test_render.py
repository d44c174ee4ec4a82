import subprocess
import sys

import colour
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_gmsr.color import (
    CameraResponse,
    list_cameras,
    render_rgb,
    rendering_matrix,
    wavelength_to_rgb,
)
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError


def flat(spectrum, **fields):
    return SpectralCube(np.asarray(spectrum, np.float32)[:, None, None], **fields)


def test_linear_cie_1964_is_the_protocol_of_the_clean_track(shared_data):
    with np.load(shared_data / "responses" / "ntire2020_cie_1964_w_gain.npz") as published:
        filters = published["filters"]
    scene = scipy.io.loadmat(shared_data / "scenes" / "cave_balloons_crop100.mat")["Omsi"]
    rgb = render_rgb(SpectralCube.from_band_last(scene, name="balloons"))
    assert (rgb.encoding, rgb.name, rgb.data.dtype) == ("linear", "balloons", np.float32)
    np.testing.assert_allclose(rgb.data, np.clip(scene @ filters / 256, 0, 1), atol=1e-6)


@given(hnp.arrays(np.float32, (31, 2, 3), elements=st.floats(-1, 3, width=32)))
def test_a_picture_is_the_clipped_product(data):
    expected = np.clip(np.einsum("byx,bc->yxc", data.astype(float), rendering_matrix()), 0, 1)
    np.testing.assert_allclose(render_rgb(data).data, expected, atol=1e-5)


@pytest.mark.parametrize("camera", [name for name in list_cameras() if name != "srgb"])
@pytest.mark.parametrize("light", [None, "D65", "A", "FL2"])
def test_a_perfect_white_is_exposed_to_full_scale(camera, light):
    white = render_rgb(flat(np.ones(31)), camera, light).data[0, 0]
    assert white.max() == pytest.approx(255 / 256)
    assert white.min() > 0


def test_the_ideal_photograph_is_the_one_of_colour_science():
    rng = np.random.default_rng(0)
    reflectance = rng.uniform(0.2, 0.6, 31)
    observer = colour.MSDS_CMFS["CIE 1964 10 Degree Standard Observer"]
    xyz_bar = np.array([observer[nm] for nm in WAVELENGTHS_NM])
    light = np.array([colour.SDS_ILLUMINANTS["D65"][nm] for nm in WAVELENGTHS_NM])
    xyz = (reflectance * light) @ xyz_bar / (light @ xyz_bar[:, 1])
    expected = colour.XYZ_to_sRGB(xyz, illuminant=colour.RGB_COLOURSPACES["sRGB"].whitepoint)
    photo = render_rgb(flat(reflectance), camera="srgb", illuminant="D65", encoding="srgb")
    assert photo.encoding == "srgb"
    np.testing.assert_allclose(photo.data[0, 0], expected, atol=2e-5)


def test_a_white_photograph_is_white_and_clipped():
    photo = render_rgb(flat(np.full(31, 1.5)), "srgb", "D65", "srgb")
    np.testing.assert_allclose(photo.data, 1, atol=1e-6)
    grey = render_rgb(flat(np.full(31, 0.5)), "srgb", "D65").data[0, 0]
    np.testing.assert_allclose(grey, 0.5, atol=0.01)


def test_the_order_and_the_spacing_of_the_bands_do_not_matter():
    smooth = lambda nm: 0.4 + 0.3 * np.sin(np.asarray(nm) / 60)  # noqa: E731
    expected = render_rgb(flat(smooth(WAVELENGTHS_NM))).data
    falling = WAVELENGTHS_NM[::-1]
    np.testing.assert_allclose(
        render_rgb(flat(smooth(falling), wavelengths_nm=falling)).data, expected, atol=1e-6
    )
    uneven = np.r_[400:500:5.0, 500:600:2.0, 600:701:10.0]
    np.testing.assert_allclose(
        render_rgb(flat(smooth(uneven), wavelengths_nm=uneven)).data, expected, atol=0.01
    )


def test_a_camera_of_ones_own():
    camera = CameraResponse("filters", WAVELENGTHS_NM, np.eye(31)[:, [20, 10, 0]] * [2, 1, 1])
    spectrum = np.zeros(31)
    spectrum[[0, 10, 20]] = [0.2, 0.4, 0.6]
    rgb = render_rgb(flat(spectrum), camera).data[0, 0] * 256 / 255
    np.testing.assert_allclose(rgb, [0.6, 0.2, 0.1], rtol=1e-6)


def test_bands_that_miss_a_channel_are_an_error():
    infrared = flat([0.5, 0.5], wavelengths_nm=[900, 950], name="leaf")
    with pytest.raises(InputError, match=r"900 to 950 nm.*360 and 830"):
        render_rgb(infrared)


def test_arrays_and_names_that_cannot_be_used():
    with pytest.raises(InputError, match="30 bands"):
        render_rgb(np.zeros((30, 2, 2)))
    with pytest.raises(InputError, match="'srgb' or 'linear'"):
        render_rgb(np.zeros((31, 2, 2)), encoding="gamma")


def test_band_colours_have_the_hues_of_the_spectrum():
    assert wavelength_to_rgb(550).shape == (3,)
    nm = np.arange(350.0, 801.0, 1.0)
    rgb = wavelength_to_rgb(nm)
    assert rgb.shape == (451, 3)
    assert ((rgb >= 0) & (rgb <= 1)).all()
    assert (rgb.max(axis=1) > 0.45).all()
    strongest = dict(zip(nm, rgb.argmax(axis=1), strict=True))
    assert [strongest[x] for x in (450, 530, 620, 700, 750)] == [2, 1, 0, 0, 0]


def test_band_colours_follow_the_standard_observer():
    nm = np.arange(440.0, 631.0, 10.0)
    xyz = np.array([colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"][x] for x in nm])
    linear = np.maximum(colour.XYZ_to_RGB(xyz, "sRGB"), 0)
    expected = colour.eotf_inverse(linear / linear.max(axis=1, keepdims=True), "sRGB")
    assert np.abs(wavelength_to_rgb(nm) - expected).mean() < 0.02


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, napari_gmsr.color as c; c.render_rgb; c.wavelength_to_rgb(550); "
        "print(sorted({'colour', 'torch', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
