"""Every control of every widget tells what it is for, can be reached by Tab, and shows its text."""

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QTabWidget,
    QWidget,
)

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody
from napari_gmsr.plugin.layers import add_cube

NAME = "napari-gmsr"
WIDGETS = [
    widget.display_name for widget in PluginManifest.from_distribution(NAME).contributions.widgets
]
KINDS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QTabBar,
)
LONG = "the long name of a scene that somebody has measured on a rainy day in November"
WIDEST = 420
"""Of a narrow dock, in pixels: a third of a small screen."""


@pytest.fixture
def viewer(make_napari_viewer, runs_home):
    notification_manager.records.clear()
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    data = np.linspace(0.1, 0.9, 31 * 6 * 8, dtype=np.float32).reshape(31, 6, 8)
    for end in ("truth", "[photo]"):
        add_cube(viewer, SpectralCube(data, name=f"{LONG} {end}"))
    viewer.add_image(np.zeros((6, 8, 3), np.uint8), name=f"{LONG} picture", rgb=True)
    return viewer


@pytest.fixture
def widgets(viewer, qtbot):
    """Open each widget in turn, as narrow as can be; each page of those that have several."""

    def one_by_one():
        for name in WIDGETS:
            dock, widget = viewer.window.add_plugin_dock_widget(NAME, name)
            qtbot.wait(100)
            dock.window().resizeDocks([dock], [1], Qt.Orientation.Horizontal)
            qtbot.wait(100)
            tabs = widget.findChild(QTabWidget)
            for page in range(1 if tabs is None else tabs.count()):
                if tabs is not None:
                    tabs.setCurrentIndex(page)
                    qtbot.wait(50)
                yield name, widget
            viewer.window.remove_dock_widget(dock)

    return one_by_one


def controls(widget):
    """Return what a person can handle; the parts of a control are its own business."""
    found = [each for kind in KINDS for each in widget.findChildren(kind)]
    return [each for each in found if not _is_part(each, widget)]


def _is_part(control, widget):
    parent = control.parentWidget()
    while parent is not None and parent is not widget:
        if isinstance(parent, KINDS):
            return True
        parent = parent.parentWidget()
    return isinstance(control, QScrollBar | QHeaderView)


def told(name, control):
    text = getattr(control, "text", str)
    return name, type(control).__name__, text() if callable(text) else ""


@pytest.mark.gui
def test_every_control_has_a_tooltip(widgets):
    mute = {
        told(name, control)
        for name, widget in widgets()
        for control in controls(widget)
        if not (control.toolTip() or isinstance(control, QTabBar))
    }
    assert not mute


@pytest.mark.gui
def test_tab_reaches_every_control(widgets, qtbot):
    missed = []
    for name, widget in widgets():
        there = [each for each in controls(widget) if each.isVisible() and each.isEnabled()]
        first = widget.nextInFocusChain()
        while first not in there:
            first = first.nextInFocusChain()
        first.window().activateWindow()
        first.setFocus()
        qtbot.waitUntil(lambda first=first: _has_focus(first))
        reached = set(_by_tab(there))
        missed += [told(name, each) for each in there if each not in reached]
    assert not missed


def _by_tab(there):
    """Press Tab until the focus is back at a control, or leaves for long."""
    reached, elsewhere = [], 0
    while elsewhere < 20:
        focused = QApplication.focusWidget()
        here = [each for each in there if _has_focus(each)]
        if here and here[0] in reached:
            break
        elsewhere = 0 if here else elsewhere + 1
        reached += here
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    return reached


def _has_focus(control):
    focused = QApplication.focusWidget()
    return focused is not None and focused in (control, control.focusProxy())


@pytest.mark.gui
def test_no_text_is_cut_where_docks_are_narrow(widgets, qtbot):
    cut = []
    for name, widget in widgets():
        body = widget.findChild(ScrollingBody)
        qtbot.waitUntil(lambda body=body: _fits(body))
        cut += [
            (*told(name, each), each.width(), need)
            for each in widget.findChildren(QWidget)
            if each.isVisible() and each.width() < (need := _needed(each))
        ]
    assert not cut


def _fits(body):
    return body.widget().width() <= body.viewport().width() <= WIDEST


def _needed(each):
    """Return the width in pixels that a control's text needs; names of layers are elided."""
    match each:
        case ElidingComboBox():
            return each.fontMetrics().horizontalAdvance("a name … its end")
        case QComboBox() | QAbstractButton():
            return each.sizeHint().width()
        case QAbstractSpinBox():
            return each.lineEdit().fontMetrics().horizontalAdvance(each.text())
        case QLabel() if each.wordWrap():
            return max(map(each.fontMetrics().horizontalAdvance, each.text().split()), default=0)
        case QLabel():
            return each.minimumSizeHint().width()
    return 0
