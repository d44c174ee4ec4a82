"""Small real things for the commands: a checkpoint that takes milliseconds, and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_gmsr.cli.app import run
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.networks import create
from napari_gmsr.weights import ModelCard, save_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    """A checkpoint of one untrained block."""
    torch.manual_seed(0)
    arguments = {"widths": [31]}
    card = ModelCard(
        name="tiny",
        summary="Untrained, for tests.",
        network="gmsr",
        arguments=arguments,
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="srgb",
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return str(save_checkpoint(create("gmsr", **arguments), card, path))


@pytest.fixture
def photo(tmp_path) -> Path:
    """A small 8-bit picture."""
    path = tmp_path / "photo.png"
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def command(capsys):
    """Run the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def refused(command):
    """Run the command line with a mistake in it; return its one line on standard error."""

    def call(*arguments: object) -> str:
        code, _, err = command(*arguments)
        assert code == 2
        assert err.count("\n") == 1
        assert err.startswith("napari-gmsr: ")
        assert "Traceback" not in err
        return err

    return call
