"""The real process of a training job, on pictures of 32 pixels."""

import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.jobs import attach, list_runs, resume_training, start_training
from napari_gmsr.training import events, preset
from napari_gmsr.weights import load_model

WAIT_S = 240
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


@pytest.fixture
def start(tmp_path, pairs, monkeypatch):
    """Start tiny runs that do not outlive the test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    jobs = []

    def call(steps, name="run", folder=pairs, **settings):
        settings = {"network_arguments": {"widths": [31]}, **settings}
        config = preset(
            dataset={"name": "pairs", "folder": folder, "cache_folder": tmp_path / "cache"},
            patch=16,
            batch=2,
            steps=steps,
            validate_every=0.5,
            checkpoint_every_s=0,
            device="cpu",
            **settings,
        )
        jobs.append(start_training(config, run=tmp_path / name))
        return jobs[-1]

    yield call
    for job in jobs:
        attach(job.path).kill()


def wait_until(job, condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert job.state != "failed", job.explain_death()
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def follow_to_the_end(job):
    seen = []
    assert job.follow(seen.append).wait(WAIT_S)
    return seen


def test_from_start_to_a_model(start):
    job = start(steps=6)
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
    job = start(steps=10**6)
    seen = []
    follower = job.follow(seen.append)
    wait_until(job, lambda: any(isinstance(event, events.Step) for event in seen))
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
    again.stop()
    everything = follow_to_the_end(again)
    assert everything[: len(seen)] == seen


@posix
def test_kill_9_loses_nothing_but_steps(start, tmp_path):
    unbroken = start(steps=16, name="unbroken")
    follow_to_the_end(unbroken)
    job = start(steps=16, name="killed")
    wait_until(job, job.folder.last_file.exists)
    os.kill(job.folder.status().pid, signal.SIGKILL)
    assert "SIGKILL" in follow_to_the_end(job)[-1].what
    assert job.state == "failed"
    end = follow_to_the_end(resume_training(job.path))[-1]
    assert isinstance(end, events.Finished), end
    one, other = (load_model(j.folder.best_file).network.state_dict() for j in (unbroken, job))
    assert all(one[name].equal(tensor) for name, tensor in other.items())


@posix
def test_a_polite_end_is_a_stop(start):
    job = start(steps=10**6)
    wait_until(job, lambda: job.state == "running")
    os.kill(job.folder.status().pid, signal.SIGTERM)
    assert follow_to_the_end(job)[-1].reason == "stopped"
    assert job.folder.last_file.exists()


def test_what_is_wrong_is_told(start, tmp_path):
    (tmp_path / "empty").mkdir()
    end = follow_to_the_end(start(steps=5, folder=tmp_path / "empty"))[-1]
    assert isinstance(end, events.Failed)
    assert end.error == "DatasetError"
    assert "empty" in end.where
    assert end.fix
    job = start(steps=5, name="network", network="rootpoly", network_arguments={})
    *_, end = follow_to_the_end(job)
    assert isinstance(end, events.Failed)
    (run,) = [run for run in list_runs(tmp_path) if run.name == "network"]
    assert run.problem.startswith(end.what)


def test_a_resume_with_other_settings_is_refused(start):
    job = start(steps=4)
    follow_to_the_end(job)
    table = json.loads(job.folder.config_file.read_text())
    table["network_arguments"] = {"widths": [6, 31]}
    job.folder.config_file.write_text(json.dumps(table))
    *_, end = follow_to_the_end(resume_training(job.path))
    assert isinstance(end, events.Failed)
    assert end.error in ("CheckpointError", "InputError")
    assert job.folder.best_file.exists()


def test_a_run_at_work_is_not_started_again(start):
    job = start(steps=10**6)
    wait_until(job, lambda: job.state == "running")
    with pytest.raises(InputError, match="at work"):
        resume_training(job.path)
