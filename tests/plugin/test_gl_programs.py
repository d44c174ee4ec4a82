"""A map with a colour bar can be removed, and another shown, without the process' end."""

import subprocess
import sys

import pytest

SCRIPT = """
import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube

def draw():
    loop = QEventLoop()
    QTimer.singleShot(150, loop.quit)
    loop.exec()

viewer = napari.Viewer()
add_cube(viewer, SpectralCube(np.ones((31, 20, 30), np.float32)))
for _ in range(3):
    for name in ("turbo", "inferno"):
        layer = viewer.add_image(np.random.random((20, 30)), colormap=name)
        layer.colorbar.visible = True
        draw()
        viewer.layers.remove(layer)
        draw()
viewer.close()
print("still here")
"""


@pytest.mark.gui
def test_maps_with_colour_bars_come_and_go(qapp):
    # In a process of its own: what goes wrong here would end the tests.
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "still here" in run.stdout
