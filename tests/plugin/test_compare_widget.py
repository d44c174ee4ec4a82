"""Several models on one picture: each a cube and a row, and one that fails stops no other."""

import csv
import io
from dataclasses import dataclass, field

import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from napari.utils import progress
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import notification_manager
from PIL import Image as PILImage
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QListWidget

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import CheckpointError
from napari_gmsr.jobs import Cancelled, Failed, Finished, InlineExecutor, Job, Progress
from napari_gmsr.plugin.compare_widget import CompareWidget
from napari_gmsr.plugin.layers import add_cube, cube_layers, show_band
from napari_gmsr.plugin.settings import KeepsSettings
from napari_gmsr.weights import ModelCard

pytestmark = pytest.mark.gui
in_window = pytest.mark.usefixtures("make_napari_viewer")

PIXELS = np.random.default_rng(0).integers(1, 256, (12, 16, 3), dtype=np.uint8)
KEY = coerce_keybinding("K")
COST = {"parameters": 1234, "macs": 5_000_000_000, "macs_paper": 1, "states": 0}


def cube_of(value, name="photo [model]", shape=(12, 16)):
    ramp = np.linspace(0.5, 1, 31, dtype=np.float32)[:, None, None]
    return SpectralCube(np.full((31, *shape), value, np.float32) * ramp, name=name)


@dataclass
class Scripted:
    """An executor that knows what a checkpoint costs, and waits to hear how each run ends."""

    runs: list = field(default_factory=list)
    unreadable: tuple = ()

    def start(self, task, arguments, on_event):
        job = Job(lambda: None)
        if task.endswith(":model_cost"):
            assert arguments["height"] == 12
            assert arguments["width"] == 16
            self.read(job, arguments["model"], on_event)
        else:
            assert task == "napari_gmsr.jobs.tasks:reconstruct"
            self.runs.append((job, arguments(), on_event))
        return job

    def read(self, job, model, on_event):
        nm = tuple(WAVELENGTHS_NM.tolist())
        card = ModelCard(name=model, network="gmsr", wavelengths_nm=nm, encoding="linear")
        end = Finished({"card": card, **COST})
        if model in self.unreadable:
            end = Failed(CheckpointError("no checkpoint", where=model, fix="Choose another."))
        job._finish(end)
        on_event(end)

    def end(self, event):
        job, _, on_event = self.runs[-1]
        job._finish(event)
        on_event(event)

    def finish(self, value):
        model = self.runs[-1][1]["model"]
        self.end(Finished(cube_of(value, f"photo [{model}]")))


@pytest.fixture
def executor():
    return Scripted()


@pytest.fixture
def viewer(request):
    """A viewer with a window only where docks are the point."""
    if "make_napari_viewer" in request.fixturenames:
        return request.getfixturevalue("make_napari_viewer")(show=True)
    return ViewerModel()


def opened(viewer, executor, qtbot):
    widget = CompareWidget(viewer, executor)
    if isinstance(viewer, Viewer):
        viewer.window.add_dock_widget(widget, name="Compare models")
    else:
        qtbot.addWidget(widget)
        widget.show()
    qtbot.waitUntil(widget.isVisible, timeout=30_000)
    return widget


@pytest.fixture
def widget(viewer, executor, qtbot):
    viewer.add_image(PIXELS, rgb=True, name="photo")
    widget = opened(viewer, executor, qtbot)
    widget.models.choose(["a", "b", "c"])
    return widget


def wait_for(count, executor, qtbot):
    qtbot.waitUntil(lambda: len(executor.runs) == count, timeout=30_000)


def wait_for_end(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)


def column(widget, number):
    return [widget.table.item(row, number).text() for row in range(widget.table.rowCount())]


def run_two(widget, executor, qtbot, values=(0.5, 0.75)):
    """Compare two models, and return their cubes' layers."""
    widget.models.choose(["a", "b"])
    widget.run.click()
    for count, value in enumerate(values, start=1):
        wait_for(count, executor, qtbot)
        executor.finish(value)
    wait_for_end(widget, qtbot)
    return widget.cubes


def test_it_says_what_is_missing(viewer, executor, qtbot):
    widget = opened(viewer, executor, qtbot)
    assert not widget.run.isEnabled()
    assert "Open a colour picture" in widget.run.toolTip()
    viewer.add_image(PIXELS, rgb=True, name="photo")
    assert widget.run.isEnabled()
    widget.models.choose([])
    assert not widget.run.isEnabled()
    assert "Tick" in widget.run.toolTip()
    assert not widget.curves.isEnabled()
    assert not widget.errors.isEnabled()
    for button in (widget.pair.flicker, widget.pair.subtract):
        button.click()
        assert "two different cubes are needed" in str(notification_manager.records[-1].message)
    fields = (widget.picture, widget.truth, widget.pair.first)
    qtbot.waitUntil(
        lambda: len({field.mapTo(widget, field.rect().topLeft()).x() for field in fields}) == 1,
        timeout=30_000,
    )
    assert isinstance(widget, KeepsSettings)
    for kind in (QComboBox, QAbstractButton, QListWidget):
        for control in widget.findChildren(kind):
            assert control.toolTip() or not control.isVisible(), control


def test_each_model_gives_a_cube_and_one_that_fails_stops_no_other(widget, viewer, executor, qtbot):
    executor.unreadable = ("b",)
    add_cube(viewer, cube_of(0.5, "truth"))
    widget.run.click()
    wait_for(1, executor, qtbot)
    assert not widget.run.isEnabled()
    assert executor.runs[0][1]["rgb"].encoding == "srgb"
    executor.runs[0][2](Progress(1, 4))
    qtbot.waitUntil(lambda: column(widget, 1)[0] == "25 %", timeout=30_000)
    executor.finish(0.5)
    wait_for(2, executor, qtbot)
    assert executor.runs[1][1]["model"] == "c"
    executor.finish(0.75)
    wait_for_end(widget, qtbot)
    assert column(widget, 1) == ["✓ done", "✗ failed", "✓ done"]
    assert column(widget, 2) == ["1,234", "", "1,234"]
    assert column(widget, 3) == ["5", "", "5"]
    assert [one.name for one in widget.cubes] == ["photo [a]", "photo [c]"]
    assert "✗ b: No checkpoint. Choose another." in widget.state.text()
    assert "1 of 3 models failed" in str(notification_manager.records[-1].message)
    rmse = 0.25 * np.sqrt(np.mean(np.linspace(0.5, 1, 31) ** 2))
    assert column(widget, 5) == ["★ 0.0000", "", f"{rmse:.4f}"]
    assert widget.table.item(0, 5).font().bold()
    assert not widget.table.item(2, 5).font().bold()
    widget.copy.click()
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert [row["model"] for row in rows] == ["a", "b", "c"]
    assert float(rows[2]["rmse"]) == pytest.approx(rmse, rel=1e-5)
    assert rows[2]["macs"] == "5000000000"
    assert rows[1]["rmse"] == ""
    assert rows[1]["message"] == "No checkpoint. Choose another."
    assert not progress._all_instances


def test_the_best_is_shown_again_with_the_dock_and_by_the_other_set(
    widget, viewer, executor, qtbot
):
    add_cube(viewer, cube_of(0.5, "truth"))
    run_two(widget, executor, qtbot, values=(0.75, 0.6))
    assert [text.startswith("★") for text in column(widget, 6)] == [False, True]
    widget.hide()
    widget.show()
    assert not widget.busy
    assert column(widget, 6)[1].startswith("★")
    widget.metrics.setCurrentIndex(widget.metrics.findData("standard"))
    assert column(widget, 5)[1].startswith("★")


def test_cancel_keeps_the_cubes_that_are_there(widget, executor, qtbot):
    widget.run.click()
    wait_for(1, executor, qtbot)
    executor.finish(0.5)
    wait_for(2, executor, qtbot)
    widget.cancel.click()
    assert executor.runs[1][0].is_cancelled()
    executor.end(Cancelled())
    wait_for_end(widget, qtbot)
    assert column(widget, 1) == ["✓ done", "cancelled", "cancelled"]
    assert len(widget.cubes) == 1
    assert widget.run.isEnabled()


@in_window
def test_it_goes_on_behind_a_closed_dock(widget, viewer, executor, qtbot):
    widget.models.choose(["a", "b"])
    widget.run.click()
    wait_for(1, executor, qtbot)
    viewer.window.remove_dock_widget(widget)
    executor.finish(0.5)
    wait_for(2, executor, qtbot)
    again = opened(viewer, executor, qtbot)
    assert column(again, 1) == ["✓ done", "running"]
    executor.finish(0.75)
    wait_for_end(again, qtbot)
    assert len(again.cubes) == 2
    widget.deleteLater()


def test_it_waits_for_a_run_of_another_widget(widget, executor, qtbot):
    from napari_gmsr.jobs import Settings
    from napari_gmsr.plugin.pictures import LayerPicture

    controller = widget.controller
    other = controller._reconstruction
    other.start(LayerPicture(PIXELS, "other"), Settings(), "srgb")
    widget.models.choose(["a"])
    widget.run.click()
    qtbot.waitUntil(lambda: column(widget, 2) == ["1,234"], timeout=30_000)
    assert len(executor.runs) == 1
    executor.finish(0.5)
    wait_for(2, executor, qtbot)
    assert executor.runs[1][1]["model"] == "a"
    executor.finish(0.5)
    wait_for_end(widget, qtbot)
    assert column(widget, 1) == ["✓ done"]


def test_a_truth_of_another_size_is_told(widget, viewer, executor, qtbot):
    truth = add_cube(viewer, cube_of(0.5, "truth", shape=(5, 6)))
    run_two(widget, executor, qtbot)
    assert widget.truth.layer is None
    assert not widget.errors.isEnabled()
    widget.truth.choose(truth)
    assert "2 of the cubes differ from 'truth'" in widget.state.text()
    assert column(widget, 5) == ["", ""]
    viewer.layers.remove(truth)
    assert widget.state.text() == ""


def test_a_removed_cube_leaves_its_row_without_errors(widget, viewer, executor, qtbot):
    add_cube(viewer, cube_of(0.5, "truth"))
    first, _ = run_two(widget, executor, qtbot)
    viewer.layers.remove(first)
    wait_for_end(widget, qtbot)
    assert column(widget, 1) == ["✓ done", "✓ done"]
    assert column(widget, 5)[0] == ""
    # A best needs another beside it.
    assert not column(widget, 5)[1].startswith("★")


@in_window
def test_the_flicker_shows_one_at_a_time_and_gives_all_back(widget, viewer, executor, qtbot):
    truth = add_cube(viewer, cube_of(0.5, "truth"))
    first, second = run_two(widget, executor, qtbot)
    assert (widget.pair.first.layer, widget.pair.second.layer) == (first, second)
    canvas = viewer.window._qt_viewer.canvas.native
    for shown in (first, second, first):
        qtbot.keyClick(canvas, Qt.Key.Key_K)
        assert [one for one in cube_layers(viewer.layers) if one.visible] == [shown]
    viewer.window.remove_dock_widget(widget)
    assert truth.visible
    assert first.visible
    assert second.visible
    assert KEY not in viewer.keymap


def test_the_difference_follows_the_slider(widget, viewer, executor, qtbot):
    first, second = run_two(widget, executor, qtbot)
    show_band(first, viewer.dims, 0)
    widget.pair.subtract.click()
    layer = viewer.layers[f"{first.name} − {second.name}"]
    assert viewer.layers[-1] is layer
    np.testing.assert_allclose(layer.data, -0.125, rtol=1e-6)
    show_band(first, viewer.dims, 30)
    np.testing.assert_allclose(layer.data, -0.25, rtol=1e-6)
    low, high = layer.contrast_limits
    assert low == -high
    assert high == pytest.approx(0.25, rel=0.02)
    widget.pair.first.choose(second)
    widget.pair.second.choose(first)
    widget.pair.subtract.click()
    assert layer not in viewer.layers
    turned = viewer.layers[f"{second.name} − {first.name}"]
    np.testing.assert_allclose(turned.data, 0.25, rtol=1e-6)
    viewer.layers.remove(first)
    show_band(second, viewer.dims, 3)
    np.testing.assert_allclose(turned.data, 0.25, rtol=1e-6)


@in_window
def test_all_curves_and_error_maps_at_one_click(widget, viewer, executor, qtbot):
    truth = add_cube(viewer, cube_of(0.6, "truth"))
    first, second = run_two(widget, executor, qtbot)
    widget.curves.click()
    _, spectra = viewer.window.add_plugin_dock_widget("napari-gmsr", "Spectra")
    assert spectra.choices.prediction.layer is first
    assert spectra.choices.others.layers == [second]
    assert spectra.choices.truth.layer is truth
    widget.errors.click()
    _, maps = viewer.window.add_plugin_dock_widget("napari-gmsr", "Error maps")
    qtbot.waitUntil(lambda: not maps.busy, timeout=30_000)
    shown = [viewer.layers[f"{one.name} RMSE"] for one in (first, second)]
    assert shown[0].contrast_limits == shown[1].contrast_limits
    assert viewer.canvas.grid.enabled
    widget.pair.flicker.click()
    assert not viewer.canvas.grid.enabled
    assert [one for one in viewer.layers if one.visible] == [first]
    widget.pair.end()
    assert all(one.visible for one in viewer.layers)


def test_settings_are_kept(widget, viewer, executor, tmp_path):
    widget.models.choose(["a", str(tmp_path / "mine.safetensors")])
    widget.metrics.setCurrentIndex(1)
    saved = widget.saved_settings()
    other = CompareWidget(viewer, executor)
    other.restore_settings(saved)
    assert set(other.models.models) == {"a", str(tmp_path / "mine.safetensors")}
    assert other.metrics.currentData() == "standard"
    other.restore_settings({"models": 3, "metrics": None})
    assert other.metrics.currentData() == "standard"
    other.deleteLater()


def test_files_are_added_to_what_is_ticked(widget, monkeypatch, tmp_path):
    file = str(tmp_path / "mine.pth")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([file], ""))
    widget.models.add_files.click()
    assert set(widget.models.models) == {"a", "b", "c", file}
    item = widget.models.list.item(widget.models.list.count() - 1)
    assert item.text() == "mine.pth"
    item.setCheckState(Qt.CheckState.Unchecked)
    assert set(widget.models.models) == {"a", "b", "c"}


def test_a_studys_report_is_shown_in_the_grid(widget, viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget.report.click()
    assert "no figures of a study" in str(notification_manager.records[-1].message)
    (tmp_path / "report").mkdir()
    for name in ("bubbles", "curves"):
        PILImage.fromarray(PIXELS).save(tmp_path / "report" / f"{name}.png")
    widget.report.click()
    assert [one.name for one in viewer.layers[-2:]] == ["bubbles", "curves"]
    assert viewer.canvas.grid.enabled
    assert not viewer.layers["photo"].visible
    viewer.canvas.grid.enabled = False
    assert viewer.layers["photo"].visible


def test_real_checkpoints_a_network_and_a_baseline(viewer, tmp_path, qtbot):
    import torch

    from napari_gmsr.networks import create
    from napari_gmsr.weights import save_checkpoint

    torch.manual_seed(0)
    files = []
    for name, arguments in (("gmsr", {"widths": [31]}), ("rootpoly", {})):
        card = ModelCard(
            name=f"tiny {name}",
            network=name,
            arguments=arguments,
            wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
            encoding="linear",
        )
        file = tmp_path / f"{name}.safetensors"
        files.append(str(save_checkpoint(create(name, **arguments), card, file)))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"none")
    viewer.add_image(PIXELS, rgb=True, name="photo")
    widget = opened(viewer, InlineExecutor(), qtbot)
    widget.models.choose([files[0], str(damaged), files[1]])
    widget.run.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
    # The list keeps its order; ticking says nothing of one.
    assert sorted(column(widget, 1)) == ["✓ done", "✓ done", "✗ failed"]
    assert {one.name for one in widget.cubes} == {"photo [tiny gmsr]", "photo [tiny rootpoly]"}
    assert all(float(text) > 0 for text in column(widget, 3) if text)
