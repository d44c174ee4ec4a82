"""The tutorials do what they show: their blocks run in order, and print what stands below them."""

import io
import re
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_gmsr.cli.app import run

TUTORIALS = Path(__file__).resolve().parents[1] / "docs" / "tutorials"
MADE = {
    "first-cube": {"photo.zarr", "seen.png", "photo.mat", "guess.npz", "errors.pdf"},
    "train": {"pairs", "tuned", "config.json", "best.safetensors", "other.zarr"},
    "compare": {"study", "report.md", "figure.pdf", "figure.pdf.json", "figure.svg", "lamp.png"},
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the page's fenced blocks in their order."""
    found = re.findall(
        r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$',
        page.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    return [Block(*groups) for groups in found]


def run_commands(text: str) -> None:
    """Run a block's lines of `napari-gmsr` in this process, which loads PyTorch once."""
    for line in text.replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "napari-gmsr"
        assert run(arguments) == 0, line


def assert_printed(expected: str, printed: str) -> None:
    """Compare word by word, numbers with decimals within a tenth: processors differ a little."""
    decimal = r"\d+\.\d+"
    assert re.sub(decimal, "#", expected).split() == re.sub(decimal, "#", printed).split()
    numbers = [[float(one) for one in re.findall(decimal, text)] for text in (printed, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.1)


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory):
    """What stands for the user's folders: kernels are compiled into it once."""
    return tmp_path_factory.mktemp("user")


def test_every_tutorial_is_run():
    assert {page.stem for page in TUTORIALS.glob("*.md")} == MADE.keys()


@pytest.mark.parametrize("name", MADE)
def test_a_tutorial(name, tmp_path, user_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(user_folder / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_folder / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    page = TUTORIALS / f"{name}.md"
    names: dict[str, object] = {}
    printed = ""
    languages = [block.language for block in blocks(page)]
    assert {"python", "bash", "text"} <= set(languages)
    for block in blocks(page):
        output = io.StringIO()
        with redirect_stdout(output):
            match block.language:
                case "python":
                    exec(compile(block.text, str(page), "exec"), names)
                case "bash":
                    run_commands(block.text)
                case "text":
                    assert_printed(block.text, printed)
                case _:
                    Path(block.file).write_text(block.text, encoding="utf-8")
        printed = output.getvalue()
    assert MADE[name] <= {path.name for path in tmp_path.rglob("*")}
