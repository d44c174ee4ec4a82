"""The figure of several cubes, and the record from which a figure is made again."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.evaluate import (
    PAPER_COLORMAP,
    Comparison,
    ComparisonFiles,
    comparison_figure,
    error_map,
    load_comparison,
    save_comparison,
    save_figure,
)
from napari_gmsr.image import RGBImage
from napari_gmsr.io import write_cube

SHAPE = (31, 18, 24)


@pytest.fixture
def truth():
    data = np.random.default_rng(1).uniform(0.1, 0.9, SHAPE).astype(np.float32)
    return SpectralCube(data, name="wall")


def reconstructions(truth, count):
    rng = np.random.default_rng(2)
    return [
        SpectralCube(
            np.clip(truth.data + rng.normal(0, 0.02 * (number + 1), SHAPE), 0, 1),
            name=f"wall [m{number}]",
            provenance={"model": f"m{number}", "checkpoint_sha256": f"{number}" * 64},
        )
        for number in range(count)
    ]


def heatmaps(figure):
    found = [axes.images[0] for axes in figure.axes if axes.images]
    return [image for image in found if image.get_cmap().name == PAPER_COLORMAP]


@pytest.mark.parametrize("count", [2, 5])
def test_several_cubes_stand_beside_the_truth_under_one_bar(truth, count):
    cubes = reconstructions(truth, count)
    figure = comparison_figure(None, cubes, truth, [(3, 4)], [480, 541])
    names = {line for axes in figure.axes for line in axes.get_title().splitlines()}
    assert "truth" in names
    assert {f"m{number}" for number in range(count)} <= names
    maps = heatmaps(figure)
    assert len(maps) == 2 * count
    assert len({image.get_clim() for image in maps}) == 1
    assert len([image for image in maps if image.colorbar is not None]) == 1
    drawn = [image.get_array() for image in maps]
    for cube in cubes:
        for nm in (480, 540):
            expected = error_map(cube, truth, band_nm=nm)
            assert any(np.array_equal(image, expected) for image in drawn)
    curves = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    for cube in (*cubes, truth):
        assert any(np.array_equal(curve, cube.spectrum(3, 4)) for curve in curves)


@pytest.mark.parametrize("with_truth", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_nothing_overlaps_or_leaves_the_figure(truth, count, with_truth):
    cubes = reconstructions(truth, count)
    figure = comparison_figure(None, cubes, truth if with_truth else None)
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= b.x0 < b.x1 <= 1 and 0 <= b.y0 < b.y1 <= 1 for b in boxes)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


@pytest.mark.parametrize("count", [1, 2])
def test_dollar_signs_in_names_are_no_formulas(truth, count, tmp_path):
    name = r"5$ or \frac{1$"
    cubes = [replace(truth, name=name, data=truth.data * (0.9 + 0.02 * i)) for i in range(count)]
    figure = Comparison.of(cubes, truth, labels=[f"{name}{i}" for i in range(count)]).draw()
    save_figure(figure, tmp_path / "figure.svg")  # Matplotlib refuses half a formula


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_range_of_errors_that_is_none(truth, limit):
    with pytest.raises(InputError, match="cannot end at"):
        Comparison.of(truth, truth, error_max=limit)


def test_cubes_of_one_model_are_told_apart_by_their_names(truth):
    one = SpectralCube(truth.data, name="wall before")
    other = SpectralCube(truth.data, name="wall after")
    assert Comparison.of([one, other]).labels == ("before", "after")
    assert Comparison.of([one, one]).labels == ("wall before 1", "wall before 2")
    with pytest.raises(InputError, match="1 labels for 2 cubes"):
        Comparison.of([one, other], labels=["a"])
    with pytest.raises(InputError, match="no cube"):
        Comparison.of([])


def files_of(folder, cubes, truth, rgb):
    paths = [write_cube(cube, folder / f"{number}.npz") for number, cube in enumerate(cubes)]
    Image.fromarray(np.round(rgb.data * 255).astype(np.uint8)).save(folder / "wall.png")
    return ComparisonFiles(paths, write_cube(truth, folder / "truth.mat"), folder / "wall.png")


@pytest.fixture
def saved(truth, tmp_path):
    """A figure of two cubes in a folder with its files, and what it shows."""
    folder = tmp_path / "first"
    folder.mkdir()
    cubes = reconstructions(truth, 2)
    pixels = np.random.default_rng(3).integers(0, 256, (*SHAPE[1:], 3)) / 255
    rgb = RGBImage(pixels.astype(np.float32), name="wall")
    comparison = Comparison.of(cubes, truth, rgb, [(3, 4), (17, 0)], [480, 600])
    files = files_of(folder, cubes, truth, rgb)
    figure, record = save_comparison(comparison, folder / "figure.png", files)
    return comparison, figure, record


def test_the_record_holds_the_numbers_the_files_and_the_provenance(saved):
    comparison, _, path = saved
    record = json.loads(path.read_text())
    assert record["bands_nm"] == [480, 600]
    assert record["points"] == [[3, 4], [17, 0]]
    assert record["cubes"][1]["provenance"] == comparison.cubes[1].provenance
    assert record["cubes"][1]["file"]["relative"] == "1.npz"
    assert record["picture"]["file"]["reading"] == {"encoding": "srgb"}
    spectrum = comparison.cubes[1].spectrum(17, 0)
    np.testing.assert_array_equal(np.float32(record["curves"][1]["spectra"][1]), spectrum)
    at_480 = error_map(comparison.cubes[0], comparison.truth, band_nm=480).astype(float)
    assert record["errors"][0]["band_rmse"][0] == pytest.approx(np.sqrt((at_480**2).mean()))
    assert set(record["versions"]) == {"napari-gmsr", "numpy", "matplotlib"}


def test_the_png_itself_says_where_it_comes_from(saved):
    _, figure, _ = saved
    with Image.open(figure) as png:
        assert png.text["Software"].startswith("napari-gmsr ")
        text = png.text["Description"]
    said = json.loads(text)
    assert said["cubes"][0]["provenance"]["checkpoint_sha256"] == "0" * 64
    assert [cube["file"] for cube in said["cubes"]] == ["0.npz", "1.npz"]
    assert said["truth"]["file"] == "truth.mat"
    assert str(figure.parent) not in text  # a picture is shared: it names no folder of its maker's


def test_a_figure_is_made_again_from_its_record_also_where_all_has_moved(saved, tmp_path):
    _, figure, record = saved
    moved = figure.parent.rename(tmp_path / "second")
    comparison, files = load_comparison(moved / record.name)
    with Image.open(moved / figure.name) as before:
        (moved / figure.name).with_suffix(".was").write_bytes(before.tobytes())
    again, _ = save_comparison(comparison, moved / figure.name, files, overwrite=True)
    with Image.open(again) as after:
        assert after.tobytes() == (moved / figure.name).with_suffix(".was").read_bytes()


def test_changed_or_missing_files_and_other_json_are_told(saved, truth, tmp_path):
    _, figure, record = saved
    cube = figure.parent / "1.npz"
    content = cube.read_bytes()
    write_cube(truth, cube, overwrite=True)
    with pytest.raises(InputError, match=r"1\.npz.*changed"):
        _show(load_comparison, record)
    cube.unlink()
    with pytest.raises(InputError, match=r"1\.npz.*not there"):
        _show(load_comparison, record)
    cube.write_bytes(content)
    later = json.loads(record.read_text()) | {"version": 2}
    record.write_text(json.dumps(later))
    with pytest.raises(InputError, match="version"):
        load_comparison(record)
    with pytest.raises(InputError, match="no record"):
        load_comparison(figure)
    with pytest.raises(InputError, match="cannot be read"):
        load_comparison(tmp_path / "none.json")


def _show(call, argument):
    """Call, and raise a mistake with its whole sentence as its text."""
    try:
        call(argument)
    except InputError as error:
        raise InputError(str(error)) from error


def test_cubes_without_files_are_drawn_but_not_again(truth, tmp_path):
    comparison = Comparison.of(truth, points=[])
    _, record = save_comparison(comparison, tmp_path / "figure.svg")
    with pytest.raises(InputError, match="had no file"):
        load_comparison(record)
    with pytest.raises(OutputError, match="taken"):
        save_comparison(comparison, tmp_path / "figure.svg")
