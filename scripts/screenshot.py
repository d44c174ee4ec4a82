"""Make the README's picture of the window, docs/images/window.png, from the demo's window."""

from __future__ import annotations

import os
from pathlib import Path

from demo import PINS, reconstruct, scenes
from demo_window import display, open_window, picture_of

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "window.png"


def main() -> None:
    """Make the picture, always on a virtual display, so that it looks the same everywhere."""
    photo, scene, truth = scenes()
    photo_cube, cube = reconstruct(photo), reconstruct(scene)
    os.environ.pop("DISPLAY", None)
    os.environ.pop("WAYLAND_DISPLAY", None)
    PICTURE.parent.mkdir(exist_ok=True)
    with display():
        viewer = open_window(photo, photo_cube, scene, cube, truth, PINS)
        print("Written:", picture_of(viewer, PICTURE))
        viewer.close()


if __name__ == "__main__":
    main()
