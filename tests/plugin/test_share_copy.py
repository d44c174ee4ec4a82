"""What is copied does the same, bit for bit."""

import shlex

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_gmsr.cli.app import run as run_command
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.image import RGBImage
from napari_gmsr.io import read_cube, read_rgb, write_rgb
from napari_gmsr.jobs import InlineExecutor, Settings
from napari_gmsr.plugin.reconstruct_widget import ReconstructWidget
from napari_gmsr.plugin.share_texts import RunText, call, command

PIXELS = np.random.default_rng(0).integers(0, 256, (34, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """One untrained block, with blanks and quotes in its name, for linear pictures."""
    import torch

    from napari_gmsr.networks import create
    from napari_gmsr.weights import ModelCard, save_checkpoint

    torch.manual_seed(0)
    card = ModelCard(
        name="tiny",
        network="gmsr",
        arguments={"widths": [31]},
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="linear",
    )
    path = tmp_path_factory.mktemp("my 'models'") / "tiny net.safetensors"
    return save_checkpoint(create("gmsr", widths=[31]), card, path)


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def widget(viewer, checkpoint, qtbot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    widget = ReconstructWidget(viewer, InlineExecutor())
    viewer.window.add_dock_widget(widget, name="Reconstruct")
    widget.choose_checkpoint(checkpoint)
    return widget


def reconstruct(widget, qtbot):
    qtbot.waitUntil(lambda: bool(widget.plan.text()), timeout=30_000)
    before = widget.controller.last
    widget.run.click()
    qtbot.waitUntil(lambda: widget.controller.last is not before, timeout=60_000)
    qtbot.waitUntil(lambda: not widget.controller.running)
    return widget._viewer.layers.selection.active


def copied(button, widget, qtbot):
    QGuiApplication.clipboard().clear()
    button.click()
    qtbot.waitUntil(lambda: not widget.copy.busy, timeout=30_000)
    return QGuiApplication.clipboard().text()


def run_both(python, line, folder):
    """Run both texts; return the two cubes that they write."""
    exec(compile(python, "copied", "exec"), {})
    (written,) = folder.glob("*.zarr")
    first = read_cube(written)
    words = shlex.split(line)
    assert words[0] == "napari-gmsr"
    assert run_command([*words[1:], "--overwrite"]) == 0
    return first, read_cube(written)


def same(cubes, layer):
    for cube in cubes:
        np.testing.assert_array_equal(cube.data, layer.data)


@pytest.mark.gui
@pytest.mark.parametrize("mode", ["auto", "tiled", "paper"])
def test_a_run_on_a_file(widget, viewer, qtbot, tmp_path, mode):
    folder = tmp_path / "pictures of $HOME"
    folder.mkdir()
    Image.fromarray(PIXELS).save(folder / "it's a wall.png")
    viewer.open(folder / "it's a wall.png")
    widget.ensemble.setChecked(mode == "auto")
    widget.mode.setCurrentIndex(widget.mode.findData(mode))
    layer = reconstruct(widget, qtbot)
    python = copied(widget.copy.python, widget, qtbot)
    line = copied(widget.copy.command, widget, qtbot)
    assert f"# checkpoint {widget.controller.last.provenance['checkpoint_sha256']}" in python
    decided = "whole" if mode == "auto" else mode
    assert f"mode={decided!r}" in python
    assert ("--device cpu --ensemble --engine" in line) == (mode == "auto")
    same(run_both(python, line, tmp_path), layer)


@pytest.mark.gui
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_a_run_on_a_layer_without_a_file_asks_for_one(
    widget, viewer, qtbot, tmp_path, monkeypatch, kind
):
    """Also floats, which the layer takes as the checkpoint expects them."""
    scale = {"uint8": 1, "uint16": 257, "float32": np.float32(1 / 255)}[kind]
    viewer.add_image((PIXELS * np.asarray(scale, kind)).astype(kind), rgb=True, name="mine")
    layer = reconstruct(widget, qtbot)
    asked = []
    monkeypatch.setattr(
        QFileDialog,
        "getSaveFileName",
        lambda *a: (asked.append(a), (str(tmp_path / "mine"), ""))[1],
    )
    python = copied(widget.copy.python, widget, qtbot)
    line = copied(widget.copy.command, widget, qtbot)
    assert "mine.tif" in python
    assert len(asked) == 2
    same(run_both(python, line, tmp_path), layer)


@pytest.mark.gui
def test_what_is_copied_follows_the_settings(widget, viewer, qtbot, tmp_path, monkeypatch):
    """Before a run, and after one with other settings, the text is of the run that Run starts."""
    Image.fromarray(PIXELS).save(tmp_path / "wall.png")
    viewer.open(tmp_path / "wall.png")
    qtbot.waitUntil(lambda: bool(widget.plan.text()), timeout=30_000)
    assert "--mode whole" in copied(widget.copy.command, widget, qtbot)
    reconstruct(widget, qtbot)
    widget.mode.setCurrentIndex(widget.mode.findData("tiled"))
    assert "--mode tiled" in copied(widget.copy.command, widget, qtbot)
    viewer.layers["wall"].data = viewer.layers["wall"].data[::-1]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert copied(widget.copy.command, widget, qtbot) == ""
    viewer.layers.clear()
    assert not widget.copy.isEnabled()
    assert not any("Error" in str(r.message) for r in notification_manager.records)


@pytest.mark.gui
def test_settings_are_kept(widget, viewer, checkpoint):
    viewer.add_image(PIXELS, rgb=True, name="first")
    viewer.add_image(PIXELS, rgb=True, name="second")
    widget.picture.setCurrentIndex(0)
    widget.picture.activated.emit(0)
    widget.ensemble.setChecked(True)
    saved = widget.saved_settings()
    assert saved["model"] == str(checkpoint)
    other = ReconstructWidget(viewer, InlineExecutor())
    other.restore_settings(saved)
    assert other.saved_settings() == saved
    assert other.layer is viewer.layers["first"]
    other.restore_settings({"model": 3, "mode": None, "ensemble": "yes"})
    assert other.saved_settings() == saved
    other.close()


def test_long_calls_are_broken_and_words_quoted():
    assert call("f", "x", a=1) == "f(x, a=1)"
    long = call("f", "x", a="y" * 60, b="z" * 40)
    assert long.count("\n") == 4
    assert eval(long, {"f": lambda x, a, b: (x, a, b), "x": 1}) == (1, "y" * 60, "z" * 40)
    line = command("runs show", ["a b"], {"as_json": True, "none": None, "n": 3, "no": False})
    assert line == "napari-gmsr runs show 'a b' --as-json --n 3"


def test_tiles_are_named_where_they_count(tmp_path):
    text = RunText(tmp_path / "a.png", None, Settings(mode="whole"))
    assert "tile=" not in text.python()
    assert "tile=256" in RunText(tmp_path / "a.png", None, Settings(mode="tiled")).python()
    assert "encoding='srgb'" in RunText(tmp_path / "a.png", "srgb", Settings()).python()


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("encoding", ["srgb", "linear"])
def test_a_written_picture_is_read_back_bit_for_bit(tmp_path, bits, encoding):
    rng = np.random.default_rng(bits)
    if bits == 32:
        data = rng.uniform(-0.1, 1.2, (9, 7, 3)).astype(np.float32)
    else:
        whole = rng.integers(0, 2**bits, (9, 7, 3))
        data = whole.astype(np.float32) / np.float32(2**bits - 1)
    path = write_rgb(RGBImage(data, encoding, bits), tmp_path / "a.tif")
    np.testing.assert_array_equal(read_rgb(path).data, data)
