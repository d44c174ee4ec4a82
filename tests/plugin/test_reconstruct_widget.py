import subprocess
import sys
import textwrap
from dataclasses import dataclass, field

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils import progress
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QMainWindow, QPushButton

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import CheckpointError, InputError
from napari_gmsr.jobs import (
    Cancelled,
    Failed,
    Finished,
    Job,
    Preflight,
    Progress,
    Settings,
    Started,
)
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.pictures import picture_of_layer
from napari_gmsr.plugin.reconstruct_widget import ReconstructWidget
from napari_gmsr.plugin.reconstruction import ReconstructionController
from napari_gmsr.weights import ModelCard, save_checkpoint

pytestmark = pytest.mark.gui

CARD = ModelCard(
    name="mine",
    summary="For tests.",
    network="gmsr",
    wavelengths_nm=tuple(WAVELENGTHS_NM),
    encoding="linear",
    not_for=("anything else",),
)
SAYS = "CPU: no GPU.\nScan engine cpu: fast."
RGB = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


@dataclass
class Scripted:
    """An executor that answers preflights, and plays runs as the test says."""

    refusal: Exception | None = None
    asked: list = field(default_factory=list)
    runs: list = field(default_factory=list)

    def start(self, task, arguments, on_event):
        if task.endswith(":preflight"):
            self.asked.append(arguments)
            answer = self._answer(arguments)
            on_event(answer)
            return Job()
        job = Job()
        self.runs.append((job, arguments, on_event))
        on_event(Started())
        return job

    def _answer(self, asked):
        if self.refusal is not None:
            return Failed(self.refusal)
        known = {
            "device": "cpu",
            "device_reason": "no GPU",
            "engine": "cpu",
            "engine_reason": "fast",
        }
        devices = {"cpu": "x86", "cuda:0": "NVIDIA H100"}
        if asked["shape"] is None:
            return Finished(Preflight(CARD, **known, devices=devices))
        plan = {"mode": "tiled", "mode_reason": "asked for", "runs": 6, "free_bytes": 2**34}
        return Finished(Preflight(CARD, **known, **plan, peak_bytes=2**29, devices=devices))

    @property
    def job(self):
        return self.runs[-1][0]

    def picture(self):
        return self.runs[-1][1]()["rgb"]

    def emit(self, event):
        job, _, on_event = self.runs[-1]
        if isinstance(event, Finished | Failed | Cancelled):
            job._finish(event)
        on_event(event)

    def finish(self, **fields):
        picture = self.picture()
        ramp = np.arange(31, dtype=np.float32)[:, None, None] / 31
        data = np.broadcast_to(ramp, (31, *picture.shape))
        fields = {"name": f"{picture.name} [mine]", "provenance": {"notes": picture.notes}} | fields
        self.emit(Finished(SpectralCube(data, **fields)))


@pytest.fixture
def executor():
    return Scripted()


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def widget(viewer, executor, qtbot, tmp_path):
    widget = ReconstructWidget(viewer, executor)
    viewer.window.add_dock_widget(widget, name="Reconstruct")
    widget.choose_checkpoint(tmp_path / "mine.safetensors")
    qtbot.waitUntil(lambda: bool(executor.asked) and widget.device_reason.text() == SAYS)
    return widget


@pytest.fixture
def ready(widget, viewer, executor, qtbot):
    """A widget with a picture, whose preflight is back."""
    viewer.add_image(RGB, name="photo")
    qtbot.waitUntil(lambda: bool(widget.plan.text()))
    return widget


def wait_for_the_end(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.controller.running)


def messages():
    return [str(record.message) for record in notification_manager.records]


def test_without_layers_it_says_to_open_a_picture(widget):
    assert not widget.run.isEnabled()
    assert "Open a picture first" in widget.run.toolTip()
    assert "open a picture" in widget.picture.currentText()


def test_grey_layers_are_not_offered(widget, viewer):
    viewer.add_image(RGB[..., 0], name="grey")
    viewer.add_points(np.zeros((1, 2)))
    assert widget.layer is None
    assert "no RGB layer" in widget.picture.currentText()
    assert "open a colour picture" in widget.run.toolTip()


def test_every_control_has_a_tooltip(ready):
    controls = [*ready.findChildren(QComboBox), *ready.findChildren(QAbstractButton)]
    assert len(controls) >= 7
    assert [control for control in controls if not control.toolTip()] == []


def test_the_preflight_is_shown_before_the_run(ready, executor):
    assert executor.asked[-1]["shape"] == (32, 48)
    assert ready.plan.text() == (
        "Tiles, 6 runs of the network: needs about 512 MiB of 16.0 GiB free memory."
    )
    assert ready.device_reason.text() == SAYS
    assert ready.card.text() == "For tests."
    assert "Not for: anything else" in ready.card.toolTip()
    assert ready.device.findText("cuda:0: NVIDIA H100") > 0


def test_settings_reach_the_job(ready, executor, qtbot):
    ready.mode.setCurrentIndex(ready.mode.findData("paper"))
    ready.device.setCurrentIndex(ready.device.findData("cuda:0"))
    ready.ensemble.setChecked(True)
    qtbot.waitUntil(lambda: executor.asked[-1]["ensemble"])
    ready.run.click()
    arguments = executor.runs[-1][1]()
    assert (arguments["mode"], arguments["device"], arguments["ensemble"]) == (
        "paper",
        "cuda:0",
        True,
    )
    assert arguments["model"].endswith("mine.safetensors")


def test_the_cube_appears_as_a_layer_in_nanometres(ready, viewer, executor, qtbot):
    ready.run.click()
    executor.finish()
    wait_for_the_end(ready, qtbot)
    layer = viewer.layers[-1]
    assert layer.name == "photo [mine]"
    assert viewer.layers.selection.active is layer
    assert layer.data.shape == (31, 32, 48)
    assert layer.axis_labels == ("wavelength", "y", "x")
    assert [str(unit) for unit in layer.units] == ["nanometer", "pixel", "pixel"]
    np.testing.assert_allclose(layer.scale, (10, 1, 1))
    np.testing.assert_allclose(layer.translate, (400, 0, 0))
    assert viewer.dims.point[0] == 550
    assert ready.status.text() == "Added photo [mine]."


def test_the_readout_follows_the_slider_in_nm_and_in_colour(ready, viewer, executor, qtbot):
    ready.run.click()
    executor.finish()
    wait_for_the_end(ready, qtbot)
    assert ready.band.wavelength.text() == "550 nm"
    viewer.dims.set_current_step(0, 14)
    assert ready.band.wavelength.text() == "540 nm"
    assert ready.band.layer_name.text() == "band 15 of 31, photo [mine]"
    red, green, blue = swatch(ready)
    assert green > max(red, blue)
    viewer.dims.set_current_step(0, 25)
    assert ready.band.wavelength.text() == "650 nm"
    red, green, blue = swatch(ready)
    assert red > max(green, blue)
    del viewer.layers["photo [mine]"]
    assert ready.band.wavelength.text() == "– nm"


def swatch(widget):
    colour = widget.band.swatch.grab().toImage().pixelColor(20, 20)
    return colour.red(), colour.green(), colour.blue()


def test_uneven_wavelengths_are_looked_up(ready, viewer, executor, qtbot):
    wavelengths = np.r_[400:700:10, 730].astype(float)
    ready.run.click()
    executor.finish(wavelengths_nm=wavelengths)
    wait_for_the_end(ready, qtbot)
    assert ready.band.wavelength.text() == "550 nm"
    viewer.dims.set_current_step(0, 30)
    assert ready.band.wavelength.text() == "730 nm"


@pytest.mark.parametrize(
    ("data", "encoding", "bits"),
    [
        (RGB, "srgb", 8),
        (RGB.astype(np.uint16) * 257, "srgb", 16),
        (RGB.astype(np.float32) / 255, "linear", 32),
        (RGB.astype(np.float64) / 255, "linear", 32),
        (np.dstack([RGB, np.full((32, 48), 255, np.uint8)]), "srgb", 8),
    ],
    ids=["uint8", "uint16", "float32", "float64", "opaque RGBA"],
)
def test_every_kind_of_rgb_layer_becomes_the_same_picture(
    widget, viewer, executor, data, encoding, bits
):
    viewer.add_image(data, name="photo", rgb=True)
    widget.run.click()
    picture = executor.picture()
    np.testing.assert_allclose(picture.data, RGB / np.float32(255), atol=1e-6)
    assert (picture.encoding, picture.bit_depth, picture.name) == (encoding, bits, "photo")
    assert picture.notes == ()


def test_transparent_parts_are_laid_over_black_and_noted(ready, viewer, executor, qtbot):
    half = np.dstack([np.full((32, 48, 3), 200, np.uint8), np.full((32, 48), 51, np.uint8)])
    viewer.add_image(half, name="ghost")
    ready.run.click()
    picture = executor.picture()
    np.testing.assert_allclose(picture.data, 200 / 255 * 0.2, atol=1e-6)
    executor.finish()
    wait_for_the_end(ready, qtbot)
    assert ready.notes.text() == "• Transparent parts were laid over black."


def test_of_a_stack_the_shown_picture_is_taken(widget, viewer, executor):
    stack = np.stack([RGB, 255 - RGB, RGB // 2])
    viewer.add_image(stack, name="film")
    viewer.dims.set_current_step(0, 1)
    widget.run.click()
    picture = executor.picture()
    np.testing.assert_allclose(picture.data, (255 - RGB) / np.float32(255), atol=1e-6)
    assert picture.notes == ("Of the stack of 3 pictures, number 1 was taken.",)


def test_of_a_pyramid_the_full_resolution_is_taken(widget, viewer, executor):
    viewer.add_image([RGB, RGB[::2, ::2]], name="pyramid", multiscale=True, rgb=True)
    widget.run.click()
    assert executor.picture().shape == (32, 48)


def test_a_lazy_layer_is_computed_in_the_jobs_thread(widget, viewer, executor, qtbot):
    import dask.array as da

    computed = []
    lazy = da.from_array(RGB).map_blocks(lambda block: computed.append(1) or block, dtype="uint8")
    viewer.add_image(lazy, name="lazy", rgb=True)
    qtbot.waitUntil(lambda: not widget.findings.busy, timeout=60_000)
    computed.clear()
    widget.run.click()
    assert computed == []
    np.testing.assert_allclose(executor.picture().data, RGB / np.float32(255), atol=1e-6)


def test_pixels_of_an_unknown_scale_fail_with_the_fix(ready, viewer, executor, qtbot):
    viewer.add_image(RGB.astype(np.int32), name="signed", rgb=True)
    ready.run.click()
    with pytest.raises(InputError, match="int32"):
        executor.picture()


def test_the_cube_lies_on_its_picture(widget, viewer, executor, qtbot):
    viewer.add_image(RGB, name="photo", scale=(0.5, 0.5), translate=(3, 4))
    widget.run.click()
    executor.finish()
    wait_for_the_end(widget, qtbot)
    np.testing.assert_allclose(viewer.layers[-1].scale, (10, 0.5, 0.5))
    np.testing.assert_allclose(viewer.layers[-1].translate, (400, 3, 4))


def test_the_spread_of_an_ensemble_is_a_hidden_layer_below(ready, viewer, executor, qtbot):
    ready.run.click()
    executor.finish(spread=np.full((31, 32, 48), 0.1, np.float32))
    wait_for_the_end(ready, qtbot)
    assert [layer.name for layer in viewer.layers] == [
        "photo",
        "photo [mine] spread",
        "photo [mine]",
    ]
    assert [layer.visible for layer in viewer.layers] == [True, False, True]


def test_progress_is_in_the_activity_dock_and_in_the_widget(ready, executor, qtbot):
    ready.run.click()
    assert not ready.run.isEnabled()
    assert ready.cancel.isEnabled()
    executor.emit(Progress(2, 5, "2 of 5 tiles"))
    qtbot.waitUntil(lambda: ready.bar.value() == 2)
    (bar,) = progress._all_instances
    assert (bar.n, bar.total, bar.desc.rstrip(": ")) == (2, 5, "Reconstructing photo")
    assert ready.status.text() == "2 of 5 tiles"
    executor.finish()
    wait_for_the_end(ready, qtbot)
    assert not progress._all_instances
    assert not ready.bar.isVisible()
    assert ready.run.isEnabled()
    assert not ready.cancel.isEnabled()


def test_of_a_single_tile_the_bar_only_shows_that_something_moves(ready, executor, qtbot):
    ready.run.click()
    executor.emit(Progress(0, 1, "0 of 1 tile"))
    qtbot.waitUntil(lambda: progress._all_instances.copy().pop().total == 1)
    assert (ready.bar.minimum(), ready.bar.maximum()) == (0, 0)
    assert ready.status.text() == "Reconstructing photo…"
    executor.emit(Progress(0, 1, "Compiling kernels for this card, once…"))
    qtbot.waitUntil(lambda: ready.status.text() == "Compiling kernels for this card, once…")
    executor.finish()
    wait_for_the_end(ready, qtbot)


def test_a_second_cube_is_told_by_its_layers_name(ready, executor, qtbot):
    for name in ("photo [mine]", "photo [mine] [1]"):
        ready.run.click()
        executor.finish()
        wait_for_the_end(ready, qtbot)
        assert ready.status.text() == f"Added {name}."


def test_cubes_of_one_picture_are_shown_under_one_contrast(ready, viewer, executor, qtbot):
    truth = SpectralCube(np.full((31, 32, 48), 0.25), name="photo truth")
    other = SpectralCube(np.full((31, 32, 48), 7.0), name="another")
    for cube in (other, truth):
        add_cube(viewer, cube)
    ready.run.click()
    executor.finish(spread=np.full((31, 32, 48), 0.01, np.float32))
    wait_for_the_end(ready, qtbot)
    assert viewer.layers["photo [mine]"].contrast_limits == [0, 0.25]
    assert viewer.layers["photo [mine] spread"].contrast_limits == pytest.approx([0, 0.01])
    assert viewer.layers["another"].contrast_limits == [0, 7]


def test_cancel_reaches_the_job_and_adds_nothing(ready, viewer, executor, qtbot):
    ready.run.click()
    ready.cancel.click()
    assert executor.job.is_cancelled()
    assert not ready.cancel.isEnabled()
    executor.emit(Progress(1, 2, "1 of 2 tiles"))
    executor.emit(Cancelled())
    wait_for_the_end(ready, qtbot)
    assert [layer.name for layer in viewer.layers] == ["photo"]
    assert ready.status.text() == "Cancelled; nothing was added."
    assert ready.run.isEnabled()


def test_a_failure_is_a_notification_with_the_fix(ready, viewer, executor, qtbot):
    notification_manager.records.clear()
    ready.run.click()
    error = InputError("it holds NaN", where="photo", fix="Replace them by numbers.")
    executor.emit(Failed(error, "the log"))
    wait_for_the_end(ready, qtbot)
    assert messages() == ["photo: it holds NaN. Replace them by numbers."]
    assert ready.status.text() == "photo: it holds NaN. Replace them by numbers."
    assert [layer.name for layer in viewer.layers] == ["photo"]
    assert ready.run.isEnabled()
    assert not progress._all_instances


def test_a_layer_may_go_while_it_is_reconstructed(ready, viewer, executor, qtbot):
    ready.run.click()
    viewer.layers.clear()
    executor.finish()
    wait_for_the_end(ready, qtbot)
    assert [layer.name for layer in viewer.layers] == ["photo [mine]"]


def test_a_second_run_waits_for_the_first(ready, executor):
    notification_manager.records.clear()
    ready.run.click()
    ready._on_run()
    assert len(executor.runs) == 1
    assert messages() == ["A reconstruction is running: wait for it, or cancel it."]


def test_a_choice_of_the_users_stays_while_its_layer_does(widget, viewer):
    viewer.add_image(RGB, name="one")
    viewer.add_image(RGB, name="two")
    assert widget.layer is viewer.layers["two"]
    widget.picture.setCurrentIndex(0)
    widget.picture.activated.emit(0)
    viewer.add_image(RGB, name="three")
    viewer.layers["one"].name = "first"
    assert widget.layer is viewer.layers["first"]
    assert widget.picture.currentText() == "first"
    del viewer.layers["first"]
    assert widget.layer is viewer.layers["three"]


def test_closing_the_dock_does_not_stop_the_run(ready, viewer, executor, qtbot):
    controller = ready.controller
    ready.run.click()
    close_dock(ready)
    assert controller.running
    again = ReconstructWidget(viewer, executor)
    viewer.window.add_dock_widget(again, name="Reconstruct again")
    assert again.controller is controller
    qtbot.waitUntil(again.cancel.isEnabled)
    assert not again.run.isEnabled()
    assert again.status.text() == "Reconstructing photo…"
    executor.finish()
    qtbot.waitUntil(lambda: not controller.running)
    assert viewer.layers[-1].name == "photo [mine]"
    assert again.status.text() == "Added photo [mine]."


def test_a_closed_dock_no_longer_follows_the_viewer(ready, viewer):
    close_dock(ready)
    viewer.add_image(RGB, name="later")
    assert ready.layer is viewer.layers["photo"]
    ready.deleteLater()


def close_dock(widget):
    """Press the dock's X."""
    dock = widget.parentWidget()
    while (button := dock.findChild(QPushButton, "QTitleBarCloseButton")) is None:
        dock = dock.parentWidget()
    button.click()


def test_closing_the_window_cancels_the_run(ready, viewer, executor, qtbot):
    ready.run.click()
    viewer.close()
    qtbot.waitUntil(executor.job.is_cancelled)
    qtbot.waitUntil(lambda: not progress._all_instances)


def test_what_a_closed_window_is_still_told_is_dropped(executor, qtbot):
    viewer, window = ViewerModel(), QMainWindow()
    qtbot.addWidget(window)
    layer = viewer.add_image(RGB, rgb=True)
    controller = ReconstructionController(viewer, executor, window)
    with qtbot.waitExposed(window):
        window.show()
    controller.start(picture_of_layer(layer, viewer.dims), Settings(), "srgb")
    window.close()
    executor.emit(Progress(1, 4))
    executor.emit(Cancelled())
    qtbot.waitUntil(controller._inbox._letters.empty, timeout=30_000)
    assert not controller.running


def test_a_file_that_is_no_checkpoint_is_told_and_cannot_run(ready, executor, qtbot, tmp_path):
    executor.refusal = CheckpointError("no safetensors file", where="x.bin", fix="Give another.")
    ready.choose_checkpoint(tmp_path / "x.bin")
    assert not ready.run.isEnabled()
    qtbot.waitUntil(lambda: "no safetensors file" in ready.card.text())
    assert not ready.run.isEnabled()


def test_a_device_that_is_gone_is_told(ready, executor, qtbot):
    executor.refusal = InputError("PyTorch finds no such device here", fix="Choose 'cpu'.")
    ready.device.setCurrentIndex(ready.device.findData("cpu"))
    qtbot.waitUntil(lambda: "no such device" in ready.device_reason.text())


def test_a_checkpoint_is_chosen_from_a_file(ready, monkeypatch, tmp_path, executor, qtbot):
    chosen = str(tmp_path / "other.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (chosen, ""))
    ready.model.setCurrentIndex(ready.model.count() - 1)
    ready.model.activated.emit(ready.model.count() - 1)
    assert ready.model.currentText() == "other.safetensors"
    qtbot.waitUntil(lambda: executor.asked[-1]["model"] == chosen)


def test_no_file_chosen_leaves_the_checkpoint(ready, monkeypatch):
    before = ready.model.currentText()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    ready.model.setCurrentIndex(ready.model.count() - 1)
    ready.model.activated.emit(ready.model.count() - 1)
    assert ready.model.currentText() == before
    assert ready.run.isEnabled()


def test_only_the_newest_question_is_asked(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    asked = []

    class Slow:
        def start(self, task, arguments, on_event):
            asked.append((arguments["shape"], on_event))
            return Job()

    from napari_gmsr.jobs import Settings

    controller = ReconstructionController(viewer, Slow())
    answers = []
    controller.answered.connect(lambda settings, end: answers.append((settings.model, end)))
    for side in (1, 2, 3):
        controller.ask((side, side), Settings(model=f"model {side}"))
    assert [shape for shape, _ in asked] == [(1, 1)]
    asked[0][1](Finished("old"))
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert asked[1][0] == (3, 3)
    asked[1][1](Finished("new"))
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers == [("model 1", Finished("old")), ("model 3", Finished("new"))]


def test_an_answer_about_other_settings_is_not_shown(ready, executor, tmp_path):
    before = ready.settings
    ready.choose_checkpoint(tmp_path / "other.safetensors")
    ready.controller.answered.emit(before, executor._answer({"shape": (32, 48)}))
    assert ready.card.text() == "Reading the checkpoint…"
    assert ready.plan.text() == ""
    assert not ready.run.isEnabled()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the smallest network with random weights."""
    import torch

    from napari_gmsr.networks import create

    torch.manual_seed(0)
    card = CARD.model_copy(update={"name": "random", "encoding": "srgb"})
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return save_checkpoint(create("gmsr"), card, path)


def test_the_real_child_process_reconstructs(make_napari_viewer, qtbot, checkpoint):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(RGB, name="photo")
    _, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
    widget.choose_checkpoint(checkpoint)
    widget.mode.setCurrentIndex(widget.mode.findData("tiled"))
    qtbot.waitUntil(lambda: "Tiles" in widget.plan.text(), timeout=60_000)
    widget.run.click()
    qtbot.waitUntil(lambda: not widget.controller.running, timeout=240_000)
    layer = viewer.layers[-1]
    assert layer.name == "photo [random]", widget.status.text()
    assert layer.data.shape == (31, 32, 48)
    assert np.isfinite(layer.data).all()
    assert layer.metadata["provenance"]["mode"] == "tiled"


def test_the_windows_process_imports_no_torch(checkpoint):
    code = textwrap.dedent("""
        import sys
        import napari, numpy as np
        from qtpy.QtWidgets import QApplication
        viewer = napari.Viewer(show=False)
        before = set(sys.modules)
        _, widget = viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
        viewer.add_image(np.zeros((32, 48, 3), np.uint8), name="photo")
        widget.choose_checkpoint(sys.argv[1])
        QApplication.processEvents()
        heavy = {"torch", "numba", "matplotlib", "colour"} & (set(sys.modules) - before)
        assert not heavy, heavy
        viewer.close()
    """)
    subprocess.run([sys.executable, "-c", code, str(checkpoint)], check=True)


def test_the_shipped_checkpoint_for_photographs_is_the_default(viewer, executor):
    widget = ReconstructWidget(viewer, executor)
    assert widget.model.currentText() == "photo"
    assert "photographs" in widget.card.text()
    assert widget.model.itemText(widget.model.count() - 1) == "From file…"
    widget.deleteLater()
