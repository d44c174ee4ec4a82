"""The tour: it opens the scene and the docks, and ticks off what is done."""

import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube, cube_from_layer, cube_layers
from napari_gmsr.plugin.pins import Pins

NAME = "napari-gmsr"


@pytest.mark.gui
def test_the_steps_are_ticked_off_as_they_are_done(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    dock, tour = viewer.window.add_plugin_dock_widget(NAME, "Tour")
    qtbot.waitUntil(tour.isVisible)

    def done():
        return [step.isChecked() for step in tour.steps]

    assert not any(done())
    tour.open.click()
    assert done() == [True, False, False, False, False]
    for name in ("Reconstruct", "Spectra"):
        assert f"{name} ({NAME})" in viewer.window.dock_widgets

    qtbot.wait(300)  # the docks find their places
    assert not tour.visibleRegion().isEmpty()

    truth = cube_from_layer(cube_layers(viewer.layers)[0])
    viewer.dims.set_point(0, 500)  # there is nothing to slide through yet
    add_cube(viewer, SpectralCube(truth.data * np.float32(0.9), name="guess"))
    assert done() == [True, True, False, False, False]
    viewer.dims.set_point(0, 600)
    assert done() == [True, True, True, False, False]
    Pins(viewer, tour).add(viewer.layers[-1], 3, 4)
    assert done() == [True, True, True, True, False]
    assert not tour.end.text()
    tour.steps[4].click()
    assert "Trust" in tour.end.text()

    viewer.window.remove_dock_widget(dock)
    viewer.dims.set_point(0, 550)  # nobody follows any more
