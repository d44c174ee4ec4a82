"""Small scenes, one thread, every step told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_runs import small, write_pairs

from napari_gmsr.training import train


@pytest.fixture(scope="package", autouse=True)
def quick_runs() -> Iterator[None]:
    """Small simulated scenes, and no threads that wait for each other; every step is told."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_gmsr.training.data._SIDE", 24)
        patch.setattr("napari_gmsr.training.data._SIZES", {16: 1.0})
        patch.setattr("napari_gmsr.training.loop._REPORT_S", 0.0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def unbroken(tmp_path_factory: pytest.TempPathFactory, quick_runs: None) -> Path:
    """The folder of a run from its first step to its last; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "unbroken"
    train(small(), run=path)
    return path


@pytest.fixture(scope="package")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three sound pairs; not to be changed."""
    return write_pairs(tmp_path_factory.mktemp("data") / "pairs")
