"""What the README shows runs as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.cli.app import run

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def folder_with_photo(tmp_path, monkeypatch):
    """A working folder that holds the picture the README speaks of."""
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_example_and_then_the_commands(folder_with_photo, capsys):
    (example,) = blocks("python")
    exec(compile(example, str(README), "exec"), {})
    (commands,) = blocks("bash")
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "napari-gmsr"
        assert run(arguments) == 0, capsys.readouterr().err
    made = {path.name for path in folder_with_photo.rglob("*")}
    assert {"photo.mat", "photo.zarr", "comparison.png"} <= made


def test_its_links_lead_somewhere():
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    assert "docs/images/window.png" in links
    for link in links:
        assert (README.parent / link).exists(), link


def test_its_make_targets_exist():
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("text")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
