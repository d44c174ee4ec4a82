"""The stress report: kinds, numbers, metamers, and its three forms."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_gmsr.color import render_rgb, rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import Cancelled, InputError
from napari_gmsr.evaluate import evaluate, save_figure
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.trust import stress, stress_figure
from napari_gmsr.trust.stress import _metamers

RNG = np.random.default_rng(0)
TRUTH = SpectralCube(
    RNG.uniform(0.05, 0.8, (31, 1, 1)) * RNG.uniform(0.2, 0.9, (1, 16, 18))
    + RNG.uniform(0, 0.1, (31, 16, 18)),
    name="scene",
)


@pytest.fixture(scope="module")
def report(tiny):
    seen = []
    report = stress(TRUTH, tiny(), progress=seen.append)
    assert [at.done for at in seen] == list(range(len(seen)))
    assert seen[-1].done == seen[-1].total == 18
    return report


def test_every_kind_is_there(report):
    kinds = {
        kind: [r.level for r in report.rows if r.kind == kind]
        for kind in dict.fromkeys(row.kind for row in report.rows)
    }
    assert list(kinds) == ["none", "exposure", "noise", "jpeg", "white balance", "metamers"]
    assert all(len(levels) == len(set(levels)) for levels in kinds.values())
    assert (report.camera, report.illuminant, report.model) == ("srgb", "D65", "tiny0")


def test_the_first_row_is_the_plain_evaluation(report, tiny):
    picture = render_rgb(TRUTH, "srgb", "D65", "srgb")
    rounded = np.rint(picture.data * 255) / 255
    expected = evaluate(reconstruct(rounded, tiny()), TRUTH).standard
    assert report.rows[0].rmse == pytest.approx(expected.rmse, rel=1e-5)
    assert report.rows[0].ratio == 1
    for row in report.rows:
        assert row.ratio == pytest.approx(row.rmse / report.rows[0].rmse)


def test_metamers_look_the_same_and_are_not():
    matrix = rendering_matrix("srgb", "D65")
    other = _metamers(TRUTH, matrix, 1.0, 0)
    assert np.abs(np.einsum("byx,bc->yxc", other.data - TRUTH.data, matrix)).max() < 1e-5
    assert np.abs(other.data - TRUTH.data).max() > 0.02
    assert other.data.min() >= -1e-6
    assert other.data.max() <= 1 + 1e-6


def test_the_same_seed_gives_the_same_report(report, tiny):
    assert stress(TRUTH, tiny()) == report


def test_another_camera(tiny):
    found = stress(TRUTH, tiny(), "nikon_5100", "A")
    assert (found.camera, found.illuminant) == ("nikon_5100", "A")


def test_text_json_and_csv_say_the_same(report):
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    told = json.loads(json.dumps(report.to_dict()))
    assert len(rows) == len(told["rows"]) == len(report.rows)
    assert float(rows[3]["rmse"]) == told["rows"][3]["rmse"] == report.rows[3].rmse
    text = report.to_text()
    assert "scene through srgb under D65, by tiny0" in text
    assert f"{report.rows[-1].rmse:.4f}" in text


def test_the_figure_has_a_panel_for_each_kind(report, tmp_path):
    figure = stress_figure(replace(report, scene="half a formula: $^{$"))
    assert [axes.get_title() for axes in figure.axes] == [
        "exposure",
        "noise",
        "jpeg",
        "white balance",
        "metamers",
    ]
    np.testing.assert_allclose(
        figure.axes[2].lines[1].get_ydata(),
        [row.rmse for row in sorted(report.rows, key=lambda r: r.level) if row.kind == "jpeg"],
    )
    save_figure(figure, tmp_path / "stress.png")
    assert (tmp_path / "stress.png").stat().st_size > 1000


def test_cancel_and_what_cannot_be_compared(tiny):
    with pytest.raises(Cancelled):
        stress(TRUTH, tiny(), cancel=lambda: True)
    with pytest.raises(InputError, match="bands"):
        stress(SpectralCube(TRUTH.data[::2], TRUTH.wavelengths_nm[::2]), tiny())
    with pytest.raises(InputError, match="NaN"):
        stress(SpectralCube(np.full((31, 4, 4), np.nan)), tiny())
