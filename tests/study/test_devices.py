"""Several devices: each does a run at a time, and has it to itself."""

import threading

import pytest
import torch
from made_up_results import cube, failure, outcome

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.study import run_study
from napari_gmsr.study.devices import StudyDevice, choose_devices
from napari_gmsr.study.events import RunBegan


@pytest.fixture
def two_devices(monkeypatch):
    devices = (StudyDevice("one"), StudyDevice("two"))
    monkeypatch.setattr("napari_gmsr.study.run.choose_devices", lambda requested: devices)


def test_runs_are_shared_out(study, tmp_path, two_devices):
    together = threading.Barrier(2)
    did = {"one": [], "two": []}

    def perform(folder, run, device, tell, stop):
        together.wait(30)  # passes only where two are at work at once
        did[device.name].append(run.key)
        truth = cube(0, (9, 9), WAVELENGTHS_NM)
        made = outcome(run, {"d": (cube(0, (9, 9), WAVELENGTHS_NM, 0.1), truth)})
        folder.write(made)
        return made

    told = []
    summary = run_study(study, tmp_path / "out", perform=perform, on_event=told.append)
    assert sorted([*did["one"], *did["two"]]) == sorted(summary.done)
    assert len(did["one"]) == len(did["two"]) == 2
    assert {e.device for e in told if isinstance(e, RunBegan)} == {"one", "two"}


def test_a_fault_of_the_study_itself_ends_it(study, tmp_path, two_devices):
    """A full disk, say: runs that are at work end, no other begins, and it is told."""
    began = []

    def perform(folder, run, device, tell, stop):
        began.append(run.key)
        if device.name == "one":
            raise OutputError("no space left", where=folder.path)
        while not stop.asked:
            pass
        made = failure(run, "stopped")
        folder.write(made)
        return made

    with pytest.raises(OutputError, match="no space left"):
        run_study(study, tmp_path / "out", perform=perform)
    assert len(began) <= 2


@pytest.fixture
def three_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


def visible(devices):
    return [device.environment.get("CUDA_VISIBLE_DEVICES") for device in devices]


def test_every_gpu_is_a_process_of_its_own(three_gpus):
    assert visible(choose_devices()) == ["0", "1", "2"]
    assert visible(choose_devices(["cuda:2", "cuda:0"])) == ["2", "0"]
    assert [d.name for d in choose_devices(["cuda:1", "cpu"])] == ["cuda:1", "cpu"]


def test_gpus_that_are_hidden_stay_hidden(three_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-abc,7")
    assert visible(choose_devices()) == ["4", "GPU-abc", "7"]


def test_devices_that_are_not_there(three_gpus):
    for wrong in (["cuda:3"], ["cuda:0", "cuda:0"], ["gpu"], []):
        with pytest.raises(InputError):
            choose_devices(wrong)
