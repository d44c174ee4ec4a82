import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.evaluate import (
    PAPER_COLORMAP,
    comparison_figure,
    error_map,
    representative_points,
    save_figure,
)
from napari_gmsr.image import RGBImage


def pair_of(height, width, bands=31):
    rng = np.random.default_rng(height * 100 + width)
    truth = rng.uniform(0, 1, (bands, height, width)).astype(np.float32)
    nm = np.linspace(400, 700, bands)
    cube = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1)
    return SpectralCube(cube, nm, name="toy [photo]"), SpectralCube(truth, nm, name="toy")


def images(figure):
    return [axes.images[0] for axes in figure.axes if axes.images]


def colormaps(figure):
    return [image.get_cmap().name for image in images(figure)]


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_title("left"), axes.get_ylabel(), axes.get_xlabel()]
    return found


def test_bands_errors_and_spectra_are_drawn():
    cube, truth = pair_of(20, 30)
    rgb = RGBImage(np.random.default_rng(0).uniform(0, 1, (20, 30, 3)))
    figure = comparison_figure(rgb, cube, truth, [(3, 4), (10, 29)], [450, 541, 650])
    assert {"toy [photo]", "450 nm", "540 nm", "650 nm", "truth", "absolute error"} <= {
        *texts(figure)
    }
    np.testing.assert_array_equal(images(figure)[0].get_array(), rgb.data)
    heatmaps = [image for image in images(figure) if image.get_cmap().name == PAPER_COLORMAP]
    assert len(heatmaps) == 3
    for heatmap, nm in zip(heatmaps, (450, 540, 650), strict=True):
        np.testing.assert_array_equal(heatmap.get_array(), error_map(cube, truth, band_nm=nm))
    assert len({heatmap.get_clim() for heatmap in heatmaps}) == 1
    curves = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    for expected in (cube.spectrum(3, 4), truth.spectrum(10, 29)):
        assert any(np.array_equal(curve, expected) for curve in curves)


def test_one_colour_bar_whose_range_can_be_shared():
    cube, truth = pair_of(12, 12)
    figure = comparison_figure(None, cube, truth, error_max=0.5)
    bars = [image.colorbar for image in images(figure) if image.colorbar is not None]
    assert len(bars) == 1
    heatmaps = [image for image in images(figure) if image.get_cmap().name == PAPER_COLORMAP]
    assert {heatmap.get_clim() for heatmap in heatmaps} == {(0, 0.5)}


def test_without_a_truth_there_is_no_error():
    cube, _ = pair_of(12, 12)
    figure = comparison_figure(None, cube, None, [(0, 0)])
    assert PAPER_COLORMAP not in colormaps(figure)
    assert "truth" not in texts(figure)
    assert colormaps(figure).count("gray") == 5


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 5))
def test_pictures_of_any_shape_lie_inside_the_figure_and_apart(height, width, bands, spots):
    cube, truth = pair_of(height, width, bands)
    figure = comparison_figure(None, cube, truth, representative_points(truth, spots)[:spots])
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= b.x0 < b.x1 <= 1 and 0 <= b.y0 < b.y1 <= 1 for b in boxes)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


def test_the_extreme_pictures_are_drawn(tmp_path):
    for size in ((1, 1), (1, 500), (500, 1)):
        save_figure(comparison_figure(None, *pair_of(*size)), tmp_path / f"{size}.png")
    black = SpectralCube(np.zeros((31, 3, 3), np.float32))
    save_figure(comparison_figure(None, black, black), tmp_path / "black.png")
    infrared = SpectralCube(np.ones((3, 8, 8), np.float32), [900, 950, 1000])
    save_figure(comparison_figure(None, infrared, infrared), tmp_path / "infrared.png")
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<")]
)
def test_figures_are_saved_whole(tmp_path, suffix, magic):
    path = tmp_path / f"figure.{suffix}"
    figure = comparison_figure(None, *pair_of(9, 9))
    assert save_figure(figure, path) == path
    assert path.read_bytes().startswith(magic)
    with pytest.raises(OutputError, match="figure"):
        save_figure(figure, path)
    save_figure(figure, str(path), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_suffixes_are_an_error(tmp_path):
    figure = comparison_figure(None, *pair_of(9, 9))
    with pytest.raises(OutputError, match=r"\.png, \.pdf or \.svg"):
        save_figure(figure, tmp_path / "figure.docx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn():
    cube, truth = pair_of(9, 9)
    with pytest.raises(InputError, match="9 x 8"):
        comparison_figure(RGBImage(np.zeros((9, 8, 3))), cube, truth)
    with pytest.raises(InputError, match="no pixel"):
        comparison_figure(None, cube, truth, [(9, 0)])
    with pytest.raises(InputError, match="at least one"):
        comparison_figure(None, cube, truth, bands_nm=[])
    with pytest.raises(InputError, match="pixels"):
        comparison_figure(None, cube, pair_of(8, 9)[1])


def test_a_figure_belongs_to_no_window_and_changes_no_setting():
    code = (
        "import matplotlib as mpl, sys, numpy as np; before = dict(mpl.rcParams); "
        "from napari_gmsr.evaluate import comparison_figure; "
        "from napari_gmsr.cube import SpectralCube; "
        "figure = comparison_figure(None, SpectralCube(np.ones((31, 8, 8)))); "
        "import matplotlib.pyplot as plt; print(plt.get_fignums(), "
        "dict(mpl.rcParams) == before, 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["[]", "True", "False"]


def test_representative_points_differ_in_their_spectra():
    spectra = np.eye(31)[[3, 14, 25]] + 0.05
    data = np.full((31, 30, 40), 0.001, np.float32)
    data[:, :10, :10] = spectra[0][:, None, None]
    data[:, 10:20, 20:] = spectra[1][:, None, None]
    data[:, 25:, 5:9] = spectra[2][:, None, None]
    points = representative_points(SpectralCube(data), 3)
    found = {int(data[:, y, x].argmax()) for y, x in points}
    assert found == {3, 14, 25}
    assert len(representative_points(SpectralCube(data[:, :1, :1]), 4)) == 1
