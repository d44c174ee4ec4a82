"""The dataset doctor: silent over a sound set, one clear finding for each thing that is wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
import small_sets

from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import check_dataset, open_dataset
from napari_gmsr.errors import Cancelled

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def folder(tmp_path):
    """Four sound pairs, linear, of the CIE 1964 response."""
    small_sets.pairs(tmp_path, NAMES)
    (tmp_path / "split.json").write_text(
        '{"train": ["a", "b"], "validation": ["c"], "test": ["d"]}'
    )
    return tmp_path


def check(folder, **arguments):
    options = {"camera": "cie_1964", "encoding": "linear"} | arguments
    return check_dataset(open_dataset("pairs", folder, **options), patch=32)


def only(report, severity=None):
    (finding,) = [f for f in report.findings if severity in (None, f.severity)]
    assert finding.fix.endswith(".")
    assert not finding.what.endswith(".")
    return finding


def test_a_sound_set(folder):
    report = check(folder)
    assert report.findings == ()
    assert report.ok
    assert report.scenes == {"train": 2, "validation": 1, "test": 1}


@pytest.mark.parametrize(
    ("build", "name", "scenes"),
    [
        (small_sets.ntire2020, "ntire2020-clean", (1, 2, 451)),
        (small_sets.ntire2020, "ntire2020-realworld", (1, 2, 451)),
        (small_sets.arad1k, "arad1k", (1, 2, 901)),
        (small_sets.cave, "cave", ("balloons", "beads", "watercolors")),
    ],
)
def test_the_published_layouts_are_sound_but_for_missing_scenes(tmp_path, build, name, scenes):
    report = check_dataset(open_dataset(name, build(tmp_path, scenes)), patch=32)
    assert report.ok
    warnings = [finding.what for finding in report.findings if finding.severity == "warning"]
    assert all("test scenes are missing" in what for what in warnings)


def test_a_half_downloaded_cube(folder):
    content = (folder / "a.mat").read_bytes()
    (folder / "a.mat").write_bytes(content[: len(content) // 2])
    finding = only(check(folder))
    assert (finding.severity, finding.scene) == ("error", "a")
    assert str(folder / "a.mat") in finding.what
    assert "download" in finding.fix


def test_a_half_downloaded_picture(folder):
    content = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(content[: len(content) // 2])
    report = check(folder)
    assert not report.ok
    assert str(folder / "a.png") in only(report).what


def test_a_download_in_progress(folder):
    (folder / "e.mat.part").write_bytes(b"MATLAB 5.0")
    assert "has not finished (e.mat.part)" in only(check(folder)).what


def test_a_file_that_vanished(folder):
    dataset = open_dataset("pairs", folder, camera="cie_1964", encoding="linear")
    (folder / "b.mat").unlink()
    finding = only(check_dataset(dataset, patch=32))
    assert (finding.severity, finding.scene) == ("error", "b")
    assert "no such file" in finding.what


def test_picture_and_cube_without_partner(folder):
    (folder / "split.json").unlink()
    (folder / "a.png").unlink()
    (folder / "b.mat").unlink()
    report = check(folder)
    found = {finding.scene: finding.what for finding in report.findings}
    assert "cube a.mat has no picture" in found["a"]
    assert "picture b.png has no cube" in found["b"]


@pytest.mark.parametrize("said", [False, True])
def test_31_and_30_bands_together(folder, said):
    (folder / "a.mat").unlink()
    cube = small_sets.spectra(0, bands=30)
    if said:
        SpectralCube.from_band_last(cube, np.linspace(400, 690, 30)).save(folder / "a.npz")
    else:
        small_sets.write_mat(folder / "a.mat", "7.3", cube=cube)
    finding = only(check(folder))
    assert (finding.severity, finding.scene) == ("error", "a")
    assert "30 bands" in finding.what


def test_a_picture_of_another_size(folder):
    small_sets.write_picture(folder / "a.png", np.full((9, 9, 3), 99, np.uint8))
    assert "9 x 9 pixels, its cube 40 x 48" in only(check(folder)).what


def test_a_training_scene_smaller_than_the_patch(folder):
    dataset = open_dataset("pairs", folder, camera="cie_1964", encoding="linear")
    report = check_dataset(dataset, patch=41)
    assert [finding.scene for finding in report.findings] == ["a", "b"]
    assert "less than a patch of 41 x 41" in report.findings[0].what


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_values_that_are_no_numbers(folder, broken):
    cube = small_sets.spectra(0)
    cube[3, 4, 5:7] = broken, -broken
    small_sets.write_mat(folder / "a.mat", "5", cube=cube)
    finding = only(check(folder), "error")
    assert (finding.scene, finding.what.split(" of")[0]) == ("a", "2")


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (small_sets.spectra(0) * 4095, "between 173 and 2.33e+03, beyond 0 to 1"),
        (small_sets.spectra(0) - 0.1, "between -0.0577 and 0.468"),
        (np.full((*small_sets.SIZE, 31), 0.5), "every value of the cube is 0.5"),
    ],
)
def test_values_out_of_range(folder, cube, message):
    small_sets.write_mat(folder / "a.mat", "5", cube=cube)
    found = [finding.what for finding in check(folder).findings if finding.scene == "a"]
    assert any(message in what for what in found)


class TestPictureAndCube:
    def test_exchanged(self, folder):
        (folder / "a.png").rename(folder / "x.png")
        (folder / "b.png").rename(folder / "a.png")
        (folder / "x.png").rename(folder / "b.png")
        report = check(folder)
        assert [finding.scene for finding in report.findings] == ["a", "b"]
        assert all("not what the response 'cie_1964' makes" in f.what for f in report.findings)

    def test_exchanged_without_a_response(self, folder):
        (folder / "b.png").unlink()
        (folder / "a.png").rename(folder / "b.png")
        small_sets.write_picture(folder / "a.png", small_sets.eight_bit(small_sets.spectra(9)))
        report = check(folder, camera=None)
        warned = [finding.scene for finding in report.findings if finding.severity == "warning"]
        assert warned == ["a", "b"]
        assert "no camera response is known" in only(report, "note").what

    @pytest.mark.parametrize("change", [np.fliplr, np.flipud])
    def test_flipped(self, folder, change):
        pixels = change(small_sets.eight_bit(small_sets.spectra(0)))
        small_sets.write_picture(folder / "a.png", pixels)
        assert only(check(folder)).scene == "a"
        assert "does not show" in only(check(folder, camera=None), "warning").what

    def test_channels_in_another_order(self, folder):
        pixels = small_sets.eight_bit(small_sets.spectra(0))[..., ::-1]
        small_sets.write_picture(folder / "a.png", pixels)
        assert "order of the channels" in only(check(folder)).fix

    def test_another_encoding(self, folder):
        report = check(folder, encoding="srgb")
        assert [finding.scene for finding in report.findings] == list("abcd")

    def test_another_camera(self, folder):
        report = check(folder, camera="nikon_5100")
        assert [finding.scene for finding in report.findings] == list("abcd")

    def test_another_exposure_is_a_note(self, folder):
        pixels = small_sets.eight_bit(small_sets.spectra(0) * 0.5)
        small_sets.write_picture(folder / "a.png", pixels)
        finding = only(check(folder))
        assert finding.severity == "note"
        assert "another exposure" in finding.what
        assert "1, by factors of 0.49 to" in finding.what

    def test_noise_and_jpeg_pass(self, folder):
        for seed, name in enumerate(NAMES):
            (folder / f"{name}.png").unlink()
            noise = np.random.default_rng(seed).normal(0, 4, (*small_sets.SIZE, 3))
            pixels = small_sets.eight_bit(small_sets.spectra(seed)) + noise
            pixels = np.clip(pixels, 0, 255).astype(np.uint8)
            small_sets.write_picture(folder / f"{name}.jpg", pixels)
        assert check(folder).findings == ()


class TestTwins:
    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_one_scene_in_two_splits(self, folder, scale):
        cube = small_sets.spectra(0) * scale  # another exposure is the same scene
        small_sets.write_mat(folder / "d.mat", "7.3", cube=cube)
        small_sets.write_picture(folder / "d.png", small_sets.eight_bit(cube))
        finding = only(check(folder))
        assert finding.severity == "warning"
        assert "looks like d" in finding.what
        assert "one is for train and one for test" in finding.what

    def test_within_a_split_it_is_no_matter(self, folder):
        cube = small_sets.spectra(0)
        small_sets.write_mat(folder / "b.mat", "7.3", cube=cube)
        small_sets.write_picture(folder / "b.png", small_sets.eight_bit(cube))
        assert check(folder).findings == ()

    def test_real_takes_of_one_scene_are_found_and_others_are_not(self, shared_data):
        dataset = open_dataset("pairs", shared_data / "scenes", camera="cie_1964")
        scenes = tuple(
            replace(s, split="test" if s.name.endswith("sharp") else "train")
            for s in dataset.scenes
        )
        report = check_dataset(replace(dataset, scenes=scenes), patch=100)
        (twins,) = [finding for finding in report.findings if finding.severity == "warning"]
        assert {twins.scene, twins.what.split()[3]} == {"cave_cloth_256", "cave_cloth_256_sharp"}
        assert report.ok


def test_no_scene_for_training(folder):
    (folder / "split.json").write_text('{"test": ["a"]}')
    report = check(folder)
    assert not report.ok
    assert "no scene for training" in only(report, "error").what
    assert "no scene for validation" in only(report, "note").what


def test_json_and_rows(folder):
    (folder / "e.mat.part").touch()
    report = check(folder)
    content = json.loads(report.to_json())
    assert content["ok"] is False
    assert content["dataset"] == "pairs"
    assert content["scenes"] == {"train": 2, "validation": 1, "test": 1}
    (row,) = report.rows()
    assert list(content["findings"][0].values()) == list(row)


def test_progress_and_cancel(folder):
    dataset = open_dataset("pairs", folder, camera="cie_1964", encoding="linear")
    told = []
    check_dataset(dataset, patch=32, progress=lambda *args: told.append(args))
    assert told == [(0, 4, "a"), (1, 4, "b"), (2, 4, "c"), (3, 4, "d"), (4, 4, "")]
    asked = iter([False, False, True])
    with pytest.raises(Cancelled, match="after 2 of 4 scenes"):
        check_dataset(dataset, patch=32, cancel=lambda: next(asked))
