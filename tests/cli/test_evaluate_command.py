"""napari-gmsr evaluate."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import evaluate
from napari_gmsr.io import write_cube


@pytest.fixture
def cubes(tmp_path):
    """A truth and a cube near it, as files."""
    rng = np.random.default_rng(2)
    truth = SpectralCube(rng.uniform(0.1, 0.9, (31, 12, 14)), name="truth")
    near = SpectralCube(truth.data + rng.normal(0, 0.02, truth.shape).clip(-0.1, 0.1), name="near")
    write_cube(near, tmp_path / "near.npz")
    write_cube(truth, tmp_path / "truth.npz")
    return near, truth


def test_json_is_the_python_api_s(command, cubes, tmp_path):
    code, printed, err = command(
        "evaluate", tmp_path / "near.npz", tmp_path / "truth.npz", "--json"
    )
    assert (code, err) == (0, "")
    files = {"cube": str(tmp_path / "near.npz"), "truth": str(tmp_path / "truth.npz")}
    assert json.loads(printed) == evaluate(*cubes).to_dict() | files


def test_the_table_names_both_sets(command, cubes, tmp_path):
    code, printed, _ = command("evaluate", tmp_path / "near.npz", tmp_path / "truth.npz")
    assert code == 0
    assert "paper" in printed
    assert "standard" in printed
    assert f"{evaluate(*cubes).standard.rmse:.4f}" in printed


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure(command, refused, cubes, tmp_path, suffix):
    figure = tmp_path / f"figure{suffix}"
    arguments = ("evaluate", tmp_path / "near.npz", tmp_path / "truth.npz", "--figure", figure)
    assert command(*arguments)[0] == 0
    assert figure.stat().st_size > 1000
    assert str(figure) in refused(*arguments)
    assert command(*arguments, "--overwrite")[0] == 0


def test_variable_and_scale_of_the_truth(command, refused, cubes, tmp_path):
    near, truth = cubes
    scaled = np.moveaxis(truth.data, 0, -1) * 7
    savemat(tmp_path / "truth.mat", {"first": scaled, "second": scaled[::-1]})
    near_file = tmp_path / "near.npz"
    assert "second" in refused("evaluate", near_file, tmp_path / "truth.mat")
    options = ("--variable", "first", "--scale", 7, "--json")
    code, printed, _ = command("evaluate", near_file, tmp_path / "truth.mat", *options)
    assert code == 0
    expected = evaluate(near, truth).standard.rmse
    assert json.loads(printed)["standard"]["rmse"] == pytest.approx(expected, abs=1e-6)


def test_wavelengths_of_the_truth(command, refused, cubes, tmp_path):
    near, truth = cubes
    np.save(tmp_path / "truth.npy", truth.data[2:])  # says nothing of its 29 bands
    pair = ("evaluate", tmp_path / "near.npz", tmp_path / "truth.npy")
    assert "wavelengths" in refused(*pair)
    options = ("--wavelengths", "420:700:10", "--common-bands", "--json")
    code, printed, _ = command(*pair, *options)
    assert code == 0
    assert json.loads(printed)["wavelengths_nm"] == list(range(420, 701, 10))
    expected = np.sqrt(np.mean((near.data[2:] - truth.data[2:]) ** 2))
    assert json.loads(printed)["standard"]["rmse"] == pytest.approx(expected, rel=1e-5)
    assert "31 wavelengths do not fit" in refused(*pair, "--wavelengths", "400:700:10")


@pytest.mark.parametrize(
    "text",
    ["", "420", "420:720", "a:b:c", "420:720:0", "420:720:7", "1:2:-1", "nan:1:1", "0:9:1e-9"],
)
def test_wavelengths_that_are_none(refused, cubes, tmp_path, text):
    message = refused(
        "evaluate", tmp_path / "near.npz", tmp_path / "truth.npz", "--wavelengths", text
    )
    assert "such as 420:720:10" in message


def test_a_truth_of_another_size(refused, cubes, tmp_path):
    write_cube(SpectralCube(np.zeros((31, 5, 5)), name="small"), tmp_path / "small.npz")
    message = refused("evaluate", tmp_path / "near.npz", tmp_path / "small.npz")
    assert str(tmp_path / "near.npz") in message
    assert str(tmp_path / "small.npz") in message
    assert "12 x 14" in message
    assert "5 x 5" in message


def test_a_truth_that_is_no_cube(refused, cubes, tmp_path):
    (tmp_path / "broken.mat").write_bytes(b"nothing of the kind")
    message = refused("evaluate", tmp_path / "near.npz", tmp_path / "broken.mat")
    assert str(tmp_path / "broken.mat") in message


def test_stress_prints_a_table_json_or_csv_and_draws(command, cubes, checkpoint, tmp_path):
    figure = tmp_path / "stress.png"
    options = ("evaluate", tmp_path / "truth.npz", "--stress", "--model", checkpoint)
    camera = ("--camera", "srgb", "--illuminant", "D65")
    code, printed, err = command(*options, *camera, "--figure", figure)
    assert code == 0
    assert "truth through srgb under D65, by tiny" in printed
    assert "metamers" in printed
    assert "stress: " in err
    assert figure.stat().st_size > 1000
    code, printed, _ = command(*options, *camera, "--json")
    report = json.loads(printed)
    assert report["illuminant"] == "D65"
    code, printed, _ = command(*options, *camera, "--csv")
    assert printed.splitlines()[0] == "kind,level,rmse,sam_deg,mrae,ratio"
    assert len(printed.splitlines()) == 1 + len(report["rows"])


def test_one_cube_or_two(refused, cubes, checkpoint, tmp_path):
    near, truth = tmp_path / "near.npz", tmp_path / "truth.npz"
    assert "--stress" in refused("evaluate", near)
    assert "one cube" in refused("evaluate", near, truth, "--stress")
    (tmp_path / "there.png").write_bytes(b"")
    assert "there.png" in refused(
        "evaluate", truth, "--stress", "--model", checkpoint, "--figure", tmp_path / "there.png"
    )
