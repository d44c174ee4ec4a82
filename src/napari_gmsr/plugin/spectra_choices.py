"""What the Spectra widget draws: which cubes, averaged over how much, seen in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils import notifications
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import Fold
from napari_gmsr.plugin.layer_choice import CubeComboBox, CubeList
from napari_gmsr.plugin.layers import (
    check_comparable,
    is_comparable,
    is_spread_layer,
    layer_size,
    spread_layer,
)
from napari_gmsr.plugin.region_choice import RegionChoice
from napari_gmsr.plugin.spectra_sources import Sources
from napari_gmsr.plugin.spectra_view import ViewChoice

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["SpectraChoices"]

_LARGEST_RADIUS = 50


class SpectraChoices(QWidget):
    """The controls that say what is drawn; ``sources`` is what they say.

    Parameters
    ----------
    viewer
        The viewer whose cubes are offered.
    parent
        Qt's parent.
    """

    chosen = Signal()
    """Something else is to be drawn: another cube, truth, radius, view or layer of regions."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.prediction = CubeComboBox(viewer)
        self.truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self.others = CubeList(viewer, offered=self._is_other, suggest=False)
        self.all_others = QPushButton("All of this si&ze")
        self.radius = QSpinBox()
        self.view = ViewChoice()
        self.regions = RegionChoice(viewer)
        self.form = QFormLayout()
        """Rows for the controls of others go here too."""
        self._lay_out()

        self.prediction.chosen.connect(self._on_prediction)
        self.truth.chosen.connect(self._on_truth)
        self.others.chosen.connect(self._on_others)
        self.all_others.clicked.connect(self._on_all_others)
        self.radius.valueChanged.connect(self.chosen.emit)
        self.view.chosen.connect(self.chosen.emit)
        self.regions.chosen.connect(self.chosen.emit)
        self.regions.draw.clicked.connect(self._on_draw)

    def sources(self) -> Sources | None:
        """Return the cubes to draw; ``None`` without a prediction."""
        prediction = self.prediction.layer
        if prediction is None:
            return None
        return Sources(
            prediction,
            self.truth.layer,
            self.others.layers,
            radius=self.radius.value(),
            view=self.view.view,
            spread_of=lambda cube: spread_layer(self._viewer.layers, cube),
        )

    def controls(self) -> dict[str, QWidget]:
        """Return the controls whose settings a session keeps, by name."""
        return {
            "prediction": self.prediction,
            "truth": self.truth,
            "others": self.others,
            "regions": self.regions.layers,
            "view": self.view.kind,
            "smoothed_bands": self.view.bands,
            "radius": self.radius,
        }

    def refresh(self) -> None:
        """Take the layers as they are now: any may have become another cube, or none."""
        self.prediction.refresh()
        self._on_prediction()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow the layers: for the list, which is folded away at first, for spreads, names."""
        super().showEvent(event)
        events = self._viewer.layers.events
        for signal in (events.removed, events.inserted, events.renamed):
            signal.connect(self._on_layers)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following."""
        events = self._viewer.layers.events
        for signal in (events.removed, events.inserted, events.renamed):
            signal.disconnect(self._on_layers)
        super().hideEvent(event)

    def _lay_out(self) -> None:
        self.prediction.setToolTip("The cube whose spectra are drawn, as solid lines.")
        self.truth.setToolTip(
            "Ground truth to compare with, dashed: a cube of the same size and wavelengths."
        )
        self.radius.setRange(0, _LARGEST_RADIUS)
        self.radius.setPrefix("radius ")
        self.radius.setSuffix(" px")
        self.radius.setToolTip(
            "Average over a square around the pixel: 0 is the pixel alone, 1 is 3 × 3 pixels."
        )
        self.others.setToolTip(
            "Further cubes to draw at every pin, each in a line of its own. Cubes of other sizes "
            "are read where they lie under the mouse; of other wavelengths at their own."
        )
        self.all_others.setToolTip(
            "Tick all cubes of the prediction's height and width, or none when all are ticked."
        )
        others = QWidget()
        rows = QVBoxLayout(others)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.others)
        rows.addWidget(self.all_others)
        self.others_fold = Fold("&Other cubes", others)
        """Around the list, which is folded away at first."""
        self.others_fold.toggleButton().setToolTip("Draw several cubes at every pin.")

        form = self.form
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Pr&ediction", self.prediction)
        form.addRow("&Truth", self.truth)
        form.addRow(self.others_fold)
        form.addRow("&Regions", self.regions)
        form.addRow("V&iew", self.view)
        form.addRow("&Average", self.radius)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        around = QHBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addLayout(form)

    def _fits(self, truth: Image) -> bool:
        prediction = self.prediction.layer
        return prediction is not None and is_comparable(prediction, truth)

    def _is_other(self, layer: Image) -> bool:
        shown = (self.prediction.layer, self.truth.layer)
        return layer not in shown and not is_spread_layer(layer)

    def _on_layers(self, event: object = None) -> None:
        self.others.refresh()
        self._on_others()

    def _on_prediction(self) -> None:
        self.truth.refresh()
        self._on_truth()

    def _on_truth(self) -> None:
        prediction, truth = self.prediction.layer, self.truth.layer
        if prediction is not None and truth is not None:
            try:
                check_comparable(prediction, truth)
            except GMSRError as error:
                self.truth.forget()
                notifications.show_warning(str(error))
        self.others.refresh()
        self._on_others()

    def _on_others(self) -> None:
        ticked = len(self.others.layers)
        self.others_fold.set_title(f"&Other cubes ({ticked} drawn)" if ticked else "&Other cubes")
        self.all_others.setEnabled(bool(self._same_size()))
        self.regions.draw.setEnabled(self.prediction.layer is not None)
        self.chosen.emit()

    def _on_draw(self) -> None:
        prediction = self.prediction.layer
        if prediction is not None:
            self.regions.draw_over(prediction, layer_size(prediction)[0])

    def _on_all_others(self) -> None:
        same = self._same_size()
        self.others.choose([] if self.others.layers == same else same)

    def _same_size(self) -> list[Image]:
        prediction = self.prediction.layer
        if prediction is None:
            return []
        size = layer_size(prediction)
        return [layer for layer in self.others.offered if layer_size(layer) == size]
