"""Reconstruct a photograph and a simulated scene, and show them in napari.

`make demo` sets everything up and runs it; it may be run again at any time. Everything is written
into demo-output/, or the folder given. Where there is no display, the window opens on a virtual
one.
"""

from __future__ import annotations

import sys
import time
from importlib.resources import files
from pathlib import Path

import napari_gmsr as ng
from demo_window import display, open_window, picture_of
from napari_gmsr.datasets import sample_scene
from napari_gmsr.evaluate import comparison_figure, save_figure

DEFAULT_OUT = Path(__file__).resolve().parents[1] / "demo-output"
MODEL = "photo"
PINS = ((95, 160), (235, 90), (345, 250), (345, 322))
"""Rows and columns in the scene: a cheek, the space suit, the ColorChecker's blue and yellow."""


def scenes() -> tuple[ng.RGBImage, ng.RGBImage, ng.SpectralCube]:
    """Give a photograph that scikit-image ships, and a simulated scene with its truth."""
    photo = ng.read_rgb(Path(str(files("skimage.data") / "coffee.png")))
    return photo, *sample_scene()


def reconstruct(picture: ng.RGBImage) -> ng.SpectralCube:
    """Reconstruct a picture, and say how it went."""
    start = time.perf_counter()
    cube = ng.reconstruct(picture, model=MODEL)
    how = cube.provenance
    print(
        f"{picture.name}: {cube.shape[0]} bands of {cube.shape[1]} x {cube.shape[2]} pixels in "
        f"{time.perf_counter() - start:.1f} s "
        f"({how['mode']}, {how['engine']} engine, {how['device']})"
    )
    for note in how["notes"]:
        print(f"  {note}")
    return cube


def main(out: Path = DEFAULT_OUT) -> None:
    """Run the demo; what an earlier run wrote is replaced."""
    out.mkdir(exist_ok=True)
    photo, scene, truth = scenes()
    photo_cube, cube = reconstruct(photo), reconstruct(scene)

    print(ng.evaluate(cube, truth).to_text())
    figure = comparison_figure(scene, cube, truth, points=PINS)
    written = [
        photo_cube.save(out / "photograph.zarr", overwrite=True),
        cube.save(out / "scene.zarr", overwrite=True),
        truth.save(out / "scene-truth.zarr", overwrite=True),
        save_figure(figure, out / "figure.png", overwrite=True),
    ]
    with display() as real:
        viewer = open_window(photo, photo_cube, scene, cube, truth, PINS)
        written.append(picture_of(viewer, out / "window.png"))
        print("Written:", *written, sep="\n  ")
        if real:
            import napari

            print("napari is open; close its window to end.")
            napari.run()
        viewer.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
