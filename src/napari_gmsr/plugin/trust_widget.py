"""The *Trust* widget: does a cube give its picture back, and how much do reconstructions differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.image import Encoding
from napari_gmsr.jobs import Cancelled, Executor, Failed, Progress
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import is_comparable, layer_cube
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import picture_of_layer
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.trust_camera import CameraChoice
from napari_gmsr.plugin.trust_layers import (
    Corrected,
    Question,
    add_cube_over,
    compare_spread,
    correct,
    re_project,
    show_map,
)
from napari_gmsr.plugin.trust_uncertainty import Spread, UncertaintyController
from napari_gmsr.weights import ModelCard, list_models

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.trust import Calibration, Reprojection

__all__ = ["TrustWidget"]

_NO_CUBE = "Run Reconstruct, or open a cube and the picture that it came from."


class TrustWidget(QWidget):
    """Re-projection, the exact correction along it, and the spread of several reconstructions.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    executor
        Does the reconstructions; the program's shared child process by default.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._executor = executor
        self._controller: UncertaintyController | None = None
        self._asked: Image | None = None

        self.cube = CubeComboBox(viewer)
        self.cube.setToolTip("The cube to judge.")
        self.picture = PictureComboBox(viewer)
        self.picture.setToolTip("The picture that the cube came from.")
        self.truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self.truth.setToolTip("What the cube should be; not needed, but it says more.")
        self.camera = CameraChoice(viewer)
        self.project = QPushButton("Re-&project")
        self.project.setToolTip(
            "Take the cube's picture with this camera, and map how far it is from the real one."
        )
        self.correct = QPushButton("Correct e&xactly")
        self.correct.setToolTip(
            "Add the smallest change to each spectrum that makes the re-projection exact: a new "
            "cube."
        )
        self.smooth = QCheckBox("Smoothest change")
        self.smooth.setToolTip("The least rough change, instead of the smallest.")
        self.state = _text()
        self.models = QListWidget()
        self.turns = QCheckBox("&Flips and rotations (8 each)")
        self.widened = QCheckBox("&Widen to the error on real scenes")
        self.run = QPushButton("&Run")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.spread_state = _text()
        self._lay_out()

        self._worker = LatestWorker("judging the cube", self)
        self._worker.done.connect(self._on_done)
        self._worker.failed.connect(self._on_failed)
        self._comparison = LatestWorker("comparing the spread with the truth", self)
        self._comparison.done.connect(self._on_compared)
        self._comparison.failed.connect(lambda error: show_error(str(error)))
        self.cube.chosen.connect(self._on_cube)
        self.picture.chosen.connect(self._update_buttons)
        self.models.itemChanged.connect(self._update_buttons)
        self.turns.toggled.connect(self._update_buttons)
        self.project.clicked.connect(self._on_project)
        self.correct.clicked.connect(self._on_correct)
        self.run.clicked.connect(self._on_run)
        self.cancel.clicked.connect(self._on_cancel)
        self._on_cube()

    @property
    def busy(self) -> bool:
        """Whether something is being computed in a thread."""
        return self._worker.busy or self._comparison.busy or self.camera.busy

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

    def saved_settings(self) -> dict[str, Any]:
        """Return the settings that a session keeps."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """Take settings back."""
        write_controls(self._controls(), saved)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Pick up a run under way."""
        super().showEvent(event)
        self.controller  # noqa: B018 - found or made
        self._update_buttons()

    # -- what is chosen ------------------------------------------------------------------------

    def _controls(self) -> dict[str, QWidget]:
        return {
            "cube": self.cube,
            "picture": self.picture,
            "truth": self.truth,
            "camera": self.camera.camera_box,
            "light": self.camera.light_box,
            "smooth": self.smooth,
            "models": self.models,
            "turns": self.turns,
            "widened": self.widened,
        }

    def _fits(self, truth: Image) -> bool:
        cube = self.cube.layer
        return cube is not None and cube != truth and is_comparable(cube, truth)

    def _chosen_models(self) -> tuple[str, ...]:
        items = [self.models.item(row) for row in range(self.models.count())]
        return tuple(
            item.text()
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        )

    def _card(self) -> ModelCard | None:
        """Return the card of the checkpoint that the cube was made with, where it has a name."""
        cube = self.cube.layer
        made_with = {} if cube is None else cube.metadata.get("provenance", {})
        return self._cards.get(made_with.get("model", ""))

    def _float_encoding(self) -> Encoding:
        """Return what the floats of a float layer mean: what the checkpoint took them for."""
        card = self._card()
        if card is not None:
            return card.encoding
        return "srgb" if self.camera.camera == "srgb" else "linear"

    def _question(self) -> Question:
        cube, picture, truth = self.cube.layer, self.picture.layer, self.truth.layer
        if cube is None or picture is None:
            raise InputError("a cube and its picture are needed", fix=_NO_CUBE)
        return Question(
            layer_cube(cube),
            picture_of_layer(picture, self._viewer.dims),
            self._float_encoding(),
            self.camera.camera,
            self.camera.illuminant,
            layer_cube(truth) if truth is not None and self._fits(truth) else None,
        )

    # -- slots ---------------------------------------------------------------------------------

    def _on_cube(self) -> None:
        """Suggest the picture, the camera and the truth that belong to a cube."""
        cube, card = self.cube.layer, self._card()
        if cube is not None:
            name = cube.metadata.get("provenance", {}).get("picture", "")
            index = self.picture.findText(name)
            if name and index >= 0:
                self.picture.setCurrentIndex(index)
        if card is not None and card.camera:
            self.camera.choose(card.camera, card.illuminant or None)
        self.truth.refresh()
        self._update_buttons()

    def _on_project(self) -> None:
        self._ask(re_project)

    def _on_correct(self) -> None:
        self._ask(partial(correct, smooth=self.smooth.isChecked()))

    def _ask(self, function: Any) -> None:
        try:
            question = self._question()
        except GMSRError as error:
            show_error(str(error))
            return
        self._asked = self.cube.layer
        self.state.setText("Computing…")
        self._worker.ask(function, question)

    def _on_done(self, result: Reprojection | Corrected) -> None:
        over = self._asked
        if over is None or over not in self._viewer.layers:
            self.state.setText("The cube was removed meanwhile.")
        elif isinstance(result, Corrected):
            scale, translate = ((float(v[-2]), float(v[-1])) for v in (over.scale, over.translate))
            layer = add_cube_over(self._viewer, result.cube, scale, translate)
            layer.contrast_limits = over.contrast_limits
            self.state.setText(f"Added {layer.name}. {_gain(result)}")
        else:
            show_map(self._viewer, over, result.map, "re-projection")
            self.state.setText(result.to_text())

    def _on_failed(self, error: GMSRError) -> None:
        self.state.setText(str(error))

    def _on_run(self) -> None:
        layer = self.picture.layer
        if layer is None:
            return
        try:
            picture = picture_of_layer(layer, self._viewer.dims)
        except GMSRError as error:
            show_error(str(error))
            return
        models = self._chosen_models()
        encoding = self._cards[models[0]].encoding
        self.bar.setRange(0, 0)
        self.spread_state.setText(f"Reconstructing {picture.name} several times…")
        self.controller.start(
            picture,
            encoding,
            models,
            turns=self.turns.isChecked(),
            widened=self.widened.isChecked(),
        )
        self._update_buttons()

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.spread_state.setText("Cancelling…")
        self.controller.cancel()

    def _on_progress(self, at: Progress) -> None:
        self.bar.setRange(0, at.total)
        self.bar.setValue(at.done)
        if self.cancel.isEnabled():
            self.spread_state.setText(at.message)

    def _on_ended(self, end: object) -> None:
        if isinstance(end, Spread):
            assert end.cube.spread is not None
            mean = float((end.cube.spread**2).mean() ** 0.5)
            self.spread_state.setText(_describe(end, mean))
            truth = self.truth.layer
            if truth is not None and is_comparable(end.layer, truth):
                self._comparison.ask(compare_spread, end.cube, layer_cube(truth))
        elif isinstance(end, Failed):
            self.spread_state.setText(str(end.error))
        elif isinstance(end, Cancelled):
            self.spread_state.setText("Cancelled; nothing was added.")
        self._update_buttons()

    def _on_compared(self, found: Calibration) -> None:
        one, two = (100 * found.within[k] for k in (1, 2))
        self.spread_state.setText(
            f"{self.spread_state.text()}\nThe truth lies within one deviation at {one:.0f} % of "
            f"the values, within two at {two:.0f} % (68 and 95 if it were normal)."
        )

    def _update_buttons(self, changed: object = None) -> None:
        ready = self.cube.layer is not None and self.picture.layer is not None
        self.project.setEnabled(ready)
        self.correct.setEnabled(ready)
        if not ready:
            self.state.setText(_NO_CUBE)
        elif self.state.text() == _NO_CUBE:
            self.state.setText("")
        running = self._controller is not None and self._controller.running
        models = self._chosen_models()
        members = len(models) * (8 if self.turns.isChecked() else 1)
        self.run.setEnabled(not running and self.picture.layer is not None and members > 1)
        self.run.setToolTip(
            "Reconstruct the picture several times; adds the mean, its spread and a map."
            if members > 1
            else "One reconstruction has no spread: take the flips, or several checkpoints."
        )
        self.widened.setEnabled(self.turns.isChecked() and len(models) == 1)
        self.cancel.setEnabled(running)
        self.bar.setVisible(running)

    # -- looks ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._cards = {card.name: card for card in list_models()}
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
        self.spread_state.setToolTip("How the last run went.")
        self.state.setToolTip("How far the cube is from giving its picture back.")

        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("C&ube", self.cube)
        form.addRow("P&icture", self.picture)
        form.addRow("&Truth", self.truth)
        buttons = QHBoxLayout()
        buttons.addWidget(self.project)
        buttons.addWidget(self.correct)
        back = QGroupBox("Does it give its picture back?")
        inner = QVBoxLayout(back)
        inner.addWidget(self.camera)
        inner.addWidget(self.smooth)
        inner.addLayout(buttons)
        inner.addWidget(self.state)
        spread = QGroupBox("How much do reconstructions differ?")
        inner = QVBoxLayout(spread)
        for widget in (self.models, self.turns, self.widened):
            inner.addWidget(widget)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run, stretch=2)
        buttons.addWidget(self.cancel, stretch=1)
        inner.addLayout(buttons)
        inner.addWidget(self.bar)
        inner.addWidget(self.spread_state)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(back)
        rows.addWidget(spread)
        rows.addStretch(1)


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _gain(corrected: Corrected) -> str:
    if corrected.before is None or corrected.after is None:
        return str(corrected.cube.provenance["notes"][-1])
    return f"Its RMSE against the truth is {corrected.after:.4f}, before {corrected.before:.4f}."


def _describe(spread: Spread, mean: float) -> str:
    text = f"The {spread.members} reconstructions differ by {mean:.4f} (root mean square)"
    if spread.factor != 1:
        return f"{text}, widened by {spread.factor:.3g}."
    return f"{text}. The error is usually many times larger."
