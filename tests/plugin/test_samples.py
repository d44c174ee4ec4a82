import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_gmsr.plugin.layers import cube_from_layer, is_cube_layer


@pytest.fixture
def viewer():
    PluginManager.instance().discover()
    return ViewerModel()


def test_the_photograph_is_an_rgb_layer(viewer):
    (layer,) = viewer.open_sample("napari-gmsr", "photograph")
    assert layer.rgb
    assert layer.data.dtype == np.uint8
    assert layer.data.shape == (400, 600, 3)


def test_the_simulated_scene_comes_with_its_truth_and_says_so(viewer):
    truth, picture = viewer.open_sample("napari-gmsr", "simulated-scene")
    assert picture.rgb
    assert picture.data.dtype == np.uint8
    assert is_cube_layer(truth)
    assert not truth.visible
    assert truth.data.shape[1:] == picture.data.shape[:2]
    assert "simulated" in picture.name
    assert "simulated" in truth.name
    assert "truth" in truth.name
    assert cube_from_layer(truth).provenance["simulated"] is True


def test_the_picture_is_what_a_camera_sees_of_the_truth(viewer):
    from napari_gmsr.color import render_rgb

    truth, picture = viewer.open_sample("napari-gmsr", "simulated-scene")
    seen = render_rgb(cube_from_layer(truth), camera="srgb", illuminant="D65", encoding="srgb")
    assert np.abs(seen.data * 255 - picture.data).max() <= 0.51


def test_the_menu_says_that_the_scene_is_simulated():
    samples = dict(PluginManager.instance().iter_sample_data())["napari-gmsr"]
    assert [sample.display_name for sample in samples] == [
        "Photograph (scikit-image)",
        "Simulated scene with its truth",
    ]
