"""Error maps: the numbers of the evaluation, one scale, and a word where they cannot be."""

from importlib import import_module

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import error_map, evaluate
from napari_gmsr.plugin.error_maps_widget import ErrorMapsWidget
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.pins import Pins

SHAPE = (31, 16, 20)
RNG = np.random.default_rng(0)
TRUTH = SpectralCube(RNG.uniform(0.1, 0.9, SHAPE), name="scene truth")
PHOTO = SpectralCube(TRUTH.data * 0.9, name="scene [photo]")
ROOTPOLY = SpectralCube(TRUTH.data + RNG.normal(0, 0.1, SHAPE), name="scene [rootpoly]")


@pytest.fixture
def viewer(qapp):
    notification_manager.records.clear()
    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot):
    widget = ErrorMapsWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    yield widget
    qtbot.waitUntil(lambda: not widget.busy, timeout=20_000)


def show(widget, qtbot):
    """Press the button and wait for maps and tables."""
    QTest.mouseClick(widget._show, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not widget.busy, timeout=20_000)


def maps(viewer):
    return [layer for layer in viewer.layers if layer.ndim == 2 and isinstance(layer, Image)]


def test_an_empty_viewer_says_what_to_do(viewer, widget):
    assert "Open a cube or run Reconstruct" in widget._state.text()
    assert not widget._show.isEnabled()
    add_cube(viewer, PHOTO)
    assert "ground truth" in widget._state.text()
    assert not widget._show.isEnabled()
    add_cube(viewer, TRUTH)
    assert widget._show.isEnabled()
    assert widget._predictions.layers == [viewer.layers["scene [photo]"]]
    assert widget._truth.layer == viewer.layers["scene truth"]


@pytest.mark.parametrize("metric", ["rmse", "sam", "mrae"])
def test_the_map_is_the_evaluations(viewer, widget, qtbot, metric):
    add_cube(viewer, TRUTH)
    prediction = add_cube(viewer, PHOTO)
    prediction.scale = (10, 2, 2)
    widget._metric.setCurrentIndex(widget._metric.findData(metric))
    show(widget, qtbot)
    (layer,) = maps(viewer)
    np.testing.assert_array_equal(layer.data, error_map(PHOTO, TRUTH, metric))
    assert layer.colormap.name == "turbo"
    assert layer.colorbar.visible
    np.testing.assert_array_equal(layer.scale, [2, 2])
    assert layer.contrast_limits[0] == 0
    assert viewer.layers.selection == {prediction}


def test_several_predictions_share_one_scale_in_the_grid(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    layers = [add_cube(viewer, PHOTO), add_cube(viewer, ROOTPOLY)]
    widget._predictions.choose(layers)
    show(widget, qtbot)
    photo, rootpoly = maps(viewer)
    assert photo.contrast_limits == rootpoly.contrast_limits
    largest = max(np.percentile(layer.data, 99.5) for layer in (photo, rootpoly))
    assert photo.contrast_limits[1] == pytest.approx(largest)
    assert viewer.canvas.grid.enabled
    widget._grid.click()
    assert not viewer.canvas.grid.enabled


def test_the_scale_stays_one_when_the_user_changes_it(viewer, widget, qtbot):
    several_maps(viewer, widget, qtbot)
    photo, rootpoly = maps(viewer)
    photo.contrast_limits = (0, 0.05)
    assert rootpoly.contrast_limits == [0, 0.05]
    rootpoly.colormap = "inferno"
    assert photo.colormap.name == "inferno"


@pytest.mark.parametrize("order", [slice(None), [*range(10, 31), *range(10)]], ids=["", "unsorted"])
def test_lazy_cubes_are_mapped_band_by_band(viewer, widget, qtbot, order):
    for cube in (TRUTH, PHOTO):
        viewer.add_image(
            dask.array.from_array(cube.data[order], chunks=(1, 16, 20)),
            name=cube.name,
            contrast_limits=(0, 1),
            metadata={"wavelengths_nm": cube.wavelengths_nm[order].tolist()},
        )
    widget._bands.setCurrentIndex(1)
    viewer.dims.set_current_step(0, 4)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    nm = TRUTH.wavelengths_nm[order][4]
    np.testing.assert_allclose(layer.data, error_map(PHOTO, TRUTH, "rmse", nm), rtol=1e-6)


def test_a_lost_band_is_no_reason_against_the_others(viewer, widget, qtbot):
    broken = PHOTO.data.copy()
    broken[3] = np.nan
    add_cube(viewer, TRUTH)
    add_cube(viewer, SpectralCube(broken, name="broken"))
    widget._bands.setCurrentIndex(1)
    viewer.dims.set_current_step(0, 5)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    np.testing.assert_array_equal(layer.data, error_map(PHOTO, TRUTH, "rmse", 450))


def several_maps(viewer, widget, qtbot):
    """Show two maps side by side, with a hidden truth and pins around."""
    add_cube(viewer, TRUTH).visible = False
    layers = [add_cube(viewer, PHOTO), add_cube(viewer, ROOTPOLY)]
    pins = Pins(viewer)
    pins.start()
    pins.add(layers[0], 3, 4)
    pins.stop()
    widget._predictions.choose(layers)
    show(widget, qtbot)
    return layers


@pytest.mark.parametrize("how", ["box", "napari's own button", "maps removed"])
def test_side_by_side_means_the_maps_alone_until_it_ends(viewer, widget, qtbot, how):
    several_maps(viewer, widget, qtbot)
    shown = [layer for layer in viewer.layers if layer.visible]
    assert [layer.name for layer in shown] == ["scene [photo] RMSE", "scene [rootpoly] RMSE"]
    assert all(layer.name_overlay.visible for layer in shown)
    if how == "box":
        widget._grid.click()
    elif how == "maps removed":
        for layer in shown:
            viewer.layers.remove(layer)
    else:
        viewer.canvas.grid.enabled = False
    assert not viewer.canvas.grid.enabled
    hidden = [layer.name for layer in viewer.layers if not layer.visible]
    assert hidden == ["scene truth"]
    assert not any(layer.name_overlay.visible for layer in shown)


def test_pins_stay_above_the_map(viewer, widget, qtbot):
    several_maps(viewer, widget, qtbot)
    assert viewer.layers[-1].name == "Pinned spectra"


def test_the_map_of_one_band_follows_the_slider_under_a_steady_scale(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    add_cube(viewer, ROOTPOLY)
    widget._bands.setCurrentIndex(1)
    viewer.dims.set_current_step(0, 3)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    np.testing.assert_array_equal(layer.data, error_map(ROOTPOLY, TRUTH, "rmse", 430))
    limits = layer.contrast_limits
    for step in (10, 20, 25):
        viewer.dims.set_current_step(0, step)
    expected = error_map(ROOTPOLY, TRUTH, "rmse", 650)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, expected))
    assert maps(viewer) == [layer]
    assert layer.contrast_limits == limits
    assert "650 nm" in widget._bands.currentText()
    qtbot.waitUntil(lambda: "650 nm" in widget._state.text())


def test_an_angle_needs_all_bands(viewer, widget):
    widget._bands.setCurrentIndex(1)
    widget._metric.setCurrentIndex(widget._metric.findData("sam"))
    assert widget._bands.currentIndex() == 0
    assert not widget._bands.isEnabled()


def test_a_shown_map_follows_the_metric(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    add_cube(viewer, PHOTO)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    widget._metric.setCurrentIndex(widget._metric.findData("mrae"))
    expected = error_map(PHOTO, TRUTH, "mrae")
    qtbot.waitUntil(lambda: np.array_equal(layer.data, expected))
    assert layer.name == "scene [photo] MRAE"


def test_both_metric_tables_stand_by_name(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    layers = [add_cube(viewer, PHOTO), add_cube(viewer, ROOTPOLY)]
    widget._predictions.choose(layers)
    show(widget, qtbot)
    for column, cube in enumerate((PHOTO, ROOTPOLY)):
        expected = evaluate(cube, TRUTH).rows()
        for name in ("paper", "standard"):
            table = widget._tables.tables[name]
            shown = {
                table.verticalHeaderItem(row).text(): table.item(row, column).text()
                for row in range(table.rowCount())
            }
            assert shown == {
                row.label: getattr(row, name) for row in expected if getattr(row, name)
            }
    headings = [widget._tables.tables["paper"].horizontalHeaderItem(i).text() for i in (0, 1)]
    assert headings == ["[photo]", "[rootpoly]"]


@pytest.mark.parametrize(
    ("truth", "fix"),
    [
        (SpectralCube(np.ones((31, 16, 21)), name="other truth"), "crop"),
        (SpectralCube(np.ones(SHAPE), np.linspace(410, 710, 31), name="other truth"), "resample"),
    ],
    ids=["size", "wavelengths"],
)
def test_a_truth_that_does_not_fit_changes_nothing(viewer, widget, qtbot, truth, fix):
    layer = add_cube(viewer, truth)
    add_cube(viewer, PHOTO)
    before = list(viewer.layers)
    widget._truth.choose(layer)
    show(widget, qtbot)
    message = notification_manager.records[-1].message
    assert "other truth" in message
    assert fix in message
    assert list(viewer.layers) == before


def test_nan_in_a_cube_is_named_with_the_fix(viewer, widget, qtbot):
    broken = PHOTO.data.copy()
    broken[3, 4, 5] = np.nan
    add_cube(viewer, TRUTH)
    add_cube(viewer, SpectralCube(broken, name="broken"))
    show(widget, qtbot)
    messages = {record.message for record in notification_manager.records}
    assert any("broken" in message and "NaN" in message for message in messages)
    assert maps(viewer) == []


def test_layers_that_disappear_are_no_trouble(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    prediction = add_cube(viewer, PHOTO)
    QTest.mouseClick(widget._show, Qt.MouseButton.LeftButton)
    viewer.layers.remove(prediction)
    qtbot.waitUntil(lambda: not widget.busy, timeout=20_000)
    assert maps(viewer) == []
    add_cube(viewer, PHOTO)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    viewer.layers.remove(layer)
    widget._metric.setCurrentIndex(1)
    assert maps(viewer) == []
    show(widget, qtbot)
    assert [layer.name for layer in maps(viewer)] == ["scene [photo] SAM (°)"]
    viewer.layers.clear()
    assert not widget._show.isEnabled()
    assert notification_manager.records == []


def test_whatever_fails_in_a_worker_is_told(viewer, widget, qtbot, monkeypatch):
    def fail(*args):
        raise RuntimeError("out of luck")

    # The package's attribute of this name is the function; the room is the module.
    monkeypatch.setattr(import_module("napari_gmsr.evaluate"), "error_map", fail)
    add_cube(viewer, TRUTH)
    add_cube(viewer, PHOTO)
    show(widget, qtbot)
    assert "comparing the cubes failed: RuntimeError: out of luck" in str(
        notification_manager.records[-1].message
    )
    monkeypatch.undo()
    show(widget, qtbot)
    assert len(maps(viewer)) == 1


def test_equal_cubes_have_a_scale_too(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    add_cube(viewer, SpectralCube(TRUTH.data, name="copy"))
    show(widget, qtbot)
    (layer,) = maps(viewer)
    assert not layer.data.any()
    assert layer.contrast_limits == [0, 1]


def test_a_closed_dock_does_not_follow_the_slider(viewer, widget, qtbot):
    add_cube(viewer, TRUTH)
    add_cube(viewer, ROOTPOLY)
    widget._bands.setCurrentIndex(1)
    show(widget, qtbot)
    (layer,) = maps(viewer)
    before = layer.data.copy()
    widget.hide()
    viewer.dims.set_current_step(0, 30)
    qtbot.wait(150)
    np.testing.assert_array_equal(layer.data, before)


def test_every_control_has_a_tooltip_and_fits_a_narrow_dock(viewer, widget):
    add_cube(viewer, SpectralCube(TRUTH.data, name="a very long name of a layer " * 6))
    controls = (
        widget._predictions,
        widget._truth,
        widget._metric,
        widget._bands,
        widget._grid,
        widget._show,
        *widget._tables.tables.values(),
    )
    assert all(control.toolTip() for control in controls)
    assert widget.minimumSizeHint().width() <= 350


@pytest.mark.gui
def test_the_heatmap_in_a_real_window(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    widget = ErrorMapsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Error maps")
    for cube in (TRUTH, PHOTO, ROOTPOLY):
        viewer.add_image(cube.data, name=cube.name)
    widget._predictions.choose([layer for layer in viewer.layers if "truth" not in layer.name])
    qtbot.wait(100)
    show(widget, qtbot)
    assert len(maps(viewer)) == 2
    for layer in viewer.layers:
        layer.visible = layer.ndim == 2
    picture = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    saturation = picture[..., :3].max(axis=-1) - picture[..., :3].min(axis=-1)
    left, right = np.array_split(saturation, 2, axis=1)
    # Turbo's colours fill a good part of both cells of the grid.
    assert (left > 60).mean() > 0.1
    assert (right > 60).mean() > 0.1
