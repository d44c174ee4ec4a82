"""Saved figures look alike in every program that reads SVG."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.plugin.spectra_plot import SpectraPlot
from napari_gmsr.plugin.spectrum import Curve, PixelSpectrum
from napari_gmsr.plugin.svg import bake_transforms

SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">
<g stroke-width="2" transform="matrix(0.5,0,0,-100,10,90)">
{shapes}
</g></svg>"""
LINE = '<path vector-effect="non-scaling-stroke" d="M0,0 L100,0.5 "/>'


def test_lines_of_constant_width_are_written_in_page_coordinates():
    (group,) = ElementTree.fromstring(bake_transforms(SVG.format(shapes=LINE).encode()))
    assert "transform" not in group.attrib
    assert group[0].attrib == {"d": "M10,90 L60,40 "}


@pytest.mark.parametrize("other", ['<path d="M0,0 L1,1"/>', '<text x="1" y="2">nm</text>'])
def test_what_shall_scale_does(other):
    svg = SVG.format(shapes=other)
    (group,) = ElementTree.fromstring(bake_transforms(svg.encode()))
    assert group.get("transform") == "matrix(0.5,0,0,-100,10,90)"


def test_a_saved_curve_lies_on_the_page_and_keeps_its_width(qtbot, tmp_path):
    plot = SpectraPlot(ViewerModel())
    qtbot.addWidget(plot)
    plot.resize(300, 340)
    plot.set_range(400, 700)
    response = np.linspace(0.1, 0.9, 31, dtype=np.float32)
    curve = Curve(response)
    pinned = PixelSpectrum(
        cube="cube",
        color="#f28e2b",
        wavelengths_nm=WAVELENGTHS_NM,
        measured=curve,
        shown=curve,
        y=1,
        x=2,
    )
    plot.draw([pinned])
    with qtbot.waitExposed(plot):
        plot.show()
    qtbot.wait(50)
    root = ElementTree.parse(plot.save_figure(tmp_path / "spectra.svg")).getroot()
    width, height = map(float, root.get("viewBox").split()[2:])
    curves = [
        path
        for group in root.iter("{http://www.w3.org/2000/svg}g")
        if group.get("stroke") == "#f28e2b" and "transform" not in group.attrib
        for path in group
    ]
    (curve,) = [path for path in curves if path.get("d", "").count("L") == 30]
    assert "vector-effect" not in curve.attrib
    points = np.array(re.findall(r"([\d.]+),([\d.]+)", curve.get("d")), dtype=float)
    assert points.shape == (31, 2)
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) < 0).all()  # brighter is higher
    assert (points >= 0).all()
    assert (points <= (width, height)).all()
