"""The *Colours* widget: a cube as the eye sees it, under any light, or three of its bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.band_colors import band_colors
from napari_gmsr.plugin.color_layers import (
    ColorPicture,
    FalseColor,
    TrueColor,
    arguments_of,
    color_layer,
    compute_picture,
    show_picture,
)
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import layer_wavelengths
from napari_gmsr.plugin.settings import read_controls, write_controls

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["LIGHTS", "ColorsWidget"]

LIGHTS = (
    ("D65", "D65, daylight"),
    ("D50", "D50, daylight at the horizon"),
    ("D75", "D75, northern sky"),
    ("A", "A, incandescent lamp"),
    ("E", "E, equal energy"),
    ("FL2", "FL2, cool white tube"),
    ("FL7", "FL7, daylight tube"),
    ("FL11", "FL11, narrow-band tube"),
    ("LED-B1", "LED-B1, warm white LED"),
    ("LED-B3", "LED-B3, neutral white LED"),
    ("LED-B5", "LED-B5, cool white LED"),
    ("LED-RGB1", "LED-RGB1, red, green and blue LED"),
    ("HP1", "HP1, sodium lamp"),
    (None, "its own: the cube is radiance"),
)
"""Lights to choose from, by their names in `napari_gmsr.color.illuminant`."""

_NO_CUBE = "Open a cube or run Reconstruct, then show its colours."
_STOPS = 8.0
_LONGEST_NM = 1e5
_FALSE_NM = (650.0, 550.0, 450.0)
_TRUE, _FALSE = 0, 1
_FIRST_OF_KIND, _FIRST_OF_FALSE = 2, 5
"""Rows of the form, which begins with what all pictures need."""


class LightBox(ElidingComboBox):
    """A choice of light that counts from the moment the mouse or a key points at it."""

    pointed = Signal()
    """Another light is pointed at or chosen."""

    def __init__(self) -> None:
        super().__init__()
        self._at: int | None = None
        for name, title in LIGHTS:
            self.addItem(title, name)
        self.highlighted.connect(self._on_highlighted)
        self.currentIndexChanged.connect(self._on_chosen)

    @property
    def light(self) -> str | None:
        """The light that is pointed at in the open list, else the chosen one."""
        name: str | None = self.itemData(self.currentIndex() if self._at is None else self._at)
        return name

    def hidePopup(self) -> None:  # noqa: N802
        """Close the list; without a choice, the light is what it was."""
        super().hidePopup()
        if self._at is not None:
            self._on_chosen()

    def _on_highlighted(self, index: int) -> None:
        self._at = index
        self.pointed.emit()

    def _on_chosen(self, index: int = 0) -> None:
        self._at = None
        self.pointed.emit()


class ColorsWidget(QWidget):
    """An RGB layer of a cube that follows the controls, computed off the window's thread.

    True colour is what the CIE 1931 observer sees under a light; moving through the list of lights
    relights the scene. False colour shows any three bands. The switch below holds for all cubes of
    the viewer: whether a band is shown in its perceived colour or in grey.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._band_colors = band_colors(viewer)
        self._followed: Image | None = None
        self._wanted: Image | None = None
        """The cube whose layer the button asked for; other pictures only renew layers."""

        self._cube = CubeComboBox(viewer)
        self._kind = ElidingComboBox()
        self._light = LightBox()
        self._adapted = QCheckBox("&White stays white")
        self._stops = QDoubleSpinBox()
        self._auto = QPushButton("&Auto")
        self._bands = tuple(QDoubleSpinBox() for _ in _FALSE_NM)
        self._stretch = QCheckBox("Stre&tch each band")
        self._form = QFormLayout()
        self._show = QPushButton("Show &colours")
        self._state = QLabel()
        self._perceived = QCheckBox("Show &bands in their colour")
        self._worker = LatestWorker("computing the colours", self)
        self._lay_out()

        self._cube.chosen.connect(self._on_cube)
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._light.pointed.connect(self._update)
        self._adapted.toggled.connect(self._update)
        self._stops.valueChanged.connect(self._update)
        self._auto.clicked.connect(self._on_auto)
        for box in self._bands:
            box.valueChanged.connect(self._update)
        self._stretch.toggled.connect(self._update)
        self._show.clicked.connect(self._on_show)
        self._perceived.toggled.connect(self._on_perceived)
        self._worker.done.connect(self._on_picture)
        self._worker.failed.connect(self._on_failed)
        self._on_cube()

    @property
    def busy(self) -> bool:
        """Whether a picture is being computed."""
        return self._worker.busy

    def _lay_out(self) -> None:
        self._cube.setToolTip("The cube to look at.")
        self._kind.addItems(["true colour", "false colour"])
        self._kind.setToolTip(
            "True: what the eye sees (CIE 1931, 2°). False: three bands as red, green and blue."
        )
        self._light.setToolTip(
            "The light on the scene, for a cube of reflectance. "
            "Move through the list, by mouse or arrow keys, and the scene is relit.\n"
            "A cube that was measured as radiance brings its own light."
        )
        self._adapted.setToolTip(
            "As an eye that is used to this light; otherwise a lamp's light looks warm, "
            "as seen from daylight."
        )
        self._stops.setRange(-_STOPS, _STOPS)
        self._stops.setSingleStep(0.25)
        self._stops.setSuffix(" stops")
        self._stops.setToolTip("Exposure: at 0 a perfect white is at full scale.")
        self._auto.setToolTip("Expose for the brightest hundredth of the picture.")
        self._show.setToolTip(
            "Make a layer of the cube's colours. It follows these controls, and the cube's numbers."
        )
        self._perceived.setChecked(self._band_colors.enabled)
        self._perceived.setToolTip(
            "Show every band of every cube in the colour of its light; otherwise in grey. "
            "A layer that you give another colormap keeps it."
        )
        exposure = QHBoxLayout()
        exposure.addWidget(self._stops, 1)
        exposure.addWidget(self._auto)
        form = self._form
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("C&ube", self._cube)
        form.addRow("&Show", self._kind)
        form.addRow("&Light", self._light)
        form.addRow("", self._adapted)
        form.addRow("&Exposure", exposure)
        label = form.labelForField(exposure)
        assert isinstance(label, QLabel)
        label.setBuddy(self._stops)
        names = ("&Red", "&Green", "B&lue")
        for box, name, nm in zip(self._bands, names, _FALSE_NM, strict=True):
            box.setRange(0, _LONGEST_NM)
            box.setDecimals(1)
            box.setSingleStep(10)
            box.setSuffix(" nm")
            box.setValue(nm)
            box.setKeyboardTracking(False)
            box.setToolTip("A wavelength; the nearest band is taken.")
            form.addRow(name, box)
        self._stretch.setChecked(True)
        self._stretch.setToolTip("From the 1st to the 99th percentile; otherwise from 0 to 1.")
        form.addRow("", self._stretch)
        self._show_controls(_TRUE)
        self._state.setWordWrap(True)
        self._state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(self._show)
        rows.addWidget(self._state)
        rows.addWidget(self._perceived)
        rows.addStretch(1)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the cube's numbers while visible."""
        super().showEvent(event)
        self._perceived.setChecked(self._band_colors.enabled)
        self._follow(self._cube.layer)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self._follow(None)
        self._worker.forget()
        super().hideEvent(event)

    # -- a session's settings -------------------------------------------------------------------

    def saved_settings(self) -> dict[str, Any]:
        """Return the settings that a session keeps."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """Take a session's settings back."""
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        red, green, blue = self._bands
        return {
            "cube": self._cube,
            "kind": self._kind,
            "light": self._light,
            "adapted": self._adapted,
            "stops": self._stops,
            "red_nm": red,
            "green_nm": green,
            "blue_nm": blue,
            "stretch": self._stretch,
            "perceived": self._perceived,
        }

    # -- slots ---------------------------------------------------------------------------------

    def _on_cube(self) -> None:
        cube = self._cube.layer
        self._show.setEnabled(cube is not None)
        self._auto.setEnabled(cube is not None)
        self._say("" if cube is not None else _NO_CUBE)
        if self.isVisible():
            self._follow(cube)
        self._update()

    def _on_kind(self, index: int) -> None:
        self._show_controls(index)
        self._update()

    def _on_show(self) -> None:
        self._wanted = self._cube.layer
        self._ask(self._wish())

    def _on_auto(self) -> None:
        self._wanted = self._cube.layer
        self._ask(TrueColor(self._light.light, self._adapted.isChecked(), stops=None))

    def _on_perceived(self, perceived: bool) -> None:
        self._band_colors.enabled = perceived

    def _update(self, event: object = None) -> None:
        """Bring the layer up to date, where the cube has one."""
        cube = self._cube.layer
        if cube is not None and color_layer(self._viewer.layers, cube) is not None:
            self._ask(self._wish())

    def _on_picture(self, picture: ColorPicture) -> None:
        cube, layers = picture.layer, self._viewer.layers
        if cube not in layers or (color_layer(layers, cube) is None and cube != self._wanted):
            return  # removed while its colours were computed
        self._wanted = None
        show_picture(self._viewer, picture)
        if isinstance(picture.wish, TrueColor) and picture.wish.stops is None:
            self._stops.blockSignals(True)
            self._stops.setValue(picture.stops)
            self._stops.blockSignals(False)
        self._say(_describe(picture))

    def _on_failed(self, error: GMSRError) -> None:
        self._say(str(error))

    def _show_controls(self, kind: int) -> None:
        """Show the rows of a kind of picture, and hide those of the other."""
        for row in range(_FIRST_OF_KIND, self._form.rowCount()):
            self._form.setRowVisible(row, (row < _FIRST_OF_FALSE) == (kind == _TRUE))

    # -- asking --------------------------------------------------------------------------------

    def _wish(self) -> TrueColor | FalseColor:
        if self._kind.currentIndex() == _FALSE:
            red, green, blue = (box.value() for box in self._bands)
            return FalseColor((red, green, blue), self._stretch.isChecked())
        return TrueColor(self._light.light, self._adapted.isChecked(), self._stops.value())

    def _ask(self, wish: TrueColor | FalseColor) -> None:
        cube = self._cube.layer
        if cube is not None:
            self._worker.ask(compute_picture, *arguments_of(cube), wish)

    def _follow(self, cube: Image | None) -> None:
        """Follow a cube's numbers, which change while tiles arrive."""
        if self._followed is not None:
            self._followed.events.data.disconnect(self._update)
        self._followed = cube
        if cube is not None:
            cube.events.data.connect(self._update)

    def _say(self, text: str) -> None:
        self._state.setText(text)
        self._state.setVisible(bool(text))


def _describe(picture: ColorPicture) -> str:
    """Return in a sentence what is seen."""
    wish, nm = picture.wish, layer_wavelengths(picture.layer)
    if isinstance(wish, TrueColor):
        light = "its own light" if wish.illuminant is None else f"illuminant {wish.illuminant}"
        return f"Colours to the CIE 1931 observer under {light}."
    red, green, blue = (float(nm[np.argmin(np.abs(nm - wanted))]) for wanted in wish.bands_nm)
    return f"Red is the band at {red:.4g} nm, green {green:.4g} nm, blue {blue:.4g} nm."
