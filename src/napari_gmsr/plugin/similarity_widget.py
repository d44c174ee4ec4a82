"""The *Similarity* widget: click a pixel, and see where the picture is made of the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_gmsr.color.encoding import percent
from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.derived_layers import derived_layer, show_derived
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import LayerCube, layer_cube, layer_size, layer_spectrum, pixel_at
from napari_gmsr.plugin.pixel_pointer import PixelPointer
from napari_gmsr.plugin.settings import read_controls, write_controls

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["SimilarityWidget"]

_NO_CUBE = "Open a cube or run Reconstruct, then click a pixel."
_NO_PIXEL = "Click a pixel of the picture."
_KIND = "similarity"
_LARGEST_RADIUS = 50
_SCALE_DEG = 20.0

Found = tuple["Image", tuple[int, int], npt.NDArray[np.float32]]


class SimilarityWidget(QWidget):
    """A map of how like every pixel's spectrum is to the one that was clicked.

    Likeness is the spectral angle, which brightness leaves alone: bright is like, dark is unlike.
    While this dock is in sight, every click moves the map; it is computed off the window's thread.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._followed: Image | None = None
        self._wanted = False
        """Whether a click or the button asked for a layer; else one that is there is renewed."""
        self._cube = CubeComboBox(viewer)
        self._row, self._column, self._radius = QSpinBox(), QSpinBox(), QSpinBox()
        self._scale = QDoubleSpinBox()
        self._show = QPushButton("Show &similarity")
        self._state = QLabel()
        self._pointer = PixelPointer(viewer, self)
        self._worker = LatestWorker("comparing the spectra", self)
        self._lay_out()

        self._cube.chosen.connect(self._on_cube)
        for box in (self._row, self._column, self._radius):
            box.valueChanged.connect(self._update)
        self._scale.valueChanged.connect(self._on_scale)
        self._show.clicked.connect(self._on_show)
        self._pointer.clicked.connect(self._on_click)
        self._worker.done.connect(self._on_map)
        self._worker.failed.connect(self._on_failed)
        self._on_cube()

    @property
    def busy(self) -> bool:
        """Whether a map is being computed."""
        return self._worker.busy

    def _lay_out(self) -> None:
        self._cube.setToolTip("The cube whose spectra are compared.")
        self._row.setPrefix("y ")
        self._column.setPrefix("x ")
        for box in (self._row, self._column):
            box.setKeyboardTracking(False)
            box.setToolTip("The pixel to compare with: click it, or type its row and column.")
        self._radius.setRange(0, _LARGEST_RADIUS)
        self._radius.setPrefix("radius ")
        self._radius.setSuffix(" px")
        self._radius.setToolTip(
            "Average the spectrum over a square around the pixel: 0 is the pixel alone, 1 is 3 × 3."
        )
        self._scale.setRange(0.1, 180)
        self._scale.setValue(_SCALE_DEG)
        self._scale.setSuffix("°")
        self._scale.setDecimals(1)
        self._scale.setToolTip("The angle that is drawn in black; 0°, the same spectrum, is light.")
        self._show.setToolTip("Make the map for this pixel; a click on the picture does so, too.")
        pixel = QHBoxLayout()
        pixel.addWidget(self._row, 1)
        pixel.addWidget(self._column, 1)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("C&ube", self._cube)
        form.addRow("&Pixel", pixel)
        label = form.labelForField(pixel)
        assert isinstance(label, QLabel)
        label.setBuddy(self._row)
        form.addRow("&Average", self._radius)
        form.addRow("&Up to", self._scale)
        self._state.setWordWrap(True)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(self._show)
        rows.addWidget(self._state)
        rows.addStretch(1)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow clicks and the cube's numbers while visible."""
        super().showEvent(event)
        self._pointer.start()
        self._follow(self._cube.layer)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self._pointer.stop()
        self._follow(None)
        self._worker.forget()
        super().hideEvent(event)

    def saved_settings(self) -> dict[str, Any]:
        """Return the settings that a session keeps."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """Take a session's settings back."""
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "cube": self._cube,
            "row": self._row,
            "column": self._column,
            "radius": self._radius,
            "scale_deg": self._scale,
        }

    # -- slots ---------------------------------------------------------------------------------

    def _on_cube(self) -> None:
        cube = self._cube.layer
        self._show.setEnabled(cube is not None)
        self._say(_NO_CUBE if cube is None else _NO_PIXEL)
        if cube is not None:
            for box, size in zip((self._row, self._column), layer_size(cube), strict=True):
                box.blockSignals(True)
                box.setRange(0, size - 1)
                box.blockSignals(False)
        if self.isVisible():
            self._follow(cube)
        self._update()

    def _on_click(self, world: tuple[float, ...]) -> None:
        cube = self._cube.layer
        pixel = None if cube is None else pixel_at(cube, world)
        if pixel is None:
            return
        for box, value in zip((self._row, self._column), pixel, strict=True):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        self._on_show()

    def _on_show(self) -> None:
        self._wanted = True
        self._ask()

    def _on_scale(self, scale: float) -> None:
        cube = self._cube.layer
        layer = None if cube is None else derived_layer(self._viewer.layers, cube, _KIND)
        if layer is not None:
            layer.contrast_limits_range = (0, max(scale, layer.contrast_limits_range[1]))
            layer.contrast_limits = (0, scale)

    def _update(self, event: object = None) -> None:
        """Bring the map up to date, where there is one."""
        cube = self._cube.layer
        if cube is not None and derived_layer(self._viewer.layers, cube, _KIND) is not None:
            self._ask()

    def _on_map(self, found: Found) -> None:
        cube, (y, x), angles = found
        layers = self._viewer.layers
        known = cube in layers and derived_layer(layers, cube, _KIND) is not None
        if cube not in layers or not (known or self._wanted):
            return  # removed while its spectra were compared
        self._wanted = False
        scale = self._scale.value()
        show_derived(
            self._viewer,
            cube,
            _KIND,
            angles,
            f"{cube.name} like y {y}, x {x}",
            colormap=_like_is_light(),
            contrast_limits=(0, scale),
        )
        share = percent(float(np.mean(angles <= scale)))
        self._say(f"{share} of the pixels lie within {scale:g}° of y {y}, x {x}.")

    def _on_failed(self, error: GMSRError) -> None:
        self._say(str(error))

    # -- asking --------------------------------------------------------------------------------

    def _ask(self) -> None:
        cube = self._cube.layer
        if cube is not None:
            pixel = (self._row.value(), self._column.value())
            radius = self._radius.value()
            self._worker.ask(_compare, cube, layer_cube(cube), pixel, radius)

    def _follow(self, cube: Image | None) -> None:
        """Follow a cube's numbers, which change while tiles arrive."""
        if self._followed is not None:
            self._followed.events.data.disconnect(self._update)
        self._followed = cube
        if cube is not None:
            cube.events.data.connect(self._update)

    def _say(self, text: str) -> None:
        self._state.setText(text)


def _compare(layer: Image, cube: LayerCube, pixel: tuple[int, int], radius: int) -> Found:
    """Return the angle of every pixel's spectrum to one pixel's, in degrees."""
    from napari_gmsr.spectra import similarity_map

    spectrum = layer_spectrum(layer, *pixel, radius)
    return layer, pixel, similarity_map(np.asarray(cube.array), spectrum)


def _like_is_light() -> Colormap:
    """Return inferno turned round: no angle is light, a large one black."""
    inferno = AVAILABLE_COLORMAPS["inferno"]
    return Colormap(inferno.colors[::-1], name="inferno_r", display_name="inferno reversed")
