"""The run's folder: made, opened, spoken to; events of a crash; what others may not do."""

import os
from pathlib import Path

import pytest
from small_runs import small

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.training import RunFolder, default_root, new_run_path
from napari_gmsr.training import events as ev


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs" / "run", small())


def test_it_keeps_the_configuration(folder: RunFolder) -> None:
    assert RunFolder.open(folder.path).config() == small()


def test_a_folder_in_use_is_refused(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds a run"):
        RunFolder.create(folder.path, small())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputError, match="not empty"):
        RunFolder.create(tmp_path / "mine", small())
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(OutputError, match="cannot be made"):
        RunFolder.create(tmp_path / "mine" / "thesis.txt" / "run", small())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no training run"),
        ("{", "no training run"),
        ("[1]", "no training run"),
        ('{"epochs": 3}', "no training run"),
        ('{"format": 2}', "format 2"),
    ],
)
def test_another_folder_is_not_opened(folder: RunFolder, content: str | None, says: str) -> None:
    (folder.path / "run.json").unlink()
    if content is not None:
        (folder.path / "run.json").write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        RunFolder.open(folder.path)
    assert caught.value.where == str(folder.path)
    assert caught.value.fix


def test_events_come_back_over_a_line_that_a_crash_cut_off(folder: RunFolder) -> None:
    first, second, third = (ev.Paused(time=1.0, step=step) for step in (1, 2, 3))
    assert list(folder.events()) == []
    folder.append(first)
    folder.append(second)
    content = folder.events_file.read_bytes()
    folder.events_file.write_bytes(content[:-9])
    assert list(folder.events()) == [first]
    folder.append(third)
    assert list(folder.events()) == [first, third]


def test_requests_are_files(folder: RunFolder) -> None:
    for what in ("stop", "pause"):
        assert not folder.requested(what)
        folder.withdraw(what)
        folder.request(what)
        folder.request(what)
        assert folder.requested(what)
        folder.withdraw(what)
        assert not folder.requested(what)


def test_the_status_says_who(folder: RunFolder) -> None:
    assert folder.status() is None
    folder.write_status("running", 3, 0.25)
    status = folder.status()
    assert status is not None
    assert (status.state, status.step, status.done) == ("running", 3, 0.25)
    assert status.pid == os.getpid()
    for content in ("", "{}", "[]", '{"state": "running", "mood": 1}'):
        (folder.path / "status.json").write_text(content)
        assert folder.status() is None


def test_the_lock_is_one_jobs(folder: RunFolder) -> None:
    with folder.locked():
        assert folder.is_locked()
        with pytest.raises(InputError, match="another job"), folder.locked():
            pytest.fail("two jobs have it")
    assert not folder.is_locked()


def test_new_runs_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path)
    config = small(name="Blätter, grün: 2")
    paths = set()
    for _ in range(3):
        path = new_run_path(config)
        RunFolder.create(path, config)
        paths.add(path)
    assert len(paths) == 3
    assert {path.parent for path in paths} == {default_root()} == {tmp_path / "runs"}
    assert all(path.name.startswith("Blätter-grün-2-") for path in paths)
    assert new_run_path(small(name="..."), tmp_path).name.startswith("run-")
