"""What starts at once: the package and the command line's help load nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "matplotlib", "colour", "napari", "qtpy", "skimage", "scipy")

LOADED_AFTER = """
import json, sys
{statement}
print()
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    process = subprocess.run(
        [sys.executable, "-c", LOADED_AFTER.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(process.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_gmsr",
        "import napari_gmsr; dir(napari_gmsr)",
        "import napari_gmsr.plugin",
        "from napari_gmsr.cli.app import run; assert run(['--help']) == 0",
        "from napari_gmsr.cli.app import run; assert run(['reconstruct', '--help']) == 0",
        "from napari_gmsr.cli.app import run; assert run(['evaluate', '--help']) == 0",
        "from napari_gmsr.cli.app import run; assert run(['models', '--help']) == 0",
        "from napari_gmsr.cli.app import run; assert run(['doctor', '--help']) == 0",
        "from napari_gmsr.cli.app import run; assert run(['reconstruct', '--no-such']) == 2",
    ],
)
def test_nothing_heavy_is_loaded(statement):
    assert loaded_after(statement).isdisjoint(HEAVY)


def test_the_measure_itself_sees_a_heavy_import():
    assert "scipy" in loaded_after("import scipy.ndimage")
