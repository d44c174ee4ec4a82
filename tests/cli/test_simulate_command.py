import json

import numpy as np
import pytest

from napari_gmsr import read_cube, read_rgb
from napari_gmsr.color import render_rgb

SMALL = ("--count", 2, "--size", 24, "--seed", 3)


def test_pairs_of_a_photograph_agree_exactly_and_come_again(tmp_path, photo, command):
    for name in ("a", "b"):
        code, out, _ = command("simulate", photo, "-o", tmp_path / name, *SMALL, "--json")
        assert code == 0
        assert len(json.loads(out)["pictures"]) == 2
    for scene in ("scene_00000", "scene_00001"):
        cube, again = (read_cube(tmp_path / n / "cube" / f"{scene}.npz") for n in "ab")
        np.testing.assert_array_equal(cube.data, again.data)
        picture = read_rgb(tmp_path / "a" / "rgb" / f"{scene}.png").data
        seen = render_rgb(cube, "srgb", "D65", "srgb").data
        assert np.abs(picture - np.rint(seen * 255) / 255).max() <= 1.001 / 255
        assert (np.abs(picture - seen) <= 0.501 / 255).mean() > 0.999
    sources = json.loads((tmp_path / "a" / "sources.json").read_text())
    assert sources["seed"] == 3
    assert sources["sources"][0]["name"] == "photo.png"
    assert json.loads((tmp_path / "a" / "pairs.json").read_text())["encoding"] == "srgb"


def test_linear_pictures_of_another_camera_without_photographs(tmp_path, command):
    out = tmp_path / "out"
    options = ("--target", "ntire2020-clean", "--camera", "nikon_5100", "--illuminant", "A")
    assert command("simulate", "-o", out, *SMALL, *options)[0] == 0
    picture = read_rgb(out / "rgb" / "scene_00000.tif")
    cube = read_cube(out / "cube" / "scene_00000.npz")
    assert picture.encoding == "linear"
    np.testing.assert_allclose(picture.data, render_rgb(cube, "nikon_5100", "A").data, atol=1e-6)


def test_noise_mosaic_and_jpeg_leave_the_cubes_alone(tmp_path, photo, command):
    camera = ("--noise", 2000, "--read-noise", 3, "--mosaic", "--jpeg", 80)
    command("simulate", photo, "-o", tmp_path / "plain", *SMALL)
    assert command("simulate", photo, "-o", tmp_path / "real", *SMALL, *camera)[0] == 0
    plain, real = (
        read_cube(tmp_path / n / "cube" / "scene_00000.npz").data for n in ("plain", "real")
    )
    np.testing.assert_array_equal(plain, real)
    assert (tmp_path / "real" / "rgb" / "scene_00001.jpg").is_file()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, refused, command):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    assert "not empty" in refused("simulate", "-o", out, *SMALL)
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    assert command("simulate", "-o", out, *SMALL, "--overwrite")[0] == 0
    assert (out / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--camera", "leica"), "unknown camera"),
        (("--illuminant", "D66"), "unknown illuminant"),
        (("--sources", "missing"), "no such folder"),
        (("--read-noise", 3), "electrons"),
        (("missing.jpg",), "no such file"),
    ],
)
def test_mistakes(tmp_path, refused, options, said):
    assert said in refused("simulate", "-o", tmp_path / "out", *SMALL, *options)
    assert not (tmp_path / "out").exists()
