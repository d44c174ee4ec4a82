"""Probe pixels: chosen by clicking into a validation picture, before a run starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points
from napari.utils.notifications import show_error
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_gmsr.color import linear_to_srgb
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import Cancelled, Event, Failed, Finished
from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.pins import PALETTE
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.train_controller import TrainingController
from napari_gmsr.training.config import DatasetSettings

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["PROBES_MARK", "ProbeChoice"]

PROBES_MARK = "napari_gmsr_probes"
"""In the metadata of a Points layer of probe pixels: scene, height and width of its picture."""
_NONE = "Probe pixels: a few are chosen by themselves."


class ProbeChoice(QWidget):
    """Opens a validation picture, and takes the points that the user sets in it.

    Parameters
    ----------
    viewer
        Gets the picture and a Points layer.
    controller
        Asks the child process, which reads the picture.
    """

    def __init__(self, viewer: Viewer, controller: TrainingController) -> None:
        super().__init__()
        self._viewer = viewer
        self._controller = controller
        self._settings: DatasetSettings | None = None
        self.scene = ElidingComboBox()
        self.scene.setToolTip("The validation picture in which the probe pixels lie.")
        self.choose = QPushButton("Choose pixels…")
        self.choose.setToolTip(
            "Open the picture and click the pixels whose spectra are to be watched while it "
            "trains. They are points of a layer: move and delete them with napari's own tools."
        )
        self.chosen = Explanation("Pixels whose spectra are shown while it trains.")
        row = QHBoxLayout()
        row.addWidget(self.scene, stretch=2)
        row.addWidget(self.choose, stretch=1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(row)
        rows.addWidget(self.chosen)
        self.choose.clicked.connect(self._on_choose)
        self.offer(None, ())

    @property
    def probes(self) -> tuple[tuple[str, int, int], ...]:
        """Scene, row and column of each pixel, of scenes that are offered."""
        found = []
        for layer in self._layers():
            scene, height, width = layer.metadata[PROBES_MARK]
            if self.scene.findText(scene) < 0:
                continue
            for point in layer.data:
                y, x = (int(v) for v in np.rint(point[-2:]))
                if 0 <= y < height and 0 <= x < width:
                    found.append((scene, y, x))
        return tuple(found)

    def offer(self, settings: DatasetSettings | None, scenes: Sequence[str]) -> None:
        """Offer the validation pictures of a dataset."""
        self._settings = settings
        before = self.scene.currentText()
        self.scene.clear()
        self.scene.addItems(list(scenes))
        self.scene.setCurrentIndex(max(0, self.scene.findText(before)) if scenes else -1)
        self.scene.setVisible(bool(scenes))
        self.choose.setVisible(bool(scenes))
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """Say how many pixels are chosen, and give each the colour of its spectra."""
        for layer in self._layers():
            if len(layer.data):
                layer.face_color = [PALETTE[n % len(PALETTE)] for n in range(len(layer.data))]
        count = len(self.probes)
        chosen = "1 is chosen" if count == 1 else f"{count} are chosen"
        self.chosen.setText(f"Probe pixels: {chosen}." if count else _NONE)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the layers while visible."""
        super().showEvent(event)
        self._viewer.layers.events.removed.connect(self.refresh)
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following."""
        self._viewer.layers.events.removed.disconnect(self.refresh)
        super().hideEvent(event)

    def _on_choose(self) -> None:
        settings, scene = self._settings, self.scene.currentText()
        if settings is None or not scene:
            return
        for layer in self._layers():
            if layer.metadata[PROBES_MARK][0] == scene:
                self._hand_over(layer)
                return
        arguments = {
            "name": settings.name,
            "folder": str(settings.folder),
            "camera": settings.camera,
            "scene": scene,
        }
        self.choose.setEnabled(False)
        question = self._controller.ask("napari_gmsr.jobs.dataset_tasks:picture", arguments)
        question.told.connect(self._on_picture)

    def _on_picture(self, event: Event) -> None:
        if isinstance(event, Failed):
            show_error(str(event.error))
        elif isinstance(event, Finished):
            self._add(event.result)
        if isinstance(event, Finished | Failed | Cancelled):
            self.choose.setEnabled(True)

    def _add(self, picture: RGBImage) -> None:
        shown = linear_to_srgb(picture.data) if picture.encoding == "linear" else picture.data
        self._viewer.add_image(np.clip(shown, 0, 1), rgb=True, name=picture.name)
        layer = Points(
            ndim=2,
            name=f"Probe pixels of {picture.name}",
            symbol="disc",
            size=6,
            face_color=PALETTE[0],
            border_color="white",
            border_width=0.06,
            canvas_size_limits=(9, 14),
            metadata={PROBES_MARK: (picture.name, *picture.shape)},
        )
        layer.events.data.connect(self.refresh)
        self._viewer.add_layer(layer)
        self._hand_over(layer)
        self._viewer.reset_view()

    def _hand_over(self, layer: Points) -> None:
        """Have the next click set a point."""
        self._viewer.layers.selection = {layer}
        layer.mode = "add"

    def _layers(self) -> list[Points]:
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Points) and PROBES_MARK in layer.metadata
        ]
