"""`napari-gmsr show`: the picture is the library's, and a mistake is one line."""

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.cli.app import run
from napari_gmsr.color import false_color, true_color
from napari_gmsr.cube import SpectralCube
from napari_gmsr.io import write_cube

DATA = np.random.default_rng(0).random((31, 5, 7), dtype=np.float32)


@pytest.fixture
def cube(tmp_path):
    return write_cube(SpectralCube(DATA), tmp_path / "cube.npz")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], true_color(DATA)),
        (["--illuminant", "a", "--adapted"], true_color(DATA, illuminant="A", adapted=True)),
        (
            ["--illuminant", "none", "--exposure", "auto"],
            true_color(DATA, illuminant=None, exposure="auto"),
        ),
        (["--exposure", "0.25"], true_color(DATA, exposure=0.25)),
        (["--bands", "700, 542,430"], false_color(DATA, (700, 542, 430))),
        (
            ["--bands", "700,540,430", "--no-stretch"],
            false_color(DATA, (700, 540, 430), stretch=None),
        ),
    ],
)
def test_the_picture_is_that_of_the_library(cube, tmp_path, capsys, options, expected):
    out = tmp_path / "picture.png"
    assert run(["show", str(cube), "-o", str(out), *options]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as picture:
        np.testing.assert_array_equal(np.asarray(picture), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--illuminant", "sun"], "unknown illuminant 'sun'"),
        (["--bands", "650,550"], "no three wavelengths in nm: '650,550'"),
        (["--exposure", "-1"], "no exposure: '-1'"),
        (["--exposure", "bright"], "no exposure: 'bright'"),
    ],
)
def test_a_mistake_is_one_line_with_its_fix(cube, tmp_path, capsys, options, words):
    out = tmp_path / "picture.png"
    assert run(["show", str(cube), "-o", str(out), *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_nothing_is_replaced_and_no_format_invented(cube, tmp_path, capsys):
    out = tmp_path / "picture.jpg"
    assert run(["show", str(cube), "-o", str(out)]) == 0
    assert run(["show", str(cube), "-o", str(out)]) == 2
    assert run(["show", str(cube), "-o", str(out), "--overwrite"]) == 0
    assert run(["show", str(cube), "-o", str(tmp_path / "picture.xyz")]) == 2
    assert "Name it .png" in capsys.readouterr().err
