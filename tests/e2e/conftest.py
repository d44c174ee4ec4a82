"""What the tests from end to end share: the command line, and small real things for it."""

from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_gmsr.cli.app import run
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.networks import create
from napari_gmsr.weights import ModelCard, save_checkpoint

Command = Callable[..., str]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one untrained block, which takes milliseconds."""
    import torch

    torch.manual_seed(0)
    card = ModelCard(
        name="tiny",
        network="gmsr",
        arguments={"widths": [31]},
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="srgb",
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return save_checkpoint(create("gmsr", widths=[31]), card, path)


@pytest.fixture
def quick(checkpoint: Path) -> tuple[object, ...]:
    """Options of a run that takes milliseconds, wherever it runs."""
    return ("--model", checkpoint, "--engine", "reference", "--device", "cpu")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small 8-bit picture."""
    path = tmp_path / "photo.png"
    iio.imwrite(path, np.random.default_rng(5).integers(0, 256, (12, 17, 3), dtype=np.uint8))
    return path


@pytest.fixture
def cube() -> SpectralCube:
    """A small cube."""
    data = np.random.default_rng(5).uniform(0.1, 0.9, (31, 12, 14))
    return SpectralCube(data.astype(np.float32), name="scene")


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command that must work; return what it prints."""

    def call(*arguments: object) -> str:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command that must be refused before any work, in one line; return that line."""

    def call(*arguments: object) -> str:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("napari-gmsr: ")
        assert "Traceback" not in err
        return err

    return call
