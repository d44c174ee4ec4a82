"""The upright axis: it fits, and rests while the mouse moves."""

import pyqtgraph as pg
import pytest

from napari_gmsr.plugin.fitted_axis import FittedAxis


@pytest.fixture
def plot(qtbot):
    plot = pg.PlotWidget()
    qtbot.addWidget(plot)
    return plot


def shown(plot):
    return plot.viewRange()[1]


def test_it_fits_all_curves_with_a_margin(plot):
    FittedAxis(plot.plotItem).fit([(0.2, 0.5), None, (0.1, 0.6)])
    assert shown(plot) == pytest.approx([0.07, 0.63])


def test_a_preview_moves_it_only_where_it_has_to(plot):
    axis = FittedAxis(plot.plotItem)
    axis.fit([(0.0, 1.0)])
    axis.fit([(0.1, 0.9)], steady=True)
    assert shown(plot) == pytest.approx([-0.06, 1.06])
    axis.fit([(0.1, 2.1)], steady=True)
    assert shown(plot) == pytest.approx([-0.02, 2.22])
    axis.fit([(0.1, 0.2)], steady=True)
    assert shown(plot) == pytest.approx([0.094, 0.206])
    axis.fit([(0.12, 0.19)])
    assert shown(plot) == pytest.approx([0.1158, 0.1942])


def test_a_flat_curve_lies_in_the_middle_and_nothing_changes_nothing(plot):
    axis = FittedAxis(plot.plotItem)
    axis.fit([(0.3, 0.3)])
    assert shown(plot) == pytest.approx([0.0, 0.6])
    axis.fit([None])
    assert shown(plot) == pytest.approx([0.0, 0.6])
