"""The demo's window: cubes, pinned spectra and error maps, as a user would arrange them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage

if TYPE_CHECKING:
    from napari import Viewer

SIZE = (1600, 1000)
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
    """Open napari with a photograph's cube, and a scene's with all that its truth allows.

    Parameters
    ----------
    photo, photo_cube
        A photograph and its reconstruction; their layers lie hidden below the others.
    scene, cube, truth
        A scene, its reconstruction and the truth.
    pins
        Row and column of the pixels whose spectra are pinned.
    """
    import napari

    from napari_gmsr.plugin.layers import add_cube
    from napari_gmsr.plugin.pins import Pins

    viewer = napari.Viewer(title="napari-gmsr", show=False)
    for picture, picture_cube in ((photo, photo_cube), (scene, cube)):
        viewer.add_image(picture.data, rgb=True, name=picture.name, visible=False)
        layer = add_cube(viewer, picture_cube)
        layer.visible = picture_cube is cube
    add_cube(viewer, truth).visible = False
    viewer.layers.selection = {layer}
    viewer.dims.set_point(0, BAND_NM)

    viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    viewer.window.add_plugin_dock_widget("napari-gmsr", "Error maps", tabify=True)
    placed = Pins(viewer)
    placed.start()
    for y, x in pins:
        placed.add(layer, y, x)
    placed.stop()
    viewer.show()
    viewer.window.resize(*SIZE)
    return viewer


def picture_of(viewer: Viewer, path: Path) -> Path:
    """Save a picture of the whole window, once it has drawn everything."""
    _let_draw(1000)
    viewer.reset_view()
    _let_draw(2000)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    return path


def _let_draw(milliseconds: int) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
