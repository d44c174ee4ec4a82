"""Make the picture of docs/preferences.md: napari's Preferences, at the plugin's page."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from demo_window import display

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "preferences.png"
TITLE = "GMSR spectra from RGB"


def main() -> None:
    """Open the page as a new user sees it, and save what is seen."""
    import napari
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication, QListWidget

    viewer = napari.Viewer(title="napari-gmsr")
    menu = viewer.window.file_menu
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if "Preferences" in action.text()).trigger()
    dialog = next(w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Preferences")
    pages = dialog.findChild(QListWidget, "Preferences")
    assert pages is not None
    pages.setCurrentItem(pages.findItems(TITLE, Qt.MatchFlag.MatchExactly)[0])
    QApplication.processEvents()
    dialog.grab().save(str(PICTURE))
    viewer.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home, display():
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        main()
