"""Several cubes at one click, of whatever bands, size and order."""

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_items import rank_pen, truth_pen
from napari_gmsr.plugin.spectra_sources import Sources
from napari_gmsr.plugin.spectra_widget import SpectraWidget

SIZE = (6, 7)


def cube(name, bands=31, size=SIZE, seed=0, wavelengths=None):
    data = np.random.default_rng(seed).random((bands, *size), dtype=np.float32)
    wavelengths = np.linspace(400, 700, bands) if wavelengths is None else wavelengths
    return SpectralCube(data, wavelengths, name=name)


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    add_cube(viewer, cube("scene truth", seed=1))
    for seed, bands in ((2, 5), (3, 204), (4, 31)):
        add_cube(viewer, cube(f"scene [{bands}]", bands, seed=seed))
    add_cube(viewer, cube("elsewhere", size=(3, 4), seed=5))
    add_cube(viewer, cube("scene [photo]"))
    return viewer


@pytest.fixture
def widget(viewer, qtbot):
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_no_other_cube_is_drawn_until_asked_for(widget):
    widget._pin((550, 2, 3))
    assert [spectrum.cube for spectrum in widget.pinned] == ["scene [photo]"]
    offered = [layer.name for layer in widget.choices.others.offered]
    assert offered == ["scene [5]", "scene [204]", "scene [31]", "elsewhere"]


def test_one_click_takes_all_cubes_of_this_size_and_one_pin_draws_them(viewer, widget):
    widget.choices.all_others.click()
    widget._pin((550, 2, 3))
    widget._pin((550, 4, 1))
    names = ["scene [photo]", "scene [5]", "scene [204]", "scene [31]"]
    assert [spectrum.cube for spectrum in widget.pinned] == 2 * names
    for spectrum in widget.pinned[:4]:
        np.testing.assert_array_equal(spectrum.response, viewer.layers[spectrum.cube].data[:, 2, 3])
    assert len({spectrum.color for spectrum in widget.pinned[:4]}) == 1
    assert [spectrum.rank for spectrum in widget.pinned[:4]] == [0, 1, 2, 3]
    assert widget.plot.legend.texts == ["y 2, x 3", "y 4, x 1", *names, "truth"]
    widget.choices.all_others.click()
    assert [spectrum.cube for spectrum in widget.pinned] == 2 * names[:1]


def test_only_cubes_with_the_truths_bands_are_compared_with_it(widget):
    widget.choices.all_others.click()
    widget._pin((550, 2, 3))
    compared = [s.cube for s in widget.pinned if s.residual is not None]
    assert compared == ["scene [photo]", "scene [31]"]
    text = widget.readout.text()
    for spectrum in widget.pinned:
        assert spectrum.cube in text
        if spectrum.rmse is not None:
            assert f"{spectrum.rmse:.4f}" in text
            assert f"{spectrum.mrae:.4f}" in text
            assert f"{spectrum.angle_deg:.2f}°" in text
    assert ">&nbsp;SAM<" in text
    strips = [c.getData()[1] for c in widget.plot.residuals.curves]
    strips = [values for values in strips if values is not None and values.size]
    np.testing.assert_array_equal(
        strips, [s.residual for s in widget.pinned if s.residual is not None]
    )


def test_a_cube_of_another_size_is_read_where_it_lies(viewer, widget):
    other = viewer.layers["elsewhere"]
    other.translate = (400, 2, 2)
    widget.choices.others.choose([other])
    widget._pin((550, 3, 4))
    widget._pin((550, 0, 0))
    assert [s.cube for s in widget.pinned] == ["scene [photo]", "elsewhere", "scene [photo]"]
    np.testing.assert_array_equal(widget.pinned[1].response, other.data[:, 1, 2])


def test_a_moved_cube_of_this_size_is_read_at_the_same_pixel(viewer, widget):
    other = viewer.layers["scene [31]"]
    other.translate = (400, 0, 100)
    widget.choices.others.choose([other])
    widget._pin((550, 3, 4))
    np.testing.assert_array_equal(widget.pinned[1].response, other.data[:, 3, 4])


def test_a_cube_that_goes_takes_its_curves_and_the_prediction_is_no_other(viewer, widget):
    widget.choices.all_others.click()
    widget._pin((550, 2, 3))
    viewer.layers.remove("scene [204]")
    names = ["scene [photo]", "scene [5]", "scene [31]"]
    assert [spectrum.cube for spectrum in widget.pinned] == names
    widget.choices.prediction.choose(viewer.layers["scene [31]"])
    assert [s.cube for s in widget.pinned] == ["scene [31]", "scene [5]"]
    viewer.layers.clear()
    assert widget.pinned == []
    assert not widget.choices.all_others.isEnabled()


def test_the_axis_spans_all_cubes(viewer, widget):
    add_cube(viewer, cube("infrared", wavelengths=np.linspace(900, 1700, 31)))
    widget.choices.prediction.choose(viewer.layers["scene [photo]"])
    widget.choices.others.choose([viewer.layers["infrared"]])
    (first, last), _ = widget.plot.responses.viewRange()
    assert first < 400
    assert last > 1700


def test_planes_out_of_order_missing_bands_and_lazy_arrays(qapp):
    viewer = ViewerModel()
    nm = np.array([500.0, 700, 400, 600])
    data = np.random.default_rng(0).random((4, *SIZE), dtype=np.float32)
    data[1] = np.nan
    layer = viewer.add_image(
        da.from_array(data, chunks=(1, 3, 3)), metadata={"wavelengths_nm": nm.tolist()}
    )
    (spectrum,) = Sources(layer).pixel((0, 1, 2))
    np.testing.assert_array_equal(spectrum.wavelengths_nm, [400, 500, 600, 700])
    np.testing.assert_array_equal(spectrum.response, data[[2, 0, 3, 1], 1, 2])


def test_ticking_with_the_keyboard(widget, qtbot):
    widget.choices.others_fold.expand(animate=False)
    others = widget.choices.others
    others.setCurrentRow(2)
    qtbot.keyClick(others, Qt.Key.Key_Space)
    assert [layer.name for layer in others.layers] == ["scene [31]"]
    widget._pin((550, 2, 3))
    assert len(widget.pinned) == 2


def test_a_cubes_spread_is_a_band_around_its_curve_and_never_a_cube(viewer, widget):
    widget._pin((550, 2, 3))
    spread = add_cube(viewer, cube("scene [photo] spread", seed=9))
    assert widget.choices.prediction.layer.name == "scene [photo]"
    assert spread not in widget.choices.others.offered
    (pin,) = widget.pinned
    np.testing.assert_array_equal(pin.shown.spread, spread.data[:, 2, 3])
    assert pin.shown.response_span == pytest.approx(
        (
            min((pin.response - pin.shown.spread).min(), pin.truth.min()),
            max((pin.response + pin.shown.spread).max(), pin.truth.max()),
        )
    )
    widget.choices.view.kind.setCurrentText("first derivative")
    assert widget.pinned[0].shown.spread is None
    viewer.layers.remove(spread)
    assert widget.pinned[0].measured.spread is None


def test_settings_are_kept_and_taken_back(viewer, widget):
    widget.choices.all_others.click()
    widget.choices.radius.setValue(2)
    widget.choices.view.kind.setCurrentText("normalised: area")
    saved = widget.saved_settings()
    widget.choices.others.choose([])
    widget.choices.radius.setValue(0)
    widget.choices.view.kind.setCurrentIndex(0)
    widget.restore_settings(saved)
    assert widget.saved_settings() == saved
    assert [layer.name for layer in widget.choices.others.layers] == saved["others"]


def test_new_numbers_in_the_truth_are_drawn(viewer, widget):
    widget._pin((550, 2, 3))
    truth = viewer.layers["scene truth"]
    truth.data = truth.data / 2
    np.testing.assert_array_equal(widget.pinned[0].truth, truth.data[:, 2, 3])


def test_a_cube_that_gets_other_bands_or_is_none_any_more(viewer, widget):
    widget._pin((550, 2, 3))
    layer = viewer.layers["scene [photo]"]
    layer.metadata["wavelengths_nm"] = [400, 550, 700]
    layer.data = layer.data[:3]
    assert widget.choices.prediction.layer is layer
    (pin,) = widget.pinned
    np.testing.assert_array_equal(pin.response, layer.data[:, 2, 3])
    assert pin.truth is None
    layer.data = layer.data[:2]
    assert widget.choices.prediction.layer.name == "elsewhere"


def test_a_renamed_cube_is_renamed_in_the_legend(viewer, widget):
    widget.choices.others.choose([viewer.layers["scene [31]"]])
    widget._pin((550, 2, 3))
    viewer.layers["scene [31]"].name = "the other"
    assert "the other" in widget.plot.legend.texts


def test_the_legend_of_many_curves_leaves_them_their_room(viewer, widget):
    low = widget.plot.minimumSizeHint().height()
    widget.choices.others.choose(widget.choices.others.offered)
    for x in range(6):
        widget._pin((550, 2, x))
    legend = widget.plot.legend
    assert legend.minimumHeight() > 40
    assert widget.plot.minimumSizeHint().height() == low + round(legend.minimumHeight())


def test_every_cubes_line_differs_from_the_others_and_the_truths():
    pens = [rank_pen("red", rank) for rank in range(12)] + [truth_pen("red")]
    looks = {(tuple(pen.dashPattern()), pen.color().alpha()) for pen in pens}
    assert len(looks) == 13
