"""Two processes of torchrun train together, on the processor."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_runs import TOGETHER, assert_same_state, on_pairs

from napari_gmsr.errors import InputError
from napari_gmsr.training import RunFolder, train
from napari_gmsr.training import events as ev

HERE = Path(__file__).parent
WAIT_S = 300


@pytest.fixture(scope="module")
def together(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave behind that run ``run_together.py``."""
    out = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(HERE / "run_together.py"), str(pairs), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=WAIT_S, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


def test_both_end_with_the_same_weights(together: Path) -> None:
    first, second = (torch.load(together / f"weights-{rank}.pt") for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_only_the_first_tells_and_writes(together: Path) -> None:
    assert not (together / "unbroken-1").exists()
    assert (together / "told-1").read_text() == "0"
    told = list(RunFolder(together / "unbroken-0").events())
    assert str(len(told)) == (together / "told-0").read_text()
    started = told[0]
    assert isinstance(started, ev.Started)
    assert started.world == 2
    assert RunFolder(together / "unbroken-0").best_file.exists()


def test_two_take_the_steps_of_one_with_twice_the_batch(
    together: Path, pairs: Path, tmp_path: Path
) -> None:
    one = train(on_pairs(pairs, **TOGETHER, batch=4), run=tmp_path / "one")
    whole = load_file(RunFolder(one.folder).last_file)
    parts = load_file(RunFolder(together / "unbroken-0").last_file)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, atol=2e-6, rtol=1e-4, msg=name)
    losses = [
        [e.loss for e in RunFolder(path).events() if isinstance(e, ev.Step)]
        for path in (one.folder, together / "unbroken-0")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_resumed_run_ends_where_an_unbroken_one_ends(together: Path) -> None:
    assert_same_state(together / "unbroken-0", together / "stopped")


def test_one_process_does_not_go_on_with_the_run_of_two(together: Path, pairs: Path) -> None:
    before = RunFolder(together / "stopped").last_file.read_bytes()
    with pytest.raises(InputError, match="2 processes"):
        train(on_pairs(pairs, **TOGETHER, batch=2), run=together / "stopped", resume=True)
    assert RunFolder(together / "stopped").last_file.read_bytes() == before
