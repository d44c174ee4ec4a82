"""The widgets on a small screen: docks fit, names can be told apart, the wheel scrolls."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QDockWidget

from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody

WIDGETS = ("Reconstruct", "Spectra", "Error maps")


def open_docks(viewer, qtbot, names=WIDGETS):
    docks = []
    for name in names:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", name)
        assert widget.findChild(ScrollingBody) is not None
        qtbot.wait(100)
        docks.append(dock)
    return docks


@pytest.mark.gui
def test_three_docks_leave_a_small_window_as_it_is(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    viewer.add_image(np.zeros((32, 48, 3), np.uint8), name="photo")
    docks = open_docks(viewer, qtbot)
    window = docks[0].window()
    assert (window.width(), window.height()) == (1280, 800)
    assert window.minimumSizeHint().height() <= 700
    # No room one above another: tabs, the newest in front.
    assert set(window.tabifiedDockWidgets(docks[2])) == set(docks[:2])
    body = docks[2].findChild(ScrollingBody)
    assert not body.visibleRegion().isEmpty()
    for dock in docks:
        dock.raise_()
        qtbot.wait(50)
        body = dock.findChild(ScrollingBody)
        assert body.widget().width() <= body.viewport().width()


@pytest.mark.gui
def test_two_docks_stand_one_above_the_other_where_there_is_room(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 1400)
    docks = open_docks(viewer, qtbot, WIDGETS[:2])
    window = docks[0].window()
    if window.height() < 1400:
        pytest.skip("the screen is lower than 1400 pixels")
    assert not window.tabifiedDockWidgets(docks[0])
    for dock in docks:
        assert isinstance(dock, QDockWidget)
        bar = dock.findChild(ScrollingBody).verticalScrollBar()
        qtbot.waitUntil(lambda bar=bar: bar.maximum() == 0)


def test_long_names_show_how_they_begin_and_how_they_end(qtbot):
    combo = ElidingComboBox()
    qtbot.addWidget(combo)
    combo.addItems([f"a picture with a long name {end}" for end in ("[photo]", "truth")])
    combo.resize(150, 24)
    with qtbot.waitExposed(combo):
        combo.show()
    shown = combo.shown_text()
    assert shown.startswith("a pic")
    assert "…" in shown
    assert shown.endswith("[photo]")
    combo.setCurrentIndex(1)
    assert combo.shown_text().endswith("truth")
    combo.resize(900, 24)
    assert combo.shown_text() == "a picture with a long name truth"


@pytest.mark.parametrize("room", ["reconstruct_widget", "spectra_widget", "error_maps_widget"])
def test_the_wheel_changes_no_choice_in_passing(qtbot, room):
    from importlib import import_module

    module = import_module(f"napari_gmsr.plugin.{room}")
    widget = getattr(module, module.__all__[0])(ViewerModel())
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    widget.setFocus()
    combos = widget.findChildren(QComboBox)
    assert len(combos) >= 2
    for combo in combos:
        before = combo.currentIndex()
        turn_wheel(combo)
        assert combo.currentIndex() == before


def turn_wheel(widget):
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(widget.mapToGlobal(widget.rect().center())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
