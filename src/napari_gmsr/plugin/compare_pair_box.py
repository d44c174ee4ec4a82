"""The controls for two cubes seen against each other, and the key that flickers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.compare_pair import DifferenceLayer, Flicker, check_pair
from napari_gmsr.plugin.layer_choice import CubeComboBox

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["PairBox"]

_KEY = "K"


class PairBox(QWidget):
    """Two cubes to choose, shown in turn by a button or a key, and subtracted.

    Parameters
    ----------
    viewer
        The viewer that holds the cubes. It has the key while this is visible.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._flicker = Flicker(viewer)
        self._difference = DifferenceLayer(viewer)
        self.first = CubeComboBox(viewer)
        self.second = CubeComboBox(viewer)
        self.flicker = QPushButton(f"&Flicker ({_KEY})")
        self.subtract = QPushButton("&Difference")
        self.form = QFormLayout(self)
        self._lay_out()
        self.first.chosen.connect(self.end)
        self.second.chosen.connect(self.end)
        self.flicker.clicked.connect(self._on_flicker)
        self.subtract.clicked.connect(self._on_subtract)

    def end(self) -> None:
        """Show again what the flicker has hidden."""
        self._flicker.end()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Take the key, and follow the slider."""
        super().showEvent(event)
        self._viewer.bind_key(_KEY, lambda _: self._on_flicker(), overwrite=True)
        self._viewer.dims.events.point.connect(self._on_band)
        self._viewer.layers.events.removed.connect(self._on_band)
        self._on_band()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Give the key back, and show what was hidden: a closed dock only hides its widget."""
        self._viewer.bind_key(_KEY, None)
        self._viewer.dims.events.point.disconnect(self._on_band)
        self._viewer.layers.events.removed.disconnect(self._on_band)
        self.end()
        super().hideEvent(event)

    def _on_band(self, event: object = None) -> None:
        self._difference.follow()

    def _on_flicker(self) -> None:
        try:
            self._flicker.swap(*check_pair(self.first.layer, self.second.layer))
        except GMSRError as error:
            show_error(str(error))

    def _on_subtract(self) -> None:
        self.end()
        try:
            self._difference.show(*check_pair(self.first.layer, self.second.layer))
        except GMSRError as error:
            show_error(str(error))

    def _lay_out(self) -> None:
        self.first.setToolTip("One of two cubes to see against each other.")
        self.second.setToolTip("The other.")
        self.flicker.setToolTip(
            f"Show the first cube alone, then the second, in turn. The key {_KEY} does the same "
            "over the picture, while this widget is open. What is hidden for it comes back when "
            "the widget is closed, or another cube is chosen."
        )
        self.subtract.setToolTip(
            "A layer with the first cube minus the second at the slider's band: red where the "
            "first is brighter, blue where the second; one symmetric scale for all bands."
        )
        form = self.form
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("First cu&be", self.first)
        form.addRow("&Second cube", self.second)
        buttons = QHBoxLayout()
        buttons.addWidget(self.flicker)
        buttons.addWidget(self.subtract)
        form.addRow(buttons)
