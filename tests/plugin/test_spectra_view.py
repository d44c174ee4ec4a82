"""Views of the drawn curves: what is shown changes, what is measured never."""

import csv

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_gmsr import spectra
from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.spectra_widget import SpectraWidget

NM = np.array([400.0, 410, 430, 480, 500, 600, 620, 700])


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    for name in ("lemon truth", "lemon [photo]"):
        add_cube(viewer, SpectralCube(rng.random((8, 5, 6), dtype=np.float32), NM, name))
    return viewer


@pytest.fixture
def widget(viewer, qtbot):
    widget = SpectraWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    widget._pin((0, 2, 3))
    return widget


def drawn(plot):
    values = [curve.getData()[1] for curve in plot.curves if curve.getData() is not None]
    return [value for value in values if value is not None and value.size]


@pytest.mark.parametrize(
    ("view", "label", "change"),
    [
        ("as measured", "Response", lambda values, nm: values),
        ("smoothed", "Response, smoothed", spectra.smooth),
        ("first derivative", "Derivative (1/nm)", spectra.derivative),
        ("normalised: maximum", "Response / maximum", spectra.normalise),
        ("continuum removed", "Response / continuum", spectra.remove_continuum),
    ],
)
def test_a_view_changes_curves_truth_residual_and_axis_alike(viewer, widget, view, label, change):
    measured = [layer.data.copy() for layer in viewer.layers[:2]]
    errors = widget.readout.text()
    widget.choices.view.kind.setCurrentText(view)
    truth, response = (change(data[:, 2, 3], NM) for data in measured)
    np.testing.assert_allclose(drawn(widget.plot.responses), [response, truth], rtol=1e-6)
    np.testing.assert_allclose(drawn(widget.plot.residuals), [response - truth], atol=1e-6)
    assert widget.plot.responses.getAxis("left").labelText == label
    assert widget.readout.text() == errors
    for layer, before in zip(viewer.layers, measured, strict=False):
        np.testing.assert_array_equal(layer.data, before)


def test_hovering_shows_the_view_too(viewer, widget):
    widget.choices.view.kind.setCurrentText("first derivative")
    widget._preview((0, 1, 1))
    expected = spectra.derivative(viewer.layers["lemon [photo]"].data[:, 1, 1], NM)
    np.testing.assert_allclose(drawn(widget.plot.responses)[-2], expected, rtol=1e-6)


def test_the_window_of_smoothing_is_odd_and_offered_with_it_alone(widget):
    view = widget.choices.view
    assert not view.bands.isVisible()
    view.kind.setCurrentText("smoothed")
    assert view.bands.isVisible()
    view.bands.setValue(4)
    assert view.view.name == "smoothed over 5 bands"
    response = widget.pinned[0].response
    np.testing.assert_allclose(
        widget.pinned[0].shown.response, spectra.smooth(response, NM, 5), rtol=1e-6
    )


def test_a_table_has_what_is_measured_and_what_is_shown(widget, monkeypatch, tmp_path):
    widget.choices.view.kind.setCurrentText("normalised: SNV")
    path = tmp_path / "lemon.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    widget.save_csv.click()
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert {row["view"] for row in rows} == {"normalised: SNV"}
    (pin,) = widget.pinned
    for column, values in (
        ("response", pin.response),
        ("truth", pin.truth),
        ("response_in_view", spectra.normalise(pin.response, NM, "snv")),
        ("truth_in_view", spectra.normalise(pin.truth, NM, "snv")),
        ("residual_in_view", pin.shown.residual),
    ):
        np.testing.assert_allclose([float(row[column]) for row in rows], values, rtol=1e-6)
    assert {row["spread"] for row in rows} == {""}
