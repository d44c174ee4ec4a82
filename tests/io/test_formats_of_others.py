"""Cubes of others, format by format, and the measured scenes."""

from pathlib import Path

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

RNG = np.random.default_rng(4)


def band_last(dtype: str = "float32", bands: int = 31) -> np.ndarray:
    """Return a cube (5, 6, band) of a type, as most files hold it."""
    values = RNG.random((5, 6, bands))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


def scaled(array: np.ndarray, full_scale: float, axis: int = -1) -> np.ndarray:
    return np.moveaxis((array / np.float64(full_scale)).astype(np.float32), axis, 0)


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
