"""The *Trust* widget: does a cube give its picture back, and how much do reconstructions differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.image import Encoding
from napari_gmsr.jobs import Executor
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import is_comparable, layer_cube, layer_provenance
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import picture_of_layer
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.trust_camera import CameraChoice
from napari_gmsr.plugin.trust_layers import (
    Corrected,
    Question,
    add_cube_over,
    correct,
    message,
    re_project,
    show_map,
)
from napari_gmsr.plugin.trust_spread import SpreadPanel
from napari_gmsr.weights import ModelCard, list_models

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.trust import Reprojection

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
        self._cards = {card.name: card for card in list_models()}

        self.cube = CubeComboBox(viewer)
        self.cube.setToolTip("The cube to judge.")
        self.picture = PictureComboBox(viewer)
        self.picture.setToolTip("The picture that the cube came from.")
        self.truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self.truth.setToolTip("What the cube should be; not needed, but it says more.")
        self.camera = CameraChoice(viewer)
        self.camera.choose("srgb", "D65")  # what most pictures are nearest to
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
        self.state = message("How far the cube is from giving its picture back.")
        self.spread = SpreadPanel(viewer, self.cube, self.picture, self.truth, executor)
        self._lay_out()

        self._worker = LatestWorker("judging the cube", self)
        self._worker.done.connect(self._on_done)
        self._worker.failed.connect(self._on_failed)
        self.cube.chosen.connect(self._on_cube)
        self.picture.chosen.connect(self._update_buttons)
        self.project.clicked.connect(self._on_project)
        self.correct.clicked.connect(self._on_correct)
        self._on_cube()

    @property
    def busy(self) -> bool:
        """Whether something is being computed in a thread."""
        return self._worker.busy or self.spread.busy or self.camera.busy

    def saved_settings(self) -> dict[str, Any]:
        """Return the settings that a session keeps."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """Take settings back."""
        write_controls(self._controls(), saved)

    # -- what is chosen ------------------------------------------------------------------------

    def _controls(self) -> dict[str, QWidget]:
        return {
            "cube": self.cube,
            "picture": self.picture,
            "truth": self.truth,
            "camera": self.camera.camera_box,
            "light": self.camera.light_box,
            "smooth": self.smooth,
            "models": self.spread.models,
            "turns": self.spread.turns,
            "widened": self.spread.widened,
        }

    def _fits(self, truth: Image) -> bool:
        cube = self.cube.layer
        return cube is not None and cube != truth and is_comparable(cube, truth)

    def _card(self) -> ModelCard | None:
        """Return the card of the checkpoint that the cube was made with, where it has a name."""
        cube = self.cube.layer
        return None if cube is None else self._cards.get(str(layer_provenance(cube).get("model")))

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
        told = {} if cube is None else layer_provenance(cube)
        if cube is not None:
            self.picture.suggest(str(told.get("picture", "")))
        if card is not None and card.camera:
            self.camera.choose(card.camera, card.illuminant or None)
        elif isinstance(told.get("camera"), str):  # a simulated scene
            self.camera.choose(told["camera"], told.get("illuminant"))
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
        self.state.setText("Computing…")
        self._worker.ask(_judge, function, question, self.cube.layer)

    def _on_done(self, outcome: tuple[Image, Reprojection | Corrected]) -> None:
        over, result = outcome
        if over not in self._viewer.layers:
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

    def _update_buttons(self, changed: object = None) -> None:
        ready = self.cube.layer is not None and self.picture.layer is not None
        self.project.setEnabled(ready)
        self.correct.setEnabled(ready)
        if not ready:
            self.state.setText(_NO_CUBE)
        elif self.state.text() == _NO_CUBE:
            self.state.setText("")

    # -- looks ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
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
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(back)
        rows.addWidget(self.spread)
        rows.addStretch(1)


def _judge(function: Any, question: Question, over: Image) -> tuple[Image, Any]:
    """Answer a question, and hand back its cube's layer: another may be chosen by then."""
    return over, function(question)


def _gain(corrected: Corrected) -> str:
    if corrected.before is None or corrected.after is None:
        return str(corrected.cube.provenance["notes"][-1])
    return f"Its RMSE against the truth is {corrected.after:.4f}, before {corrected.before:.4f}."
