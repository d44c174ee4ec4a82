"""The demo's window: cubes, pinned spectra and error maps, as a user would arrange them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer
    from qtpy.QtWidgets import QDockWidget, QWidget

SIZE = (1600, 1000)
DOCK_WIDTH = 430
GAP = 12  # between pictures, in their pixels
BAND_NM = 540


@contextmanager
def display() -> Iterator[bool]:
    """Make sure that there is a display; say whether it is the user's, or a virtual one."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        yield True
        return
    from pyvirtualdisplay.display import Display

    # Nobody's preferences are to change how the picture looks, nor to be changed by it.
    with (
        tempfile.TemporaryDirectory() as folder,
        Display(visible=False, size=SIZE, use_xauth=False),
    ):
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        yield False


def open_window(
    photo: RGBImage,
    photo_cube: SpectralCube,
    scene: RGBImage,
    cube: SpectralCube,
    truth: SpectralCube,
    pins: Sequence[tuple[int, int]],
) -> Viewer:
    """Open napari with a scene above a photograph, each beside its reconstruction.

    Parameters
    ----------
    photo, photo_cube
        A photograph and its reconstruction.
    scene, cube, truth
        A scene, its reconstruction, and the truth, by which spectra are compared.
    pins
        Row and column of the scene's pixels whose spectra are pinned.
    """
    import napari

    from napari_gmsr.plugin.layers import add_cube
    from napari_gmsr.plugin.pins import Pins

    viewer = napari.Viewer(title="napari-gmsr", show=False)
    height, width = scene.shape
    below = height + GAP
    viewer.add_image(photo.data, rgb=True, name=photo.name, translate=(below, 0))
    _place(add_cube(viewer, photo_cube), below, photo.shape[1] + GAP)
    viewer.add_image(scene.data, rgb=True, name=scene.name)
    true_layer = add_cube(viewer, truth)
    true_layer.visible = False
    layer = add_cube(viewer, cube)
    for one in (true_layer, layer):
        _place(one, 0, width + GAP)
    viewer.layers.selection = {layer}
    viewer.dims.set_point(0, BAND_NM)

    viewer.show()
    viewer.window.resize(*SIZE)
    dock, spectra = viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    _, error_maps = viewer.window.add_plugin_dock_widget("napari-gmsr", "Error maps", tabify=True)
    _widen(dock)
    before = set(viewer.layers)
    _press(error_maps, "Show error maps")
    for error_layer in _new_layers(viewer, before):
        _place(error_layer, 0, 2 * (width + GAP))
    placed = Pins(viewer)
    placed.start()
    for y, x in pins:
        placed.add(layer, y, x)
    placed.stop()
    dock.raise_()
    spectra.setFocus()
    return viewer


def picture_of(viewer: Viewer, path: Path) -> Path:
    """Save a picture of the whole window, once it has drawn everything."""
    let_draw(1000)
    viewer.reset_view()
    let_draw(2000)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    return path


def _place(layer: Layer, y: int, x: int) -> None:
    layer.translate = (*layer.translate[:-2], y, x)


def _widen(dock: QDockWidget) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QMainWindow

    window = dock.window()
    assert isinstance(window, QMainWindow)
    window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)


def _press(widget: QWidget, text: str) -> None:
    from qtpy.QtWidgets import QPushButton

    buttons = {
        button.text().replace("&", ""): button for button in widget.findChildren(QPushButton)
    }
    buttons[text].click()


def _new_layers(viewer: Viewer, before: set[Layer]) -> set[Layer]:
    """Wait for the layers that a widget computes in the background, and return them."""
    end = time.monotonic() + 30
    while before == set(viewer.layers) and time.monotonic() < end:
        let_draw(50)
    return set(viewer.layers) - before


def let_draw(milliseconds: int) -> None:
    """Let the window go on for a while."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
