"""A session brings back what was in the window, and refuses what is none."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Shapes
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from PIL import Image
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io import read_cube, write_cube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.pins import Pins, is_pins_layer
from napari_gmsr.plugin.session import open_session, save_session
from napari_gmsr.plugin.session_widget import SessionWidget

SHAPE = (31, 32, 40)


def cube(name, seed=0):
    data = np.random.default_rng(seed).uniform(0, 1, SHAPE).astype(np.float32)
    return SpectralCube(data, name=name, provenance={"checkpoint_sha256": "ab" * 32})


@pytest.fixture(autouse=True)
def plugins():
    """A window has found its plugins; a viewer's model alone has not."""
    PluginManager.instance().discover()


@pytest.fixture
def full(tmp_path):
    """A viewer with a file's cube, a file's picture, and things that are in no file."""
    viewer = ViewerModel()
    pixels = np.random.default_rng(1).integers(0, 256, (*SHAPE[1:], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wall.png")
    write_cube(cube("truth"), tmp_path / "truth.npz")
    viewer.open(tmp_path / "wall.png", plugin="napari")
    viewer.open(tmp_path / "truth.npz", plugin="napari-gmsr")
    add_cube(viewer, cube("made here", 2)).opacity = 0.5
    viewer.add_image(pixels[::2, ::2], rgb=True, name="thumb", scale=(2, 2), visible=False)
    viewer.add_labels(np.arange(20).reshape(4, 5), name="regions")
    viewer.add_shapes(
        [np.array([[1, 1], [1, 5], [4, 5]]), np.array([[0, 0], [3, 4]])],
        shape_type=["polygon", "ellipse"],
        face_color=["red", "blue"],
        edge_width=[2, 3],
        name="drawn",
    )
    pins = Pins(viewer)
    pins.start()
    pins.add(viewer.layers["truth"], 3, 4)
    pins.add(viewer.layers["truth"], 10, 20)
    pins.stop()
    viewer.layers.selection.active = viewer.layers["made here"]
    viewer.layers["truth"].colormap = "magma"
    viewer.layers["truth"].contrast_limits = (0.1, 0.6)
    viewer.dims.set_point(0, 550)
    viewer.scene.camera.zoom = 3.5
    viewer.scene.camera.center = (0, 7, 9)
    viewer.canvas.grid.enabled = True
    return viewer


def test_everything_comes_back(full, tmp_path):
    path, remarks = save_session(full, tmp_path / "work")
    assert path == tmp_path / "work.gmsr-session.json"
    assert remarks == []
    again = ViewerModel()
    assert open_session(again, path) == []
    assert [layer.name for layer in again.layers] == [layer.name for layer in full.layers]
    for before, after in zip(full.layers, again.layers, strict=True):
        assert type(before) is type(after)
        if isinstance(before, Shapes):
            assert all(map(np.allclose, before.data, after.data))
            assert before.shape_type == after.shape_type
        else:
            np.testing.assert_array_equal(np.asarray(before.data), np.asarray(after.data))
            assert np.asarray(before.data).dtype == np.asarray(after.data).dtype
        for key in ("opacity", "visible", "blending", "units", "axis_labels"):
            assert getattr(before, key) == getattr(after, key), (before, key)
        for key in ("scale", "translate"):
            np.testing.assert_array_equal(getattr(before, key), getattr(after, key))
        for key in ("face_color", "edge_width", "size", "contrast_limits", "gamma", "rgb"):
            if hasattr(before, key):
                np.testing.assert_array_equal(getattr(before, key), getattr(after, key))
        assert before.metadata == after.metadata
    assert again.layers["truth"].colormap.name == "magma"
    pins = next(layer for layer in again.layers if is_pins_layer(layer))
    assert len(pins.data) == 2
    assert again.layers.selection.active.name == "made here"
    assert again.dims.point == full.dims.point
    assert again.scene.camera.zoom == 3.5
    assert again.scene.camera.center == (0, 7, 9)
    assert again.canvas.grid.enabled


def test_files_are_referred_to_and_the_rest_is_written_as_cubes(full, tmp_path):
    path, _ = save_session(full, tmp_path / "work")
    record = json.loads(path.read_text())
    by_name = {layer["attributes"]["name"]: layer for layer in record["layers"]}
    assert by_name["truth"]["file"]["relative"] == "truth.npz"
    assert by_name["wall"]["file"]["relative"] == "wall.png"
    stored = tmp_path / "work.gmsr-session" / by_name["made here"]["stored"]
    made = read_cube(stored)
    np.testing.assert_array_equal(made.data, full.layers["made here"].data)
    assert made.provenance == {"checkpoint_sha256": "ab" * 32}
    assert sum(1 for _ in stored.parent.iterdir()) == 3


def test_a_layer_that_differs_from_its_file_is_written(full, tmp_path):
    full.layers["truth"].data = full.layers["truth"].data / 2
    path, _ = save_session(full, tmp_path / "work")
    again = ViewerModel()
    assert open_session(again, path) == []
    np.testing.assert_array_equal(again.layers["truth"].data, cube("truth").data / 2)


def test_a_session_is_saved_again_over_itself_and_moved(full, tmp_path):
    path, _ = save_session(full, tmp_path / "work")
    with pytest.raises(OutputError, match="taken"):
        save_session(full, path)
    again = ViewerModel()
    open_session(again, path)
    save_session(again, path, overwrite=True)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for one in tmp_path.iterdir():
        if one != moved:
            one.rename(moved / one.name)
    third = ViewerModel()
    assert open_session(third, moved / path.name) == []
    np.testing.assert_array_equal(third.layers["made here"].data, full.layers["made here"].data)


def test_without_anything_to_write_there_is_no_folder(tmp_path):
    save_session(ViewerModel(), tmp_path / "empty")
    assert [one.name for one in tmp_path.iterdir()] == ["empty.gmsr-session.json"]


def test_missing_and_changed_files_are_told_and_the_rest_is_there(full, tmp_path):
    path, _ = save_session(full, tmp_path / "work")
    (tmp_path / "wall.png").unlink()
    write_cube(cube("truth", 9), tmp_path / "truth.npz", overwrite=True)
    (tmp_path / "work.gmsr-session" / "layer-4.npy").write_bytes(b"\x93NUMPY rubbish")
    again = ViewerModel()
    remarks = open_session(again, path)
    assert len(remarks) == 3
    assert "wall.png" in remarks[0]
    assert "changed since" in remarks[1]
    assert "'regions' cannot be made" in remarks[2]
    assert "made here" in again.layers
    assert not any(isinstance(layer, Labels) for layer in again.layers)


def hostile(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def stored_in(record, name):
    next(one for one in record["layers"] if "stored" in one)["stored"] = name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(version=7), "version 7, this program reads 1"),
        (lambda r: r.update(format="other"), "format"),
        (lambda r: r.update(more=1), "more"),
        (lambda r: stored_in(r, "../truth.npy"), "leaves"),
        (lambda r: stored_in(r, "/etc/passwd.npy"), "leaves"),
        (lambda r: stored_in(r, "..\\x.npy"), "leaves"),
        (lambda r: stored_in(r, "..npy/../../x.npy"), "leaves"),
        (lambda r: stored_in(r, "code.pkl"), "neither"),
        (lambda r: r["camera"].update(zoom=-1), "zoom"),
        (lambda r: r["layers"][0].update(kind="surface"), "kind"),
        (lambda r: r["layers"][0].update(reader="somebody"), "reader"),
    ],
)
def test_what_is_no_session_is_refused_whole(full, tmp_path, change, said):
    path, _ = save_session(full, tmp_path / "work")
    hostile(path, change)
    again = ViewerModel()
    with pytest.raises(InputError) as refusal:
        open_session(again, path)
    assert said in str(refusal.value)
    assert len(again.layers) == 0


def test_pickles_links_and_odd_files_are_not_followed(full, tmp_path):
    """Each costs its own layer, and does nothing."""
    path, _ = save_session(full, tmp_path / "work")
    folder = tmp_path / "work.gmsr-session"
    np.save(folder / "layer-3.npy", np.array([object()]), allow_pickle=True)
    (folder / "layer-4.npy").unlink()
    (folder / "layer-4.npy").symlink_to(tmp_path / "secret.npy")
    np.save(tmp_path / "secret.npy", np.zeros((4, 5), int))
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit")

    def change(record):
        record["layers"][0]["file"].update(path=str(script), relative=None)
        record["layers"][1]["file"].update(path="//server/share", relative="//server/share")

    hostile(path, change)
    again = ViewerModel()
    remarks = "\n".join(open_session(again, path))
    assert "'thumb' cannot be made" in remarks
    assert "layer-4.npy: this path leaves" in remarks
    assert "script.py: this is no picture and no cube" in remarks
    assert "server" in remarks
    assert {layer.name for layer in again.layers} == {"made here", "drawn", "Pinned spectra"}


def test_looks_that_cannot_be_are_told(full, tmp_path):
    path, _ = save_session(full, tmp_path / "work")
    strange = {"scale": ["wide"], "contrast_limits": {}, "colormap": "no such", "units": ["ell"]}
    hostile(path, lambda record: record["layers"][1]["attributes"].update(strange))
    again = ViewerModel()
    (remark,) = open_session(again, path)
    assert "'truth' could not be given its colormap, contrast_limits, scale, units" in remark
    assert again.layers["truth"].opacity == 1


def test_other_files_are_refused(tmp_path):
    for content in (b"", b"{}", b"[1]", b"\xff\xfe"):
        (tmp_path / "a.gmsr-session.json").write_bytes(content)
        with pytest.raises(InputError, match="no session"):
            open_session(ViewerModel(), tmp_path / "a.gmsr-session.json")
    with pytest.raises(InputError, match="cannot be read"):
        open_session(ViewerModel(), tmp_path / "none.gmsr-session.json")


def test_other_layers_are_named_and_a_strange_folder_is_left(full, tmp_path):
    full.add_vectors(np.zeros((1, 2, 2)), name="arrows")
    _, remarks = save_session(full, tmp_path / "work")
    assert remarks == ["'arrows' was left out: Vectors layers are not kept."]
    mine = tmp_path / "mine.gmsr-session"
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="no session's"):
        save_session(full, tmp_path / "mine", overwrite=True)
    assert (mine / "thesis.txt").exists()


@pytest.mark.gui
def test_a_window_with_widgets_comes_back(make_napari_viewer, tmp_path, monkeypatch, qtbot):
    """Saved and opened by the buttons, and once more by dragging the file into the window."""
    viewer = make_napari_viewer(show=True)
    for name in ("truth", "first", "second"):
        add_cube(viewer, cube(name))
    _, spectra = viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    _, errors = viewer.window.add_plugin_dock_widget("napari-gmsr", "Error maps")
    _, session = viewer.window.add_plugin_dock_widget("napari-gmsr", "Session")
    qtbot.waitUntil(session.isVisible)
    spectra.restore_settings({"prediction": "first", "radius": 3})
    errors.restore_settings({"predictions": ["first", "second"], "metric": "mrae"})
    saved = spectra.saved_settings(), errors.saved_settings()
    name = str(tmp_path / "work.gmsr-session.json")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (name, ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (name, ""))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    session.save.click()
    assert "Saved" in session.state.text()
    spectra.restore_settings({"prediction": "second", "radius": 0})
    errors.restore_settings({"predictions": ["second"], "metric": "rmse"})
    session.open.click()
    assert "Opened work.gmsr-session.json" in session.state.text()
    assert [layer.name for layer in viewer.layers] == ["truth", "first", "second"]
    assert (spectra.saved_settings(), errors.saved_settings()) == saved
    viewer.layers.clear()
    viewer.open(name, plugin="napari-gmsr")
    assert len(viewer.layers) == 3
    assert notification_manager.records[-1].severity.value != "error"
    assert isinstance(session, SessionWidget)
