from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube, write_cube
from napari_gmsr.plugin.layers import add_cube, cube_from_layer
from napari_gmsr.plugin.reader import get_reader, read_cubes
from napari_gmsr.plugin.writer import write_cube_layer

NAMES = ["c.ome.zarr", "c.zarr", "c.cube.tif", "c.hdr", "c.mat", "c.npz"]


@pytest.fixture
def cube():
    data = np.random.default_rng(0).random((31, 4, 5), dtype=np.float32)
    return SpectralCube(data, name="c", provenance={"model": "photo", "notes": ["seen"]})


@pytest.fixture(autouse=True)
def plugins():
    """Let napari know the plugins, as its window does."""
    PluginManager.instance().discover()


@pytest.mark.parametrize("name", NAMES)
def test_a_dropped_cube_becomes_a_layer_in_nanometres(name, cube, tmp_path):
    path = write_cube(cube, tmp_path / name)
    viewer = ViewerModel()
    (layer,) = viewer.open(path, plugin="napari-gmsr")
    np.testing.assert_array_equal(layer.data, cube.data)
    assert layer.axis_labels == ("wavelength", "y", "x")
    assert viewer.dims.range[0] == (400, 700, 10)
    assert layer.metadata["wavelengths_nm"] == list(range(400, 701, 10))
    assert layer.metadata["provenance"]["model"] == "photo"


def test_a_folder_of_band_pngs_becomes_a_layer(tmp_path):
    import imageio.v3 as iio

    folder = tmp_path / "beads_ms" / "beads_ms"
    folder.mkdir(parents=True)
    for band in range(31):
        grey = np.full((4, 5), band * 1000, np.uint16)
        iio.imwrite(folder / f"beads_ms_{band + 1:02}.png", grey)
    (layer,) = ViewerModel().open(folder.parent, plugin="napari-gmsr")
    np.testing.assert_allclose(layer.data[:, 0, 0], np.arange(31) * 1000 / 65535, rtol=1e-6)


def test_several_cubes_at_once_become_layers_each(cube, tmp_path):
    paths = [str(write_cube(cube, tmp_path / name)) for name in ("a.npz", "b.npz")]
    assert len(get_reader(paths)(paths)) == 2


@pytest.mark.parametrize(
    "name", ["a.png", "a.jpg", "a.tif", "a.tiff", "a.ome.tif", "a.csv", "a.safetensors", "a", ""]
)
def test_pictures_and_other_files_are_left_to_napari(name):
    assert get_reader(name) is None


def test_ordinary_folders_are_left_to_napari(tmp_path):
    assert get_reader(str(tmp_path)) is None
    (tmp_path / "a.png").touch()
    (tmp_path / "one1.png").touch()
    (tmp_path / "text.txt").touch()
    assert get_reader(str(tmp_path)) is None


def test_an_ordinary_tiff_is_not_asked_about(tmp_path):
    manager = PluginManager.instance()
    claims = {reader.plugin_name for reader in manager.iter_compatible_readers(["photo.tif"])}
    assert "napari-gmsr" not in claims
    claims = {reader.plugin_name for reader in manager.iter_compatible_readers(["C.Cube.TIF"])}
    assert "napari-gmsr" in claims


@given(st.text() | st.lists(st.text(), max_size=3))
def test_the_decision_never_raises(path):
    assert get_reader(path) is None or callable(get_reader(path))


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".npy", ".hdr", ".zarr", ".cube.tif"])
def test_the_decision_opens_nothing(suffix, tmp_path):
    assert get_reader(str(tmp_path / f"not there{suffix}")) is read_cubes
    assert get_reader(str(tmp_path / f"NOT THERE{suffix.upper()}")) is read_cubes


def test_a_folder_without_permission_is_not_ours(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "no", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert get_reader(str(tmp_path)) is None


def test_a_file_that_is_no_cube_is_told_with_its_name(tmp_path):
    broken = tmp_path / "broken.mat"
    broken.write_bytes(b"")
    viewer = ViewerModel()
    with pytest.raises(InputError, match="empty") as caught:
        viewer.open(broken, plugin="napari-gmsr")
    assert str(broken) in str(caught.value)
    assert not viewer.layers


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_layer_gives_the_same_cube(name, cube, tmp_path):
    viewer = ViewerModel()
    add_cube(viewer, cube)
    written = viewer.layers.save(str(tmp_path / name), plugin="napari-gmsr")
    assert written == [str(tmp_path / name)]
    back = read_cube(tmp_path / name)
    np.testing.assert_array_equal(back.data, cube.data)
    np.testing.assert_array_equal(back.wavelengths_nm, cube.wavelengths_nm)
    assert back.provenance["model"] == "photo"


def test_mat_and_zarr_are_ours_without_asking(cube, tmp_path):
    viewer = ViewerModel()
    add_cube(viewer, cube)
    for name in ("c.mat", "c.hdr", "c.zarr", "c.ome.zarr"):
        assert viewer.layers.save(str(tmp_path / name)) == [str(tmp_path / name)]


def test_a_name_without_a_suffix_becomes_ome_zarr_and_replaces_nothing(cube, tmp_path):
    layer = add_cube(ViewerModel(), cube)
    layer_data = layer.as_layer_data_tuple()[:2]
    (written,) = write_cube_layer(str(tmp_path / "coffee [photo]"), *layer_data)
    assert written == str(tmp_path / "coffee [photo].ome.zarr")
    with pytest.raises(Exception, match=r"exists|taken"):
        write_cube_layer(str(tmp_path / "coffee [photo]"), *layer_data)


def test_a_name_that_the_dialog_has_asked_about_is_replaced(cube, tmp_path):
    viewer = ViewerModel()
    layer = add_cube(viewer, cube)
    for value in (0.25, 0.5):
        layer.data = np.full((31, 4, 5), value, np.float32)
        viewer.layers.save(str(tmp_path / "c.mat"))
    assert read_cube(tmp_path / "c.mat").data[0, 0, 0] == 0.5


def test_a_layer_that_is_no_cube_is_not_saved_as_one(tmp_path):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 5)), name="flat")
    with pytest.raises(InputError, match="not a cube") as caught:
        viewer.layers.save(str(tmp_path / "flat.mat"))
    assert caught.value.where == "flat"
    assert not list(tmp_path.iterdir())


def test_a_cube_saved_and_opened_again_is_the_same_layer(cube, tmp_path):
    viewer = ViewerModel()
    before = add_cube(viewer, cube)
    viewer.layers.save(str(tmp_path / "c.ome.zarr"))
    (after,) = viewer.open(tmp_path / "c.ome.zarr", plugin="napari-gmsr")
    np.testing.assert_array_equal(cube_from_layer(after).data, cube_from_layer(before).data)
    np.testing.assert_array_equal(after.scale, before.scale)
    np.testing.assert_array_equal(after.translate, before.translate)
