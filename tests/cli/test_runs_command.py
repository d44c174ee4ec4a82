"""`napari-gmsr runs`: list, show, follow, stop, compare, remove."""

import json
import time

import pytest

from napari_gmsr.training.config import preset
from napari_gmsr.training.events import Finished, Validation, Warning_
from napari_gmsr.training.run_folder import RunFolder


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """The user's folder of runs."""
    folder = tmp_path / "runs"
    for module in ("napari_gmsr.training.run_folder", "napari_gmsr.jobs.runs"):
        monkeypatch.setattr(f"{module}.default_root", lambda: folder)
    return folder


@pytest.fixture
def make(root):
    def call(name, **settings):
        folder = RunFolder.create(root / name, preset(**{"steps": 10, **settings}))
        mean = {"paper": {"psnr_db": 31.0}, "standard": {"sam_deg": 5.0}}
        at = {"time": time.time(), "step": 10}
        select = "relative_rmse"
        folder.append(
            Validation(
                metrics={}, mean=mean, select=select, value=0.125, best=True, seconds=1.0, **at
            )
        )
        folder.append(Warning_(what="it is hot", where="here", fix="Open a window.", **at))
        folder.append(Finished(reason="done", seconds=100.0, best=0.125, best_step=10, **at))
        folder.write_status("done", 10, 1.0)
        return folder

    return call


def test_a_list_of_runs(command, make, root):
    code, out, _ = command("runs")
    assert code == 0
    assert str(root) in out
    make("first")
    make("second", seed=7)
    out = command("runs")[1]
    assert out == command("runs", "list")[1] == command("runs", "list", "--root", root)[1]
    header, *rows = out.splitlines()
    assert header.startswith("run ")
    assert {row.split()[0] for row in rows} == {"first", "second"}
    assert "relative_rmse 0.125" in rows[0]
    listed = json.loads(command("runs", "list", "--json")[1])
    assert {run["best"] for run in listed} == {0.125}


def test_one_run(command, make):
    folder = make("first")
    out = command("runs", "show", "fir")[1]
    assert str(folder.path) in out
    assert '"learning_rate"' in out
    shown = json.loads(command("runs", "show", folder.path, "--json")[1])
    assert shown["state"] == "done"
    assert shown["config"]["steps"] == 10


def test_its_events(command, make):
    make("first")
    code, out, err = command("runs", "follow", "first")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "step 10: relative_rmse 0.125 (PSNR 31.00 dB, SAM 5.00°), the best so far",
        "warning: here: it is hot. Open a window.",
        "done after 10 steps in 1 min 40 s; best at step 10",
    ]
    out = command("runs", "follow", "first", "--json")[1]
    kinds = [json.loads(line)["event"] for line in out.splitlines()]
    assert kinds == ["validation", "warning", "finished"]


def test_stop_is_a_request(command, refused, make):
    folder = make("first")
    assert "not at work" in refused("runs", "stop", "first")
    folder.write_status("running", 3)
    assert command("runs", "stop", "first")[0] == 0
    assert folder.requested("stop")


def test_differences(command, make):
    make("first", seed=1)
    make("second", seed=2, loss={"sam": 0.5})
    lines = command("runs", "compare", "first", "second")[1].splitlines()
    assert [line.split() for line in lines] == [
        ["setting", "first", "second"],
        ["loss.sam", "0.0", "0.5"],
        ["seed", "1", "2"],
    ]
    found = json.loads(command("runs", "compare", "first", "second", "--json")[1])
    assert found == {"loss.sam": [0.0, 0.5], "seed": [1, 2]}
    assert command("runs", "compare", "first", "first")[1] == "the same settings\n"


def test_removal(command, refused, make):
    folder = make("first")
    folder.write_status("running", 3)
    assert "at work" in refused("runs", "remove", "first")
    folder.write_status("done", 10, 1.0)
    assert command("runs", "remove", "first")[0] == 0
    assert not folder.path.exists()
    assert "no such run" in refused("runs", "remove", "first")


def test_a_run_of_another_version(command, refused, make):
    folder = make("first")
    (folder.path / "run.json").write_text('{"format": 99}')
    assert "format 99" in command("runs")[1]
    assert "format 99" in refused("runs", "show", "first")
    assert "format 99" in refused("train", "--resume", folder.path)
