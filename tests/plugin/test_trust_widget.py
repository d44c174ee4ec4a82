"""The Trust widget: its numbers are the room's, its layers lie right, its job is a job."""

import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_gmsr.color import camera_response, render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.jobs import Cancelled, Failed, Finished, Job, Progress, Started
from napari_gmsr.plugin.layers import add_cube, spread_layer
from napari_gmsr.plugin.trust_widget import TrustWidget
from napari_gmsr.trust import reproject

RNG = np.random.default_rng(0)
TRUTH = SpectralCube(RNG.uniform(0.1, 0.6, (31, 12, 14)), name="scene truth")
RGB = np.rint(render_rgb(TRUTH, "srgb", "D65", "srgb").data * 255).astype(np.uint8)
CUBE = SpectralCube(
    TRUTH.data * 0.9,
    name="scene [photo]",
    provenance={"model": "photo", "picture": "scene", "notes": []},
)
WAIT = 30_000


class Scripted:
    """An executor whose jobs do what the test says."""

    def start(self, task, arguments, on_event):
        self.job, self.arguments, self.emit = Job(), arguments(), on_event
        on_event(Started())
        return self.job

    def end(self, event):
        self.job._finish(event)
        self.emit(event)


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    viewer.add_image(RGB, rgb=True, name="scene", scale=(2, 2))
    add_cube(viewer, CUBE)
    return viewer


@pytest.fixture
def executor():
    return Scripted()


@pytest.fixture
def widget(viewer, executor, qtbot):
    widget = TrustWidget(viewer, executor)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    yield widget
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_camera_is_that_of_the_cube_s_checkpoint(viewer, widget):
    assert (widget.camera.camera, widget.camera.illuminant) == ("srgb", "D65")
    assert widget.picture.layer.name == "scene"
    provenance = {"model": "ntire2020-clean", "picture": "scene"}
    add_cube(viewer, SpectralCube(CUBE.data, name="linear", provenance=provenance))
    assert (widget.camera.camera, widget.camera.illuminant) == ("cie_1964", None)
    simulated = {"camera": "srgb", "illuminant": "D65"}
    add_cube(viewer, SpectralCube(CUBE.data, name="simulated", provenance=simulated))
    assert (widget.camera.camera, widget.camera.illuminant) == ("srgb", "D65")


def test_re_projection_is_a_map_and_a_number(viewer, widget, qtbot):
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    found = reproject(CUBE, RGB)
    layer = viewer.layers["scene [photo] re-projection"]
    np.testing.assert_allclose(layer.data, found.map, atol=1e-6)
    assert viewer.layers.index(layer) == viewer.layers.index("scene [photo]") + 1
    assert f"{found.rmse:.4f}" in widget.state.text()
    count = len(viewer.layers)
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert len(viewer.layers) == count


def test_a_map_lies_over_the_cube_that_it_was_asked_of(viewer, widget, qtbot):
    other = add_cube(viewer, SpectralCube(TRUTH.data, name="other"))
    widget.cube.choose(viewer.layers["scene [photo]"])
    click(widget.project)
    widget.cube.choose(other)
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    for cube, name in ((CUBE, "scene [photo]"), (TRUTH, "other")):
        found = viewer.layers[f"{name} re-projection"].data
        np.testing.assert_allclose(found, reproject(cube, RGB).map, atol=1e-6)


def test_the_picture_of_a_cube_stays_while_layers_come(viewer, widget, qtbot):
    viewer.add_image(RGB[:5], rgb=True, name="another")
    widget.cube.choose(add_cube(viewer, CUBE))
    assert widget.picture.layer.name == "scene"
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert widget.picture.layer.name == "scene"


def test_the_exact_correction_is_a_cube_and_says_what_it_gains(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    assert widget.truth.layer.name == "scene truth"
    widget.cube.choose(viewer.layers["scene [photo]"])
    click(widget.correct)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    exact = SpectralCube(viewer.layers["scene [photo] exact"].data)
    assert reproject(exact, RGB).rmse < 1e-6
    assert "RMSE against the truth" in widget.state.text()
    assert viewer.layers["scene [photo] exact"].metadata["provenance"]["exact_correction"]


def test_a_response_of_one_s_own(widget, qtbot, tmp_path):
    response = camera_response("nikon_5100")
    rows = np.column_stack([response.wavelengths_nm, response.sensitivity])
    np.savetxt(tmp_path / "mine.csv", rows, delimiter=",", header="wavelength,r,g,b", comments="")
    widget.camera.choose(tmp_path / "mine.csv", "A")
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert widget.camera.camera == str(tmp_path / "mine.csv")
    x, y = widget.camera.plot._curves[1].getData()
    assert x[np.argmax(y)] == pytest.approx(
        response.wavelengths_nm[np.argmax(response.sensitivity[:, 1])]
    )
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    found = reproject(CUBE, RGB, tmp_path / "mine.csv", "A")
    assert f"{found.rmse:.4f}" in widget.state.text()
    (tmp_path / "broken.csv").write_text("nm\n1\n")
    widget.camera.choose(tmp_path / "broken.csv", "A")
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert "no camera response" in widget.camera._state.text()


def result():
    spread = RNG.uniform(0.001, 0.002, TRUTH.shape).astype(np.float32)
    provenance = {"model": "photo", "picture": "scene", "notes": []}
    return SpectralCube(CUBE.data, name="scene [photo]", provenance=provenance, spread=spread)


def test_uncertainty_adds_the_mean_its_spread_and_a_map(viewer, widget, executor, qtbot):
    add_cube(viewer, TRUTH)
    click(widget.spread.run)
    assert executor.arguments["models"] == ("photo",)
    assert executor.arguments["turns"]
    np.testing.assert_array_equal(executor.arguments["rgb"].data, RGB / np.float32(255))
    assert not widget.spread.run.isEnabled()
    executor.emit(Progress(3, 8, "3 of 8 tiles"))
    qtbot.waitUntil(lambda: widget.spread.bar.value() == 3, timeout=WAIT)
    cube = result()
    executor.end(Finished(cube))
    qtbot.waitUntil(lambda: "differ by" in widget.spread.state.text(), timeout=WAIT)
    qtbot.waitUntil(lambda: "one deviation" in widget.spread.state.text(), timeout=WAIT)
    mean = viewer.layers["scene [photo] mean of 8"]
    spread = spread_layer(viewer.layers, mean)
    np.testing.assert_allclose(spread.data, cube.spread * 22.88, rtol=1e-5)
    assert not spread.visible
    assert spread.metadata["provenance"]["spread_factor"] == 22.88
    np.testing.assert_allclose(tuple(mean.scale), (10, 2, 2))
    found = viewer.layers["scene [photo] mean of 8 spread map"].data
    np.testing.assert_allclose(found, np.sqrt((spread.data**2).mean(axis=0)), rtol=1e-5)
    assert f"differ by {np.sqrt((spread.data**2).mean()):.4f}" in widget.spread.state.text()
    assert widget.spread.run.isEnabled()


def test_a_spread_can_stay_as_it_was_found(viewer, widget, executor, qtbot):
    widget.spread.widened.setChecked(False)
    click(widget.spread.run)
    cube = result()
    executor.end(Finished(cube))
    qtbot.waitUntil(lambda: "differ by" in widget.spread.state.text(), timeout=WAIT)
    spread = spread_layer(viewer.layers, viewer.layers["scene [photo] mean of 8"])
    np.testing.assert_allclose(spread.data, cube.spread)


def test_seams_of_tiles_are_a_map_over_the_cube(viewer, widget, executor, qtbot):
    click(widget.spread.seams)
    assert executor.arguments["model"] == "photo"
    seams = np.zeros((12, 14), np.float32)
    executor.end(Finished(seams))
    qtbot.waitUntil(lambda: "no seams" in widget.spread.state.text(), timeout=WAIT)
    assert "scene [photo] tile seams" not in viewer.layers
    click(widget.spread.seams)
    seams = np.tile(np.float32([0, 0.01]), (12, 7))
    executor.end(Finished(seams))
    qtbot.waitUntil(lambda: "differ by 0.0100" in widget.spread.state.text(), timeout=WAIT)
    np.testing.assert_array_equal(viewer.layers["scene [photo] tile seams"].data, seams)


@pytest.mark.parametrize(
    ("end", "says"),
    [(Cancelled(), "nothing was added"), (Failed(InputError("it broke", fix="Mend it.")), "broke")],
)
def test_a_run_that_does_not_finish_adds_nothing(viewer, widget, executor, qtbot, end, says):
    count = len(viewer.layers)
    click(widget.spread.run)
    click(widget.spread.cancel)
    assert executor.job.is_cancelled()
    executor.end(end)
    qtbot.waitUntil(lambda: says in widget.spread.state.text(), timeout=WAIT)
    assert len(viewer.layers) == count


def test_one_reconstruction_has_no_spread(widget):
    widget.spread.turns.setChecked(False)
    assert not widget.spread.run.isEnabled()
    widget.spread.models.item(1).setCheckState(Qt.CheckState.Checked)
    assert widget.spread.run.isEnabled()
    assert not widget.spread.widened.isEnabled()


def test_an_empty_viewer_and_a_layer_that_goes(viewer, widget, qtbot):
    click(widget.project)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert len(viewer.layers) == 0
    assert not widget.project.isEnabled()
    assert not widget.spread.run.isEnabled()


def test_cubes_of_other_kinds_are_told_about(viewer, widget, qtbot):
    add_cube(viewer, SpectralCube(np.ones((31, 5, 6)), name="small"))
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert "12 x 14" in widget.state.text()
    for cube in (
        SpectralCube(np.full((31, 12, 14), np.nan), name="nan"),
        SpectralCube(np.ones((3, 12, 14)), np.array([1000.0, 1100.0, 1200.0]), name="infrared"),
    ):
        add_cube(viewer, cube)
        click(widget.correct if cube.name == "infrared" else widget.project)
        qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
        assert "finite" in widget.state.text() or "sees nothing" in widget.state.text()
    few = SpectralCube(np.full((5, 12, 14), 0.3), np.linspace(420, 680, 5), name="five")
    add_cube(viewer, few)
    click(widget.project)
    qtbot.waitUntil(lambda: not widget.busy, timeout=WAIT)
    assert "RMSE" in widget.state.text()


@pytest.mark.parametrize("told", ["by hand", {"picture": 3, "camera": ["a", "b"]}])
def test_others_provenance_does_no_harm(viewer, widget, told):
    layer = viewer.layers["scene [photo]"]
    viewer.layers.remove(layer)
    layer.metadata["provenance"] = told
    viewer.add_layer(layer)
    assert widget.cube.layer is layer


def test_settings_come_back(viewer, widget):
    widget.smooth.setChecked(True)
    widget.spread.widened.setChecked(False)
    saved = widget.saved_settings()
    widget.smooth.setChecked(False)
    widget.spread.widened.setChecked(True)
    widget.restore_settings(saved)
    assert widget.smooth.isChecked()
    assert not widget.spread.widened.isChecked()


def test_the_window_s_process_loads_no_torch():
    code = (
        "import sys, numpy as np; "
        "from napari_gmsr.cube import SpectralCube; "
        "c = SpectralCube(np.full((31, 20, 20), .3), spread=np.ones((31, 20, 20), np.float32)); "
        "p = np.full((20, 20, 3), 99, np.uint8); "
        "import napari_gmsr.trust as t; from napari_gmsr.weights import list_models; "
        "t.reproject(c, p); t.exact_correction(c, p); t.check_picture(p, list_models()[0]); "
        "t.widen(c, t.measured_factor('photo')); t.calibrate(c, c); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
