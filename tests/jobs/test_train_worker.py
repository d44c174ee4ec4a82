"""The real process of a training job, on pictures of 32 pixels."""

import faulthandler
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.jobs import attach, list_runs, resume_training, start_training, train_worker
from napari_gmsr.training import RunFolder, events, preset, train
from napari_gmsr.weights import load_model

WAIT_S = 400  # the process gives way to all others
STEPS = 24
ENDLESS = 10**6
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Three pairs of pictures and cubes."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(1)
    for name in "abc":
        data = np.kron(rng.random((31, 4, 4)), np.ones((1, 8, 8))) * 0.8
        cube = SpectralCube(data.astype(np.float32))
        cube.save(folder / f"{name}.npz")
        picture = np.round(render_rgb(cube, "srgb", encoding="srgb").data * 255)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")
    split = {"train": ["a", "b"], "validation": ["c"], "test": []}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


@pytest.fixture(scope="module")
def configure(pairs):
    """Make configurations of runs whose steps take milliseconds, and that save each of them."""

    def call(steps, folder=pairs):
        return preset(
            dataset={"name": "pairs", "folder": folder, "cache_folder": pairs / "cache"},
            network_arguments={"widths": [31]},
            patch=8,
            batch=2,
            steps=steps,
            validate_every=0.5,
            checkpoint_every_s=0,
            device="cpu",
        )

    return call


@pytest.fixture(scope="module")
def unbroken(configure, tmp_path_factory):
    """A run of this process, on one thread as its children are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = train(configure(STEPS), run=tmp_path_factory.mktemp("runs") / "unbroken")
    torch.set_num_threads(threads)
    return run.folder


@pytest.fixture
def start(tmp_path, configure, monkeypatch):
    """Start runs that do not outlive the test."""
    # Threads that wait for each other take most of the time where others want the processors too.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    jobs = []

    def call(steps):
        jobs.append(start_training(configure(steps), run=tmp_path / "run"))
        return jobs[-1]

    yield call
    for job in jobs:
        attach(job.path).kill()


def wait_until(job, condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert job.state != "failed", job.explain_death()
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def follow_to_the_end(job):
    seen = []
    assert job.follow(seen.append).wait(WAIT_S)
    return seen


def test_from_start_to_a_model(start):
    job = start(6)
    seen = follow_to_the_end(job)
    kinds = {type(event) for event in seen}
    assert isinstance(seen[-1], events.Finished), seen[-1]
    assert seen[-1].reason == "done"
    assert kinds >= {events.Started, events.Step, events.Validation, events.Checkpoint}
    assert job.state == "done"
    assert load_model(job.folder.best_file).card.arguments == {"widths": [31]}
    (run,) = list_runs(job.path.parent)
    assert (run.state, run.step, run.problem) == ("done", 6, "")
    assert run.best is not None


def test_pause_stop_and_go_on(start):
    job = start(ENDLESS)
    seen = []
    follower = job.follow(seen.append)
    wait_until(job, lambda: any(isinstance(event, events.Step) for event in seen))
    with pytest.raises(InputError, match="at work"):
        resume_training(job.path)
    job.pause()
    wait_until(job, lambda: job.state == "paused")
    job.resume()
    wait_until(job, lambda: isinstance(seen[-1], events.Step))
    assert job.state == "running"
    job.stop()
    assert follower.wait(WAIT_S)
    assert seen[-1].reason == "stopped"
    assert job.folder.best_file.exists()
    (run,) = list_runs(job.path.parent)
    assert (run.state, run.done < 1) == ("stopped", True)

    again = resume_training(job.path)
    wait_until(again, lambda: again.state == "running")
    assert again.folder.status().step > seen[-1].step  # it does not stop at the old request
    if os.name == "posix":  # a polite end is a stop
        os.kill(again.folder.status().pid, signal.SIGTERM)
    else:
        again.stop()
    everything = follow_to_the_end(again)
    assert everything[: len(seen)] == seen
    assert everything[-1].reason == "stopped"
    assert everything[-1].step > seen[-1].step


@posix
def test_kill_9_loses_nothing_but_steps(start, unbroken):
    job = start(STEPS)
    wait_until(job, job.folder.last_file.exists)
    os.kill(job.folder.status().pid, signal.SIGKILL)
    assert "SIGKILL" in follow_to_the_end(job)[-1].what
    assert job.state == "failed"
    seen = follow_to_the_end(resume_training(job.path))
    assert 0 < next(e.step for e in seen if isinstance(e, events.Resumed)) < STEPS
    assert isinstance(seen[-1], events.Finished), seen[-1]
    whole = load_file(RunFolder(unbroken).last_file)  # weights, their average, the optimiser's
    found = load_file(job.folder.last_file)
    assert whole.keys() == found.keys()
    assert all(found[name].equal(tensor) for name, tensor in whole.items())


@pytest.fixture
def work(monkeypatch):
    """Call what the process does, in this one."""
    monkeypatch.setattr(faulthandler, "enable", lambda: None)
    # This process does not give way to others.
    monkeypatch.setattr(os, "nice", lambda _: 0, raising=False)
    monkeypatch.setattr(train_worker, "_give_way", lambda: None, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield train_worker.main
    signal.signal(signal.SIGTERM, before)


def test_what_is_wrong_is_told(work, configure, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    folder = RunFolder.create(tmp_path / "run", configure(5, folder=tmp_path / "empty"))
    assert work(folder.path) == 1
    *_, end = folder.events()
    assert isinstance(end, events.Failed)
    assert end.error == "DatasetError"
    assert "empty" in end.where
    assert end.fix
    assert "DatasetError" in capfd.readouterr().err
    (run,) = list_runs(tmp_path)
    assert run.state == "failed"
    assert run.problem.startswith(end.what)


def test_a_resume_with_another_architecture_is_refused(work, unbroken, tmp_path):
    folder = RunFolder(shutil.copytree(unbroken, tmp_path / "run"))
    best = folder.best_file.read_bytes()
    table = json.loads(folder.config_file.read_text())
    table["network_arguments"] = {"widths": [6, 31]}
    folder.config_file.write_text(json.dumps(table))
    assert work(folder.path) == 1
    *_, end = folder.events()
    assert isinstance(end, events.Failed)
    assert end.error == "CheckpointError"
    assert "architecture" in end.what
    assert folder.best_file.read_bytes() == best
