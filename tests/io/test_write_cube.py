"""What is written is read back bit for bit, in every format."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import spectral.io.envi
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ome_zarr_models.v05.image import Image as OMEImage

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io import read_cube, supported_suffixes, write_cube

SUFFIXES = supported_suffixes("output")


def assert_same(read: SpectralCube, written: SpectralCube, *, spread: bool) -> None:
    assert read.data.dtype == np.float32
    assert read.data.shape == written.data.shape
    assert read.data.tobytes() == written.data.tobytes()
    assert read.wavelengths_nm.tobytes() == written.wavelengths_nm.tobytes()
    assert read.name == written.name
    assert read.provenance == written.provenance
    if spread and written.spread is not None:
        assert read.spread is not None
        assert read.spread.dtype == np.float32
        assert read.spread.tobytes() == written.spread.tobytes()
    else:
        assert read.spread is None


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".TIF", ".ome.zarr"])
def test_everything_comes_back(tmp_path, cube, suffix):
    path = tmp_path / f"cube{suffix}"
    assert write_cube(cube, path) == path
    assert path.exists()
    assert_same(read_cube(path), cube, spread=suffix != ".hdr")
    expected = {path.name, "cube.img"} if suffix == ".hdr" else {path.name}
    assert {entry.name for entry in tmp_path.iterdir()} == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def cubes(draw: st.DrawFn) -> SpectralCube:
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    bits = st.integers(0, 2**32 - 1)
    samples = hnp.arrays(np.uint32, shape, elements=bits)
    wavelengths = draw(
        st.lists(
            st.floats(0.01, 1e5, allow_subnormal=False),
            min_size=shape[0],
            max_size=shape[0],
            unique=True,
        ).map(sorted)
    )
    if draw(st.booleans()):
        wavelengths.reverse()
    return SpectralCube(
        draw(samples).view(np.float32),
        np.array(wavelengths),
        name=draw(st.text()),
        provenance=draw(st.dictionaries(st.text(), json_values, max_size=3)),
        spread=draw(st.none() | samples.map(lambda drawn: drawn.view(np.float32))),
    )


@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".hdr", ".mat", ".npz"])
@settings(deadline=None, max_examples=40)
@given(cube=cubes())
def test_any_cube_comes_back(tmp_path_factory, suffix, cube):
    path = tmp_path_factory.mktemp("any") / f"any{suffix}"
    write_cube(cube, path)
    assert_same(read_cube(path), cube, spread=suffix != ".hdr")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_views_and_other_byte_orders_are_written_as_they_look(tmp_path, suffix):
    data = np.arange(2 * 6 * 4, dtype=np.float32).reshape(6, 4, 2).transpose(2, 0, 1)[:, ::-1]
    cube = SpectralCube(data, [700, 400])
    write_cube(cube, tmp_path / f"view{suffix}")
    np.testing.assert_array_equal(read_cube(tmp_path / f"view{suffix}").data, data)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_name_stays(tmp_path, cube, suffix):
    path = tmp_path / f"cube{suffix}"
    write_cube(cube, path)
    before = contents(tmp_path)
    other = SpectralCube(np.ones((2, 3, 4)), [500, 600])
    with pytest.raises(OutputError, match="the name is taken"):
        write_cube(other, path)
    assert contents(tmp_path) == before
    write_cube(other, path, overwrite=True)
    assert_same(read_cube(path), other, spread=False)


def test_envi_data_of_that_name_stays(tmp_path, cube):
    (tmp_path / "cube.img").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"cube\.img: the name is taken"):
        write_cube(cube, tmp_path / "cube.hdr")
    assert contents(tmp_path) == {"cube.img": b"precious"}


def test_a_folder_that_is_no_zarr_is_never_replaced(tmp_path, cube):
    folder = tmp_path / "photos.zarr"
    folder.mkdir()
    (folder / "precious.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="no Zarr"):
        write_cube(cube, folder, overwrite=True)
    assert contents(folder) == {"precious.png": b"precious"}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("character", ["x", "ä", "漢", "🎈"])
def test_a_name_as_long_as_a_name_can_be(tmp_path, cube, suffix, character):
    count = (255 - len(suffix)) // len(character.encode())
    path = tmp_path / f"{character * count}{suffix}"
    for _ in range(2):
        write_cube(cube, path, overwrite=True)
        assert read_cube(path).shape == cube.shape
    with pytest.raises(OutputError, match="too long"):
        write_cube(cube, tmp_path / f"{character * (count + 1)}{suffix}", overwrite=True)
    assert all(name.stem == path.stem for name in tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["", ".png", ".npy", ".img"])
def test_an_unknown_suffix_lists_the_known(tmp_path, cube, suffix):
    with pytest.raises(OutputError, match=r"\.zarr \.tif \.tiff \.hdr \.mat \.npz"):
        write_cube(cube, tmp_path / f"cube{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_provenance_that_is_no_json_is_refused(tmp_path, suffix):
    cube = SpectralCube(np.ones((1, 2, 3)), [500], provenance={"array": np.zeros(3)})
    with pytest.raises(InputError, match="JSON"):
        write_cube(cube, tmp_path / f"cube{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_save_is_write_cube(tmp_path, cube):
    assert_same(read_cube(cube.save(tmp_path / "cube.npz")), cube, spread=True)


# A disk that fills up


@pytest.fixture
def disk_of(tmp_path):
    """Mount file systems of some kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            done = False
        if not done:
            pytest.skip("a small file system cannot be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".hdr", ".mat", ".npz"])
@pytest.mark.parametrize("kilobytes", [4, 16, 64, 120])
def test_a_full_disk_is_one_clear_error(disk_of, suffix, kilobytes):
    data = np.random.default_rng(0).random((31, 32, 32), dtype=np.float32)  # 124 kB
    folder = disk_of(kilobytes)
    with pytest.raises(OutputError, match=rf"cube\{suffix}: the disk is full"):
        write_cube(SpectralCube(data), folder / f"cube{suffix}")
    assert list(folder.iterdir()) == []


FILLING_UP = """
import errno, resource, signal, sys
import numpy as np
from pathlib import Path
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import OutputError
from napari_gmsr.io import write_cube
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
target = Path(sys.argv[1])
data = np.random.default_rng(0).random((31, 64, 64), dtype=np.float32)
try:
    write_cube(SpectralCube(data), target)
except OutputError as error:
    assert error.where == str(target), error
    assert "the disk is full" in error.what, error
    assert list(target.parent.iterdir()) == []
    print("refused")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to set")
@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".hdr", ".mat", ".npz"])
def test_a_file_that_may_not_grow_is_one_clear_error(tmp_path, suffix):
    """The same without a mount: the system cuts every write after 4 kB."""
    command = [sys.executable, "-W", "error", "-c", FILLING_UP, str(tmp_path / f"cube{suffix}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("refused", 0), done.stderr


# What others read in these files


def test_tiff_for_others(tmp_path, cube):
    write_cube(cube, tmp_path / "cube.tif")
    with tifffile.TiffFile(tmp_path / "cube.tif") as tiff:
        np.testing.assert_array_equal(tiff.asarray(), cube.data)
        description = tiff.shaped_metadata[0]
    assert description["axes"] == "CYX"
    assert description["wavelengths_nm"] == cube.wavelengths_nm.tolist()


def test_mat_for_others(tmp_path, cube):
    write_cube(cube, tmp_path / "cube.mat")
    content = (tmp_path / "cube.mat").read_bytes()
    assert content.startswith(b"MATLAB 7.3 MAT-file")
    assert content[124:128] == b"\x00\x02IM"
    with h5py.File(tmp_path / "cube.mat") as file:
        assert {name: item.attrs["MATLAB_class"] for name, item in file.items()} == {
            "cube": b"single",
            "wavelengths_nm": b"double",
            "metadata": b"char",
            "spread": b"single",
        }
        # MATLAB shows the axes of an HDF5 file in reverse: (y, x, band).
        np.testing.assert_array_equal(file["cube"][()].T, np.moveaxis(cube.data, 0, -1))
        assert file["wavelengths_nm"].shape[::-1] == (1, 31)
        text = "".join(map(chr, file["metadata"][()].ravel()))
    assert json.loads(text)["provenance"] == cube.provenance


def test_envi_for_others(tmp_path, cube):
    write_cube(cube, tmp_path / "cube.hdr")
    image = spectral.io.envi.open(tmp_path / "cube.hdr")
    assert image.shape == (6, 5, 31)
    shown = image.open_memmap(interleave="bip")
    np.testing.assert_array_equal(shown, np.moveaxis(cube.data, 0, -1))
    image.fid.close()
    assert image.bands.centers == cube.wavelengths_nm.tolist()
    assert image.bands.band_unit == "Nanometers"


def test_npz_for_others(tmp_path, cube):
    write_cube(cube, tmp_path / "cube.npz")
    with np.load(tmp_path / "cube.npz") as content:
        np.testing.assert_array_equal(content["cube"], cube.data)
        np.testing.assert_array_equal(content["wavelengths_nm"], cube.wavelengths_nm)


@pytest.mark.parametrize("even", [True, False])
def test_ome_zarr_is_valid(tmp_path, cube, even):
    wavelengths = np.arange(400, 701, 10.0) if even else cube.wavelengths_nm
    write_cube(SpectralCube(cube.data, wavelengths), tmp_path / "cube.zarr")
    group = zarr.open_group(tmp_path / "cube.zarr", mode="r")
    (image,) = OMEImage.from_zarr(group).ome_attributes.multiscales
    axis = image.axes[0]
    assert (axis.name, axis.type, axis.unit) == (
        "wavelength",
        "channel",
        "nanometer" if even else None,
    )
    scale, translation = image.datasets[0].coordinateTransformations
    assert scale.scale == [10.0 if even else 1.0, 1, 1]
    assert translation.translation == [400.0 if even else 0.0, 0, 0]
    np.testing.assert_array_equal(group["0"][...], cube.data)


def test_a_large_picture_is_cut_into_chunks(tmp_path):
    data = np.random.default_rng(0).random((2, 1025, 2049), dtype=np.float32)
    cube = SpectralCube(data, [450, 650])
    write_cube(cube, tmp_path / "cube.zarr")
    assert_same(read_cube(tmp_path / "cube.zarr"), cube, spread=False)
    array = zarr.open_group(tmp_path / "cube.zarr", mode="r")["0"]
    assert array.chunks == (1, 1024, 1024)
