"""The keys: they collide with none of napari's, open the widgets, and lead to the wavelength."""

import re
from pathlib import Path

import numpy as np
import pytest
from app_model.types import KeyBinding
from napari.settings import get_settings
from napari.utils.key_bindings import coerce_keybinding
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin import compare_pair_box
from napari_gmsr.plugin.keys import KEYS, bind_keys
from napari_gmsr.plugin.layers import add_cube

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def bound():
    """The keys, bound to every viewer for the time of a test."""
    before = dict(Viewer.class_keymap)
    Viewer.class_keymap.clear()
    bind_keys()
    yield
    Viewer.class_keymap.clear()
    Viewer.class_keymap.update(before)


def test_no_key_is_naparis():
    theirs = [key for keys in get_settings().shortcuts.shortcuts.values() for key in keys]
    assert len(theirs) > 50
    assert not {str(coerce_keybinding(key)) for key in KEYS} & {
        str(KeyBinding.validate(key)) for key in theirs
    }
    assert compare_pair_box._KEY not in KEYS


def test_the_docs_list_every_key():
    listed = re.findall(r"^\| ((?:\+{2}[\w+]+|`[^`]+`))", (DOCS / "keys.md").read_text(), re.M)
    ours = {f"`{key.replace('-', '+')}`" for key in [*KEYS, compare_pair_box._KEY]}
    assert ours <= set(listed)


def test_a_key_of_the_users_stays():
    before = dict(Viewer.class_keymap)
    Viewer.class_keymap.clear()
    try:
        Viewer.bind_key("Shift-S", lambda viewer: None)
        own = Viewer.class_keymap[coerce_keybinding("Shift-S")]
        bind_keys()
        assert Viewer.class_keymap[coerce_keybinding("Shift-S")] is own
        assert len(Viewer.class_keymap) == len(KEYS)
    finally:
        Viewer.class_keymap.clear()
        Viewer.class_keymap.update(before)


@pytest.mark.gui
def test_a_person_works_by_keys(make_napari_viewer, qtbot, bound):
    viewer = make_napari_viewer(show=True)
    add_cube(viewer, SpectralCube(np.full((31, 6, 8), 0.5, np.float32)))
    dock, _ = viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    window = dock.window()
    children = window.findChildren(QWidget)
    (canvas,) = (each for each in children if "CanvasBackend" in type(each).__name__)

    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        window.activateWindow()
        canvas.setFocus()
        qtbot.waitUntil(canvas.hasFocus)
        QTest.keyClick(canvas, key, modifier)

    press(Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: "Colours (napari-gmsr)" in viewer.window.dock_widgets)

    press(Qt.Key.Key_W)
    qtbot.waitUntil(lambda: "Spectra (napari-gmsr)" in viewer.window.dock_widgets)
    spectra = viewer.window.dock_widgets["Spectra (napari-gmsr)"]
    field = spectra.wavelength
    qtbot.waitUntil(field.hasFocus)
    QTest.keyClicks(QApplication.focusWidget(), "543")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Enter)
    assert viewer.dims.point[0] == 540

    press(Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier)
    colours = viewer.window.dock_widgets["Colours (napari-gmsr)"]
    qtbot.waitUntil(lambda: colours.isAncestorOf(QApplication.focusWidget()))
    assert not colours.visibleRegion().isEmpty()
