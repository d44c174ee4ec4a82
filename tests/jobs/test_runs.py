"""Runs: listed, found, compared, removed."""

import os
import time

import pytest

from napari_gmsr.errors import InputError
from napari_gmsr.jobs import compare_runs, find_run, list_runs, remove_run, summarise
from napari_gmsr.training.config import preset
from napari_gmsr.training.events import Failed, Finished, Resumed, Validation
from napari_gmsr.training.run_folder import RunFolder


@pytest.fixture
def make(tmp_path):
    def call(name, **settings):
        return RunFolder.create(tmp_path / name, preset(**{"steps": 10, **settings}))

    return call


def validation(step, value, best=True):
    mean = {"paper": {"psnr_db": 30.0 + step}, "standard": {"sam_deg": 5.0}}
    return Validation(
        time=time.time(),
        step=step,
        metrics={"scene": mean},
        mean=mean,
        select="relative_rmse",
        value=value,
        best=best,
        seconds=0.1,
    )


def finish(folder, step=10):
    folder.append(
        Finished(time=time.time(), step=step, reason="done", seconds=1.0, best=0.1, best_step=2)
    )
    folder.write_status("done", step, 1.0)


def test_what_a_list_says(make, tmp_path):
    folder = make("one", network_arguments={"widths": [31]})
    for event in (validation(2, 0.2), validation(4, 0.1), validation(6, 0.3, best=False)):
        folder.append(event)
    finish(folder)
    (run,) = list_runs(tmp_path)
    assert (run.name, run.dataset, run.network, run.state) == ("one", "simulated", "gmsr", "done")
    assert (run.step, run.done, run.best, run.best_step) == (10, 1.0, 0.1, 4)
    assert run.metrics["paper"]["psnr_db"] == 34.0
    assert run.problem == ""


def test_what_a_resumed_run_did_before_is_void(make):
    folder = make("one")
    folder.append(validation(2, 0.2))
    folder.append(validation(6, 0.1))
    folder.append(Resumed(time=time.time(), step=4))
    assert summarise(folder.path).best_step == 2


def test_the_newest_is_first_and_others_folders_are_left_out(make, tmp_path):
    for age, name in ((30, "old"), (20, "middle"), (10, "new")):
        file = make(name).config_file
        os.utime(file, (time.time() - age, time.time() - age))
    (tmp_path / "holiday").mkdir()
    (tmp_path / "note.txt").touch()
    assert [run.name for run in list_runs(tmp_path)] == ["new", "middle", "old"]
    assert list_runs(tmp_path / "nowhere") == ()


def test_damaged_runs_are_listed_with_their_problem(make, tmp_path):
    (make("other-version").path / "run.json").write_text('{"format": 99}')
    make("no-config").config_file.write_text("{")
    failed = make("failed")
    failed.append(Failed(time=0.0, step=3, error="InputError", what="the loss is NaN"))
    failed.write_status("failed", 3)
    make("never-started")
    problems = {run.name: run.problem for run in list_runs(tmp_path)}
    assert "99" in problems["other-version"]
    assert problems["no-config"]
    assert problems["failed"] == "the loss is NaN"
    assert problems["never-started"]


def test_a_run_is_found_by_the_beginning_of_its_name(make, tmp_path):
    path = make("gmsr-on-cave").path
    make("gmsr-on-icvl")
    make("gmsr")
    assert find_run("gmsr-on-c", tmp_path) == path
    assert find_run("gmsr", tmp_path) == tmp_path / "gmsr"
    assert find_run(path) == path
    with pytest.raises(InputError, match="2 runs"):
        find_run("gmsr-on", tmp_path)
    for wrong in ("nobody", ""):
        with pytest.raises(InputError, match="no such run"):
            find_run(wrong, tmp_path)


def test_only_differences_are_compared(make):
    one = make("one", seed=1, optimiser={"learning_rate": 0.01})
    two = make("two", seed=2, network_arguments={"widths": [31]})
    rows = {row.setting: row.values for row in compare_runs(one.path, two.path)}
    assert rows["seed"] == (1, 2)
    assert rows["optimiser.learning_rate"] == (0.01, 3e-3)
    assert rows["network_arguments.widths"] == (None, [31])
    assert "batch" not in rows
    assert compare_runs(one.path, one.path) == ()


def test_a_run_is_removed_with_all_that_is_in_it(make, tmp_path):
    folder = make("one")
    finish(folder)
    (folder.previews_folder).mkdir()
    remove_run(folder.path)
    other = make("other-version")
    (other.path / "run.json").write_text('{"format": 99}')
    remove_run(other.path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_at_work_and_other_folders_are_not_removed(make, tmp_path):
    folder = make("one")
    folder.write_status("running", 3)  # by this process, which lives
    with pytest.raises(InputError, match="at work"):
        remove_run(folder.path)
    finish(folder)
    with folder.locked(), pytest.raises(InputError, match="at work"):
        remove_run(folder.path)
    assert folder.path.exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError):
        remove_run(tmp_path / "mine")
    assert (tmp_path / "mine").exists()


def test_a_folder_that_may_not_be_looked_into_holds_no_runs(plain_user_folder):
    plain_user_folder.chmod(0)
    assert list_runs(plain_user_folder) == ()
