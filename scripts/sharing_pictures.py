"""Make the pictures of docs/sharing.md: a figure, and the widgets Figure and Batch at work."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

import napari_gmsr as ng
from demo import PINS, scenes
from demo_window import DOCK_WIDTH, SIZE, display, let_draw, picture_of
from napari_gmsr.evaluate import comparison_figure, save_figure

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
BANDS_NM = (480, 540, 600)
MODELS = ("photo", "ntire2020-clean")
PHOTOGRAPHS = ("coffee.png", "chelsea.png", "rocket.jpg", "hubble_deep_field.jpg")


def main() -> None:
    """Make all pictures, always on a virtual display, so that they look the same everywhere."""
    FOLDER.mkdir(exist_ok=True)
    _, scene, truth = scenes()
    cubes = [ng.reconstruct(scene, model=model) for model in MODELS]
    figure = comparison_figure(scene, cubes, truth, PINS, BANDS_NM)
    print("Written:", _halve(save_figure(figure, FOLDER / "figure.png", overwrite=True)))
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    with display():
        print("Written:", _figure_widget(scene, cubes, truth, FOLDER / "figure-widget.png"))
        print("Written:", _batch_widget(FOLDER / "batch-widget.png"))


def _halve(path: Path) -> Path:
    """Make a picture small enough for a page."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").reduce(2)
    small.save(path, optimize=True)
    return path


def _figure_widget(
    scene: ng.RGBImage, cubes: Sequence[ng.SpectralCube], truth: ng.SpectralCube, path: Path
) -> Path:
    import napari

    from napari_gmsr.plugin.layers import add_cube
    from napari_gmsr.plugin.pins import Pins

    viewer = napari.Viewer(title="napari-gmsr", show=False)
    viewer.add_image(scene.data, rgb=True, name=scene.name)
    layers = [add_cube(viewer, cube) for cube in (truth, *cubes)]
    viewer.dims.set_point(0, BANDS_NM[-1])
    pins = Pins(viewer)
    pins.start()
    for y, x in PINS:
        pins.add(layers[1], y, x)
    pins.stop()
    widget = _open(viewer, "Figure")
    widget.cubes.choose(layers[1:])
    widget.bands.setText(", ".join(map(str, BANDS_NM)))
    widget.preview.click()
    _wait_until(lambda: not widget.busy)
    return _shot(viewer, path)


def _batch_widget(path: Path) -> Path:
    import napari

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "holiday"
        folder.mkdir()
        for photograph in PHOTOGRAPHS:
            shutil.copy(str(files("skimage.data") / photograph), folder)
        (folder / "half-copied.jpg").write_bytes((folder / PHOTOGRAPHS[2]).read_bytes()[:2000])
        viewer = napari.Viewer(title="napari-gmsr", show=False)
        widget = _open(viewer, "Batch")
        widget.folder.setText(str(folder))
        widget.folder.editingFinished.emit()
        _wait_until(lambda: not widget.busy)
        widget.run.click()
        _wait_until(lambda: not widget.busy)
        widget.table.wanted.emit(str(folder / "cubes" / "coffee.zarr"))
        viewer.dims.set_point(0, BANDS_NM[-1])
        return _shot(viewer, path)


def _open(viewer: Any, name: str) -> Any:
    """Open one of the plugin's widgets in the viewer's window, as wide as the demo's."""
    from qtpy.QtCore import Qt

    viewer.show()
    viewer.window.resize(*SIZE)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", name)
    dock.window().resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    return widget


def _shot(viewer: Any, path: Path) -> Path:
    picture_of(viewer, path)
    viewer.close()
    return path


def _wait_until(condition: Callable[[], bool]) -> None:
    let_draw(200)
    while not condition():
        let_draw(100)


if __name__ == "__main__":
    main()
