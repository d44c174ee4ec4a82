"""Controls that are bound to the fields of a training configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QSpinBox, QWidget

from napari_gmsr.plugin.controls import ElidingComboBox

__all__ = ["Field", "FractionBox", "NumberBox", "check", "choice", "fraction", "number"]


class _CalmWheel:
    """Turning the wheel over it scrolls the dock, unless the user has it in hand."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        if event is not None and not self.hasFocus():  # type: ignore[attr-defined]
            event.ignore()
        else:
            super().wheelEvent(event)  # type: ignore[misc]


class NumberBox(_CalmWheel, QSpinBox):
    """Whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class FractionBox(_CalmWheel, QDoubleSpinBox):
    """Numbers over many decades, shown with as many digits as they have."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setDecimals(8)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Return a number without trailing zeros."""
        return f"{value:.6g}"


@dataclass(frozen=True)
class Field:
    """A control for one field of :class:`~napari_gmsr.training.TrainingConfig`.

    Parameters
    ----------
    path
        Of the field, with dots: ``"optimiser.learning_rate"``.
    label
        For the form.
    control
        What the user sees.
    get, set
        Between the control and the field's value.
    changed
        The control's signal.
    """

    path: str
    label: str
    control: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]
    changed: Any

    def add_to(self, form: QFormLayout) -> None:
        """Add a row to a form."""
        if isinstance(self.control, QCheckBox):
            form.addRow(self.control)
        else:
            form.addRow(self.label, self.control)


def number(path: str, label: str, low: int, high: int, tip: str) -> Field:
    """Return the field of a whole number."""
    box = NumberBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    return Field(path, label, box, box.value, box.setValue, box.valueChanged)


def fraction(path: str, label: str, low: float, high: float, tip: str, off: bool = False) -> Field:
    """Return the field of a number; where it may be ``off``, 0 stands for None."""
    box = FractionBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    if off:
        box.setSpecialValueText("off")
        return Field(
            path,
            label,
            box,
            lambda: box.value() or None,
            lambda value: box.setValue(value or 0),
            box.valueChanged,
        )
    return Field(path, label, box, box.value, box.setValue, box.valueChanged)


def choice(path: str, label: str, choices: dict[Any, str], tip: str) -> Field:
    """Return the field of one value among several, each with its name for people."""
    box = ElidingComboBox()
    box.setToolTip(tip)
    for value, name in choices.items():
        box.addItem(name, value)
    return Field(
        path,
        label,
        box,
        box.currentData,
        lambda value: box.setCurrentIndex(box.findData(value)),
        box.currentIndexChanged,
    )


def check(path: str, label: str, tip: str, on: Any = True, off: Any = False) -> Field:
    """Return the field of a switch, and what it stands for when on and off."""
    box = QCheckBox(label)
    box.setToolTip(tip)
    return Field(
        path,
        label,
        box,
        lambda: on if box.isChecked() else off,
        lambda value: box.setChecked(value not in (off, None)),
        box.toggled,
    )
