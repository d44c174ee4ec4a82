"""Bands in their perceived colour, and never against the user's own colormap."""

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_gmsr.color import wavelength_to_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.band_colors import band_colors
from napari_gmsr.plugin.layers import add_cube

CUBE = SpectralCube(np.random.default_rng(0).random((31, 6, 7), dtype=np.float32))


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def steps_to(qtbot, viewer, layer, nm, name):
    viewer.dims.set_point(0, nm)
    qtbot.waitUntil(lambda: layer.colormap.name == name)


def test_a_new_cube_wears_the_colour_of_its_band(viewer, qtbot):
    layer = add_cube(viewer, CUBE)
    for nm in (450, 540, 650):
        steps_to(qtbot, viewer, layer, nm, f"{nm} nm")
        brightest = layer.colormap.map(np.array([1.0]))[0, :3]
        np.testing.assert_allclose(brightest, wavelength_to_rgb(nm), atol=0.01)
        np.testing.assert_allclose(layer.colormap.map(np.array([0.0]))[0, :3], 0)


def test_a_colormap_of_the_users_stays_until_they_pick_one_of_ours(viewer, qtbot):
    followed, own = add_cube(viewer, CUBE), add_cube(viewer, CUBE)
    own.colormap = "viridis"
    steps_to(qtbot, viewer, followed, 600, "600 nm")
    assert own.colormap.name == "viridis"
    own.colormap = "gray"
    steps_to(qtbot, viewer, followed, 500, "500 nm")
    assert own.colormap.name == "gray"
    own.colormap = "600 nm"
    qtbot.waitUntil(lambda: own.colormap.name == "500 nm")


def test_one_switch_turns_all_grey_and_back(viewer, qtbot):
    layers = [add_cube(viewer, CUBE), add_cube(viewer, CUBE)]
    steps_to(qtbot, viewer, layers[0], 600, "600 nm")
    layers[1].colormap = "magma"
    colors = band_colors(viewer)
    colors.enabled = False
    assert [layer.colormap.name for layer in layers] == ["gray", "magma"]
    viewer.dims.set_point(0, 500)
    colors.enabled = True
    assert [layer.colormap.name for layer in layers] == ["500 nm", "magma"]


def test_bands_out_of_sight_of_the_eye_are_grey(viewer, qtbot):
    nm = np.linspace(400, 1000, 204)
    layer = add_cube(viewer, SpectralCube(np.ones((204, 3, 3), np.float32), nm))
    steps_to(qtbot, viewer, layer, 641, "640 nm")
    steps_to(qtbot, viewer, layer, 950, "gray")
    steps_to(qtbot, viewer, layer, 641, "640 nm")


def test_a_stack_that_never_said_it_was_a_cube_is_left_alone(viewer, qtbot):
    stack = viewer.add_image(np.zeros((31, 4, 4), np.float32))
    rgb = viewer.add_image(np.zeros((4, 4, 3), np.uint8))
    assert isinstance(rgb, Image)
    layer = add_cube(viewer, CUBE)
    steps_to(qtbot, viewer, layer, 640, "640 nm")
    assert stack.colormap.name == "gray"


def test_a_hidden_cube_is_coloured_when_it_comes_into_sight(viewer, qtbot):
    hidden, shown = add_cube(viewer, CUBE), add_cube(viewer, CUBE)
    hidden.visible = False
    steps_to(qtbot, viewer, shown, 640, "640 nm")
    assert hidden.colormap.name != "640 nm"
    hidden.visible = True
    qtbot.waitUntil(lambda: hidden.colormap.name == "640 nm")


def test_a_closed_viewer_is_not_kept(qapp, qtbot):
    viewer = ViewerModel()
    add_cube(viewer, CUBE)
    band_colors(viewer)
    gone = weakref.ref(viewer)
    qtbot.wait(60)
    del viewer
    gc.collect()
    assert gone() is None
