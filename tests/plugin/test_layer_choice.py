"""The choices among cubes, by what a viewer's layers are."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import add_cube

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
