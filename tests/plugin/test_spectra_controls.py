"""The Spectra widget's controls: each explained, each within reach of the keyboard."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QListWidget,
)

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_widget import SpectraWidget

NAPARIS_MENUS = set("fvlpwh")


@pytest.fixture
def widget(qtbot):
    viewer = ViewerModel()
    for name in ("scene truth", "scene [a]", "scene [b]"):
        add_cube(viewer, SpectralCube(np.ones((5, 6, 7), np.float32), np.arange(5) + 500, name))
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    widget.choices.others_fold.expand(animate=False)
    return widget


def controls(widget):
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QListWidget)
    found = (child for kind in kinds for child in widget.findChildren(kind))
    return [child for child in found if child.isVisible() or child is widget.choices.view.bands]


def test_every_control_explains_itself_and_is_reached_by_tab(widget):
    found = controls(widget)
    assert len(found) >= 12
    for control in found:
        assert control.toolTip(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control


def test_every_row_and_button_has_a_letter_of_its_own_that_is_no_menus(widget):
    named = [*widget.findChildren(QLabel), *widget.findChildren(QAbstractButton)]
    sequences = [QKeySequence.mnemonic(one.text()).toString() for one in named if one.isVisible()]
    letters = [sequence[-1].lower() for sequence in sequences if sequence]
    assert len(letters) == len(set(letters)) == 12
    assert not NAPARIS_MENUS & set(letters)


def test_letters_lead_to_controls(widget):
    # By the labels' buddies: keys reach them only under a window manager.
    choices = widget.choices
    led = {
        QKeySequence.mnemonic(label.text()).toString()[-1]: label.buddy()
        for label in widget.findChildren(QLabel)
        if label.buddy() is not None
    }
    assert {letter: control.focusProxy() or control for letter, control in led.items()} == {
        "E": choices.prediction,
        "T": choices.truth,
        "R": choices.regions.layers,
        "I": choices.view.kind,
        "A": choices.radius,
        "B": widget.wavelength,
    }
