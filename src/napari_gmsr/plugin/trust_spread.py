"""The part of the *Trust* widget that asks how much several reconstructions differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import Cancelled, Executor, Failed, Progress
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import is_comparable, layer_cube
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import LayerPicture, picture_of_layer
from napari_gmsr.plugin.trust_layers import compare_spread, message
from napari_gmsr.plugin.trust_uncertainty import Seams, Spread, UncertaintyController
from napari_gmsr.weights import list_models

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_gmsr.trust import Calibration

__all__ = ["SpreadPanel"]


class SpreadPanel(QGroupBox):
    """Checkpoints, flips and rotations; a run in the child process, and what came of it.

    Parameters
    ----------
    viewer
        Gets the layers.
    cube
        The choice of the cube that the map of seams lies over.
    picture
        The choice of the picture to reconstruct.
    truth
        The choice of what the cube should be.
    executor
        Does the reconstructions; the program's shared child process by default.
    """

    def __init__(
        self,
        viewer: Viewer,
        cube: CubeComboBox,
        picture: PictureComboBox,
        truth: CubeComboBox,
        executor: Executor | None = None,
    ) -> None:
        super().__init__("How much do reconstructions differ?")
        self._viewer, self._cube = viewer, cube
        self._picture, self._truth = picture, truth
        self._executor = executor
        self._controller: UncertaintyController | None = None
        self._cards = {card.name: card for card in list_models()}
        self.models = QListWidget()
        self.turns = QCheckBox("&Flips and rotations (8 each)")
        self.widened = QCheckBox("&Widen to the error on real scenes")
        self.run = QPushButton("&Run")
        self.seams = QPushButton("Tile &seams")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.state = message("How the last run went.")
        self._lay_out()

        self._comparison = LatestWorker("comparing the spread with the truth", self)
        self._comparison.done.connect(self._on_compared)
        self._comparison.failed.connect(self._on_failed)
        picture.chosen.connect(self.update_buttons)
        cube.chosen.connect(self.update_buttons)
        self.models.itemChanged.connect(self.update_buttons)
        self.turns.toggled.connect(self.update_buttons)
        self.run.clicked.connect(self._on_run)
        self.seams.clicked.connect(self._on_seams)
        self.cancel.clicked.connect(self._on_cancel)
        self.update_buttons()

    @property
    def busy(self) -> bool:
        """Whether a spread is being compared with the truth."""
        return self._comparison.busy

    @property
    def controller(self) -> UncertaintyController:
        """What runs the reconstructions: one for each window."""
        if self._controller is None:
            window = self.window()
            window = window if isinstance(window, QMainWindow) else None
            found = window.findChild(UncertaintyController) if window is not None else None
            self._controller = found or UncertaintyController(
                self._viewer, self._executor, parent=window or self
            )
            self._controller.progressed.connect(self._on_progress)
            self._controller.ended.connect(self._on_ended)
        return self._controller

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Pick up a run under way."""
        super().showEvent(event)
        if self.controller.running:
            self.bar.setRange(0, 0)
        self.update_buttons()

    def update_buttons(self, changed: object = None) -> None:
        """Offer what can be done now."""
        running = self._controller is not None and self._controller.running
        models = self._chosen_models()
        members = len(models) * (8 if self.turns.isChecked() else 1)
        self.run.setEnabled(not running and self._picture.layer is not None and members > 1)
        self.run.setToolTip(
            "Reconstruct the picture several times; adds the mean, its spread and a map."
            if members > 1
            else "One reconstruction has no spread: take the flips, or several checkpoints."
        )
        ready = self._picture.layer is not None and self._cube.layer is not None
        self.seams.setEnabled(not running and ready and len(models) == 1)
        self.widened.setEnabled(self.turns.isChecked() and len(models) == 1)
        self.cancel.setEnabled(running)
        self.bar.setVisible(running)

    def _chosen_models(self) -> tuple[str, ...]:
        items = [self.models.item(row) for row in range(self.models.count())]
        return tuple(
            item.text()
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        )

    def _on_run(self) -> None:
        picture, models = self._read_picture(), self._chosen_models()
        if picture is None:
            return
        self._begin(f"Reconstructing {picture.name} several times…")
        self.controller.start(
            picture,
            self._cards[models[0]].encoding,
            models,
            turns=self.turns.isChecked(),
            widened=self.widened.isChecked(),
        )
        self.update_buttons()

    def _on_seams(self) -> None:
        picture, cube, (model,) = self._read_picture(), self._cube.layer, self._chosen_models()
        if picture is None or cube is None:
            return
        self._begin(f"Reconstructing {picture.name} in tiles…")
        self.controller.start_seams(picture, self._cards[model].encoding, model, cube)
        self.update_buttons()

    def _read_picture(self) -> LayerPicture | None:
        layer = self._picture.layer
        if layer is None:
            return None
        try:
            return picture_of_layer(layer, self._viewer.dims)
        except GMSRError as error:
            show_error(str(error))
            return None

    def _begin(self, text: str) -> None:
        self.bar.setRange(0, 0)
        self.state.setText(text)

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.state.setText("Cancelling…")
        self.controller.cancel()

    def _on_progress(self, at: Progress) -> None:
        self.bar.setRange(0, at.total)
        self.bar.setValue(at.done)
        if self.cancel.isEnabled():
            self.state.setText(at.message)

    def _on_ended(self, end: object) -> None:
        if isinstance(end, Spread):
            self.state.setText(_describe(end))
            truth = self._truth.layer
            if truth is not None and is_comparable(end.layer, truth):
                self._comparison.ask(compare_spread, end.cube, layer_cube(truth))
        elif isinstance(end, Seams):
            self.state.setText(_describe_seams(end))
        elif isinstance(end, Failed):
            self.state.setText(str(end.error))
        elif isinstance(end, Cancelled):
            self.state.setText("Cancelled; nothing was added.")
        self.update_buttons()

    def _on_compared(self, found: Calibration) -> None:
        one, two = (100 * found.within[k] for k in (1, 2))
        self.state.setText(
            f"{self.state.text()}\nThe truth lies within one deviation at {one:.0f} % of the "
            f"values, within two at {two:.0f} % (68 and 95 if it were normal)."
        )

    def _on_failed(self, error: GMSRError) -> None:
        self.state.setText(f"{self.state.text()}\n{error}")

    def _lay_out(self) -> None:
        self.models.setToolTip(
            "The checkpoints whose results are compared. They should be for the same camera."
        )
        for number, card in enumerate(self._cards.values()):
            item = QListWidgetItem(card.name)
            item.setToolTip(card.summary)
            item.setCheckState(Qt.CheckState.Unchecked if number else Qt.CheckState.Checked)
            self.models.addItem(item)
        self.models.setFixedHeight(3 * self.models.fontMetrics().height() + 14)
        self.turns.setChecked(True)
        self.turns.setToolTip("Each checkpoint sees the picture in its eight orientations.")
        self.widened.setChecked(True)
        self.widened.setToolTip(
            "The spread over the orientations is some twenty times smaller than the error. This "
            "multiplies it by the factor that was measured on real scenes, so that about two "
            "thirds of the truth lie within, on average."
        )
        self.cancel.setToolTip("Stop the run under way; no layer is added.")
        self.bar.setToolTip("Reconstructions that are done.")
        buttons = QHBoxLayout()
        self.seams.setToolTip(
            "Reconstruct the picture in tiles of 256 pixels with the ticked checkpoint, and map "
            "how much they differ where they overlap."
        )
        buttons.addWidget(self.run, stretch=2)
        buttons.addWidget(self.seams, stretch=1)
        buttons.addWidget(self.cancel, stretch=1)
        rows = QVBoxLayout(self)
        for widget in (self.models, self.turns, self.widened):
            rows.addWidget(widget)
        rows.addLayout(buttons)
        rows.addWidget(self.bar)
        rows.addWidget(self.state)


def _describe(spread: Spread) -> str:
    text = f"The {spread.members} reconstructions differ by {spread.rms:.4f} (root mean square)"
    if spread.factor != 1:
        return f"{text}, widened by {spread.factor:.3g}."
    return f"{text}. The error is usually many times larger."


def _describe_seams(seams: Seams) -> str:
    if not seams.most:
        return "The picture fits into one tile: there are no seams."
    return f"Where tiles overlap they differ by {seams.rms:.4f}, at most by {seams.most:.4f}."
