"""The dock widget that turns an RGB layer into a spectral cube."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import (
    Cancelled,
    Executor,
    Failed,
    Finished,
    Preflight,
    Progress,
    Settings,
)
from napari_gmsr.plugin.band_readout import BandReadout
from napari_gmsr.plugin.checkpoint_choice import CheckpointChoice
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.device_choice import DeviceChoice
from napari_gmsr.plugin.mode_choice import ModeChoice
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import LayerPicture, picture_of_layer
from napari_gmsr.plugin.reconstruct_texts import (
    Explanation,
    bullets,
    card_tip,
    plan_sentence,
)
from napari_gmsr.plugin.reconstruction import ReconstructionController
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.share_copy import RunCopy, RunToCopy
from napari_gmsr.plugin.share_texts import RunText
from napari_gmsr.plugin.trust_findings import PictureFindings

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["ReconstructWidget"]

_PREFLIGHT_DELAY_MS = 250
_WIDTH = 290


class ReconstructWidget(QWidget):
    """Choose a picture and a checkpoint, press Run, and get the cube as a layer.

    Parameters
    ----------
    napari_viewer
        Whose layers are offered, and which gets the cubes.
    executor
        Does the work; the program's shared child process by default.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._executor = executor
        self._controller: ReconstructionController | None = None
        self._preflight: Preflight | None = None

        self.picture = PictureComboBox(napari_viewer)
        self.picture.setToolTip("The RGB layer to reconstruct.")
        self.findings = PictureFindings()
        self.model = CheckpointChoice()
        self.card = Explanation("What the chosen checkpoint is for.")
        self.mode = ModeChoice()
        self.plan = Explanation("What the run will need, estimated before it starts.")
        self.device = DeviceChoice()
        self.device.setToolTip("Where the network runs.")
        self.device_reason = Explanation(
            "The device and the scan engine that will be used, with the reason."
        )
        self.ensemble = QCheckBox("8-fold self-ensemble")
        self.ensemble.setToolTip(
            "Average over the eight flips and rotations of the picture: eight times the work, "
            "and a second layer shows how much the eight differ."
        )
        self.run = QPushButton("Run")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the run under way; no layer is added.")
        self.copy = RunCopy(self._run_to_copy)
        self.bar = QProgressBar()
        self.bar.setToolTip("Tiles that are done.")
        self.status = Explanation("How the last run went.")
        self.notes = Explanation("What was found and converted in the last picture.")
        self.band = BandReadout(napari_viewer)
        self._lay_out()

        self._ask_timer = QTimer(self)
        self._ask_timer.setSingleShot(True)
        self._ask_timer.setInterval(_PREFLIGHT_DELAY_MS)
        self._ask_timer.timeout.connect(self._ask)
        self.picture.chosen.connect(self._on_picture_chosen)
        self.model.chosen.connect(self._on_model_chosen)
        self.mode.currentIndexChanged.connect(self._ask_soon)
        self.device.currentIndexChanged.connect(self._ask_soon)
        self.ensemble.toggled.connect(self._ask_soon)
        self.run.clicked.connect(self._on_run)
        self.cancel.clicked.connect(self._on_cancel)
        self._show_card()

    # -- what is chosen

    @property
    def layer(self) -> Image | None:
        """The layer to reconstruct; ``None`` where there is none."""
        return self.picture.layer

    @property
    def settings(self) -> Settings:
        """How to reconstruct."""
        return Settings(
            model=self.model.checkpoint or "",
            mode=self.mode.currentData(),
            device=self.device.currentData(),
            ensemble=self.ensemble.isChecked(),
        )

    @property
    def controller(self) -> ReconstructionController:
        """What runs the jobs: one for each window, found again when the widget is opened again."""
        if self._controller is None:
            window = self._main_window()
            controller = window.findChild(ReconstructionController) if window is not None else None
            if controller is None:
                controller = ReconstructionController(
                    self._viewer, self._executor, parent=window or self
                )
            self._controller = controller
            self._controller.started.connect(self._on_started)
            self._controller.progressed.connect(self._on_progress)
            self._controller.ended.connect(self._on_ended)
            self._controller.answered.connect(self._on_answered)
        return self._controller

    def choose_checkpoint(self, path: str | Path) -> None:
        """Offer a checkpoint file, and choose it."""
        self.model.choose(path)

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return {"model": self.model.checkpoint, **read_controls(self._controls())}

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        model = saved.get("model")
        if isinstance(model, str):
            self.model.choose(model)
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "picture": self.picture,
            "mode": self.mode,
            "device": self.device,
            "ensemble": self.ensemble,
        }

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Pick up a run under way."""
        super().showEvent(event)
        if self.controller.running and self.controller.picture is not None:
            self._on_started(self.controller.picture)
        self._ask_soon()

    # -- what is chosen, shown

    def _on_picture_chosen(self) -> None:
        self._update_buttons()
        self._ask_soon()

    def _on_model_chosen(self) -> None:
        self._show_card()
        self._ask_soon()

    def _show_card(self) -> None:
        card = self.model.card
        if self.model.checkpoint is None:
            self.card.setText("No checkpoint is installed: choose a file.")
        elif card is None:
            self.card.setText("Reading the checkpoint…")
        else:
            self.card.setText(card.summary)
            self.card.setToolTip(card_tip(card))
        self._update_buttons()

    # -- preflight

    def _ask_soon(self) -> None:
        self._preflight = None
        self.plan.setText("")
        if self.model.checkpoint is not None and self.isVisible():
            self._ask_timer.start()

    def _ask(self) -> None:
        if self.model.checkpoint is None:
            return
        layer = self.layer
        picture = None if layer is None else picture_of_layer(layer, self._viewer.dims)
        self.findings.look(picture, self.model.card)
        if not self.device_reason.text():
            self.device_reason.setText("Looking for devices…")
        self.controller.ask(None if picture is None else picture.shape, self.settings)

    def _on_answered(self, settings: Settings, end: object) -> None:
        if settings != self.settings:  # changed meanwhile; the next answer is on its way
            return
        if isinstance(end, Finished):
            self._show_preflight(end.result)
        elif isinstance(end, Failed):
            self.plan.setText("")
            self.device_reason.setText("")
            if self.model.card is None:
                self.card.setText(str(end.error))
            else:
                self.device_reason.setText(str(end.error))
        self._update_buttons()

    def _show_preflight(self, preflight: Preflight) -> None:
        self._preflight = preflight
        self.model.learn(preflight.card)
        self._show_card()
        self.device.learn(preflight.devices)
        self.device_reason.setText(
            f"{preflight.device.replace('cpu', 'CPU')}: {preflight.device_reason}.\n"
            f"Scan engine {preflight.engine}: {preflight.engine_reason}."
        )
        if preflight.mode:
            self.plan.setText(plan_sentence(preflight))

    # -- the run

    def _on_run(self) -> None:
        layer, card = self.layer, self.model.card
        if layer is None or card is None:
            return
        try:
            picture = picture_of_layer(layer, self._viewer.dims)
        except GMSRError as error:
            show_error(str(error))
            return
        self.controller.start(picture, self.settings, card.encoding)

    def _run_to_copy(self) -> RunToCopy | None:
        """Return the last run, or where picture or settings are others now, the next."""
        layer, card, settings = self.layer, self.model.card, self.settings
        if layer is None or card is None:
            return None
        picture = picture_of_layer(layer, self._viewer.dims)
        last = self.controller.last
        if last is not None and last.settings == settings and last.picture.array is picture.array:
            return RunToCopy(last.picture, last.float_encoding, last.text)
        known = self._preflight
        if known is not None and known.mode:
            settings = replace(settings, mode=known.mode, device=known.device, engine=known.engine)
        return RunToCopy(picture, card.encoding, partial(RunText, settings=settings))

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.status.setText("Cancelling…")
        self.controller.cancel()

    def _on_started(self, picture: LayerPicture) -> None:
        self.bar.setRange(0, 0)
        self.status.setText(f"Reconstructing {picture.name}…")
        self.notes.setText("")
        self._update_buttons()

    def _on_progress(self, at: Progress) -> None:
        # One tile is no measure of progress: the bar only shows that something moves.
        self.bar.setRange(0, at.total if at.total > 1 else 0)
        self.bar.setValue(at.done)
        if self.cancel.isEnabled() and (at.total > 1 or at.message.endswith("…")):
            self.status.setText(at.message)

    def _on_ended(self, end: object) -> None:
        if isinstance(end, Finished):
            cube = cast("SpectralCube", end.result)
            layer = self._viewer.layers.selection.active  # napari may have numbered its name
            self.status.setText(f"Added {layer.name if layer else cube.name}.")
            self.notes.setText(bullets(cube.provenance.get("notes", ())))
        elif isinstance(end, Failed):
            self.status.setText(str(end.error))
        elif isinstance(end, Cancelled):
            self.status.setText("Cancelled; nothing was added.")
        self._update_buttons()

    # -- looks

    def _update_buttons(self) -> None:
        running = self._controller is not None and self._controller.running
        why_not = self._why_not()
        self.run.setEnabled(not running and not why_not)
        self.run.setToolTip(why_not or "Reconstruct the picture; the cube appears as a layer.")
        self.cancel.setEnabled(running)
        self.copy.setEnabled(not why_not)
        self.bar.setVisible(running)

    def _why_not(self) -> str:
        if self.layer is None:
            return (
                "None of the layers holds red, green and blue: open a colour picture."
                if len(self._viewer.layers)
                else "Open a picture first: drag it into the window, or File > Open Sample."
            )
        if self.model.card is None:
            return "Choose a checkpoint first."
        return ""

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Picture", self.picture)
        form.addRow(self.findings)
        form.addRow("Checkpoint", self.model)
        form.addRow(self.card)
        form.addRow("Mode", self.mode)
        form.addRow(self.plan)
        form.addRow("Device", self.device)
        form.addRow(self.device_reason)
        form.addRow(self.ensemble)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run, stretch=2)
        buttons.addWidget(self.cancel, stretch=1)
        self.setMinimumWidth(_WIDTH)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addLayout(buttons)
        rows.addWidget(self.copy)
        rows.addWidget(self.bar)
        rows.addWidget(self.status)
        rows.addWidget(self.notes)
        rows.addSpacing(8)
        rows.addWidget(self.band)
        rows.addStretch(1)

    def _main_window(self) -> QMainWindow | None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QMainWindow):
            parent = parent.parentWidget()
        return parent
