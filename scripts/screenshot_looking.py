"""Make the pictures of docs/looking.md: colours, error maps with the worst pixel, similarity."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari_gmsr as ng
from demo_window import display
from napari_gmsr.datasets import sample_scene

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QWidget

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZE = (1400, 900)
DOCK_WIDTH = 400
PIXEL = (235.0, 90.0)
"""Row and column of the space suit."""


def open_viewer(theme: str, *cubes: ng.SpectralCube) -> Viewer:
    """Open napari with cubes."""
    import napari

    from napari_gmsr.plugin.layers import add_cube

    viewer = napari.Viewer(title="napari-gmsr", show=False)
    viewer.theme = theme
    for cube in cubes:
        add_cube(viewer, cube)
    viewer.dims.set_point(0, 600)
    viewer.show()
    viewer.window.resize(*SIZE)
    return viewer


def open_widget(viewer: Viewer, name: str) -> Any:
    """Open one of the docks."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QMainWindow

    dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", name)
    main = dock.window()
    assert isinstance(main, QMainWindow)
    wait(500)
    main.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    viewer.reset_view()
    wait(500)
    return widget


def press(widget: QWidget, text: str) -> None:
    """Press the button that says so, and wait for what it does."""
    from qtpy.QtWidgets import QPushButton

    buttons = widget.findChildren(QPushButton)
    next(button for button in buttons if button.text().replace("&", "") == text).click()
    wait(2000)


def save(viewer: Viewer, name: str) -> None:
    """Save a picture of the whole window, and close it."""
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    print("Written:", PICTURES / name)
    viewer.close()


def wait(milliseconds: int) -> None:
    """Let the window draw."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def show_colors(truth: ng.SpectralCube) -> None:
    """Show a scene under a lamp, beside one of its bands."""
    from napari_gmsr.plugin.colors_widget import LIGHTS, LightBox

    viewer = open_viewer("dark", truth)
    widget = open_widget(viewer, "Colours")
    light = widget.findChild(LightBox)
    light.setCurrentIndex([name for name, _ in LIGHTS].index("A"))
    press(widget, "Show colours")
    viewer.canvas.grid.enabled = True
    viewer.reset_view()
    wait(1000)
    save(viewer, "looking-colours.png")


def show_errors(truth: ng.SpectralCube, cubes: tuple[ng.SpectralCube, ...]) -> None:
    """Show two maps under one scale, at the worst pixel."""
    from napari_gmsr.plugin.layer_choice import CubeList

    viewer = open_viewer("light", truth, *cubes)
    widget = open_widget(viewer, "Error maps")
    widget.findChild(CubeList).choose(viewer.layers[1:])
    press(widget, "Show error maps")
    press(widget, "Worst pixel")
    save(viewer, "looking-errors.png")


def show_similarity(truth: ng.SpectralCube) -> None:
    """Show where the scene is like the space suit."""
    from napari_gmsr.plugin.pixel_pointer import PixelPointer

    viewer = open_viewer("dark", truth)
    widget = open_widget(viewer, "Similarity")
    widget.findChild(PixelPointer).clicked.emit((600.0, *PIXEL))
    wait(2000)
    save(viewer, "looking-similarity.png")


def main() -> None:
    """Make the pictures, always on a virtual display, so that they look the same everywhere."""
    scene, truth = sample_scene()
    single = ng.reconstruct(scene)
    ensemble = replace(ng.reconstruct(scene, ensemble=True), name=f"{scene.name} [8 views]")
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    PICTURES.mkdir(exist_ok=True)
    with display():
        show_colors(truth)
        show_errors(truth, (single, ensemble))
        show_similarity(truth)


if __name__ == "__main__":
    main()
