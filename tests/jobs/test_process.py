import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_gmsr import errors
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import (
    Cancelled,
    Failed,
    Finished,
    InlineExecutor,
    ProcessExecutor,
    Progress,
    ReconstructionRequest,
    Settings,
    Started,
    start_reconstruction,
)

TASKS = "tasks_for_tests:"


def do(executor, task, **arguments):
    return executor.start(TASKS + task, arguments, lambda event: None).result()


def wait_until(condition, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_events_arrive_in_order(executor):
    seen = []
    job = executor.start(TASKS + "count", {"parts": 3}, seen.append)
    assert job.wait() == Finished(3)
    expected = [Progress(n, 3, f"part {n}") for n in (1, 2, 3)]
    wait_until(lambda: len(seen) == 5)
    assert seen == [Started(), *expected, Finished(3)]


def test_the_synchronous_twin_emits_the_same(executor, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    theirs, ours = [], []
    executor.start(TASKS + "count", {"parts": 2}, theirs.append).wait()
    job = InlineExecutor().start(TASKS + "count", {"parts": 2}, ours.append)
    wait_until(lambda: len(theirs) == 4)
    assert ours == theirs
    assert job.result() == 2


def test_arrays_cross_both_ways(executor):
    array = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    back = do(executor, "echo", array=array, name="ü – 𝄞", nothing=None)
    np.testing.assert_array_equal(back["array"], array)
    assert back["name"] == "ü – 𝄞"


def test_arguments_may_be_made_in_the_jobs_thread(executor):
    def arguments():
        return {"thread": threading.current_thread().name}

    job = executor.start(TASKS + "echo", arguments, lambda event: None)
    assert job.result()["thread"] != threading.current_thread().name


def test_the_child_is_kept_between_tasks(executor):
    first = do(executor, "process_id")
    assert first == do(executor, "process_id")
    assert first != os.getpid()


def test_no_arrays_stay_behind(executor):
    do(executor, "echo", array=np.zeros(10))
    assert not list(executor._child.folder.glob("**/*.npy"))


def test_what_a_library_prints_does_not_disturb_the_answers(executor):
    assert do(executor, "print_and_return") == "answer"


def test_an_error_of_ours_crosses_with_what_where_and_fix(executor):
    with pytest.raises(errors.InputError) as caught:
        do(executor, "refuse")
    assert (caught.value.what, caught.value.where, caught.value.fix) == (
        "the picture is grey",
        "grey.png",
        "Open an RGB picture.",
    )


def test_an_unexpected_error_carries_its_traceback_in_the_log(executor):
    end = executor.start(TASKS + "stumble", {}, lambda event: None).wait()
    assert isinstance(end, Failed)
    assert "unexpected ZeroDivisionError" in str(end.error)
    assert "in stumble" in end.log


def test_a_task_that_is_not_there_fails(executor):
    end = executor.start("nowhere:nothing", {}, lambda event: None).wait()
    assert "No module named 'nowhere'" in str(end.error)


def test_arguments_that_cannot_be_made_fail_the_job(executor):
    def arguments():
        raise errors.InputError("the layer is gone")

    end = executor.start(TASKS + "echo", arguments, lambda event: None).wait()
    assert end.error.what == "the layer is gone"


def test_a_listener_that_raises_does_not_leave_the_job_running(executor):
    def listener(event):
        if isinstance(event, Progress):
            raise ValueError("the window is gone")

    end = executor.start(TASKS + "count", {"parts": 2}, listener).wait(20)
    assert isinstance(end, Failed)
    assert do(executor, "echo", a=1) == {"a": 1}


def test_cancel_is_acted_on_between_parts(executor):
    child = do(executor, "process_id")
    begun = threading.Event()

    def listener(event):
        if isinstance(event, Progress):
            begun.set()

    job = executor.start(TASKS + "count", {"parts": 1000, "pause_s": 0.05}, listener)
    assert begun.wait(20)
    job.cancel()
    job.cancel()
    assert job.wait(20) == Cancelled()
    with pytest.raises(errors.Cancelled):
        job.result()
    assert do(executor, "process_id") == child, "the child was killed although it listened"


def test_a_task_that_does_not_listen_is_killed(executor):
    child = do(executor, "process_id")
    begun = threading.Event()
    job = executor.start(
        TASKS + "deaf", {}, lambda event: begun.set() if isinstance(event, Progress) else None
    )
    assert begun.wait(20)
    job.cancel()
    assert job.wait(20) == Cancelled()
    assert do(executor, "process_id") != child


def test_a_job_that_waits_its_turn_can_be_cancelled(executor):
    first = executor.start(TASKS + "count", {"parts": 1000, "pause_s": 0.05}, lambda event: None)
    seen = []
    second = executor.start(TASKS + "echo", {}, seen.append)
    second.cancel()
    assert second.wait(20) == Cancelled()
    assert first.end is None
    first.cancel()
    assert first.wait(20) == Cancelled()
    wait_until(lambda: bool(seen))
    assert seen == [Cancelled()]


def test_cancel_after_the_end_does_nothing(executor):
    job = executor.start(TASKS + "echo", {}, lambda event: None)
    end = job.wait()
    job.cancel()
    assert job.end == end == Finished({})


def test_a_crash_fails_the_job_alone(executor):
    end = executor.start(TASKS + "crash", {}, lambda event: None).wait(20)
    assert isinstance(end, Failed)
    assert "died" in str(end.error)
    if sys.platform != "win32":
        assert "SIGSEGV" in str(end.error)
    assert "last words" in end.log
    assert "tasks_for_tests.py" in end.log, "faulthandler tells where it crashed"
    assert do(executor, "echo", a=1) == {"a": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to kill with")
def test_a_kill_by_the_system_is_told_as_memory_that_ran_out(executor):
    end = executor.start(TASKS + "killed", {}, lambda event: None).wait(20)
    assert isinstance(end.error, errors.OutOfMemoryError)
    assert "SIGKILL" in str(end.error)
    assert "tiled" in end.error.fix


def test_a_child_that_leaves_fails_the_job_with_its_code(executor):
    end = executor.start(TASKS + "leave", {"code": 7}, lambda event: None).wait(20)
    assert "exit code 7" in str(end.error)


def test_a_child_that_died_between_tasks_is_replaced(executor):
    child = psutil.Process(do(executor, "process_id"))
    child.kill()
    child.wait(20)
    assert do(executor, "echo", a=1) == {"a": 1}


def test_a_child_whose_device_failed_is_replaced(executor):
    first = do(executor, "process_id")
    with pytest.raises(errors.DeviceError, match="vanished"):
        do(executor, "lose_the_device")
    assert do(executor, "process_id") != first


def test_closing_ends_the_child_and_removes_its_folder():
    with ProcessExecutor() as executor:
        job = executor.start("napari_gmsr.jobs.codec:nothing", {}, lambda event: None)
        job.wait()
        child, folder = psutil.Process(executor._child._process.pid), executor._child.folder
        assert folder.is_dir()
    assert not psutil.pid_exists(child.pid)
    assert not folder.exists()
    assert executor.start(TASKS + "echo", {}, lambda event: None).wait(20) == Cancelled()


def test_closing_in_the_middle_cancels(executor, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    begun = threading.Event()
    with ProcessExecutor() as other:
        job = other.start(
            TASKS + "deaf", {}, lambda event: begun.set() if isinstance(event, Progress) else None
        )
        assert begun.wait(20)
    assert job.wait(20) == Cancelled()


PARENT = """
import json, sys, time
from napari_gmsr.jobs import ProcessExecutor, Progress, default_executor
executor = default_executor()
begun = lambda event: isinstance(event, Progress) and print(
    json.dumps([executor._child._process.pid, str(executor._child.folder)]), flush=True)
executor.start("tasks_for_tests:deaf", {}, begun)
if sys.argv[1] == "stay":
    time.sleep(3600)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["killed", "exits"])
def test_no_child_and_no_folder_outlive_the_parent(how, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, "stay" if how == "killed" else "leave"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        child, folder = json.loads(parent.stdout.readline())
        assert psutil.pid_exists(child)
        if how == "killed":
            parent.kill()
        else:
            parent.stdin.write(b"\n")
            parent.stdin.flush()
        parent.wait(20)
    wait_until(lambda: not psutil.pid_exists(child))
    assert not Path(folder).exists()


def test_the_parent_imports_no_torch():
    code = textwrap.dedent("""
        import sys
        from napari_gmsr.jobs import ProcessExecutor, start_reconstruction
        with ProcessExecutor() as executor:
            executor.start("napari_gmsr.jobs.codec:nothing", {}, print).wait()
        heavy = {"torch", "numba", "matplotlib", "colour", "napari", "qtpy"} & set(sys.modules)
        assert not heavy, heavy
    """)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_current_folder_is_not_searched_for_modules(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    with ProcessExecutor() as executor:
        job = executor.start("napari_gmsr.jobs.codec:nothing", {}, lambda event: None)
        assert "nothing" in str(job.wait(20).error)


def test_a_reconstruction_hands_the_picture_and_the_settings_over(executor):
    class Stand:
        """Does another task in place of the real one."""

        def start(self, task, arguments, on_event):
            assert task == "napari_gmsr.jobs.tasks:reconstruct"
            return executor.start(TASKS + "picture_to_cube", arguments, on_event)

    rgb = RGBImage(np.full((4, 5, 3), 0.5), name="photo", notes=("turned by EXIF",))
    request = ReconstructionRequest(lambda: rgb, Settings(mode="tiled", ensemble=True))
    cube = start_reconstruction(request, lambda event: None, Stand()).result()
    assert cube.shape == (31, 4, 5)
    assert cube.name == "photo"
    assert cube.provenance["notes"] == ["turned by EXIF"]
    assert (cube.provenance["mode"], cube.provenance["ensemble"]) == ("tiled", True)
