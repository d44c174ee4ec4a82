"""Going to where a cube is at its worst: the camera, the slider and a pin move there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layers import LayerCube, layer_cube, layer_spectrum, show_band
from napari_gmsr.plugin.pins import Pins

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["JudgedCube", "WorstFinder"]

_PIXEL_PX = 4.0
"""Canvas pixels that a pixel is at least shown with, so that its place is seen."""
_APART = 8
"""Finds lie at least this part of the picture's longer side from each other."""


@dataclass(frozen=True)
class JudgedCube:
    """A cube beside its truth, and the map of its errors.

    Parameters
    ----------
    cube, truth
        The cubes' layers.
    errors
        The map's layer.
    title
        Of the metric, for people.
    is_of_one_band
        Whether the map shows one band, the slider's.
    """

    cube: Image
    truth: Image
    errors: Image
    title: str
    is_of_one_band: bool


class WorstFinder(QWidget):
    """Buttons that go to the worst pixel of the maps that are shown, the next, and the worst band.

    The camera moves to the pixel, and closer where one could not see it; the slider moves to the
    band in which this pixel is worst, unless the map shows one band; a pin marks it, so that the
    Spectra widget draws its curve. Maps side by side hide the pins: there the pixel is the middle
    of every map.

    Parameters
    ----------
    viewer
        The viewer to move.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._judged: list[JudgedCube] = []
        self._found: list[tuple[int, int]] = []
        self._worst = QPushButton("&Worst pixel")
        self._next = QPushButton("&Next worst")
        self._band = QPushButton("Worst ban&d")
        self._found_label = QLabel()
        self._worker = LatestWorker("looking for the worst band", self)
        self._lay_out()

        self._worst.clicked.connect(self._on_worst)
        self._next.clicked.connect(self._on_next)
        self._band.clicked.connect(self._on_band)
        self._worker.done.connect(self._on_worst_band)
        self._worker.failed.connect(self._on_failed)
        self.set_judged([])

    @property
    def busy(self) -> bool:
        """Whether the worst band is being looked for."""
        return self._worker.busy

    def set_judged(self, judged: Iterable[JudgedCube]) -> None:
        """Say what is to be searched; nothing turns the buttons off."""
        self._judged = list(judged)
        for button in (self._worst, self._next, self._band):
            button.setEnabled(bool(self._judged))
        if not self._judged:
            self._found.clear()
            self._say("")

    def _lay_out(self) -> None:
        self._worst.setToolTip(
            "Move camera and slider to the pixel with the largest error on the maps, and pin it."
        )
        self._next.setToolTip("The same for the next worst, in another part of the picture.")
        self._band.setToolTip("Move the slider to the band with the largest error.")
        self._found_label.setWordWrap(True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, button in enumerate((self._worst, self._next, self._band)):
            grid.addWidget(button, 0, column)
        grid.addWidget(self._found_label, 1, 0, 1, 3)

    # -- slots ---------------------------------------------------------------------------------

    def _on_worst(self) -> None:
        self._found.clear()
        self._on_next()

    def _on_next(self) -> None:
        from napari_gmsr.evaluate import worst_pixel

        height, width = self._judged[0].errors.data.shape
        distance = max(height, width) // _APART
        best: tuple[float, JudgedCube, tuple[int, int]] | None = None
        for judged in self._judged:
            errors = judged.errors.data
            pixel = worst_pixel(errors, self._found, distance)
            if pixel is not None and (best is None or errors[pixel] > best[0]):
                best = (float(errors[pixel]), judged, pixel)
        if best is None:
            self._say("No other pixel has an error, further away than these.")
            self._found.clear()
            return
        error, judged, pixel = best
        self._found.append(pixel)
        self._go_to(judged, *pixel)
        y, x = pixel
        self._say(
            f"{_ordinal(len(self._found))}: {judged.title} {error:.3g} "
            f"at y {y}, x {x} of {judged.cube.name}."
        )

    def _on_band(self) -> None:
        cubes = [layer_cube(judged.cube) for judged in self._judged]
        self._worker.ask(_worst_band, cubes, layer_cube(self._judged[0].truth))

    def _on_worst_band(self, found: tuple[int, float, float] | None) -> None:
        if found is None:
            self._say("No band can be compared: all hold NaN or infinite values.")
            return
        which, nm, error = found
        if which < len(self._judged) and self._judged[which].cube in self._viewer.layers:
            cube = self._judged[which].cube
            wavelengths = layer_cube(cube).wavelengths_nm
            show_band(cube, self._viewer.dims, int(np.argmin(np.abs(wavelengths - nm))))
            self._say(f"Worst band: {nm:.4g} nm of {cube.name}, RMSE {error:.3g}.")

    def _on_failed(self, error: GMSRError) -> None:
        self._say(str(error))

    # -- moving --------------------------------------------------------------------------------

    def _go_to(self, judged: JudgedCube, y: int, x: int) -> None:
        camera, cube = self._viewer.scene.camera, judged.cube
        world = cube.data_to_world((0, y, x))[-2:]
        camera.center = tuple(float(v) for v in world)
        camera.zoom = max(camera.zoom, _PIXEL_PX / float(np.abs(cube.scale[-2:]).min()))
        if not judged.is_of_one_band:
            error = np.abs(layer_spectrum(cube, y, x) - layer_spectrum(judged.truth, y, x))
            if np.isfinite(error).any():
                show_band(cube, self._viewer.dims, int(np.nanargmax(error)))
        pins = Pins(self._viewer)
        pins.start()
        if not any(np.allclose(position, world) for position in pins.positions):
            pins.add(cube, y, x)
        pins.stop()

    def _say(self, text: str) -> None:
        self._found_label.setText(text)
        self._found_label.setVisible(bool(text))


def _worst_band(cubes: Sequence[LayerCube], truth: LayerCube) -> tuple[int, float, float] | None:
    """Return which cube has the band with the largest RMSE, its wavelength, and that RMSE."""
    from napari_gmsr.evaluate import band_errors

    reference = truth.read()
    worst: tuple[int, float, float] | None = None
    for which, cube in enumerate(cubes):
        read = cube.read()
        errors: npt.NDArray[np.float64] = band_errors(read, reference)
        if np.isnan(errors).all():
            continue
        band = int(np.nanargmax(errors))
        if worst is None or errors[band] > worst[2]:
            worst = (which, float(read.wavelengths_nm[band]), float(errors[band]))
    return worst


def _ordinal(number: int) -> str:
    return "Worst" if number == 1 else f"Worst but {number - 1}"
