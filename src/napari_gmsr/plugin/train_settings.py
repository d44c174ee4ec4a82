"""How to train: a preset, the few settings that matter, and the rest folded away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import ElidingComboBox, Fold
from napari_gmsr.plugin.device_choice import DeviceChoice
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.train_fields import Field, FractionBox, check, choice, fraction, number
from napari_gmsr.plugin.train_texts import PRESET_TEXTS, SELECT_LABELS
from napari_gmsr.training.config import (
    PRESETS,
    SELECT,
    DatasetSettings,
    PresetName,
    TrainingConfig,
    preset,
)
from napari_gmsr.weights import list_models

__all__ = ["SettingsForm"]

_MINUTES = 30.0
_BUDGETS = {"minutes": "minutes", "epochs": "epochs", "steps": "steps"}
_NETWORKS = {
    "gmsr": "GMSR-Net",
    "mstpp": "MST++",
    "hrnet": "HRNet",
    "hsrnet": "HSRnet",
    "agdnet": "AGD-Net",
    "mscnn": "MSCNN",
    "repcpsi": "RepCPSI",
}
"""Those that are trained; the classical baselines are fitted."""
_EXPOSURE = (0.25, 1.0)


class SettingsForm(QWidget):
    """The settings of a training run, but for its data."""

    changed = Signal()
    """The user has changed something."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = False
        self.preset = ElidingComboBox()
        self.preset.setToolTip("Settings that belong together; each can be changed below.")
        for name, (label, tip) in PRESET_TEXTS.items():
            self.preset.addItem(label, name)
            self.preset.setItemData(self.preset.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.about = Explanation("What the preset is for.")
        self.budget = FractionBox()
        self.budget.setRange(0.01, 1e7)
        self.budget.setToolTip("How long to train. A run can be stopped earlier, and go on later.")
        self.unit = ElidingComboBox()
        self.unit.setToolTip("A time, passes over the dataset, or updates of the weights.")
        self.start_from = ElidingComboBox()
        self.start_from.setToolTip(
            "Random weights, or a checkpoint to fine-tune on this data: less data and time do."
        )
        self.device = DeviceChoice()
        self.device.setToolTip("Where the network trains.")
        self.name = QLineEdit()
        self.name.setPlaceholderText("made up from network and dataset")
        self.name.setToolTip("A name for the run and its model.")
        self.few = _few()
        self.rest = _rest()
        self._list_starts()
        self._lay_out()
        self._set_units(endless=True)
        self._on_preset()
        self._connect()

    # -- what is chosen

    def config(self, dataset: DatasetSettings, **extra: Any) -> TrainingConfig:
        """Return the configuration as it stands in the form.

        Parameters
        ----------
        dataset
            What to train on.
        **extra
            Further fields.

        Raises
        ------
        InputError
            Where a value is not possible.
        """
        values: dict[str, Any] = {
            "dataset": dataset.model_dump(exclude_unset=True),
            "name": self.name.text().strip(),
            "start_from": self.start_from.currentData(),
            "device": self.device.currentData(),
            self.unit.currentData(): self._length(),
            **extra,
        }
        for field in (*self.few, *self.rest):
            table, _, key = field.path.rpartition(".")
            (values.setdefault(table, {}) if table else values)[key] = field.get()
        if values["network"] != "gmsr" or values["start_from"] is not None:
            values["network_arguments"] = {}  # the preset's are GMSR-Net's
        return preset(self.preset.currentData(), **values)

    def fine_tune(self, checkpoint: str | Path) -> None:
        """Choose a checkpoint to start from."""
        index = self.start_from.findData(str(checkpoint))
        if index < 0:
            path = Path(checkpoint)
            # Every run's best is called alike: its folder says which.
            name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
            index = self.start_from.count() - 1
            self.start_from.insertItem(index, name, str(checkpoint))
            self.start_from.setItemData(index, str(path), Qt.ItemDataRole.ToolTipRole)
        self.start_from.setCurrentIndex(index)
        self._start_before = index
        self._on_changed()

    def offer_devices(self, devices: dict[str, str]) -> None:
        """Offer what the process that trains has found."""
        self.device.learn(devices)

    def set_endless(self, endless: bool) -> None:
        """Say whether the data has epochs."""
        if endless == (self.unit.findData("epochs") < 0):
            return
        self._set_units(endless)

    # -- what follows from what

    def _on_preset(self) -> None:
        name: PresetName = self.preset.currentData()
        self.about.setText(PRESET_TEXTS[name][1])
        config = preset(name).model_dump()
        self._quiet = True
        for field in (*self.few, *self.rest):
            value: Any = config
            for key in field.path.split("."):
                value = value[key]
            field.set(value)
        wanted = next((unit for unit in _BUDGETS if PRESETS[name].get(unit)), "minutes")
        if self.unit.findData(wanted) < 0:
            wanted = "minutes"
        self.unit.setCurrentIndex(self.unit.findData(wanted))
        self.budget.setValue(PRESETS[name].get(wanted) or _MINUTES)
        self._quiet = False
        self._on_changed()

    def _on_start_chosen(self) -> None:
        if self.start_from.currentData() != _FILE:
            self._start_before = self.start_from.currentIndex()
            self._on_changed()
            return
        self.start_from.setCurrentIndex(self._start_before)
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a checkpoint", "", "Checkpoints (*.safetensors *.pth *.pt *.ckpt)"
        )
        if path:
            self.fine_tune(path)

    def _on_changed(self) -> None:
        if not self._quiet:
            self.changed.emit()

    def _length(self) -> float | int:
        length = self.budget.value()
        return max(1, round(length)) if self.unit.currentData() == "steps" else length

    def _set_units(self, endless: bool) -> None:
        before = self.unit.currentData()
        self._quiet = True
        self.unit.clear()
        for unit, label in _BUDGETS.items():
            if not (endless and unit == "epochs"):
                self.unit.addItem(label, unit)
        index = self.unit.findData(before)
        if index < 0 and before is not None:
            self.budget.setValue(_MINUTES)
        self.unit.setCurrentIndex(max(0, index))
        self._quiet = False

    def _list_starts(self) -> None:
        self.start_from.addItem("Random weights", None)
        try:
            cards = list_models()
        except GMSRError as error:
            show_error(str(error))
            cards = []
        for card in cards:
            if card.network in _NETWORKS:
                self.start_from.addItem(f"{card.name} (shipped)", card.name)
                tip = Qt.ItemDataRole.ToolTipRole
                self.start_from.setItemData(self.start_from.count() - 1, card.summary, tip)
        self.start_from.addItem("From file…", _FILE)
        self._start_before = 0

    # -- looks

    def _lay_out(self) -> None:
        self.form = form = _form()
        form.addRow("Preset", self.preset)
        form.addRow(self.about)
        length = QHBoxLayout()
        length.addWidget(self.budget, stretch=1)
        length.addWidget(self.unit, stretch=1)
        form.addRow("Train for", length)
        form.addRow("Start from", self.start_from)
        for field in self.few:
            field.add_to(form)
        form.addRow("Device", self.device)
        form.addRow("Name", self.name)
        inner = QWidget()
        rest = _form(inner)
        for field in self.rest:
            field.add_to(rest)
        self.more = Fold("More settings", inner)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(form)
        rows.addWidget(self.more)

    def _connect(self) -> None:
        self.preset.currentIndexChanged.connect(self._on_preset)
        self.start_from.activated.connect(self._on_start_chosen)
        self.unit.currentIndexChanged.connect(self._on_changed)
        self.device.currentIndexChanged.connect(self._on_changed)
        self.budget.valueChanged.connect(self._on_changed)
        for field in (*self.few, *self.rest):
            field.changed.connect(self._on_changed)


_FILE = "…"


def _form(parent: QWidget | None = None) -> QFormLayout:
    form = QFormLayout(parent) if parent is not None else QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _few() -> tuple[Field, ...]:
    return (
        number("patch", "Patch (px)", 8, 1024, "Side of the squares that are cut out to train on."),
        number(
            "batch",
            "Batch",
            1,
            4096,
            "Patches for each update of the weights. More take more memory, and go smoother.",
        ),
    )


def _rest() -> tuple[Field, ...]:
    metrics = {name: SELECT_LABELS[name] for name in SELECT}
    return (
        choice("network", "Network", _NETWORKS, "What is trained, where it starts at random."),
        fraction(
            "optimiser.learning_rate",
            "Learning rate",
            1e-8,
            1,
            "The largest one; the schedule says how it goes on from there.",
        ),
        choice(
            "schedule",
            "Schedule",
            {"cosine": "cosine", "polynomial": "polynomial", "constant": "constant"},
            "How the learning rate falls over the run.",
        ),
        fraction(
            "warm_up", "Warm-up", 0, 0.99, "Part of the run in which the learning rate rises."
        ),
        choice(
            "optimiser.name",
            "Optimiser",
            {"adamw": "AdamW", "adam": "Adam"},
            "AdamW lets the weights decay apart from the gradients.",
        ),
        fraction("optimiser.weight_decay", "Weight decay", 0, 1, "Pulls the weights towards zero."),
        fraction("loss.l1", "Loss: L1", 0, 1000, "Weight of the mean absolute error."),
        fraction(
            "loss.mrae",
            "Loss: MRAE",
            0,
            1000,
            "Weight of the mean relative error: dark bands count as much as bright ones.",
        ),
        fraction(
            "loss.sam",
            "Loss: SAM",
            0,
            1000,
            "Weight of the mean spectral angle: shape counts, brightness does not.",
        ),
        fraction(
            "loss.back_projection",
            "Loss: RGB",
            0,
            1000,
            "Weight of the error of the picture that the cube renders to.",
        ),
        fraction(
            "ema",
            "Average",
            0,
            0.99999,
            "Decay of the average of the weights that is validated and kept.",
            off=True,
        ),
        fraction(
            "clip_norm", "Clip gradients", 0, 1000, "Largest norm of all gradients.", off=True
        ),
        check("flips", "Flip and turn patches", "Eight times as many different patches."),
        check(
            "exposure",
            "Vary the exposure",
            "Darken picture and cube of a patch together, down to a quarter.",
            on=_EXPOSURE,
            off=None,
        ),
        choice(
            "order",
            "Patches",
            {"random": "from anywhere", "grid": "of a grid, each once an epoch"},
            "Where patches are cut out.",
        ),
        choice("select", "Best by", metrics, "What decides which checkpoint is kept as the best."),
        choice(
            "validation",
            "Validate on",
            {
                "validation": "the validation pictures",
                "test-patches": "patches of the test pictures",
            },
            "The reference implementation chose on test patches: its figures on them are too good.",
        ),
        fraction(
            "validate_every", "Validate every", 0.001, 1, "Part of the run between two validations."
        ),
        choice(
            "engine",
            "Scan engine",
            {
                "auto": "automatic",
                "fused": "fused",
                "mamba_ssm": "mamba_ssm",
                "reference": "reference",
            },
            "Who runs the selective scan, forwards and backwards.",
        ),
        number("seed", "Seed", 0, 2**31 - 1, "The same seed gives the same run on one device."),
    )
