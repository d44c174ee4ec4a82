import json
import math

import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate import evaluate, mean_evaluation


def evaluation_of(value, size=(8, 9), name="a"):
    truth = SpectralCube(np.full((31, *size), 0.5, np.float32), name=f"{name} measured")
    return evaluate(SpectralCube(truth.data + np.float32(value), name=name), truth)


def test_json_holds_both_sets_by_name():
    saved = json.loads(json.dumps(evaluation_of(0.1).to_dict(), allow_nan=False))
    assert (saved["cube"], saved["truth"], saved["pictures"]) == ("a", "a measured", 1)
    assert set(saved["paper"]) == {"rmse", "psnr_db", "assim", "sam_deg", "mrae", "bands"}
    assert set(saved["standard"]) == {
        *("rmse", "psnr_db", "ssim", "sam_deg", "mrae", "ergas", "back_projection", "bands")
    }
    assert saved["wavelengths_nm"][:2] == [400, 410]
    assert saved["standard"]["rmse"] == pytest.approx(0.1)
    assert len(saved["standard"]["bands"]["ssim"]) == 31


def test_json_has_null_for_what_is_not_defined_and_says_why():
    saved = json.loads(json.dumps(evaluation_of(0.0, size=(5, 5)).to_dict(), allow_nan=False))
    assert saved["standard"]["psnr_db"] is None
    assert saved["paper"]["assim"] is None
    assert {"PSNR", "SSIM"} <= {word for note in saved["notes"] for word in note.split()}


def test_the_table():
    text = evaluation_of(0.1).to_text()
    lines = text.splitlines()
    assert lines[0] == "a against a measured"
    assert lines[1].split() == ["paper", "standard"]
    assert lines[2].split() == ["RMSE", "0.1000", "0.1000"]
    assert "20.00" in lines[3]
    undefined = {row.label: row for row in evaluation_of(0.0, size=(5, 5)).rows()}
    assert (undefined["SSIM"].paper, undefined["PSNR (dB)"].standard) == ("–", "∞")
    assert (undefined["ERGAS"].paper, undefined["ERGAS"].standard) == ("", "0.00")


def test_the_mean_over_pictures():
    mean = mean_evaluation([evaluation_of(0.1), evaluation_of(0.3, name="b")])
    assert mean.pictures == 2
    assert mean.cube == "mean of 2 pictures"
    assert mean.paper.rmse == mean.standard.rmse == pytest.approx(0.2)
    np.testing.assert_allclose(mean.standard.bands["rmse"], 0.2, rtol=1e-5)
    again = mean_evaluation([mean, evaluation_of(0.5)])
    assert (again.pictures, again.paper.rmse) == (3, pytest.approx(0.3))


def test_a_picture_without_a_metric_is_left_out_of_it():
    small = evaluation_of(0.3, size=(2, 2), name="small")
    mean = mean_evaluation([evaluation_of(0.1), small])
    assert mean.paper.rmse == pytest.approx(0.2)
    assert mean.standard.ssim == evaluation_of(0.1).standard.ssim
    assert any(note.startswith("small: SSIM") for note in mean.notes)
    assert math.isnan(mean_evaluation([small]).standard.ssim)


def test_pictures_of_other_bands_have_a_mean_without_bands():
    other = evaluate(*[SpectralCube(np.full((2, 8, 8), v), [500, 600]) for v in (0.5, 0.4)])
    mean = mean_evaluation([evaluation_of(0.1), other])
    assert mean.paper.rmse == pytest.approx(0.1)
    assert not mean.paper.bands
    assert mean.wavelengths_nm.size == 0


def test_no_picture():
    with pytest.raises(InputError, match="at least one"):
        mean_evaluation([])
