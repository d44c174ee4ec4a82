"""Mean curves of drawn regions: they follow the drawing, the cubes and the view."""

import csv

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog

from napari_gmsr import spectra
from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin import regions
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_widget import SpectraWidget

SIZE = (12, 14)
NM = np.linspace(400, 700, 31)
BOX = np.array([[1.5, 2.5], [1.5, 6.5], [5.5, 6.5], [5.5, 2.5]])
INSIDE = (slice(2, 6), slice(3, 7))


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    for name in ("scene truth", "scene [photo]"):
        data = rng.random((31, *SIZE), dtype=np.float32)
        data[4] = np.nan
        add_cube(viewer, SpectralCube(data, NM, name))
    return viewer


@pytest.fixture
def widget(viewer, qtbot):
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def shapes(viewer, *colors):
    return viewer.add_shapes(
        [BOX] * len(colors), ndim=2, shape_type="rectangle", edge_color=list(colors), name="Spot"
    )


def wait(qtbot, condition):
    qtbot.waitUntil(lambda: bool(condition()), timeout=30_000)


def pixels(viewer, name="scene [photo]", inside=INSIDE):
    return viewer.layers[name].data[:, *inside].reshape(31, -1)


def test_shapes_are_drawn_as_mean_and_spread_in_their_colours(viewer, widget, qtbot):
    shapes(viewer, "#123456", "#abcdef")
    wait(qtbot, lambda: len(widget.regions.spectra) == 2)
    first, second = widget.regions.spectra
    assert (first.color, second.color) == ("#123456", "#abcdef")
    assert (first.region, first.pixels) == ("Spot 1", 16)
    inside = pixels(viewer)
    np.testing.assert_allclose(first.response, inside.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(first.measured.spread, inside.std(axis=1), rtol=1e-5)
    np.testing.assert_allclose(first.truth, pixels(viewer, "scene truth").mean(axis=1), rtol=1e-5)
    assert widget.plot.legend.texts == ["Spot 1", "Spot 2", "truth"]
    assert "Spot 2, 16 pixels" in widget.readout.text()
    assert f"{second.rmse:.4f}" in widget.readout.text()


def test_curves_follow_the_drawing(viewer, widget, qtbot):
    layer = shapes(viewer, "red")
    wait(qtbot, lambda: widget.regions.spectra)
    layer.data = [BOX + 3]
    inside = (slice(5, 9), slice(6, 10))
    moved = pixels(viewer, inside=inside).mean(axis=1)
    wait(qtbot, lambda: np.allclose(widget.regions.spectra[0].response, moved, equal_nan=True))
    layer.edge_color = ["blue"]
    wait(qtbot, lambda: widget.regions.spectra[0].color == "#0000ff")
    layer.add_rectangles(BOX)
    wait(qtbot, lambda: len(widget.regions.spectra) == 2)
    layer.selected_data = {0, 1}
    layer.remove_selected()
    wait(qtbot, lambda: not widget.regions.spectra)
    assert widget.plot.spectra == ()


def test_painted_labels_are_drawn_in_their_colours_and_follow_the_brush(viewer, widget, qtbot):
    labels = np.zeros(SIZE, int)
    labels[INSIDE] = 5
    layer = viewer.add_labels(labels, name="Cells")
    wait(qtbot, lambda: widget.regions.spectra)
    (cell,) = widget.regions.spectra
    assert cell.region == "Cells 5"
    assert cell.color == QColor.fromRgbF(*map(float, layer.get_color(5)[:3])).name()
    layer.brush_size = 1
    layer.paint((9, 9), 2)
    wait(qtbot, lambda: len(widget.regions.spectra) == 2)
    np.testing.assert_allclose(
        widget.regions.spectra[0].response, viewer.layers["scene [photo]"].data[:, 9, 9], rtol=1e-6
    )
    layer.undo()
    wait(qtbot, lambda: [s.region for s in widget.regions.spectra] == ["Cells 5"])


def test_a_view_is_of_every_pixel_of_a_region(viewer, widget, qtbot):
    shapes(viewer, "red")
    widget.choices.view.kind.setCurrentText("normalised: vector")
    shown = spectra.normalise(pixels(viewer), NM, "vector")
    wait(qtbot, lambda: [s.view for s in widget.regions.spectra] == ["normalised: vector"])
    (spot,) = widget.regions.spectra
    np.testing.assert_allclose(spot.shown.response, shown.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(spot.shown.spread, shown.std(axis=1), rtol=1e-4)
    np.testing.assert_allclose(spot.response, pixels(viewer).mean(axis=1), rtol=1e-5)


def test_every_cube_is_summed_up_also_lazy_smaller_and_out_of_order(viewer, widget, qtbot):
    small = np.random.default_rng(5).random((3, 6, 7), dtype=np.float32)
    viewer.add_image(
        da.from_array(small, chunks=(1, 4, 4)),
        scale=(1, 2, 2),
        translate=(0, 0.5, 0.5),
        name="lazy",
        metadata={"wavelengths_nm": [600, 400, 500]},
    )
    widget.choices.prediction.choose(viewer.layers["scene [photo]"])
    widget.choices.others.choose([viewer.layers["lazy"]])
    shapes(viewer, "red")
    wait(qtbot, lambda: len(widget.regions.spectra) == 2)
    _, lazy = widget.regions.spectra
    inside = small[:, 1:3, 1:4].reshape(3, -1)
    assert lazy.pixels == inside.shape[1]
    np.testing.assert_allclose(lazy.response, inside.mean(axis=1)[[1, 2, 0]], rtol=1e-5)
    assert lazy.truth is None


def test_new_numbers_in_the_cube_are_summed_up_again(viewer, widget, qtbot):
    shapes(viewer, "red")
    wait(qtbot, lambda: widget.regions.spectra)
    layer = viewer.layers["scene [photo]"]
    layer.data = layer.data / 2
    half = pixels(viewer).mean(axis=1)
    wait(qtbot, lambda: np.allclose(widget.regions.spectra[0].response, half, equal_nan=True))


def test_regions_go_with_their_layer_even_while_they_are_summed_up(viewer, widget, qtbot):
    layer = shapes(viewer, "red")
    viewer.layers.remove(layer)
    wait(qtbot, lambda: not widget.regions.busy)
    assert widget.regions.spectra == []
    shapes(viewer, "red")
    wait(qtbot, lambda: widget.regions.spectra)
    viewer.layers.clear()
    assert widget.regions.spectra == []
    wait(qtbot, lambda: not widget.regions.busy)
    assert widget.plot.spectra == ()


def test_too_many_regions_are_counted_not_drawn(viewer, widget, qtbot, monkeypatch):
    monkeypatch.setattr(regions, "MOST_REGIONS", 5)
    viewer.add_labels(np.arange(SIZE[0] * SIZE[1]).reshape(SIZE))
    wait(qtbot, lambda: widget.regions.spectra)
    assert len(widget.regions.spectra) == 5
    assert "162 more regions are not drawn" in widget.readout.text()


def test_drawing_makes_a_layer_whose_regions_take_colours_in_turn(viewer, widget, qtbot):
    widget.choices.regions.draw.click()
    layer = viewer.layers["Region"]
    assert layer.mode == "add_rectangle"
    assert viewer.layers.selection.active is layer
    for offset in (0, 2, 4):
        layer.add_rectangles(BOX + offset)
    wait(qtbot, lambda: len(widget.regions.spectra) == 3)
    colors = [spectrum.color for spectrum in widget.regions.spectra]
    assert len(set(colors)) == 3
    assert colors == [QColor.fromRgbF(*map(float, c[:3])).name() for c in layer.edge_color]
    viewer.layers.selection = {viewer.layers["scene [photo]"]}
    widget.choices.regions.draw.click()
    assert viewer.layers.selection.active is layer


def test_none_is_a_choice(viewer, widget, qtbot):
    shapes(viewer, "red")
    wait(qtbot, lambda: widget.regions.spectra)
    choice = widget.choices.regions
    choice.layers.setCurrentIndex(0)
    choice.layers.activated.emit(0)
    assert widget.regions.spectra == []
    shapes(viewer, "blue")
    assert choice.layer is None


def test_a_table_has_regions_and_pins(viewer, widget, qtbot, monkeypatch, tmp_path):
    shapes(viewer, "red")
    wait(qtbot, lambda: widget.regions.spectra)
    widget._pin((550, 8, 8))
    path = tmp_path / "spots.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    widget.save_csv.click()
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["region"], row["y"], row["pixels"]) for row in rows[::31]] == [
        ("", "8", ""),
        ("Spot 1", "", "16"),
    ]
    (spot,) = widget.regions.spectra
    np.testing.assert_allclose(
        [float(row["spread"]) for row in rows[31:]], spot.measured.spread, equal_nan=True
    )
