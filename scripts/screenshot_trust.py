"""Make the pictures of docs/trust.md: the Trust widget's window, and a stress report.

    python scripts/screenshot_trust.py [--shared ../shared/data]

The stress report is of a real scene, which is not part of the project; without it that picture
stays as it is.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from demo_window import SIZE, display, picture_of
from napari_gmsr.datasets import sample_scene
from napari_gmsr.evaluate import save_figure
from napari_gmsr.io import read_cube
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.trust import stress, stress_figure

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SCENE = "cave_chart_and_stuffed_toy_crop150"


def window() -> None:
    """Make the picture of the window, always on a virtual display."""
    picture, truth = sample_scene()
    cube = reconstruct(picture)
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    with display():
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_gmsr.plugin.layers import add_cube
        from napari_gmsr.plugin.trust_widget import TrustWidget

        viewer = napari.Viewer(show=True)
        viewer.window.resize(*SIZE)
        viewer.add_image(picture.data, rgb=True, name=picture.name)
        add_cube(viewer, truth)
        layer = add_cube(viewer, cube)
        widget = TrustWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trust")

        def wait(until: Callable[[], bool]) -> None:
            end = time.monotonic() + 120
            while not until() and time.monotonic() < end:
                QApplication.processEvents()

        wait(lambda: not widget.busy)
        widget.cube.choose(layer)
        wait(lambda: not widget.busy)
        widget.project.click()
        wait(lambda: not widget.busy)
        print("Written:", picture_of(viewer, IMAGES / "trust.png"))
        viewer.close()


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    file = parser.parse_args().shared / "scenes" / f"{SCENE}.mat"
    window()
    if file.is_file():
        figure = stress_figure(stress(read_cube(file)))
        print("Written:", save_figure(figure, IMAGES / "stress.png", overwrite=True))


if __name__ == "__main__":
    main()
