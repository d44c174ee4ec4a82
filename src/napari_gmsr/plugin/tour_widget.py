"""The *Tour* widget: five steps from a picture to its spectra and errors, on the bundled scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDockWidget,
    QGridLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QWidget,
)

from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.error_layers import is_error_map
from napari_gmsr.plugin.keys import show_widget
from napari_gmsr.plugin.layers import cube_layers
from napari_gmsr.plugin.pins import is_pins_layer

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["TourWidget"]

_STEPS = (
    "Open the scene: a simulated picture, and the spectra that it was made of, hidden below it.",
    "In the dock Reconstruct, press Run: the spectra are guessed from the picture, and become a "
    "new layer.",
    "Drag the slider below the picture: it goes through the wavelengths, each in its colour.",
    "In the dock Spectra, choose the truth; then click a pixel of the picture: both its spectra "
    "are drawn.",
    "Press Shift+E in the picture for the dock Error maps, choose the truth, and show the maps: "
    "where was the guess wrong?",
)
_END = "That was it. Next: a picture of your own, and the dock Trust for how far to believe it."


class TourWidget(QWidget):
    """Five steps to do in the window, each ticked off when it is done, or by hand to skip it.

    Parameters
    ----------
    napari_viewer
        Where the steps are done; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.open = QPushButton("&Open the scene")
        self.open.setToolTip("Open the simulated scene, and the docks Reconstruct and Spectra.")
        self.steps = [QCheckBox(f"&{number}") for number in range(1, len(_STEPS) + 1)]
        self.texts = [QLabel(text) for text in _STEPS]
        self.end = QLabel()
        self.end.setWordWrap(True)
        self._lay_out()
        self.open.clicked.connect(self._on_open)
        for step in self.steps:
            step.toggled.connect(self._show_next)
        self._show_next()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow what is done in the viewer while visible."""
        super().showEvent(event)
        self._viewer.layers.events.inserted.connect(self._on_layers)
        self._viewer.dims.events.point.connect(self._on_point)
        self._on_layers()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following."""
        self._viewer.layers.events.inserted.disconnect(self._on_layers)
        self._viewer.dims.events.point.disconnect(self._on_point)
        super().hideEvent(event)

    def _on_open(self) -> None:
        self._viewer.open_sample("napari-gmsr", "simulated-scene")
        self._go_below()
        for name in ("Spectra", "Reconstruct"):
            show_widget(self._viewer, name)

    def _go_below(self) -> None:
        """Take the room below the picture: beside it the other docks would cover this one."""
        dock: QWidget | None = self
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        window = None if dock is None else dock.parentWidget()
        if dock is not None and isinstance(window, QMainWindow):
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)

    def _on_layers(self, event: object = None) -> None:
        layers = self._viewer.layers
        cubes = len(cube_layers(layers))
        self._tick(0, cubes > 0)
        self._tick(1, cubes > 1)
        self._tick(3, any(map(is_pins_layer, layers)))
        self._tick(4, any(map(is_error_map, layers)))

    def _on_point(self, event: object = None) -> None:
        self._tick(2, self.steps[1].isChecked())

    def _tick(self, step: int, done: bool) -> None:
        if done:
            self.steps[step].setChecked(True)

    def _show_next(self) -> None:
        """Write the first step that is not done in bold."""
        following = next((step for step in self.steps if not step.isChecked()), None)
        for step, text in zip(self.steps, self.texts, strict=True):
            # napari's style sheet outranks a font that is set on the label.
            text.setStyleSheet("font-weight: bold;" if step is following else "")
        self.end.setText("" if following is not None else _END)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        for row, (step, text) in enumerate(zip(self.steps, self.texts, strict=True)):
            step.setToolTip("Ticked when the step is done; tick it yourself to skip it.")
            text.setWordWrap(True)
            grid.addWidget(step, row, 0)
            grid.addWidget(text, row, 1)
        rows = ScrollingBody(self).rows
        rows.addWidget(self.open)
        rows.addLayout(grid)
        rows.addWidget(self.end)
        rows.addStretch(1)
