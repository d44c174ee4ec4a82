"""A run from its configuration to its checkpoints: resumed, killed, stopped, refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import napari_gmsr as ng
from napari_gmsr.errors import CheckpointError, GMSRError, InputError, OutputError
from napari_gmsr.training import RunFolder, TrainingConfig, loop, train
from napari_gmsr.training import events as ev

SMALL: dict[str, Any] = {
    "network_arguments": {"widths": [6, 31], "drop_path": 0.1},
    "patch": 16,
    "batch": 2,
    "steps": 8,
    "validate_every": 0.5,
    "device": "cpu",
}


def small(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{**SMALL, **changes})


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small patches and validation pictures, so that a step takes milliseconds."""
    monkeypatch.setattr("napari_gmsr.training.data._SIDE", 24)
    monkeypatch.setattr("napari_gmsr.training.data._SIZES", {16: 1.0})


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "unbroken"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_gmsr.training.data._SIDE", 24)
        patch.setattr("napari_gmsr.training.data._SIZES", {16: 1.0})
        train(small(), run=path)
    return path


def same_weights(one: Path, other: Path) -> None:
    first, second = (load_file(RunFolder(path).last_file) for path in (one, other))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_a_run_learns_tells_and_keeps(unbroken: Path) -> None:
    told = list(RunFolder(unbroken).events())
    assert isinstance(told[0], ev.Started)
    assert told[0].engine == "reference"
    assert isinstance(told[-1], ev.Finished)
    assert told[-1].reason == "done"
    validations = [e for e in told if isinstance(e, ev.Validation)]
    assert [e.step for e in validations] == [4, 8]
    assert validations[-1].value < validations[0].value
    preview = next(e for e in told if isinstance(e, ev.Preview))
    assert (unbroken / preview.file).exists()
    assert len(preview.probes[0].truth) == 31
    model = ng.load_model(RunFolder(unbroken).best_file)
    assert model.card.metrics["validation"]["value"] == pytest.approx(told[-1].best)
    assert ng.reconstruct(torch.rand(5, 7, 3).numpy(), model, device="cpu").data.shape == (31, 5, 7)


def test_the_same_configuration_gives_the_same_bits(unbroken: Path, tmp_path: Path) -> None:
    train(small(), run=tmp_path / "again")
    same_weights(unbroken, tmp_path / "again")


def test_stopped_and_resumed_ends_where_an_unbroken_run_ends(
    unbroken: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stopped"

    def stop(event: ev.Event) -> None:
        if event.step == 3:
            RunFolder(path).request("stop")

    first = train(small(), run=path, on_event=stop)
    assert first.reason == "stopped"
    assert RunFolder(path).best_file.exists()
    second = train(small(), run=path, resume=True)
    assert second.reason == "done"
    same_weights(unbroken, path)


SCRIPT = """
import sys
from napari_gmsr.training import TrainingConfig, data, train
data._SIDE, data._SIZES = 24, {16: 1.0}
train(TrainingConfig.model_validate_json(sys.argv[2]), run=sys.argv[1])
"""


def test_killed_and_resumed_ends_where_an_unbroken_run_ends(tmp_path: Path) -> None:
    config = small(steps=80, checkpoint_every_s=0.0, validate_every=1.0)
    path = tmp_path / "killed"
    command = [sys.executable, "-c", SCRIPT, str(path), config.model_dump_json()]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not RunFolder(path).last_file.exists():
            assert child.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    train(config, run=path, resume=True)
    began = [e.step for e in RunFolder(path).events() if isinstance(e, ev.Resumed)]
    assert began
    assert 0 < began[0] < 80
    train(config, run=tmp_path / "whole")
    same_weights(path, tmp_path / "whole")


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poisoned(loop.CapturedStep):
        def __call__(self, rgb: torch.Tensor, cube: torch.Tensor) -> torch.Tensor:
            loss = super().__call__(rgb, cube)
            state = next(iter(self.optimiser.state.values()))
            return loss * torch.nan if state["step"] > 5 else loss

    monkeypatch.setattr(loop, "CapturedStep", Poisoned)
    with pytest.raises(GMSRError, match="no number any more at step 6"):
        train(small(), run=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.best_file.exists()
    assert isinstance(list(folder.events())[-1], ev.Failed)


def test_a_full_disk_leaves_the_state_before_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = loop.write_state

    def fails_later(path: Path, position: Any, *rest: Any) -> None:
        if position.step > 4:
            raise OutputError("the disk is full", where=path, fix="Free some space.")
        written(path, position, *rest)

    monkeypatch.setattr(loop, "write_state", fails_later)
    result = train(small(checkpoint_every_s=0.0), run=tmp_path / "run")
    assert result.reason == "done"
    warnings = [e for e in result.events() if isinstance(e, ev.Warning_)]
    assert "disk is full" in warnings[0].what
    monkeypatch.setattr(loop, "write_state", written)
    assert train(small(checkpoint_every_s=0.0), run=tmp_path / "run", resume=True).reason == "done"


def test_two_jobs_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", small())
    script = (
        "import sys, time; from napari_gmsr.training.run_folder import RunFolder\n"
        "with RunFolder(__import__('pathlib').Path(sys.argv[1])).locked():\n"
        "    print('locked', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match="another job"):
            train(small(), run=folder.path)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_finished_run_is_not_overwritten(unbroken: Path) -> None:
    with pytest.raises(OutputError, match="holds a run"):
        train(small(), run=unbroken)


def test_another_configuration_does_not_resume(unbroken: Path) -> None:
    with pytest.raises(InputError, match="another configuration"):
        train(small(seed=1), run=unbroken, resume=True)


def test_a_changed_architecture_is_named(unbroken: Path, tmp_path: Path) -> None:
    other = small(network_arguments={"widths": [8, 31], "drop_path": 0.1})
    folder = RunFolder.create(tmp_path / "run", other)
    folder.last_file.write_bytes(RunFolder(unbroken).last_file.read_bytes())
    with pytest.raises(CheckpointError, match="another architecture"):
        train(other, run=folder.path, resume=True)


def test_a_damaged_state_is_named(unbroken: Path, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", small())
    folder.last_file.write_bytes(RunFolder(unbroken).last_file.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(small(), run=folder.path, resume=True)


def test_fine_tuning_starts_from_the_checkpoint(unbroken: Path, tmp_path: Path) -> None:
    start = RunFolder(unbroken).best_file
    config = small(start_from=str(start), steps=1, optimiser={"learning_rate": 1e-9}, warm_up=0)
    run = train(config, run=tmp_path / "run")
    for name, tensor in ng.load_model(start).network.state_dict().items():
        torch.testing.assert_close(
            run.model().network.state_dict()[name], tensor, atol=1e-6, rtol=0
        )


def test_simulated_scenes_have_no_epochs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="endless"):
        train(small(steps=None, epochs=2), run=tmp_path / "run")


def test_a_network_without_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to train"):
        train(small(network="rootpoly", network_arguments={}), run=tmp_path / "run")
