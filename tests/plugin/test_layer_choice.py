"""The choices among cubes, by what a viewer's layers are."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.derived_layers import show_derived
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.picture_choice import PictureComboBox

pytestmark = pytest.mark.gui


def test_a_choice_of_nothing_says_so(qtbot):
    viewer = ViewerModel()
    choice = CubeComboBox(viewer)
    qtbot.addWidget(choice)
    assert not choice.isEnabled()
    assert (choice.layer, choice.currentText()) == (None, "no cube yet")
    layer = add_cube(viewer, SpectralCube(np.full((31, 4, 5), 0.5, np.float32), name="wall"))
    choice.refresh()
    assert choice.isEnabled()
    assert (choice.layer, choice.currentText()) == (layer, "wall")
    assert CubeComboBox(ViewerModel(), truth=True).isEnabled()


def test_a_cubes_own_colours_are_not_taken_for_its_picture(qtbot):
    viewer = ViewerModel()
    picture = PictureComboBox(viewer)
    qtbot.addWidget(picture)
    cube = add_cube(viewer, SpectralCube(np.full((31, 32, 40), 0.5, np.float32), name="wall"))
    pixels = np.zeros((32, 40, 3), np.uint8)
    colours = show_derived(viewer, cube, "colours", pixels, "wall in D65")
    picture.refresh()
    assert picture.layer is colours  # there is no other
    brought = viewer.add_image(pixels, name="photo")
    viewer.layers.move(viewer.layers.index(brought), 0)
    picture.refresh()
    assert picture.layer is brought
    assert picture.count() == 2
