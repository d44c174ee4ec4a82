import colour
import numpy as np
import pytest

from napari_gmsr.color import (
    CameraResponse,
    camera_response,
    illuminant,
    list_cameras,
    list_illuminants,
    responses,
)
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import InputError


def test_cie_1964_is_the_response_of_ntire2020(shared_data):
    with np.load(shared_data / "responses" / "ntire2020_cie_1964_w_gain.npz") as published:
        expected = published["filters"] / 256
    ours = camera_response("cie_1964").at(WAVELENGTHS_NM)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_cie_1964_is_the_observer_with_each_channel_summing_to_255():
    observer = colour.MSDS_CMFS["CIE 1964 10 Degree Standard Observer"]
    ours = camera_response("cie_1964").at(WAVELENGTHS_NM)
    theirs = np.array([observer[nm] for nm in WAVELENGTHS_NM])
    np.testing.assert_allclose(ours.sum(axis=0), 255 / 256)
    np.testing.assert_allclose(ours / ours.sum(axis=0), theirs / theirs.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", list_cameras())
def test_every_listed_camera_loads(name):
    response = camera_response(name)
    assert response.name == name
    assert response.source
    assert response.at(WAVELENGTHS_NM).shape == (31, 3)


def test_every_camera_of_colour_science_is_listed():
    assert set(responses._COLOUR_SCIENCE_CAMERAS.values()) == set(colour.MSDS_CAMERA_SENSITIVITIES)


def test_resampling_is_linear_and_zero_outside():
    response = CameraResponse("ramp", [500, 510], [[0, 1, 2], [1, 1, 4]])
    np.testing.assert_allclose(
        response.at([490, 500, 502.5, 510, 511]),
        [[0, 0, 0], [0, 1, 2], [0.25, 1, 2.5], [1, 1, 4], [0, 0, 0]],
    )


def test_a_response_of_ones_own(tmp_path):
    nm = np.array([400.0, 550.0, 700.0])
    sensitivity = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0.5]])
    csv = tmp_path / "mine.csv"
    rows = np.column_stack([nm, sensitivity])
    np.savetxt(csv, rows, delimiter=",", header="Wavelength, R, G, B", comments="")
    np.savez(tmp_path / "mine.npz", wavelengths_nm=nm, sensitivity=sensitivity)
    np.savez(tmp_path / "ntire.npz", bands=nm[None].astype(np.uint16), filters=sensitivity)
    for path in (csv, str(tmp_path / "mine.npz"), tmp_path / "ntire.npz"):
        response = camera_response(path)
        np.testing.assert_array_equal(response.wavelengths_nm, nm)
        np.testing.assert_array_equal(response.sensitivity, sensitivity)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("header.csv", "nm,red,green,blue\n400,1,1,1\n"),
        ("word.csv", "wavelength,r,g,b\n400,one,1,1\n500,1,1,1\n"),
        ("ragged.csv", "wavelength,r,g,b\n400,1,1,1\n500,1,1\n"),
        ("falling.csv", "wavelength,r,g,b\n500,1,1,1\n400,1,1,1\n"),
        ("nan.csv", "wavelength,r,g,b\n400,nan,1,1\n500,1,1,1\n"),
        ("one.csv", "wavelength,r,g,b\n400,1,1,1\n"),
        ("empty.csv", ""),
        ("binary.csv", "\xff\xfe\x00"),
        ("empty.npz", ""),
        ("text.npz", "no archive"),
    ],
)
def test_a_file_that_is_no_response_is_an_error_that_names_it(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        camera_response(path)
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_an_archive_without_a_response_and_a_stack_of_cameras(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, spectra=np.ones((3, 3)))
    with pytest.raises(InputError, match="is no camera response"):
        camera_response(path)
    np.savez(path, wavelengths_nm=[400, 500], sensitivity=np.ones((52, 2, 3)))
    with pytest.raises(InputError, match=r"\(52, 2, 3\)"):
        camera_response(path)


def test_a_missing_file_and_an_unknown_name(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        camera_response(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="cie_1964"):
        camera_response("Pentax")


@pytest.mark.parametrize("name", ["D65", "d50", "A", "E", "FL2"])
def test_illuminants_are_those_of_colour_science(name):
    power = illuminant(name, WAVELENGTHS_NM)
    table = colour.SDS_ILLUMINANTS[name.upper()]
    theirs = np.array([table[nm] for nm in WAVELENGTHS_NM])
    assert power.max() == 1
    np.testing.assert_allclose(power, theirs / theirs.max(), rtol=1e-12)


def test_an_illuminant_between_its_samples():
    table = colour.SDS_ILLUMINANTS["D65"]
    halfway = illuminant("D65", [500, 502.5, 505])
    assert halfway[1] / halfway[0] == pytest.approx((table[500] + table[505]) / 2 / table[500])


def test_unknown_or_too_short_illuminants_are_errors():
    assert "D65" in list_illuminants()
    with pytest.raises(InputError, match="D65"):
        illuminant("D-65", WAVELENGTHS_NM)
    with pytest.raises(InputError, match="300 to 780 nm"):
        illuminant("D65", [700, 1000])
