"""Training jobs: followed, stopped, paused, found again, and what is said when they die.

The process is a stand-in that computes nothing; ``test_train_worker.py`` has the real one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.jobs import attach, resume_training, start_training
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.events import Failed, Finished, Paused, Resumed, Started, Step
from napari_gmsr.training.run_folder import RunFolder

HERE = Path(__file__).parent
WAIT_S = 60
posix = pytest.mark.skipif(os.name != "posix", reason="sessions and signals are POSIX's")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr("napari_gmsr.jobs.training._WORKER", "fake_train_worker")


@pytest.fixture
def start(tmp_path):
    """Start runs that do not outlive the test."""
    jobs = []

    def call(name="", steps=5, run="run"):
        job = start_training(TrainingConfig(name=name, steps=steps), run=tmp_path / run)
        jobs.append(job)
        return job

    yield call
    for job in jobs:
        job.kill()


def wait_until(condition, timeout_s=WAIT_S):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def follow_to_the_end(job, first_line=0):
    seen = []
    assert job.follow(seen.append, first_line=first_line).wait(WAIT_S)
    return seen


def steps_of(events):
    return [event.step for event in events if isinstance(event, Step)]


def test_a_run_is_followed_from_start_to_end(start):
    job = start(steps=5)
    seen = follow_to_the_end(job)
    assert [type(event) for event in seen] == [Started, *[Step] * 5, Finished]
    assert steps_of(seen) == [1, 2, 3, 4, 5]
    assert (job.state, job.alive) == ("done", False)
    assert follow_to_the_end(attach(job.path)) == seen


@posix
def test_it_is_a_session_of_its_own(start):
    job = start("long", steps=10_000)
    wait_until(lambda: job.state == "running")
    pid = job.folder.status().pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_it_survives_whoever_started_it(tmp_path):
    run = tmp_path / "run"
    code = (
        "import napari_gmsr.jobs.training as t; from napari_gmsr.training.config import *;"
        "t._WORKER = 'fake_train_worker';"
        f"t.start_training(TrainingConfig(name='long', steps=10_000), run={str(run)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=WAIT_S)
    job = attach(run)  # it is known from the first moment
    try:
        assert job.alive
        seen = []
        follower = job.follow(seen.append)
        wait_until(lambda: len(steps_of(seen)) > 3)
        job.stop()
        assert follower.wait(WAIT_S)
        assert seen[-1].reason == "stopped"
        assert job.state == "stopped"
    finally:
        job.kill()


def test_following_goes_on_where_it_was_left(start):
    job = start("long", steps=60)
    first = []
    follower = job.follow(first.append)
    wait_until(lambda: len(first) > 5)
    follower.close()
    assert follower.wait(WAIT_S)
    rest = follow_to_the_end(job, first_line=follower.line)
    everything = follow_to_the_end(attach(job.path))
    # What was read but not passed on when it was closed is not in ``first``.
    assert rest == everything[follower.line :]
    assert first == everything[: len(first)]


def test_half_a_line_waits_for_its_end(start):
    seen = follow_to_the_end(start("half-line", steps=20))
    assert steps_of(seen) == [step for step in range(1, 21) for _ in range(2)]


def test_pause_and_go_on(start):
    job = start("long", steps=10_000)
    seen = []
    follower = job.follow(seen.append)
    wait_until(lambda: steps_of(seen))
    job.pause()
    wait_until(lambda: job.state == "paused")
    wait_until(lambda: isinstance(seen[-1], Paused))
    job.resume()
    wait_until(lambda: isinstance(seen[-1], Step))
    assert any(isinstance(event, Resumed) for event in seen)
    job.pause()
    wait_until(lambda: job.state == "paused")
    job.stop()  # also out of a pause
    assert follower.wait(WAIT_S)
    assert seen[-1].reason == "stopped"


def test_a_stopped_run_goes_on(start):
    job = start("long", steps=50)
    seen = []
    follower = job.follow(seen.append)
    wait_until(lambda: steps_of(seen))
    job.stop()
    assert follower.wait(WAIT_S)
    again = resume_training(job.path)
    everything = follow_to_the_end(again)
    assert everything[: len(seen)] == seen  # its first end is not taken for the last
    assert everything[-1].reason == "done"
    assert again.state == "done"


@posix
def test_a_crash_says_how_with_the_log(start):
    job = start("crash", steps=10)
    *_, end = follow_to_the_end(job)
    assert isinstance(end, Failed)
    assert "SIGABRT" in end.what
    assert "the end is near" in end.log
    assert end.step == 3
    assert job.state == "failed"
    # whoever is not its parent learns less, but learns it
    *_, end = follow_to_the_end(attach(job.path))
    assert isinstance(end, Failed)
    assert "the end is near" in end.log
    assert isinstance(follow_to_the_end(resume_training(job.path))[-1], Finished)


def test_an_error_says_its_traceback(start):
    *_, end = follow_to_the_end(start("raise"))
    assert isinstance(end, Failed)
    assert "exit code 1" in end.what
    assert "something that nobody thought of" in end.log


def test_an_end_without_a_word_is_a_failure(start):
    job = start("silent")
    *_, end = follow_to_the_end(job)
    assert isinstance(end, Failed)
    assert "without a word" in end.what


@posix
def test_kill_9_is_recognised(start):
    job = start("long", steps=10_000)
    stranger = attach(job.path)
    seen, theirs = [], []
    followers = [job.follow(seen.append), stranger.follow(theirs.append)]
    wait_until(lambda: steps_of(seen))
    os.kill(job.folder.status().pid, signal.SIGKILL)
    assert all(follower.wait(WAIT_S) for follower in followers)
    assert "SIGKILL" in seen[-1].what
    assert "killed" in theirs[-1].what
    assert steps_of(seen) == steps_of(theirs)
    assert job.state == stranger.state == "failed"


def test_kill_ends_it_at_once(start):
    job = start("long", steps=10_000)
    wait_until(lambda: job.state == "running")
    attach(job.path).kill()
    assert isinstance(follow_to_the_end(job)[-1], Failed)
    job.kill()  # too late does nothing
    assert not job.alive


def test_a_number_that_another_process_has_got_is_not_taken_for_the_run(start):
    job = start(steps=1)
    follow_to_the_end(job)
    long_ago = psutil.Process().create_time() - 3600
    status = replace(job.folder.status(), state="running", pid=os.getpid(), heartbeat=long_ago)
    (job.path / "status.json").write_text(json.dumps(asdict(status)))
    stranger = attach(job.path)
    assert not stranger.alive
    assert stranger.state == "failed"
    stranger.kill()  # and this process lives


def test_two_jobs_on_one_folder_are_refused(start):
    job = start("long", steps=10_000)
    with pytest.raises(InputError, match="at work"):
        resume_training(job.path)
    with pytest.raises(OutputError, match="holds a run"):
        start("long", steps=10_000)
    assert job.alive


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no training run"):
        attach(tmp_path)
    folder = RunFolder.create(tmp_path / "run", TrainingConfig(steps=1))
    (folder.path / "run.json").write_text('{"format": 7}')
    for call in (attach, resume_training):
        with pytest.raises(InputError, match="format 7"):
            call(folder.path)
