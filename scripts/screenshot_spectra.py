"""Make the pictures of docs/spectra.md: the Spectra widget with cubes, regions and views."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import napari_gmsr as ng
from demo import reconstruct
from demo_window import display
from napari_gmsr.datasets import sample_scene

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Shapes

    from napari_gmsr.plugin.spectra_widget import SpectraWidget

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZE = (1500, 960)
DOCK_WIDTH = 470
PINS = ((95, 160), (235, 90))
"""Rows and columns: a cheek and the space suit."""
REGIONS = ((150, 20, 215, 60), (334, 240, 356, 262))
"""Top, left, bottom, right: the flag, and the ColorChecker's blue."""


def open_spectra(dark: bool) -> tuple[Viewer, SpectraWidget]:
    """Open napari with a scene's cubes and the Spectra widget."""
    import napari
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QMainWindow

    from napari_gmsr.plugin.layers import add_cube

    scene, truth = sample_scene()
    viewer = napari.Viewer(title="napari-gmsr", show=False)
    viewer.theme = "dark" if dark else "light"
    add_cube(viewer, truth).visible = False
    coarse = ng.SpectralCube(
        truth.data[::5], truth.wavelengths_nm[::5], f"{truth.name}, every 50 nm"
    )
    add_cube(viewer, coarse).visible = False
    add_cube(viewer, reconstruct(scene))
    viewer.dims.set_point(0, 540)
    viewer.show()
    viewer.window.resize(*SIZE)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    main = dock.window()
    assert isinstance(main, QMainWindow)
    wait(500)
    main.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    for y, x in PINS:
        widget.pointer.clicked.emit((540.0, float(y), float(x)))
    viewer.reset_view()
    wait(500)
    return viewer, widget


def draw_regions(viewer: Viewer, widget: SpectraWidget) -> Shapes:
    """Draw the regions, as with the mouse."""
    widget.choices.regions.draw.click()
    layer: Shapes = viewer.layers.selection.active
    for top, left, bottom, right in REGIONS:
        layer.add_rectangles(
            np.array([[top, left], [top, right], [bottom, right], [bottom, left]], dtype=float)
        )
    layer.mode = "pan_zoom"
    wait(1500)
    return layer


def main() -> None:
    """Make the pictures, always on a virtual display, so that they look the same everywhere."""
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    PICTURES.mkdir(exist_ok=True)
    with display():
        viewer, widget = open_spectra(dark=True)
        regions = draw_regions(viewer, widget)
        save(viewer, "spectra.png")
        viewer.layers.remove(regions)
        widget.choices.all_others.click()
        widget.choices.others_fold.expand(animate=False)
        viewer.theme = "light"
        wait(500)
        grab(widget, "spectra-cubes.png")
        widget.choices.others_fold.collapse(animate=False)
        widget.choices.others.choose([])
        widget.choices.view.kind.setCurrentText("continuum removed")
        wait(500)
        grab(widget, "spectra-continuum.png")
        viewer.close()


def save(viewer: Viewer, name: str) -> None:
    """Save a picture of the whole window."""
    wait(1500)
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    print("Written:", PICTURES / name)


def grab(widget: SpectraWidget, name: str) -> None:
    """Save a picture of the widget."""
    widget.grab().save(str(PICTURES / name))
    print("Written:", PICTURES / name)


def wait(milliseconds: int) -> None:
    """Let the window draw."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    main()
