"""A batch goes on after an error and behind a closed dock, and says what came of each picture."""

import csv
from dataclasses import dataclass, field

import numpy as np
import pytest
from napari.utils import progress
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QLineEdit

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube, write_cube
from napari_gmsr.jobs import Cancelled, Failed, Finished, InlineExecutor, Job, Progress
from napari_gmsr.plugin.batch_widget import BatchWidget
from napari_gmsr.plugin.settings import KeepsSettings

pytestmark = pytest.mark.gui


@dataclass
class Scripted:
    """An executor that waits for the test to say how each picture ends."""

    runs: list = field(default_factory=list)

    def start(self, task, arguments, on_event):
        assert task == "napari_gmsr.jobs.batch_tasks:reconstruct_file"
        job = Job(lambda: None)
        self.runs.append((job, arguments, on_event))
        return job

    def end(self, event):
        job, _, on_event = self.runs[-1]
        job._finish(event)
        on_event(event)

    def finish(self, notes=()):
        cube = SpectralCube(np.full((31, 4, 5), 0.5, np.float32), name="cube")
        write_cube(cube, self.runs[-1][1]["target"], overwrite=True)
        self.end(Finished({"notes": list(notes), "mode": "whole", "checkpoint_sha256": "ab" * 32}))


@pytest.fixture
def executor():
    return Scripted()


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(np.full((8, 9, 3), 100, np.uint8)).save(folder / name)
    return folder


def opened(viewer, executor):
    widget = BatchWidget(viewer, executor)
    viewer.window.add_dock_widget(widget, name="Batch")
    return widget


def choose(widget, folder, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    widget.choose_folder.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    return widget


@pytest.fixture
def widget(viewer, executor, pictures, qtbot, monkeypatch):
    widget = choose(opened(viewer, executor), pictures, qtbot, monkeypatch)
    # What targets need is a folder: the real task makes it.
    (pictures / "cubes").mkdir()
    widget.format.setCurrentIndex(widget.format.findData(".npz"))
    return widget


def column(widget, number):
    return [widget.table.item(row, number).text() for row in range(widget.table.rowCount())]


def wait_for(count, executor, qtbot):
    qtbot.waitUntil(lambda: len(executor.runs) == count, timeout=30_000)


def test_it_says_what_is_missing(viewer, executor, tmp_path, qtbot):
    widget = opened(viewer, executor)
    assert not widget.run.isEnabled()
    assert "Choose a folder" in widget.run.toolTip()
    for name, said in ((tmp_path / "none", "no folder"), (tmp_path, "No picture")):
        widget.folder.setText(str(name))
        widget.folder.editingFinished.emit()
        qtbot.waitUntil(lambda said=said: said in widget.found.text(), timeout=30_000)
        assert not widget.run.isEnabled()


def test_every_control_has_a_tooltip(widget):
    for kind in (QComboBox, QAbstractButton, QLineEdit):
        for control in widget.findChildren(kind):
            assert control.toolTip() or not control.isVisible(), control


def test_it_goes_on_after_an_error_and_writes_the_table(widget, executor, pictures, qtbot):
    assert widget.found.text() == "3 pictures"
    widget.run.click()
    assert column(widget, 1) == ["running", "waiting", "waiting"]
    assert not widget.run.isEnabled()
    executor.runs[0][2](Progress(1, 4))
    qtbot.waitUntil(lambda: column(widget, 1)[0] == "25 %", timeout=30_000)
    executor.finish(["A note."])
    wait_for(2, executor, qtbot)
    executor.end(Failed(InputError("it is damaged", where="b.png", fix="Copy it again.")))
    wait_for(3, executor, qtbot)
    executor.finish()
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    assert column(widget, 1) == ["✓ done", "✗ failed", "✓ done"]
    assert column(widget, 3) == ["A note.", "b.png: it is damaged. Copy it again.", ""]
    assert widget.detail.text() == "b.png: b.png: it is damaged. Copy it again."
    widget.table.setCurrentCell(0, 0)
    assert widget.detail.text() == "a.png: A note."
    assert all(float(seconds) >= 0 for seconds in column(widget, 2))
    assert "2 done, 1 failed" in widget.state.text()
    assert "1 of 3 pictures failed" in str(notification_manager.records[-1].message)
    with (pictures / "cubes" / "batch-results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "failed", "done"]
    assert rows[0]["checkpoint_sha256"] == "ab" * 32
    assert not progress._all_instances


def test_cubes_that_are_there_are_skipped_or_replaced(widget, executor, pictures, qtbot):
    for name in ("a.npz", "c.npz"):
        (pictures / "cubes" / name).touch()
    widget.run.click()
    wait_for(1, executor, qtbot)
    executor.finish()
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    assert column(widget, 1) == ["skipped", "✓ done", "skipped"]
    widget.existing.setCurrentIndex(1)
    widget.run.click()
    assert executor.runs[1][1]["picture"].endswith("a.png")
    assert executor.runs[1][1]["overwrite"]


def test_cancel_keeps_what_is_done(widget, executor, qtbot):
    widget.run.click()
    executor.finish()
    wait_for(2, executor, qtbot)
    widget.cancel.click()
    assert executor.runs[1][0].is_cancelled()
    executor.end(Cancelled())
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    assert column(widget, 1) == ["✓ done", "cancelled", "cancelled"]
    assert len(executor.runs) == 2
    assert widget.run.isEnabled()


def test_closing_the_dock_does_not_stop_it(widget, viewer, executor, qtbot):
    widget.run.click()
    viewer.window.remove_dock_widget(widget)
    executor.finish()
    wait_for(2, executor, qtbot)
    again = opened(viewer, executor)
    qtbot.waitUntil(again.isVisible)
    assert column(again, 1) == ["✓ done", "running", "waiting"]
    executor.finish()
    wait_for(3, executor, qtbot)
    assert column(again, 1)[1] == "✓ done"
    executor.finish()
    qtbot.waitUntil(lambda: not again.busy, timeout=30_000)


def test_closing_the_window_ends_it(widget, viewer, executor, pictures):
    widget.run.click()
    viewer.window.close()
    assert executor.runs[0][0].is_cancelled()
    with (pictures / "cubes" / "batch-results.csv").open(newline="") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {"cancelled"}


def test_a_double_click_opens_the_cube(widget, viewer, executor, qtbot):
    widget.run.click()
    executor.finish()
    wait_for(2, executor, qtbot)
    executor.end(Failed(InputError("no")))
    wait_for(3, executor, qtbot)
    for row in (1, 0):  # a failed one has no cube
        place = widget.table.visualItemRect(widget.table.item(row, 0)).center()
        for click in (qtbot.mouseClick, qtbot.mouseDClick):
            click(widget.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [layer.name for layer in viewer.layers] == ["cube"]
    executor.finish()
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)


def test_real_pictures_of_which_one_is_broken(viewer, pictures, qtbot, monkeypatch, tmp_path):
    """With a real network, below folders, in the format that napari's reader takes by its name."""
    (pictures / "below").mkdir()
    (pictures / "c.png").rename(pictures / "below" / "c.png")
    (pictures / "b.png").write_bytes(b"no picture")
    widget = opened(viewer, InlineExecutor())
    widget.recursive.setChecked(True)
    choose(widget, pictures, qtbot, monkeypatch)
    widget.out.setText(str(tmp_path / "out"))
    widget.format.setCurrentIndex(widget.format.findData(".cube.tif"))
    widget.run.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=120_000)
    assert column(widget, 1) == ["✓ done", "✗ failed", "✓ done"]
    cube = read_cube(tmp_path / "out" / "below" / "c.cube.tif")
    assert cube.shape == (31, 8, 9)
    assert len(cube.provenance["checkpoint_sha256"]) == 64
    widget.table.wanted.emit(str(tmp_path / "out" / "a.cube.tif"))
    assert len(viewer.layers) == 1


def test_settings_are_kept(widget, viewer, executor):
    widget.recursive.setChecked(True)
    widget.existing.setCurrentIndex(1)
    widget.out.setText("/somewhere")
    saved = widget.saved_settings()
    assert isinstance(widget, KeepsSettings)
    other = BatchWidget(viewer, executor)
    other.restore_settings(saved)
    assert other.saved_settings() == saved
    other.close()
