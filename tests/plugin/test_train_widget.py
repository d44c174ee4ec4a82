"""The Train widget in a real window; runs are scripted, questions are answered by the test."""

import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QSlider,
    QTableView,
    QTreeView,
)

import napari_gmsr.jobs
from napari_gmsr.errors import DatasetError, OutputError
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import Cancelled, Failed, Finished, Job, Progress, attach
from napari_gmsr.plugin.reconstruct_widget import ReconstructWidget
from napari_gmsr.plugin.train_widget import TrainWidget
from napari_gmsr.training.config import preset

pytestmark = pytest.mark.gui

MEASURED = {
    "device": "cpu",
    "device_reason": "no GPU",
    "engine": "reference",
    "engine_reason": "plain PyTorch",
    "devices": {"cpu": "x86", "cuda:0": "NVIDIA H100"},
    "patches_per_s": 24.0,
    "peak_bytes": 2**29,
    "free_bytes": 2**34,
    "seconds": 1800.0,
}
SURVEY = {
    "scenes": {"train": 8, "validation": 2, "test": 3},
    "validation": ["wall", "tree"],
    "bands": 31,
    "encoding": "srgb",
    "camera": "srgb",
    "findings": [],
}
NOTE = {"severity": "note", "scene": "", "what": "it is small", "fix": "Add more."}
ERROR = {"severity": "error", "scene": "wall", "what": "it is damaged", "fix": "Get it again."}


@dataclass
class Scripted:
    """Answers what is asked of child processes; a check is answered by the test."""

    survey: object = field(default_factory=lambda: Finished(SURVEY))
    measured: object = field(default_factory=lambda: Finished(MEASURED))
    asked: dict = field(default_factory=dict)
    check: tuple = ()

    def start(self, task, arguments, on_event):
        name = task.rpartition(":")[2]
        self.asked.setdefault(name, []).append(arguments)
        job = Job(lambda: on_event(Cancelled()))
        if name == "check":
            self.check = (on_event,)
        elif name == "picture":
            on_event(Finished(RGBImage(np.full((20, 30, 3), 0.5), name=arguments["scene"])))
        else:
            on_event({"survey": self.survey, "measure": self.measured}[name])
        return job


def wait(condition):
    """Let the window live until something has come true; on a busy machine that may take long."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        QTest.qWait(10)


@pytest.fixture
def executor():
    return Scripted()


@pytest.fixture
def viewer(make_napari_viewer, runs_home):
    notification_manager.records.clear()
    return make_napari_viewer(show=True)


@pytest.fixture
def open_widget(viewer, executor):
    def call():
        widget = TrainWidget(viewer, executor)
        dock = viewer.window.add_dock_widget(widget, name="Train")
        wait(lambda: widget.isVisible() and widget.setup.start.isEnabled())
        return dock, widget

    return call


@pytest.fixture
def widget(open_widget):
    _, widget = open_widget()
    wait(lambda: "Needs about" in widget.setup.preflight.text())
    return widget


@pytest.fixture
def pairs(widget, tmp_path):
    """A widget with a folder of pairs, as the survey says."""
    choose(widget.setup.data.dataset, "pairs")
    widget.setup.data.folder.setText(str(tmp_path))
    wait(lambda: "Looking" not in widget.setup.data.verdict.text())
    return widget


@pytest.fixture
def started(monkeypatch, script):
    """What the widget starts; the test scripts how it goes."""
    runs = []

    def start(config):
        run = script(f"run-{len(runs)}", steps=100)
        runs.append((config, run))
        run.start(notes=("Chosen on the wall.",))
        return attach(run.path)

    monkeypatch.setattr(napari_gmsr.jobs, "start_training", start)
    return runs


@pytest.fixture
def running(widget, started):
    """A widget that has started a run, and the run."""
    QTest.keyClick(widget.setup.start, Qt.Key.Key_Space)
    _, run = started[0]
    wait(lambda: widget.runs.table.current == run.path)
    return widget, run


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))
    assert combo.currentData() == value


def messages():
    return [str(record.message) for record in notification_manager.records]


def drawn(plot):
    """Return the values of a plot's curves that have any."""
    values = [curve.getData()[1] for curve in plot.curves]
    return [value.tolist() for value in values if value is not None and value.size]


# -- setting up


def controls_of(widget):
    """Return what a user can handle, without the parts of it: a spin box's text and the like."""
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QSlider)
    return [
        control
        for kind in (*kinds, QTableView, QTreeView)
        for control in widget.findChildren(kind)
        if not control.objectName().startswith("qt_")
        and not isinstance(control.parent(), QAbstractSpinBox | QComboBox | QTableView)
        and type(control.parent()).__name__ != "QTabBar"
    ]


def test_every_control_has_a_tooltip(pairs):
    controls = controls_of(pairs)
    assert len(controls) > 40
    assert [control for control in controls if not control.toolTip()] == []


def test_the_keyboard_reaches_every_control(pairs):
    pairs.setup.settings.more.expand(animate=False)
    pairs.setup.data.findings.setVisible(True)
    pairs.setup.data.findings.expand(animate=False)
    pairs.runs.log_fold.setVisible(True)
    pairs.runs.log_fold.expand(animate=False)
    reached, at = set(), pairs.nextInFocusChain()
    while at is not pairs:
        if at.focusPolicy() & Qt.FocusPolicy.TabFocus:
            reached.add(at)
        at = at.nextInFocusChain()
    for page in (pairs.setup, pairs.runs):
        pairs.pages.setCurrentWidget(page)
        shown = [control for control in controls_of(page) if control.isVisible()]
        assert len(shown) > 8
        assert [control for control in shown if control not in reached] == []
    assert pairs.pages.tabBar() in reached


def test_a_run_is_started_drawn_and_stopped_by_keys(running):
    widget, run = running
    page = widget.runs
    QTest.keyClick(page.table, Qt.Key.Key_Space)
    assert list(page.table.drawn) == []
    QTest.keyClick(page.table, Qt.Key.Key_Space)
    assert list(page.table.drawn) == [run.path]
    run.step(10, 0.1)
    wait(page.stop.isEnabled)
    QTest.keyClick(page.stop, Qt.Key.Key_Space)
    assert run.folder.requested("stop")
    QTest.keyClick(widget.pages.tabBar(), Qt.Key.Key_Left)
    assert widget.pages.currentWidget() is widget.setup


def test_it_is_ready_without_any_data_of_ones_own(widget, executor):
    assert widget.setup.start.isEnabled()
    assert widget.setup.preflight.text() == (
        "CPU, reference engine: no GPU.\n"
        "About 24 patches a second, 0.5 s a step: about 3,600 steps in 30 min.\n"
        "Needs about 512 MiB of 16.0 GiB free memory."
    )
    assert widget.setup.settings.device.findText("cuda:0: NVIDIA H100") > 0
    assert executor.asked["measure"][-1]["config"]["patch"] == 128


def test_what_is_set_is_what_is_started(widget, started, tmp_path):
    form = widget.setup.settings
    fields = {each.path: each for each in (*form.few, *form.rest)}
    choose(form.unit, "steps")
    form.budget.setValue(250)
    choose(form.device, "cuda:0")
    form.name.setText("mine")
    fields["patch"].set(64)
    fields["optimiser.learning_rate"].set(1e-3)
    fields["loss.sam"].set(0.1)
    fields["ema"].set(None)
    fields["exposure"].set(None)
    choose(widget.setup.data.target, "ntire2020-clean")
    widget.setup.start.click()
    ((config, _),) = started
    assert config == preset(
        "recommended",
        name="mine",
        steps=250,
        device="cuda:0",
        patch=64,
        optimiser={"learning_rate": 1e-3},
        loss={"sam": 0.1},
        ema=None,
        exposure=None,
        dataset={"target": "ntire2020-clean"},
    )


@pytest.mark.parametrize("name", ["recommended", "paper", "official"])
def test_a_preset_is_what_it_is_in_python(pairs, name, tmp_path):
    choose(pairs.setup.settings.preset, name)
    budget = {"minutes": 30} if name == "recommended" else {}
    dataset = {"name": "pairs", "folder": tmp_path}
    assert pairs.setup.config == preset(name, dataset=dataset, **budget)


def test_simulated_scenes_have_no_epochs(widget):
    units = widget.setup.settings.unit
    assert units.findData("epochs") < 0
    choose(widget.setup.data.dataset, "pairs")
    choose(units, "epochs")
    choose(widget.setup.data.dataset, "simulated")
    assert units.currentData() == "minutes"


def test_another_network_takes_its_own_arguments(widget):
    fields = {each.path: each for each in widget.setup.settings.rest}
    fields["network"].set("mstpp")
    assert widget.setup.config.network_arguments == {}


def test_too_much_memory_is_said(widget, executor):
    executor.measured = Finished(MEASURED | {"peak_bytes": 2**35})
    widget.setup.settings.few[1].set(64)
    wait(lambda: "too much" in widget.setup.preflight.text())
    assert "Needs about 32.0 GiB of 16.0 GiB free memory. That is too much" in (
        widget.setup.preflight.text()
    )


def test_a_preflight_that_fails_says_why(widget, executor):
    executor.measured = Failed(DatasetError("it broke", fix="Mend it."))
    widget.setup.settings.few[0].set(64)
    wait(lambda: widget.setup.preflight.text() == "it broke. Mend it.")


def test_a_run_that_cannot_be_made_says_why(widget, monkeypatch):
    def refuse(config):
        raise OutputError("the disk is full", where="runs", fix="Free some space.")

    monkeypatch.setattr(napari_gmsr.jobs, "start_training", refuse)
    widget.setup.start.click()
    assert "the disk is full" in messages()[-1]
    assert widget.pages.currentWidget() is widget.setup


# -- data


def test_without_a_folder_it_says_what_is_missing(widget):
    choose(widget.setup.data.dataset, "pairs")
    assert not widget.setup.start.isEnabled()
    assert "Choose the folder" in widget.setup.start.toolTip()
    assert "pictures and cubes of the same name" in widget.setup.data.verdict.text()


def test_a_folder_is_looked_into(pairs, executor, tmp_path):
    asked = {"name": "pairs", "folder": str(tmp_path), "camera": None}
    assert executor.asked["survey"] == [asked]
    assert pairs.setup.data.verdict.text().startswith(
        "Scenes: 8 for training, 2 for validation, 3 for test. 31 bands;"
    )
    assert pairs.setup.start.isEnabled()


def test_browsing_chooses_the_folder(widget, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    choose(widget.setup.data.dataset, "pairs")
    widget.setup.data.browse.click()
    wait(lambda: "Scenes" in widget.setup.data.verdict.text())


def test_a_wrong_folder_says_why_and_cannot_be_started(widget, executor, tmp_path):
    executor.survey = Failed(DatasetError("the folder is empty", where=tmp_path, fix="Fill it."))
    choose(widget.setup.data.dataset, "pairs")
    widget.setup.data.folder.setText(str(tmp_path))
    wait(lambda: "the folder is empty" in widget.setup.data.verdict.text())
    assert not widget.setup.start.isEnabled()
    assert "Fill it." in widget.setup.start.toolTip()
    executor.survey = Finished(SURVEY)
    widget.setup.data.folder.setText(str(tmp_path.parent))
    wait(widget.setup.start.isEnabled)


def test_the_check_reports_on_the_way_and_shows_its_findings(pairs, executor):
    data = pairs.setup.data
    data.check.click()
    (tell,) = executor.check
    assert executor.asked["check"][0]["patch"] == 128
    tell(Progress(3, 13, "tree"))
    wait(lambda: data.verdict.text() == "Checking 3 of 13: tree")
    assert data.check.text() == "Stop checking"
    assert pairs.setup.start.isEnabled()  # nobody has to wait for it
    tell(Finished([NOTE, ERROR]))
    wait(lambda: data.verdict.text().startswith("Every file was read"))
    assert "1 error, 1 note. Training cannot use it" in data.verdict.text()
    assert data.findings.isExpanded()
    rows = [[data.table.item(r, c).text() for c in range(3)] for r in range(2)]
    assert rows == [["✖", "wall", "it is damaged"], ["•", "all", "it is small"]]
    assert "Get it again." in data.table.item(0, 2).toolTip()
    assert not pairs.setup.start.isEnabled()
    assert "see the findings" in pairs.setup.start.toolTip()


def test_what_a_check_says_of_patches_holds_for_their_size_alone(pairs, executor):
    data, settings = pairs.setup.data, pairs.setup.settings
    data.check.click()
    (tell,) = executor.check
    tell(Finished([ERROR]))
    wait(lambda: not pairs.setup.start.isEnabled())
    assert pairs.setup.preflight.text() == "The data has errors: see the findings above."
    patch = next(field for field in settings.few if field.path == "patch")
    before = patch.get()
    patch.set(64)
    assert pairs.setup.start.isEnabled()
    assert data.verdict.text() == f"Checked for patches of {before} px, and not yet of 64 px."
    assert data.table.rowCount() == 0


def test_the_check_can_be_stopped(pairs, executor):
    data = pairs.setup.data
    data.check.click()
    data.check.click()
    wait(lambda: data.verdict.text() == "The check was stopped.")
    assert data.check.text() == "Check all files"
    assert pairs.setup.start.isEnabled()


def test_another_folder_ends_the_check(pairs, executor, qtbot, tmp_path):
    data = pairs.setup.data
    data.check.click()
    (tell,) = executor.check
    data.folder.setText(str(tmp_path.parent))
    tell(Finished([ERROR]))  # too late
    wait(lambda: data.verdict.text().startswith("Scenes"))
    qtbot.wait(300)
    assert data.verdict.text().startswith("Scenes")
    assert pairs.setup.start.isEnabled()


# -- probe pixels


def test_probe_pixels_are_clicked_into_a_validation_picture(pairs, viewer, started):
    probes = pairs.setup.probes
    choose_text = [probes.scene.itemText(i) for i in range(probes.scene.count())]
    assert choose_text == ["wall", "tree"]
    probes.scene.setCurrentIndex(1)
    probes.choose.click()
    wait(lambda: len(viewer.layers) == 2)
    points = viewer.layers.selection.active
    assert points.mode == "add"
    points.add([[4.4, 7.2], [12, 3], [50, 50]])  # the last lies beside the picture
    assert probes.chosen.text() == "Probe pixels: 2 are chosen."
    pairs.setup.start.click()
    assert started[0][0].probes == (("tree", 4, 7), ("tree", 12, 3))
    del viewer.layers[points.name]
    pairs.pages.setCurrentWidget(pairs.setup)
    assert pairs.setup.config.probes == ()


def test_choosing_again_takes_up_the_points(pairs, viewer):
    probes = pairs.setup.probes
    probes.choose.click()
    wait(lambda: len(viewer.layers) == 2)
    points = viewer.layers.selection.active
    points.mode = "pan_zoom"
    probes.choose.click()
    assert len(viewer.layers) == 2
    assert points.mode == "add"


# -- a run


def test_start_shows_the_run(running):
    widget, run = running
    assert widget.pages.currentWidget() is widget.runs
    assert list(widget.runs.table.drawn) == [run.path]
    wait(lambda: "Chosen on the wall." in widget.runs.notes.text())
    assert widget.runs.stop.isEnabled()
    assert not widget.runs.use_button.isEnabled()
    assert "first validation" in widget.runs.use_button.toolTip()


def test_curves_grow_while_it_trains(running):
    widget, run = running
    curves, page = widget.runs.curves, widget.runs
    page.smoothing.setValue(0)
    run.step(10, 0.1)
    run.step(20, 0.01, loader_share=0.2)
    wait(lambda: drawn(curves.loss) == [[-1.0, -2.0]])
    assert page.status.text() == (
        "step 20, loss 0.01, 10 patches/s, 20% of the time waiting for data, 3 min left"
    )
    assert page.bar.value() == 200
    run.validate(20, psnr=31.5, sam=4.25)
    run.epoch(20, 1)
    wait(lambda: drawn(curves.psnr) == [[31.5]])
    assert drawn(curves.sam) == [[4.25]]
    item = page.table.topLevelItem(0)
    assert [item.text(column) for column in range(1, 4)] == ["running 20%", "31.50", "4.25"]
    assert "1 epoch" in page.status.text()
    page.smoothing.setValue(50)
    faint, smooth = drawn(curves.loss)
    assert faint == [-1.0, -2.0]
    assert smooth == pytest.approx([-1.0, -5 / 3])


def test_spectra_of_probe_pixels_approach_the_truth(running, viewer):
    widget, run = running
    run.preview(10, prediction=0.9)
    run.preview(20, prediction=0.6)
    wait(lambda: "after 20 steps" in widget.runs.place.text())
    levels = sorted({values[0] for values in drawn(widget.runs.probes.spectra)})
    assert levels == [0.25, 0.5, 0.6, 0.9]  # two truths, two predictions
    assert len(viewer.layers) == 0


def test_the_live_band_follows_the_run(running, viewer):
    widget, run = running
    viewer.add_image(np.zeros((4, 4)), name="mine")
    run.preview(10, value=0.1)
    widget.runs.live.setChecked(True)
    wait(lambda: len(viewer.layers) == 3)
    live, truth = viewer.layers["training 550 nm, wall"], viewer.layers["truth 550 nm, wall"]
    assert (live.data.max(), truth.data.max()) == (pytest.approx(0.1), 0.5)
    assert live.contrast_limits == truth.contrast_limits
    assert not truth.visible
    assert viewer.layers.selection.active.name == "mine"
    run.preview(20, value=0.2)
    wait(lambda: live.data.max() == pytest.approx(0.2))
    assert len(viewer.layers) == 3
    widget.runs.live.setChecked(False)
    assert [layer.name for layer in viewer.layers] == ["mine"]


def test_pause_resume_and_stop_ask_the_run(running):
    widget, run = running
    page = widget.runs
    run.step(10)
    wait(lambda: "step 10" in page.status.text())
    page.pause.click()
    assert run.folder.requested("pause")
    assert page.status.text() == "Pausing after this step…"
    assert not page.pause.isEnabled()
    run.pause(11)
    wait(lambda: page.pause.text() == "Resume")
    assert "Paused" in page.status.text()
    page.pause.click()
    assert not run.folder.requested("pause")
    run.resume(11)
    wait(lambda: page.pause.text() == "Pause" and page.pause.isEnabled())
    page.stop.click()
    assert run.folder.requested("stop")
    assert not page.stop.isEnabled()
    run.finish(12, "stopped")
    wait(lambda: "Stopped after" in page.status.text())
    assert page.pause.text() == "Resume"
    assert page.remove.isEnabled()


def test_a_stopped_run_goes_on(running, monkeypatch):
    widget, run = running
    run.step(10, 0.1)
    run.finish(10, "stopped")
    wait(lambda: widget.runs.pause.text() == "Resume")
    resumed = []

    def resume(path):
        resumed.append(path)
        run.start()
        run.resume(5)
        run.step(6, 0.01)
        return attach(path)

    monkeypatch.setattr(napari_gmsr.jobs, "resume_training", resume)
    widget.runs.pause.click()
    assert resumed == [run.path]
    wait(lambda: "step 6" in widget.runs.status.text())
    assert widget.runs.pause.text() == "Pause"


def test_a_failure_shows_the_reason_and_the_end_of_the_log(running):
    widget, run = running
    run.step(2)
    run.fail(3)
    page = widget.runs
    wait(lambda: "Failed" in page.status.text())
    assert page.status.text() == "Failed: step 3: the loss is no number. Ask."
    assert page.log.toPlainText() == "what the process printed"
    assert page.log_fold.isVisible()
    assert page.log_fold.isExpanded()
    assert page.pause.text() == "Resume"


def test_use_this_model_hands_the_best_to_reconstruct(running, viewer):
    widget, run = running
    run.step(10)
    run.validate(10)
    wait(widget.runs.use_button.isEnabled)
    widget.runs.use_button.click()
    _, reconstruct = viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
    assert isinstance(reconstruct, ReconstructWidget)
    assert reconstruct.isVisible()
    assert reconstruct.settings.model == str(run.folder.best_file)


def test_fine_tune_sets_up_a_run_that_starts_from_the_best(running, started):
    widget, run = running
    run.validate(10)
    run.step(10)
    wait(widget.runs.tune.isEnabled)
    widget.runs.tune.click()
    assert widget.pages.currentWidget() is widget.setup
    assert widget.setup.config.start_from == str(run.folder.best_file)
    widget.setup.start.click()
    assert started[1][0].start_from == str(run.folder.best_file)


def test_runs_are_overlaid_and_compared(widget, script):
    for number, patch in enumerate((64, 128)):
        run = script(f"r{number}", patch=patch)
        run.start()
        run.step(10, 10.0**-number)
        run.finish(10)
    page = widget.runs
    page.smoothing.setValue(0)
    widget.pages.setCurrentWidget(page)
    wait(lambda: page.table.topLevelItemCount() == 2)
    for row in range(2):
        page.table.topLevelItem(row).setCheckState(0, Qt.CheckState.Checked)
    wait(lambda: sorted(map(tuple, drawn(page.curves.loss))) == [(-1.0,), (0.0,)])
    colors = list(page.table.drawn.values())
    assert len(set(colors)) == 2
    names = [run.name for run in page.table.runs]
    patches = " | ".join({"r0": "64", "r1": "128"}[name] for name in names)
    assert f"patch: {patches}" in page.differences.text()
    page.table.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert len(drawn(page.curves.loss)) == 1
    assert not page.differences.isVisible()


def test_a_run_is_removed_after_a_question(widget, script, monkeypatch):
    run = script("old")
    run.start()
    run.finish(5)
    run.folder.write_status("done", 5)
    monkeypatch.setattr("napari_gmsr.jobs.training.TrainingJob.alive", False)
    page = widget.runs
    widget.pages.setCurrentWidget(page)
    wait(lambda: page.table.topLevelItemCount() == 1)
    page.table.choose(run.path)
    wait(page.remove.isEnabled)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    page.remove.click()
    assert run.path.exists()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.remove.click()
    assert not run.path.exists()
    wait(lambda: page.table.topLevelItemCount() == 0)
    assert "No runs yet" in page.status.text()


def test_runs_leave_nothing_behind(widget, started, viewer, monkeypatch):
    def callbacks():
        events = viewer.layers.events
        return [len(emitter.callbacks) for emitter in events.emitters.values()]

    def followers():
        return [one for one in threading.enumerate() if "follows" in one.name]

    monkeypatch.setattr("napari_gmsr.jobs.training.TrainingJob.alive", False)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page, before = widget.runs, []
    page.live.setChecked(True)
    for number in range(5):
        widget.pages.setCurrentWidget(widget.setup)
        wait(widget.setup.start.isEnabled)
        widget.setup.start.click()
        run = started[number][1]
        wait(lambda run=run: page.table.current == run.path)
        run.step(10, 0.1)
        run.validate(10)
        run.preview(10)
        run.finish(10, "stopped")
        widget.controller.forget(run.path)  # which was told that its process had died
        widget.controller.follow(run.path)
        wait(lambda: len(viewer.layers) == 2)
        wait(page.remove.isEnabled)
        page.remove.click()
        wait(lambda: page.table.topLevelItemCount() == 0)
        assert len(viewer.layers) == 0
        wait(lambda: not followers())
        before.append(callbacks())
    assert before[1:] == before[:-1]
    assert len(page.curves.loss.curves) == len(page.probes.spectra.curves) == 0


# -- what outlives what


def test_a_closed_dock_goes_on_where_it_was(open_widget, started, viewer):
    dock, widget = open_widget()
    widget.setup.start.click()
    run = started[0][1]
    run.step(10, 0.1)
    wait(lambda: "step 10" in widget.runs.status.text())
    dock.hide()
    run.step(20, 0.01)
    dock.show()
    wait(lambda: "step 20" in widget.runs.status.text())
    viewer.window.remove_dock_widget(dock)
    run.step(30, 0.01)
    _, again = open_widget()
    assert again.pages.currentWidget() is again.runs
    wait(lambda: again.runs.table.current == run.path)
    assert list(again.runs.table.drawn) == [run.path]
    wait(lambda: "step 30" in again.runs.status.text())


def test_a_running_training_is_found_again(script, open_widget):
    run = script("long")
    run.start()
    run.step(10, 0.1)
    done = script("over")
    done.start()
    done.finish(5)
    _, widget = open_widget()
    wait(widget.attach.isVisible)
    assert widget._found.text() == "1 training is running."
    widget.attach.click()
    assert not widget.attach.isVisible()
    wait(lambda: widget.runs.table.current == run.path)
    run.step(20, 0.1)
    wait(lambda: "step 20" in widget.runs.status.text())


def test_closing_the_window_leaves_the_run_alone(open_widget, started, viewer):
    _, widget = open_widget()
    widget.setup.start.click()
    run = started[0][1]
    controller = widget.controller
    wait(lambda: controller.history(run.path) is not None)
    viewer.close()
    wait(lambda: controller.history(run.path) is None)
    assert not run.folder.requested("stop")
