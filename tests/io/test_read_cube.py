"""Cubes of others: which array, which axis, which wavelengths, which scale."""

from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import scipy.io
import spectral.io.envi
import tifffile
import zarr

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


# The other formats


def test_npy(tmp_path):
    array = band_last("uint8")
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_cube(tmp_path / "a.npy").data, scaled(array, 255))


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("order", [0, 1])
def test_envi(tmp_path, interleave, order):
    array = band_last("uint16", bands=3)
    fields = {"wavelength": [0.45, 0.55, 0.65], "wavelength units": "Micrometers"}
    spectral.io.envi.save_image(
        str(tmp_path / "a.hdr"), array, interleave=interleave, byteorder=order, metadata=fields
    )
    cube = read_cube(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, scaled(array, 65535))
    assert cube.wavelengths_nm.tolist() == [450, 550, 650]
    assert cube.provenance["format"] == f"ENVI {interleave}"


def test_envi_keys_may_have_capitals(tmp_path):
    array = band_last("uint8", bands=3)
    spectral.io.envi.save_image(str(tmp_path / "a.hdr"), array)
    with (tmp_path / "a.hdr").open("a") as header:
        header.write("Wavelength = { 450 , 550 , 650 }\n")
    assert read_cube(tmp_path / "a.hdr").wavelengths_nm.tolist() == [450, 550, 650]


def test_a_cube_does_not_change_with_its_file(tmp_path, cube):
    for suffix in (".hdr", ".npz"):
        cube.save(tmp_path / f"a{suffix}")
        read = read_cube(tmp_path / f"a{suffix}")
        assert read.data.flags.writeable
        assert not isinstance(read.data, np.memmap)


def test_envi_says_its_scale(tmp_path):
    array = band_last("uint16")
    fields = {"reflectance scale factor": 10000}
    spectral.io.envi.save_image(str(tmp_path / "a.hdr"), array, metadata=fields)
    cube = read_cube(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, scaled(array, 10000))
    assert cube.provenance["scale_from"] == "reflectance scale factor of the header"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "lzw"])
def test_tiff_of_one_band_a_page(tmp_path, dtype, compression):
    array = np.moveaxis(band_last(dtype), -1, 0)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for band in array:
            tiff.write(band, photometric="minisblack", compression=compression, metadata=None)
    full_scale = 1 if dtype == "float32" else np.iinfo(dtype).max
    np.testing.assert_array_equal(read_cube(path).data, scaled(array, full_scale, axis=0))


def test_tiff_of_31_samples_a_pixel(tmp_path):
    array = band_last("uint8")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_cube(path).data, scaled(array, 255))


def test_ome_tiff_and_imagej(tmp_path):
    array = np.moveaxis(band_last("uint16"), -1, 0)
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "b.tif", array, imagej=True, metadata={"axes": "CYX"})
    for name, stem in (("a.ome.tif", "a"), ("b.tif", "b")):
        cube = read_cube(tmp_path / name)
        np.testing.assert_array_equal(cube.data, scaled(array, 65535, axis=0))
        assert cube.name == stem


def test_tiff_pages_of_different_sizes_are_no_cube(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for side in (4, 5):
            tiff.write(np.zeros((side, side), np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match=r"a\.tif: its pages have 2 different shapes"):
        read_cube(tmp_path / "a.tif")


def save_pngs(folder: Path, array: np.ndarray, first: int = 1, step: int = 1) -> None:
    folder.mkdir(parents=True)
    for index, band in enumerate(array):
        name = f"balloons_ms_{first + index * step:02d}.png"
        (folder / name).write_bytes(imagecodecs.png_encode(np.ascontiguousarray(band)))


@pytest.mark.parametrize("inside", ["", "balloons_ms", "balloons_ms/balloons_ms"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_folder_of_pngs_as_cave_ships_it(tmp_path, inside, dtype):
    array = np.moveaxis(band_last(dtype), -1, 0)
    scene = tmp_path / "balloons_ms"
    save_pngs(scene / inside, array)
    (scene / inside / "balloons_RGB.bmp").write_bytes(b"a picture beside the bands")
    (scene / inside / "Thumbs.db").write_bytes(b"")
    cube = read_cube(scene)
    np.testing.assert_array_equal(cube.data, scaled(array, np.iinfo(dtype).max, axis=0))
    assert cube.name == "balloons_ms"
    assert cube.provenance["format"] == "PNG folder"


def test_a_folder_of_pngs_named_by_wavelength(tmp_path):
    array = np.moveaxis(band_last("uint8", bands=4), -1, 0)
    save_pngs(tmp_path / "scene", array, first=400, step=100)
    assert read_cube(tmp_path / "scene").wavelengths_nm.tolist() == [400, 500, 600, 700]


def test_grey_bands_stored_as_rgba(tmp_path):
    array = np.moveaxis(band_last("uint8"), -1, 0)
    opaque = np.full_like(array, 255)
    save_pngs(tmp_path / "scene", np.stack([array, array, array, opaque], axis=-1))
    np.testing.assert_array_equal(read_cube(tmp_path / "scene").data, scaled(array, 255, axis=0))


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_of_others(tmp_path, version):
    array = np.moveaxis(band_last("uint16", bands=4), -1, 0)
    axes = [
        {"name": "t", "type": "time"},
        {"name": "c", "type": "channel", "unit": "nanometer"},
        {"name": "z", "type": "space"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space"},
    ]
    transforms = [
        {"type": "scale", "scale": [1, 50, 1, 1, 1]},
        {"type": "translation", "translation": [0, 450, 0, 0, 0]},
    ]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    image = {"multiscales": [{"axes": axes, "datasets": datasets}]}
    attributes = image if version == 2 else {"ome": {"version": "0.5", **image}}
    group = zarr.create_group(tmp_path / "a.ome.zarr", zarr_format=version, attributes=attributes)
    group.create_array("0", shape=(1, 4, 1, 5, 6), dtype=np.uint16)[...] = array[None, :, None]
    cube = read_cube(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(cube.data, scaled(array, 65535, axis=0))
    assert cube.wavelengths_nm.tolist() == [450, 500, 550, 600]
    assert cube.name == "a"


def test_a_plain_zarr_array(tmp_path):
    array = band_last()
    zarr.create_array(tmp_path / "a.zarr", shape=array.shape, dtype=np.float32)[...] = array
    np.testing.assert_array_equal(read_cube(tmp_path / "a.zarr").data, np.moveaxis(array, -1, 0))


# MATLAB's packing


def pack(array: np.ndarray, matlab_class: int) -> bytes:
    """Return a MAT 5 file of one array ``cube`` whose class and stored type differ.

    MAT-File Format, MathWorks: an array element holds flags with the class, dimensions, name and
    numbers, whose own type may be smaller than the class.
    """
    types = {"uint8": 2, "int16": 3, "uint16": 4, "int32": 5}

    def element(kind: int, data: bytes) -> bytes:
        return np.array([kind, len(data)], "<u4").tobytes() + data + bytes(-len(data) % 8)

    matrix = (
        element(6, np.array([matlab_class, 0], "<u4").tobytes())
        + element(5, np.array(array.shape, "<i4").tobytes())
        + element(1, b"cube")
        + element(types[array.dtype.name], array.tobytes(order="F"))
    )
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element(14, matrix)


DOUBLE, UINT16 = 6, 11


@pytest.mark.parametrize(
    ("stored", "matlab_class", "highest", "full_scale"),
    [
        ("uint8", DOUBLE, 200, 255),
        ("uint16", DOUBLE, 50000, 65535),
        ("int16", DOUBLE, 20000, 65535),
        ("uint8", UINT16, 200, 65535),
        ("uint8", DOUBLE, 1, 1),
        ("int32", DOUBLE, 100000, 1),
    ],
)
def test_whole_numbers_that_matlab_packed(tmp_path, stored, matlab_class, highest, full_scale):
    array = RNG.integers(0, highest, (5, 6, 31), endpoint=True).astype(stored)
    array[0, 0, 0] = highest
    (tmp_path / "a.mat").write_bytes(pack(array, matlab_class))
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, scaled(array, full_scale))
    assert cube.provenance["scale"] == full_scale


# The measured scenes, by the table of the data's README: variable, side, full scale, highest value


@pytest.mark.parametrize(
    ("name", "variable", "side", "full_scale", "highest"),
    [
        ("cave_chart_and_stuffed_toy_256", "NRD", 256, 65535, 63432),
        ("cave_chart_and_stuffed_toy_crop150", "Omsi", 150, 1, 0.791351318359375),
        ("cave_cloth_256", "NRD", 256, 65535, 43764),
        ("cave_cloth_256_sharp", "Omsi", 256, 65535, 50642),
        ("cave_feathers_512_uint8", "msi", 512, 255, 245),
        ("cave_feathers_crop150", "Omsi", 150, 1, 0.735870361328125),
        ("cave_balloons_crop100", "Omsi", 100, 1, 0.51043701171875),
        ("cave_balloons_101", "Omsi", 101, 1, 1.0),
    ],
)
def test_the_measured_scenes_open(shared_data, name, variable, side, full_scale, highest):
    path = shared_data / "scenes" / f"{name}.mat"
    cube = read_cube(path)
    assert cube.shape == (31, side, side)
    np.testing.assert_array_equal(cube.wavelengths_nm, WAVELENGTHS_NM)
    assert (cube.provenance["variable"], cube.provenance["scale"]) == (variable, full_scale)
    assert cube.data.max() == np.float32(highest / full_scale)
    stored = scipy.io.loadmat(path)[variable]
    np.testing.assert_array_equal(cube.data, scaled(stored, full_scale))
