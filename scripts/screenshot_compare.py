"""Make the picture of docs/compare.md: the Compare models widget after a run.

python scripts/screenshot_compare.py [--theme dark] [--to docs/images]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from demo_window import SIZE, display, picture_of
from napari_gmsr.datasets import sample_scene

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def window(theme: str, to: Path) -> None:
    """Make the picture of the window, always on a virtual display."""
    picture, truth = sample_scene()
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    with display():
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_gmsr.plugin.layers import add_cube

        viewer = napari.Viewer(show=True)
        viewer.theme = theme
        viewer.window.resize(*SIZE)
        viewer.add_image(picture.data, rgb=True, name=picture.name)
        add_cube(viewer, truth)
        dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", "Compare models")

        def wait(until: Callable[[], bool]) -> None:
            end = time.monotonic() + 240
            QApplication.processEvents()
            while not until() and time.monotonic() < end:
                QApplication.processEvents()

        wait(lambda: widget.isVisible() and widget.picture.layer is not None)
        widget.run.click()
        wait(lambda: not widget.busy)
        widget.pair.subtract.click()
        viewer.window._qt_window.resizeDocks([dock], [700], _horizontal())
        wait(lambda: dock.width() > 650)
        print("Written:", picture_of(viewer, to / "compare.png"))
        viewer.close()


def _horizontal() -> object:
    from qtpy.QtCore import Qt

    return Qt.Orientation.Horizontal


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--to", type=Path, default=IMAGES)
    given = parser.parse_args()
    window(given.theme, given.to)


if __name__ == "__main__":
    main()
