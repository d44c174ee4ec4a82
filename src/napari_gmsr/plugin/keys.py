"""The keys of the plugin while the picture has the focus, beside napari's own.

napari reads no keys from a manifest, so they are bound when the plugin is first used: by opening a
widget, a sample or a cube.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QWidget

if TYPE_CHECKING:
    from npe2 import PluginContext

__all__ = ["KEYS", "bind_keys", "go_to_wavelength", "show_widget"]

_PLUGIN = "napari-gmsr"
_TAB = Qt.FocusPolicy.TabFocus.value


def show_widget(viewer: Viewer, name: str) -> QWidget:
    """Open a widget of the plugin, or bring its dock to the front, and give it the focus.

    Parameters
    ----------
    viewer
        In whose window.
    name
        The widget's name in the menu.
    """
    dock, widget = viewer.window.add_plugin_dock_widget(_PLUGIN, name)
    assert isinstance(dock, QDockWidget)
    assert isinstance(widget, QWidget)
    dock.show()
    dock.raise_()
    control: QWidget | None = widget.nextInFocusChain()
    while control is not None and control is not widget:
        if _takes_keys(control, widget):
            control.setFocus(Qt.FocusReason.ShortcutFocusReason)
            break
        control = control.nextInFocusChain()
    return widget


def go_to_wavelength(viewer: Viewer) -> None:
    """Let a wavelength be typed: it is a field of *Spectra*, which is opened where it is not."""
    from napari_gmsr.plugin.spectra_widget import SpectraWidget

    widget = show_widget(viewer, "Spectra")
    assert isinstance(widget, SpectraWidget)
    widget.wavelength.setFocus(Qt.FocusReason.ShortcutFocusReason)
    widget.wavelength.selectAll()


def _show(name: str) -> Callable[[Viewer], object]:
    def show(viewer: Viewer) -> None:  # napari wants a function with a name: no partial
        show_widget(viewer, name)

    return show


KEYS: dict[str, Callable[[Viewer], object]] = {
    "W": go_to_wavelength,
    "Shift-R": _show("Reconstruct"),
    "Shift-S": _show("Spectra"),
    "Shift-E": _show("Error maps"),
    "Shift-C": _show("Colours"),
    "Shift-T": _show("Trust"),
    "Shift-M": _show("Compare models"),
}
"""What each key does."""


def bind_keys(context: PluginContext | None = None) -> None:
    """Bind the keys in every viewer of the program; what is bound already stays as it is.

    Parameters
    ----------
    context
        npe2's, which calls this when the plugin is first used.
    """
    for key, act in KEYS.items():
        try:
            Viewer.bind_key(key, act)
        except ValueError:  # the user's own, or napari's by the user's wish
            continue


def _takes_keys(control: QWidget, widget: QWidget) -> bool:
    stands = widget.isAncestorOf(control) and control.isVisible() and control.isEnabled()
    return stands and bool(control.focusPolicy().value & _TAB)
