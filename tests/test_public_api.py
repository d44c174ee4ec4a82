"""The names that users write: they are fixed, they resolve, and they stay what they are."""

import importlib
import importlib.metadata
import subprocess
import sys

import pytest

import napari_gmsr as ng

NAMES = (
    "read_rgb",
    "read_cube",
    "reconstruct",
    "evaluate",
    "error_map",
    "render_rgb",
    "load_model",
    "list_models",
    "SpectralCube",
    "RGBImage",
)
ROOMS = (
    "color",
    "datasets",
    "evaluate",
    "io",
    "jobs",
    "networks",
    "reconstruct",
    "scan",
    "weights",
)


@pytest.mark.parametrize("name", NAMES)
def test_name_is_public_callable_and_documented(name):
    found = getattr(ng, name)
    assert callable(found)
    assert found.__doc__
    assert name in ng.__all__
    assert name in dir(ng)


def test_networks_are_made_by_name():
    assert callable(ng.networks.create)


def test_version_is_the_distribution_s():
    assert ng.__version__ == importlib.metadata.version("napari-gmsr")


@pytest.mark.parametrize("name", ["reconstruct", "evaluate"])
def test_a_function_is_not_hidden_by_the_room_of_its_name(name):
    # The import system binds a subpackage to its parent's attribute of the same name.
    program = (
        f"import napari_gmsr as ng, napari_gmsr.{name}\n"
        f"from napari_gmsr.{name} import {name}\n"
        f"assert ng.{name} is {name}, ng.{name}\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_resolves(room):
    module = importlib.import_module(f"napari_gmsr.{room}")
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
