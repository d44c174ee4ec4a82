"""napari's Preferences page of the plugin, and the widgets that start from it."""

import npe2
import numpy as np
import pytest
from napari import settings as napari_settings
from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QListWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.band_colors import band_colors
from napari_gmsr.plugin.batch_widget import BatchWidget
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.preferences import Preferences, preferences
from napari_gmsr.plugin.reconstruct_widget import ReconstructWidget

NAME = "napari-gmsr"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where napari keeps the settings of this test's user."""
    monkeypatch.setattr(napari_settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    napari_settings._clear_plugin_settings_cache()
    yield tmp_path
    napari_settings._clear_plugin_settings_cache()


@pytest.fixture
def settings(folder):
    return get_plugin_settings(NAME)


def test_the_manifests_defaults_are_the_readers(settings):
    assert preferences() == Preferences()


def test_without_settings_the_defaults_count(folder):
    assert preferences(dict) == Preferences()


def test_widgets_start_from_the_preferences(settings, qtbot):
    settings.reconstruction.update(
        {"model": "ntire2020-clean", "device": "cuda", "mode": "tiled", "format": ".mat"}
    )
    reconstruct, batch = ReconstructWidget(ViewerModel()), BatchWidget(ViewerModel())
    for widget in (reconstruct, batch):
        qtbot.addWidget(widget)
        assert widget.model.checkpoint == "ntire2020-clean"
        assert widget.mode.currentData() == "tiled"
    assert reconstruct.settings.device == "cuda"
    assert batch.format.currentData() == ".mat"


def test_a_checkpoint_that_is_gone_is_told(settings, qtbot, folder):
    notification_manager.records.clear()
    settings.reconstruction.model = str(folder / "mine.safetensors")
    widget = ReconstructWidget(ViewerModel())
    qtbot.addWidget(widget)
    (said,) = notification_manager.records
    assert "mine.safetensors" in said.message
    assert widget.model.checkpoint == "photo"

    (folder / "mine.safetensors").touch()
    widget = ReconstructWidget(ViewerModel())
    qtbot.addWidget(widget)
    assert widget.model.checkpoint == str(folder / "mine.safetensors")


@pytest.mark.parametrize(("wanted", "colormap"), [(True, "400 nm"), (False, "gray")])
def test_bands_wear_their_colour_as_preferred(settings, qapp, qtbot, wanted, colormap):
    settings.looks.band_colors = wanted
    viewer = ViewerModel()
    layer = add_cube(viewer, SpectralCube(np.full((31, 4, 5), 0.5, np.float32)))
    viewer.dims.set_point(0, 400)
    qtbot.waitUntil(lambda: layer.colormap.name == colormap)
    assert band_colors(viewer).enabled is wanted


@pytest.mark.gui
def test_the_page_shows_in_the_window_and_is_read_back(make_napari_viewer, folder, qtbot):
    title = npe2.PluginManager.instance().get_manifest(NAME).display_name
    viewer = make_napari_viewer(show=True)
    viewer.window.file_menu.aboutToShow.emit()
    actions = viewer.window.file_menu.actions()
    (opens,) = (action for action in actions if "Preferences" in action.text())
    opens.trigger()
    (dialog,) = (w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Preferences")
    qtbot.waitUntil(dialog.isVisible)
    (pages,) = (p for p in dialog.findChildren(QListWidget) if p.objectName() == "Preferences")
    (item,) = pages.findItems(title, Qt.MatchFlag.MatchExactly)
    pages.setCurrentItem(item)

    combos = [c for c in dialog.findChildren(QComboBox) if c.isVisible()]
    (mode,) = (combo for combo in combos if combo.findText("paper") >= 0)
    mode.setCurrentText("paper")
    (box,) = (box for box in dialog.findChildren(QCheckBox) if box.isVisible())
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    dialog.accept()

    assert preferences() == Preferences(mode="paper", band_colors=False)
    assert "mode: paper" in (folder / f"{NAME}.yaml").read_text()
