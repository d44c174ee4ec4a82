"""Files that are no cubes: each error names the file and says what to do."""

import errno
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import scipy.io
import zarr

from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube, supported_suffixes, write_cube

RNG = np.random.default_rng(3)
SUFFIXES = [".zarr", ".tif", ".hdr", ".mat", ".npz"]


def refused(path: Path, *words: str, where: Path | None = None) -> None:
    with pytest.raises(InputError) as caught:
        read_cube(path)
    message = str(caught.value)
    assert message.startswith(f"{where or path}: ")
    assert "\n" not in message
    assert caught.value.fix
    for word in words:
        assert word in message


def save_mat73(path: Path, **variables: object) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            file[name] = value


def test_mat_without_a_cube(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"flat": np.ones((3, 4)), "struct": {"cube": 1}})
    refused(tmp_path / "a.mat", "no 3-D numeric array", "flat (3, 4) double", "struct")


def test_mat73_without_a_cube(tmp_path):
    save_mat73(tmp_path / "a.mat", flat=np.ones((3, 4)), **{"group/cube": np.ones((2, 3, 4))})
    refused(tmp_path / "a.mat", "no 3-D numeric array", "flat (4, 3) double", "group")


def test_mat_with_a_string(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"cube": "a string"})
    refused(tmp_path / "a.mat", "no 3-D numeric array", "cube (1,) char")


def test_mat73_with_a_string(tmp_path):
    save_mat73(tmp_path / "a.mat", cube="a string")
    refused(tmp_path / "a.mat", "no 3-D numeric array", "cube ()")


def test_mat_with_nothing(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {})
    save_mat73(tmp_path / "7.mat")
    for name in ("a.mat", "7.mat"):
        refused(tmp_path / name, "nothing")


def test_mat_with_wavelengths_that_are_a_string(tmp_path):
    cube = RNG.random((4, 5, 31))
    scipy.io.savemat(tmp_path / "a.mat", {"cube": cube, "bands": "visible"})
    assert read_cube(tmp_path / "a.mat").provenance["wavelengths"].startswith("assumed")


def test_complex_numbers_are_no_cube(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4), complex))
    refused(tmp_path / "a.npy", "complex128")


@pytest.mark.parametrize("shape", [(3, 4), (31, 0, 4), (1, 2, 3, 4)])
def test_other_dimensions_are_no_cube(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.ones(shape))
    refused(tmp_path / "a.npy", str(shape))


def test_npz_without_a_cube(tmp_path):
    np.savez(tmp_path / "a.npz", flat=np.ones((3, 4)), text=np.array("words"))
    refused(tmp_path / "a.npz", "no 3-D numeric array", "flat (3, 4) float64")


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_no_numpy_file_is_not_taken_for_a_pickle(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(RNG.bytes(100))
    refused(path, "as a NumPy file")
    with pytest.raises(InputError) as caught:
        read_cube(path)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_pickled_objects_are_not_opened(tmp_path, suffix):
    array = np.empty((2, 3, 4), dtype=object)
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, cube=array)
    else:
        np.save(path, array)
    refused(path, "allow_pickle")


@pytest.mark.parametrize("suffix", [".tif", ".hdr", ".mat", ".npz", ".npy"])
def test_no_bytes(tmp_path, suffix):
    (tmp_path / f"a{suffix}").touch()
    refused(tmp_path / f"a{suffix}", "0 bytes")


@pytest.mark.parametrize("suffix", [".tif", ".hdr", ".mat", ".npz", ".npy"])
def test_text_is_no_cube(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_text("Spectra of balloons.\n" * 100)
    refused(tmp_path / f"a{suffix}", "cannot be read")


@pytest.mark.parametrize("suffix", [".tif", ".mat", ".npz"])
@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_cut_short(tmp_path, cube, suffix, kept):
    path = tmp_path / f"a{suffix}"
    write_cube(cube, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path)


@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.9])
def test_mat5_cut_short(tmp_path, kept):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"cube": RNG.random((5, 6, 31))})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path)


def test_envi_data_cut_short_or_missing(tmp_path, cube):
    write_cube(cube, tmp_path / "a.hdr")
    data = tmp_path / "a.img"
    data.write_bytes(data.read_bytes()[:-1])
    refused(tmp_path / "a.hdr", "cannot be read")
    data.unlink()
    refused(tmp_path / "a.hdr", "cannot be read")


def test_zarr_with_a_lost_chunk(tmp_path, cube):
    write_cube(cube, tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "0" / "c" / "7" / "0" / "0").unlink()
    refused(tmp_path / "a.zarr", "1 of 31 chunks")


def test_zarr_with_a_damaged_chunk(tmp_path, cube):
    write_cube(cube, tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "0" / "c" / "7" / "0" / "0").write_bytes(b"damaged")
    refused(tmp_path / "a.zarr", "cannot be read")


def test_a_zarr_group_that_is_no_image(tmp_path):
    zarr.create_group(tmp_path / "a.zarr")
    refused(tmp_path / "a.zarr", "no OME-Zarr image")


@pytest.mark.parametrize("name", ["a.mat", "a.zarr", "folder"])
def test_nothing_there(tmp_path, name):
    refused(tmp_path / name, "no such file or folder")


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["one", "two"], ["picture.png"]])
def test_a_folder_that_is_no_cube(tmp_path, content):
    for name in content:
        if "." in name:
            (tmp_path / name).write_bytes(b"content")
        else:
            (tmp_path / name).mkdir()
    refused(tmp_path, "this folder is no cube", "scene_ms_01.png")


@pytest.mark.parametrize("name", ["a.png", "a.img", "a", "a.h5"])
def test_an_unknown_suffix_lists_the_known(tmp_path, name):
    (tmp_path / name).write_bytes(b"content")
    refused(tmp_path / name, " ".join(supported_suffixes("cube")))


# Folders of PNGs


@pytest.fixture
def png_folder(tmp_path) -> Path:
    for number in range(1, 32):
        band = RNG.integers(0, 65536, (5, 6), dtype=np.uint16)
        (tmp_path / f"scene_ms_{number:02d}.png").write_bytes(imagecodecs.png_encode(band))
    return tmp_path


def test_a_missing_band(png_folder):
    (png_folder / "scene_ms_07.png").unlink()
    refused(png_folder, "band 7 is missing")


@pytest.mark.parametrize(
    "band",
    [np.zeros((5, 7), np.uint16), np.zeros((5, 6), np.uint8)],
    ids=["size", "depth"],
)
def test_a_band_of_another_kind(png_folder, band):
    path = png_folder / "scene_ms_31.png"
    path.write_bytes(imagecodecs.png_encode(band))
    refused(png_folder, "the first (5, 6) uint16", where=path)


def test_a_colour_picture_is_no_band(png_folder):
    path = png_folder / "scene_ms_03.png"
    colours = RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    path.write_bytes(imagecodecs.png_encode(colours))
    refused(png_folder, "colour picture", where=path)


def test_a_damaged_band(png_folder):
    path = png_folder / "scene_ms_02.png"
    path.write_bytes(path.read_bytes()[:40])
    refused(png_folder, "cannot be read as a PNG", where=path)


def test_two_scenes_in_one_folder(png_folder):
    (png_folder / "other_ms_01.png").write_bytes((png_folder / "scene_ms_01.png").read_bytes())
    refused(png_folder, "2 scenes: other_ms, scene_ms")


# Permission


def test_a_file_without_permission(plain_user_folder):
    path = plain_user_folder / "a.mat"
    scipy.io.savemat(path, {"cube": RNG.random((4, 5, 31))})
    path.chmod(0)
    refused(path, "no permission")


@pytest.mark.parametrize("mode", [0, 0o300, 0o600])
def test_a_folder_without_permission(plain_user_folder, mode):
    folder = plain_user_folder / "scene"
    folder.mkdir()
    for number in (1, 2):
        band = np.zeros((3, 4), np.uint8)
        (folder / f"scene_{number}.png").write_bytes(imagecodecs.png_encode(band))
    folder.chmod(mode)
    try:
        refused(folder, "no permission")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fails_while_reading(tmp_path, cube, suffix, monkeypatch):
    path = tmp_path / f"a{suffix}"
    write_cube(cube, path)

    def failing(*_args, **_kwargs):
        raise OSError(errno.EIO, "Input/output error")

    modules = {
        ".zarr": "ome_zarr.zarr.open",
        ".tif": "tiff_cube.tifffile.TiffFile",
        ".hdr": "envi.spectral.io.envi.open",
        ".mat": "mat.h5py.File",
        ".npz": "npz.np.load",
    }
    monkeypatch.setattr(f"napari_gmsr.io.{modules[suffix]}", failing)
    refused(path, "Input/output error")
