"""Cubes of others: which array, which axis, which wavelengths, which scale."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube

RNG = np.random.default_rng(2)
ASSUMED = "assumed: 400 to 700 nm in steps of 10 nm"


def band_last(dtype: str = "float32", bands: int = 31) -> np.ndarray:
    """Return a cube (5, 6, band) of a type, as most files hold it."""
    values = RNG.random((5, 6, bands))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


def scaled(array: np.ndarray, full_scale: float, axis: int = -1) -> np.ndarray:
    return np.moveaxis((array / np.float64(full_scale)).astype(np.float32), axis, 0)


def save_mat73(path: Path, **variables: np.ndarray) -> Path:
    """Write as MATLAB does: axes in reverse, the class as an attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            dataset = file.create_dataset(name, data=np.ascontiguousarray(array.T))
            words = {"float32": "single", "float64": "double"}
            dataset.attrs["MATLAB_class"] = np.bytes_(words.get(array.dtype.name, array.dtype.name))
    return path


def save(path: Path, **variables: np.ndarray) -> Path:
    if path.name.endswith("7.mat"):
        return save_mat73(path, **variables)
    if path.suffix == ".mat":
        scipy.io.savemat(path, variables)
    else:
        np.savez(path, **variables)
    return path


HOLDERS = pytest.mark.parametrize("holder", ["five.mat", "7.mat", "a.npz"])


# Which array


@HOLDERS
@pytest.mark.parametrize("name", ["cube", "anything"])
def test_the_only_cube_is_found(tmp_path, holder, name):
    array = band_last()
    path = save(tmp_path / holder, **{name: array, "norm_factor": np.ones((1, 1))})
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.data, np.moveaxis(array, -1, 0))
    assert cube.data.flags.c_contiguous
    assert cube.name == path.stem
    assert cube.provenance["variable"] == name
    assert cube.provenance["file"] == holder


@HOLDERS
@pytest.mark.parametrize("preferred", ["cube", "rad", "ref", "hsi", "Cube"])
def test_usual_names_are_preferred(tmp_path, holder, preferred):
    array = band_last()
    path = save(tmp_path / holder, aaa=band_last(), zzz=band_last(), **{preferred: array})
    np.testing.assert_array_equal(read_cube(path).data, np.moveaxis(array, -1, 0))


def test_a_cube_goes_before_a_radiance(tmp_path):
    path = save(tmp_path / "a.npz", hsi=band_last(), rad=band_last(), cube=band_last())
    assert read_cube(path).provenance["variable"] == "cube"


@HOLDERS
def test_three_cubes_are_listed_and_selectable(tmp_path, holder):
    arrays = {name: band_last() for name in ("first", "second", "third")}
    path = save(tmp_path / holder, **arrays)
    with pytest.raises(InputError) as caught:
        read_cube(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: it holds 3 3-D arrays: first (5, 6, 31)")
    assert "Give as variable one of: first, second, third." in message
    cube = read_cube(path, variable="second")
    np.testing.assert_array_equal(cube.data, np.moveaxis(arrays["second"], -1, 0))


@HOLDERS
def test_an_unknown_variable_is_refused_with_what_there_is(tmp_path, holder):
    path = save(tmp_path / holder, cube=band_last(), flat=np.ones((2, 3)))
    for wanted in ("missing", "flat"):
        with pytest.raises(InputError, match=rf"'{wanted}' is no 3-D.*flat \(2, 3\)"):
            read_cube(path, variable=wanted)


# Which wavelengths


@HOLDERS
@pytest.mark.parametrize("name", ["bands", "wavelengths", "wavelengths_nm", "Wavelength"])
def test_wavelengths_beside_the_cube(tmp_path, holder, name):
    wavelengths = np.linspace(420, 720, 31)
    path = save(tmp_path / holder, ref=band_last(), **{name: wavelengths[None]})
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.wavelengths_nm, wavelengths)
    assert cube.provenance["wavelengths"] == f"from the file ({name})"


def test_whole_numbers_are_wavelengths_too(tmp_path):
    path = save(tmp_path / "a.mat", cube=band_last(), bands=np.arange(400, 701, 10))
    np.testing.assert_array_equal(read_cube(path).wavelengths_nm, WAVELENGTHS_NM)


def test_micrometres_become_nanometres(tmp_path):
    path = save(tmp_path / "a.npz", cube=band_last(), wavelengths=np.linspace(0.4, 0.7, 31))
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.wavelengths_nm, WAVELENGTHS_NM)
    assert cube.provenance["wavelengths"] == "from the file (wavelengths), micrometres"


@pytest.mark.parametrize("first", [0, 1])
def test_band_numbers_are_no_wavelengths(tmp_path, first):
    path = save(tmp_path / "a.mat", cube=band_last(), bands=np.arange(first, first + 31))
    assert read_cube(path).provenance["wavelengths"] == ASSUMED


def test_31_bands_without_wavelengths_are_assumed(tmp_path):
    cube = read_cube(save(tmp_path / "a.mat", cube=band_last()))
    np.testing.assert_array_equal(cube.wavelengths_nm, WAVELENGTHS_NM)
    assert cube.provenance["wavelengths"] == ASSUMED


def test_other_band_counts_need_wavelengths(tmp_path):
    path = save(tmp_path / "a.mat", cube=band_last(bands=4))
    with pytest.raises(InputError, match=r"a\.mat: .* 4 bands .*Give wavelengths_nm"):
        read_cube(path)
    cube = read_cube(path, wavelengths_nm=[450, 550, 650, 800])
    assert cube.wavelengths_nm.tolist() == [450, 550, 650, 800]
    assert cube.provenance["wavelengths"] == "given"


def test_given_wavelengths_win_as_for_harvard(tmp_path):
    path = save(tmp_path / "a.mat", ref=band_last("float64"))
    cube = read_cube(path, wavelengths_nm=np.linspace(420, 720, 31))
    np.testing.assert_array_equal(cube.wavelengths_nm, np.linspace(420, 720, 31))


def test_given_wavelengths_win_over_our_own_file(tmp_path, cube):
    cube.save(tmp_path / "own.npz")
    again = read_cube(tmp_path / "own.npz", wavelengths_nm=np.linspace(420, 720, 31), scale=2)
    np.testing.assert_array_equal(again.data, cube.data / np.float32(2))
    assert again.provenance == {
        **cube.provenance,
        "wavelengths": "given",
        "scale": 2.0,
        "scale_from": "given",
    }


@pytest.mark.parametrize(
    ("wavelengths", "words"),
    [
        ([400, 500], "2 wavelengths do not fit 5 bands"),
        ([400] * 31, "not strictly rising or falling"),
        ([np.nan, *range(30)], "not strictly rising or falling"),
    ],
)
def test_wavelengths_that_do_not_fit(tmp_path, wavelengths, words):
    path = save(tmp_path / "a.mat", cube=band_last())
    with pytest.raises(InputError, match=rf"a\.mat: .*{words}"):
        read_cube(path, wavelengths_nm=wavelengths)


@pytest.mark.parametrize("holder", ["7.mat", "a.npz"])
def test_the_spread_of_our_own_file_is_selectable(tmp_path, cube, holder):
    cube.save(tmp_path / holder)
    again = read_cube(tmp_path / holder, variable="spread")
    np.testing.assert_array_equal(again.data, cube.spread)
    np.testing.assert_array_equal(again.wavelengths_nm, cube.wavelengths_nm)


# Which axis


@HOLDERS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_axis_of_31_is_the_bands(tmp_path, holder, axis):
    array = band_last()
    path = save(tmp_path / holder, cube=np.moveaxis(array, -1, axis))
    np.testing.assert_array_equal(read_cube(path).data, np.moveaxis(array, -1, 0))


@HOLDERS
def test_as_many_as_wavelengths_are_the_bands(tmp_path, holder):
    array = RNG.random((4, 31, 6))
    path = save(tmp_path / holder, cube=array, bands=np.array([450.0, 500, 550, 600]))
    np.testing.assert_array_equal(read_cube(path).data, array.astype(np.float32))


@HOLDERS
def test_of_several_that_fit_the_last(tmp_path, holder):
    array = RNG.random((31, 31, 31))
    path = save(tmp_path / holder, cube=array)
    for given, axis in ((None, 2), (0, 0), (1, 1), (-2, 1), (-1, 2)):
        cube = read_cube(path, band_axis=given)
        np.testing.assert_array_equal(cube.data, np.moveaxis(array, axis, 0).astype(np.float32))


@pytest.mark.parametrize("axis", [3, -4])
def test_there_is_no_fourth_axis(tmp_path, axis):
    path = save(tmp_path / "a.npz", cube=band_last())
    with pytest.raises(InputError, match=rf"band_axis is {axis}"):
        read_cube(path, band_axis=axis)


# Which scale


@HOLDERS
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_integers_are_divided_by_their_full_scale(tmp_path, holder, dtype):
    array = band_last(dtype)
    full_scale = np.iinfo(dtype).max if array.dtype.kind in "ui" else 1
    cube = read_cube(save(tmp_path / holder, cube=array))
    np.testing.assert_array_equal(cube.data, scaled(array, full_scale))
    assert cube.provenance["scale"] == full_scale


def test_every_16_bit_number_is_rounded_once(tmp_path):
    numbers = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    path = save(tmp_path / "a.npz", cube=np.repeat(numbers, 2, axis=2))
    cube = read_cube(path, wavelengths_nm=[500, 600])
    expected = numbers[..., 0].astype(np.float32) / np.float32(65535)
    np.testing.assert_array_equal(cube.data[0], expected)


@HOLDERS
def test_a_given_scale_wins(tmp_path, holder):
    array = band_last("uint16")
    cube = read_cube(save(tmp_path / holder, cube=array), scale=4095)
    np.testing.assert_array_equal(cube.data, scaled(array, 4095))
    assert (cube.provenance["scale"], cube.provenance["scale_from"]) == (4095.0, "given")


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf])
def test_a_scale_is_a_positive_number(tmp_path, scale):
    path = save(tmp_path / "a.npz", cube=band_last())
    with pytest.raises(InputError, match="scale is"):
        read_cube(path, scale=scale)


def test_numbers_beyond_float32_are_refused(tmp_path):
    path = save(tmp_path / "a.npz", cube=band_last("float64") * 1e300)
    with pytest.raises(InputError, match="too large for float32"):
        read_cube(path)
    assert read_cube(path, scale=1e300).data.max() <= 1
