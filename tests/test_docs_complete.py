"""The documentation leaves nothing out: every command, every widget, every page."""

import re
from pathlib import Path

import pytest
import typer
from npe2 import PluginManifest

from napari_gmsr.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def commands(group, prefix: str = "") -> list[str]:
    """Return all commands of a group by their full names, such as 'runs stop'."""
    found = []
    for name, command in group.commands.items():
        found.append(prefix + name)
        if hasattr(command, "commands"):
            found += commands(command, f"{prefix}{name} ")
    return found


COMMANDS = commands(typer.main.get_command(app))
WIDGETS = [
    widget.display_name
    for widget in PluginManifest.from_file(
        ROOT / "src/napari_gmsr/napari.yaml"
    ).contributions.widgets
]


def test_there_is_something_to_look_for():
    assert {"reconstruct", "doctor", "runs stop", "models import"} <= set(COMMANDS)
    assert {"Reconstruct", "Train"} <= set(WIDGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_stands_on_its_page(command):
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert re.search(rf"napari-gmsr {command}\b", page)


@pytest.mark.parametrize("widget", WIDGETS)
def test_the_way_to_a_widget_stands_in_the_docs(widget):
    way = re.compile(rf"GMSR spectra from RGB (>|→) {widget}\b")
    pages = [page for page in DOCS.rglob("*.md") if way.search(page.read_text(encoding="utf-8"))]
    assert pages
