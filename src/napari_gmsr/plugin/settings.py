"""Settings of dock widgets that a session keeps: the protocol, and controls read and set by name.

A widget that wants its settings kept gives them as JSON types and takes them back::

    def saved_settings(self) -> dict[str, Any]:
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        write_controls(self._controls(), saved)

where ``_controls`` names its controls, such as ``{"truth": self._truth, "radius": self._radius}``.
The names are part of the sessions' format: a renamed one is forgotten by older sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QWidget,
)

__all__ = ["KeepsSettings", "read_controls", "write_controls"]


@runtime_checkable
class KeepsSettings(Protocol):
    """A dock widget whose settings a session keeps."""

    def saved_settings(self) -> dict[str, Any]:
        """Return the settings, JSON types only; layers by their names."""
        ...

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """Take settings back: what is unknown or does not fit any more is left as it is."""
        ...


def read_controls(controls: Mapping[str, QWidget]) -> dict[str, Any]:
    """Return what is chosen in controls, as JSON types.

    Parameters
    ----------
    controls
        Choices (of layers, too), lists with boxes to tick, buttons that stay down, spin boxes and
        lines of text, by name.

    Returns
    -------
    dict
        A choice by its data where that is a string, else by its text; layers by their names.
    """
    return {name: _read(control) for name, control in controls.items()}


def write_controls(controls: Mapping[str, QWidget], saved: Mapping[str, Any]) -> None:
    """Set controls to what :func:`read_controls` gave; the user's signals are sent.

    What is missing, of another type, or not offered any more leaves its control alone.
    """
    for name, control in controls.items():
        if name in saved:
            _write(control, saved[name])


def _read(control: QWidget) -> Any:
    match control:
        case QListWidget():
            return [item.text() for item in _items(control) if _is_ticked(item)]
        case QComboBox():
            data = control.currentData()
            return data if isinstance(data, str) else control.currentText()
        case QAbstractButton():
            return control.isChecked()
        case QSpinBox() | QDoubleSpinBox():
            return control.value()
        case QLineEdit():
            return control.text()
    raise TypeError(f"a {type(control).__name__} is no control whose setting is kept")


def _write(control: QWidget, value: Any) -> None:
    match control, value:
        case QListWidget(), list():
            items = _items(control)
            if {item.text() for item in items} & {text for text in value if isinstance(text, str)}:
                for item in items:
                    ticked = item.text() in value
                    item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        case QComboBox(), str():
            index = control.findData(value)
            index = control.findText(value) if index < 0 else index
            if index >= 0:
                control.setCurrentIndex(index)
                control.activated.emit(index)  # as if by the user, whose choices stay
        case QAbstractButton(), bool():
            control.setChecked(value)
        case QSpinBox(), int():
            control.setValue(value)
        case QDoubleSpinBox(), int() | float():
            control.setValue(value)
        case QLineEdit(), str():
            control.setText(value)
            control.editingFinished.emit()


def _items(control: QListWidget) -> list[QListWidgetItem]:
    items = (control.item(row) for row in range(control.count()))
    return [item for item in items if item is not None]


def _is_ticked(item: QListWidgetItem) -> bool:
    return item.checkState() == Qt.CheckState.Checked
