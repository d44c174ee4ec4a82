import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import npe2
import pytest
from npe2 import PluginManager, PluginManifest

import napari_gmsr

ROOT = Path(__file__).parents[2]
WIDGETS = [
    "Reconstruct",
    "Batch",
    "Spectra",
    "Colours",
    "Similarity",
    "Error maps",
    "Trust",
    "Compare models",
    "Figure",
    "Train",
    "Session",
    "Tour",
]

IN_THE_PALETTE = ["napari-gmsr.open_session", "napari-gmsr.save_session"]


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-gmsr")


def test_npe2_finds_the_manifest_of_this_installation(manifest):
    assert manifest.name == "napari-gmsr"
    assert manifest.package_version == napari_gmsr.__version__
    assert PluginManager.instance().discover() is not None
    assert "napari-gmsr" in PluginManager.instance()


def test_the_manifest_at_the_top_is_the_packages(manifest):
    top = PluginManifest.from_file(ROOT / "napari.yaml")
    assert top.contributions == manifest.contributions


def test_every_command_is_there(manifest):
    manifest.validate_imports()


def test_every_command_is_used_and_titled(manifest):
    contributions = manifest.contributions
    used = [
        item.command
        for kind in ("widgets", "readers", "writers", "sample_data")
        for item in getattr(contributions, kind)
    ]
    used += IN_THE_PALETTE
    assert sorted(used) == sorted(command.id for command in contributions.commands)
    assert all(command.title for command in contributions.commands)


def test_napari_can_hand_the_viewer_to_every_widget(manifest):
    assert [widget.display_name for widget in manifest.contributions.widgets] == WIDGETS
    for widget in manifest.contributions.widgets:
        parameters = inspect.signature(widget.get_callable()).parameters
        assert next(iter(parameters)) == "napari_viewer"


@pytest.mark.gui
def test_the_widgets_lie_in_a_submenu_of_the_plugins_menu(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    menu = viewer.window.plugins_menu
    menu.aboutToShow.emit()
    (submenu,) = [
        action.menu() for action in menu.actions() if action.text() == "GMSR spectra from RGB"
    ]
    submenu.aboutToShow.emit()
    assert [action.text() for action in submenu.actions()] == WIDGETS


@pytest.mark.gui
def test_every_widget_opens_from_the_menu(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    for name in WIDGETS:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", name)
        qtbot.waitUntil(widget.isVisible)
        assert dock.windowTitle() == f"{name} (napari-gmsr)"


def test_importing_the_plugin_imports_nothing_heavy():
    code = textwrap.dedent("""
        import sys
        import napari_gmsr
        import napari_gmsr.plugin
        from npe2 import PluginManager
        PluginManager.instance().discover()
        assert "napari-gmsr" in PluginManager.instance()
        heavy = {"torch", "numba", "matplotlib", "colour", "napari", "qtpy"} & set(sys.modules)
        assert not heavy, heavy
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_a_file_and_a_sample_imports_no_torch(tmp_path):
    code = textwrap.dedent("""
        import sys
        import numpy as np
        from napari.components import ViewerModel
        from npe2 import PluginManager
        PluginManager.instance().discover()
        np.savez(sys.argv[1], cube=np.zeros((31, 4, 5), np.float32))
        viewer = ViewerModel()
        viewer.open(sys.argv[1], plugin="napari-gmsr")
        viewer.open_sample("napari-gmsr", "photograph")
        assert "torch" not in sys.modules
    """)
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.npz")], check=True)


@pytest.mark.slow
def test_npe2_finds_the_manifest_in_a_wheel(tmp_path):
    """Build the wheel, install it into a fresh environment that borrows only the dependencies."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = next(path for path in venv.glob("*/python*") if path.stem == "python")
    purelib = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", purelib]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    code = textwrap.dedent("""
        import json, sys
        sys.path.append(sys.argv[1])  # behind the fresh environment
        import napari_gmsr
        from npe2 import PluginManager
        manager = PluginManager.instance()
        manager.discover()
        manifest = manager.get_manifest("napari-gmsr")
        widgets = [widget.display_name for widget in manifest.contributions.widgets]
        print(json.dumps([napari_gmsr.__file__, widgets]))
    """)
    borrowed = Path(npe2.__file__).parents[1]
    answer = subprocess.run(
        [python, "-I", "-c", code, str(borrowed)], check=True, capture_output=True, text=True
    )
    where, widgets = json.loads(answer.stdout)
    assert Path(where).is_relative_to(purelib)
    assert widgets == WIDGETS
