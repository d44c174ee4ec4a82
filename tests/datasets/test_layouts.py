"""Each dataset as it is downloaded: found, split, read to the last number."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_sets
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from napari_gmsr.color import camera_response, render_rgb
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.datasets import list_datasets, open_dataset
from napari_gmsr.errors import DatasetError, InputError

CAVE_SCENES = [
    "balloons",
    "beads",
    "cd",
    "chart_and_stuffed_toy",
    "clay",
    "cloth",
    "egyptian_statue",
    "face",
    "fake_and_real_beers",
    "fake_and_real_food",
    "fake_and_real_lemon_slices",
    "fake_and_real_lemons",
    "fake_and_real_peppers",
    "fake_and_real_strawberries",
    "fake_and_real_sushi",
    "fake_and_real_tomatoes",
    "feathers",
    "flowers",
    "glass_tiles",
    "hairs",
    "jelly_beans",
    "oil_painting",
    "paints",
    "photo_and_face",
    "pompoms",
    "real_and_fake_apples",
    "real_and_fake_peppers",
    "sponges",
    "stuffed_toys",
    "superballs",
    "thread_spools",
    "watercolors",
]
PINNED = {  # the splits of `recommended`, so that none moves unseen
    "ntire2020": "d483077df4927374f3fd812091ea88d39c647cb1b6d55f2efb21b1e0054f2440",
    "arad1k": "8c5e53448c8d846d625940d67bc10f7f152c2cc3b0aff59e9c712c659ca6cddf",
    "cave": "b1908fbe89912147c1a6eff725ba1e2a4fd4bf0a36db5ef6d8d691fc7cd63f06",
}
VALIDATION_2020 = (451, 453, 455, 456, 457, 459, 462, 463, 464, 465)


def touch(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def counts(dataset):
    return tuple(len(dataset.select(split)) for split in ("train", "validation", "test"))


@pytest.fixture
def d700(tmp_path):
    """A response in place of the Nikon D700's, as a user gives it."""
    response = camera_response("nikon_5100")
    nm = np.arange(400, 721, 10)
    rows = [
        f"{w},{r:.6f},{g:.6f},{b:.6f}" for w, (r, g, b) in zip(nm, response.at(nm), strict=True)
    ]
    file = tmp_path / "d700.csv"
    file.write_text("\n".join(["wavelength,r,g,b", *rows]))
    return file


class TestNTIRE2020:
    @pytest.mark.parametrize("version", ["5", "7.3"])
    @pytest.mark.parametrize("above", ["", "NTIRE2020"])
    def test_clean(self, tmp_path, version, above):
        small_sets.ntire2020(tmp_path / above, (1, 2, 463), version)
        dataset = open_dataset("ntire2020-clean", tmp_path)
        assert [scene.name for scene in dataset.scenes] == [
            "ARAD_HS_0001",
            "ARAD_HS_0002",
            "ARAD_HS_0463",
        ]
        assert dataset.scenes[2].split == "test"
        assert (dataset.encoding, dataset.camera) == ("linear", "cie_1964")
        rgb, cube = dataset.read(dataset.scenes[1])
        truth = small_sets.spectra(2)
        assert_array_equal(cube.data, np.moveaxis(truth, -1, 0).astype(np.float32))
        assert_array_equal(cube.wavelengths_nm, WAVELENGTHS_NM)
        assert rgb.encoding == "linear"
        assert_array_equal(np.round(rgb.data * 255), small_sets.eight_bit(truth))

    def test_clean_pictures_that_are_missing_are_rendered_the_same(self, tmp_path):
        small_sets.ntire2020(tmp_path / "a", (1, 451))
        small_sets.ntire2020(tmp_path / "b", (1, 451), clean=False)
        with_files, without = (open_dataset("ntire2020-clean", tmp_path / x) for x in "ab")
        for scene, rendered in zip(with_files.scenes, without.scenes, strict=True):
            assert scene.rgb is not None
            assert rendered.rgb is None
            assert_allclose(
                with_files.read(scene)[0].data, without.read(rendered)[0].data, rtol=0, atol=1e-6
            )
        assert with_files.split_hash() == without.split_hash()

    def test_real_world_needs_its_pictures(self, tmp_path):
        small_sets.ntire2020(tmp_path, (1, 2, 451))
        next(tmp_path.rglob("ARAD_HS_0002_RealWorld.jpg")).unlink()
        dataset = open_dataset("ntire2020-realworld", tmp_path)
        assert [scene.name for scene in dataset.scenes] == ["ARAD_HS_0001", "ARAD_HS_0451"]
        assert (dataset.camera, dataset.rendering) == ("unknown", None)
        assert dataset.read(dataset.scenes[0])[0].encoding == "srgb"
        assert any(problem.scene == "ARAD_HS_0002" for problem in dataset.problems)

    def test_the_papers_split(self, tmp_path):
        """The files are empty: opening a dataset reads none of them."""
        numbers = (*range(1, 451), *VALIDATION_2020)
        touch(tmp_path, [f"spectral/ARAD_HS_{number:04}.mat" for number in numbers])
        paper = open_dataset("ntire2020-clean", tmp_path, split="paper")
        ours = open_dataset("ntire2020-clean", tmp_path)
        assert counts(paper) == (450, 0, 10)
        assert counts(ours) == (405, 45, 10)
        assert paper.select("test") == ours.select("test")
        assert [int(scene.name[-4:]) for scene in ours.select("test")] == list(VALIDATION_2020)
        assert not ours.problems
        assert ours.split_hash() == PINNED["ntire2020"]

    def test_missing_test_scenes_are_named(self, tmp_path):
        touch(tmp_path, ["ARAD_HS_0001.mat", "ARAD_HS_0451.mat"])
        (problem,) = open_dataset("ntire2020-clean", tmp_path).problems
        assert "9 of the 10 test scenes are missing" in problem.what
        assert "ARAD_HS_0465" in problem.what

    def test_another_camera_renders_all(self, tmp_path):
        small_sets.ntire2020(tmp_path, (1, 451))
        dataset = open_dataset("ntire2020-realworld", tmp_path, camera="nikon_5100")
        rgb, cube = dataset.read(dataset.scenes[0])
        assert_array_equal(rgb.data, render_rgb(cube, "nikon_5100").data)
        assert (dataset.camera, dataset.encoding) == ("nikon_5100", "linear")


class TestARAD1K:
    def test_reads_the_transposed_cubes(self, tmp_path):
        small_sets.arad1k(tmp_path / "ARAD_1K", (1, 2, 3, 901))
        dataset = open_dataset("arad1k", tmp_path)
        assert [scene.name for scene in dataset.select("test")] == ["ARAD_1K_0901"]
        rgb, cube = dataset.read(dataset.scenes[1])
        assert cube.shape == (31, *small_sets.SIZE)
        expected = np.moveaxis(small_sets.spectra(2), -1, 0).astype(np.float32)
        assert_array_equal(cube.data, expected)
        assert rgb.shape == small_sets.SIZE

    def test_the_published_split(self, tmp_path):
        names = [f"ARAD_1K_{number:04}" for number in range(1, 951)]
        touch(tmp_path, [f"{name}.mat" for name in names] + [f"{name}.jpg" for name in names])
        dataset = open_dataset("arad1k", tmp_path)
        assert counts(dataset) == (810, 90, 50)
        assert dataset.split_hash() == PINNED["arad1k"]


class TestCAVE:
    @pytest.mark.parametrize("deeper", [False, True])
    @pytest.mark.parametrize("above", ["", "complete_ms_data"])
    def test_as_downloaded(self, tmp_path, deeper, above):
        small_sets.cave(tmp_path / above, ("balloons", "beads", "watercolors"), deeper=deeper)
        dataset = open_dataset("cave", tmp_path)
        assert [scene.name for scene in dataset.scenes] == ["balloons", "beads", "watercolors"]
        assert dataset.scenes[2].split == "test"
        rgb, cube = dataset.read(dataset.scenes[1])
        expected = np.moveaxis(small_sets.spectra(1), -1, 0).astype(np.float32)
        assert_array_equal(cube.data, expected)
        assert rgb.encoding == "srgb"
        assert (dataset.camera, dataset.illuminant) == ("srgb", "D65")

    def test_without_the_bmp_it_is_rendered_alike(self, tmp_path):
        small_sets.cave(tmp_path / "a", ("balloons", "beads"))
        small_sets.cave(tmp_path / "b", ("balloons", "beads"), bmp=False)
        pictures = [
            dataset.read(dataset.scenes[0])[0]
            for dataset in (open_dataset("cave", tmp_path / x) for x in "ab")
        ]
        assert pictures[0].encoding == pictures[1].encoding == "srgb"
        assert_allclose(pictures[0].data, pictures[1].data, rtol=0, atol=1.01 / 255)

    def test_the_papers_split(self, tmp_path):
        touch(tmp_path, [f"{s}_ms/{s}_ms/{s}_ms_{b:02}.png" for s in CAVE_SCENES for b in (1, 31)])
        paper = open_dataset("cave", tmp_path, split="paper")
        assert [scene.name for scene in paper.select("train")] == CAVE_SCENES[:28]
        assert [scene.name for scene in paper.select("test")] == CAVE_SCENES[28:]
        ours = open_dataset("cave", tmp_path)
        assert counts(ours) == (25, 3, 4)
        assert ours.split_hash() == PINNED["cave"]

    @pytest.mark.parametrize("missing", [1, 17, 31])
    def test_a_scene_without_one_of_its_bands_is_no_scene_less(self, tmp_path, missing):
        small_sets.cave(tmp_path, ("balloons", "beads"))
        next(tmp_path.rglob(f"beads_ms_{missing:02}.png")).unlink()
        dataset = open_dataset("cave", tmp_path)
        assert len(dataset.scenes) == 2
        with pytest.raises(InputError):
            dataset.read(dataset.scenes[1])


class TestHarvard:
    NAMES = tuple(f"img{letter}{number}" for letter in "abcde" for number in range(10))

    @pytest.mark.parametrize("version", ["5", "7.3"])
    def test_as_downloaded(self, tmp_path, d700, version):
        small_sets.harvard(tmp_path / "set", ("imga1", "img2"), version)
        dataset = open_dataset("harvard", tmp_path / "set", camera=d700)
        assert [scene.name for scene in dataset.scenes] == ["img2", "imga1"]
        rgb, cube = dataset.read(dataset.scenes[1])
        assert_array_equal(cube.wavelengths_nm, np.arange(420, 721, 10))
        assert_array_equal(dataset.wavelengths_nm, cube.wavelengths_nm)
        expected = np.moveaxis(0.3 * small_sets.spectra(0), -1, 0)
        assert_array_equal(cube.data, expected.astype(np.float32))
        bright = render_rgb(replace(cube, data=cube.data / cube.data.max()), d700).data
        stretched = (bright - bright.min()) / (bright.max() - bright.min())
        assert_array_equal(rgb.data, np.floor(stretched * np.float32(255)) / np.float32(255))
        assert (rgb.data.min(), rgb.data.max()) == (0, 1)

    def test_the_exposure_is_lost(self, tmp_path, d700):
        cube = 0.3 * small_sets.spectra(0)
        for name, factor in {"img1": 1.0, "img2": 0.5}.items():
            small_sets.write_mat(tmp_path / f"{name}.mat", "5", ref=cube * factor)
        dataset = open_dataset("harvard", tmp_path, camera=d700)
        bright, dim = (dataset.read(scene)[0].data for scene in dataset.scenes)
        assert_allclose(bright, dim, rtol=0, atol=1.01 / 255)

    def test_the_response_must_be_given(self, tmp_path):
        small_sets.harvard(tmp_path, ("img1",))
        with pytest.raises(DatasetError, match=r"Nikon D700.*Give camera"):
            open_dataset("harvard", tmp_path)

    def test_the_papers_split(self, tmp_path, d700):
        root = touch(tmp_path / "set", [f"CZ_hsdb/{name}.mat" for name in self.NAMES])
        paper = open_dataset("harvard", root, split="paper", camera=d700)
        assert [scene.name for scene in paper.select("train")] == list(self.NAMES[:43])
        assert [scene.name for scene in paper.select("test")] == list(self.NAMES[43:])
        assert not paper.problems
        (root / "CZ_hsdb" / "imgc3.mat").unlink()
        (problem,) = open_dataset("harvard", root, camera=d700).problems
        assert "49 scenes instead of 50" in problem.what


class TestICVL:
    def test_31_bands(self, tmp_path):
        small_sets.icvl(tmp_path, ("BGU_0403-1419-1", "bulb_0822-0909", "c"), WAVELENGTHS_NM)
        dataset = open_dataset("icvl", tmp_path)
        assert counts(dataset) == (1, 1, 1)
        rgb, cube = dataset.read(dataset.scenes[0])
        expected = np.moveaxis(small_sets.spectra(0), -1, 0)
        assert_allclose(cube.data, expected, rtol=1e-6, atol=0)
        assert_array_equal(rgb.data, render_rgb(cube).data)

    def test_519_bands_are_averaged(self, tmp_path):
        nm = np.linspace(390, 1043, 519)
        small_sets.icvl(tmp_path, ("a", "b", "c"), nm)
        dataset = open_dataset("icvl", tmp_path)
        _, cube = dataset.read(dataset.scenes[0])
        raw = small_sets.spectra(0, bands=519)
        near = np.abs(nm - 550) <= 5
        assert near.sum() > 3
        assert_array_equal(cube.wavelengths_nm, WAVELENGTHS_NM)
        assert_allclose(cube.band(550), raw[..., near].mean(axis=2), rtol=1e-5, atol=0)

    def test_bands_that_miss_a_part_of_the_range(self, tmp_path):
        small_sets.icvl(tmp_path, ("a",), np.linspace(450, 1043, 200))
        dataset = open_dataset("icvl", tmp_path)
        with pytest.raises(DatasetError, match="none near 400 nm"):
            dataset.read(dataset.scenes[0])


class TestPairs:
    def test_in_one_folder(self, tmp_path):
        small_sets.pairs(tmp_path, ("a", "b", "c"))
        dataset = open_dataset("pairs", tmp_path)
        assert [scene.name for scene in dataset.scenes] == ["a", "b", "c"]
        assert counts(dataset) == (1, 1, 1)
        assert (dataset.encoding, dataset.camera) == ("srgb", "unknown")
        rgb, cube = dataset.read(dataset.scenes[1])
        assert (rgb.encoding, rgb.shape, cube.shape) == ("srgb", small_sets.SIZE, (31, 40, 48))

    def test_in_two_folders_one_deeper_with_endings(self, tmp_path):
        for seed, name in enumerate("ab"):
            cube = small_sets.spectra(seed)
            root = tmp_path / "set"
            small_sets.write_picture(root / "RGB" / f"{name}_rgb.png", small_sets.eight_bit(cube))
            small_sets.write_mat(root / "cube" / f"{name}.mat", "7.3", hsi=cube)
        dataset = open_dataset("pairs", tmp_path, encoding="linear", camera="cie_1964")
        assert [scene.name for scene in dataset.scenes] == ["a", "b"]
        assert dataset.read(dataset.scenes[0])[0].encoding == "linear"
        assert dataset.camera == "cie_1964"

    def test_split_by_folders(self, tmp_path):
        for split in ("train", "validation", "test"):
            small_sets.pairs(tmp_path / split, ("0001", "0002"))
        dataset = open_dataset("pairs", tmp_path)
        assert counts(dataset) == (2, 2, 2)
        assert dataset.select("test")[0].name == "test/0001"

    def test_split_by_a_file(self, tmp_path):
        small_sets.pairs(tmp_path, ("a", "b", "c", "d"))
        (tmp_path / "split.json").write_text('{"train": ["a", "b"], "test": ["d"]}')
        dataset = open_dataset("pairs", tmp_path)
        assert [(scene.name, scene.split) for scene in dataset.scenes] == [
            ("a", "train"),
            ("b", "train"),
            ("d", "test"),
        ]

    def test_what_pairs_json_says(self, tmp_path):
        small_sets.pairs(tmp_path, ("a", "b"))
        said = {"camera": "cie_1964", "encoding": "linear", "licence": "CC0", "illuminant": None}
        (tmp_path / "pairs.json").write_text(json.dumps(said))
        dataset = open_dataset("pairs", tmp_path)
        assert (dataset.camera, dataset.encoding, dataset.licence) == ("cie_1964", "linear", "CC0")
        assert open_dataset("pairs", tmp_path, encoding="srgb").encoding == "srgb"

    def test_a_response_in_the_folder(self, tmp_path, d700):
        small_sets.pairs(tmp_path / "set", ("a", "b"))
        d700.rename(tmp_path / "set" / "d700.csv")
        (tmp_path / "set" / "pairs.json").write_text('{"camera": "d700.csv"}')
        dataset = open_dataset("pairs", tmp_path / "set")
        assert dataset.camera == str(tmp_path / "set" / "d700.csv")

    def test_cubes_alone(self, tmp_path):
        for seed in range(2):
            SpectralCube.from_band_last(small_sets.spectra(seed)).save(tmp_path / f"{seed}.npz")
        dataset = open_dataset("pairs", tmp_path, camera="cie_1964")
        rgb, cube = dataset.read(dataset.scenes[0])
        assert_array_equal(rgb.data, render_rgb(cube).data)
        with pytest.raises(DatasetError, match=r"2 cubes but no picture.*camera"):
            open_dataset("pairs", tmp_path)

    def test_bands_that_the_cubes_say(self, tmp_path):
        nm = np.linspace(450, 650, 9)
        for seed in range(2):
            data = small_sets.spectra(seed, bands=9)
            SpectralCube.from_band_last(data, nm).save(tmp_path / f"{seed}.npz")
        dataset = open_dataset("pairs", tmp_path, camera="cie_1964")
        assert_array_equal(dataset.wavelengths_nm, nm)
        assert dataset.read(dataset.scenes[0])[1].shape == (9, *small_sets.SIZE)

    def test_scale_variable_and_wavelengths_are_passed_on(self, tmp_path):
        nm = np.linspace(450, 650, 9)
        cube = small_sets.spectra(0, bands=9)
        small_sets.write_mat(tmp_path / "a.mat", "5", mine=cube * 1000, other=cube)
        dataset = open_dataset(
            "pairs", tmp_path, camera="cie_1964", scale=1000, variable="mine", wavelengths_nm=nm
        )
        _, read = dataset.read(dataset.scenes[0])
        assert_allclose(read.data, np.moveaxis(cube, -1, 0), rtol=1e-6, atol=0)

    def test_a_tiff_is_a_cube_or_a_picture(self, tmp_path):
        cube = small_sets.spectra(0)
        SpectralCube.from_band_last(cube).save(tmp_path / "a.tif")
        small_sets.write_picture(tmp_path / "a.png", small_sets.eight_bit(cube))
        SpectralCube.from_band_last(cube).save(tmp_path / "b.npz")
        tifffile.imwrite(tmp_path / "b.tif", small_sets.eight_bit(cube))
        dataset = open_dataset("pairs", tmp_path)
        assert [(s.cube.name, s.rgb.name) for s in dataset.scenes] == [
            ("a.tif", "a.png"),
            ("b.npz", "b.tif"),
        ]

    def test_pictures_and_cubes_without_partner_are_left_out(self, tmp_path):
        small_sets.pairs(tmp_path, ("a", "b", "c"))
        (tmp_path / "a.png").unlink()
        (tmp_path / "b.mat").unlink()
        dataset = open_dataset("pairs", tmp_path)
        assert [scene.name for scene in dataset.scenes] == ["c"]
        found = {problem.scene: problem.what for problem in dataset.problems}
        assert "has no picture" in found["a"]
        assert "has no cube" in found["b"]

    def test_the_real_scenes(self, shared_data):
        dataset = open_dataset("pairs", shared_data / "scenes", camera="cie_1964")
        scenes = {scene.name: scene for scene in dataset.scenes}
        assert len(scenes) == 8
        rgb, cube = dataset.read(scenes["cave_feathers_512_uint8"])
        assert cube.shape == (31, 512, 512)
        assert 0.1 < cube.data.max() <= 1
        assert_array_equal(rgb.data, render_rgb(cube).data)


class TestWrongFolders:
    NAMES = tuple(info.name for info in list_datasets())

    @pytest.mark.parametrize("name", NAMES)
    def test_an_empty_folder(self, tmp_path, d700, name):
        (tmp_path / "empty").mkdir()
        camera = d700 if name == "harvard" else None
        with pytest.raises(DatasetError, match="no scene was found") as raised:
            open_dataset(name, tmp_path / "empty", camera=camera)
        assert raised.value.fix.startswith("Expected: ")
        assert raised.value.where == str(tmp_path / "empty")

    def test_no_folder(self, tmp_path):
        with pytest.raises(DatasetError, match="no such folder"):
            open_dataset("pairs", tmp_path / "nowhere")
        (tmp_path / "archive.zip").touch()
        with pytest.raises(DatasetError, match=r"a file, not a folder.*unpacked"):
            open_dataset("cave", tmp_path / "archive.zip")

    def test_a_folder_that_may_not_be_listed(self, plain_user_folder: Path):
        (plain_user_folder / "in").mkdir(mode=0)
        with pytest.raises(DatasetError, match="cannot be listed"):
            open_dataset("cave", plain_user_folder)

    def test_an_unknown_name(self, tmp_path):
        with pytest.raises(DatasetError, match="Did you mean 'harvard'"):
            open_dataset("havard", tmp_path)

    def test_an_unknown_camera(self, tmp_path):
        small_sets.pairs(tmp_path, ("a",))
        with pytest.raises(InputError, match="unknown camera 'nikon'"):
            open_dataset("pairs", tmp_path, camera="nikon")

    def test_an_unknown_illuminant(self, tmp_path):
        small_sets.cave(tmp_path, ("balloons",))
        with pytest.raises(InputError, match="unknown illuminant 'moon'"):
            open_dataset("cave", tmp_path, camera="srgb", illuminant="moon")
        with pytest.raises(DatasetError, match="illuminant cannot be chosen"):
            open_dataset("cave", tmp_path, illuminant="D65")

    def test_an_unknown_encoding(self, tmp_path):
        small_sets.pairs(tmp_path, ("a",))
        (tmp_path / "pairs.json").write_text('{"encoding": "gamma"}')
        with pytest.raises(DatasetError, match="unknown encoding 'gamma'"):
            open_dataset("pairs", tmp_path)

    def test_what_a_published_set_knows_itself(self, tmp_path):
        with pytest.raises(DatasetError, match=r"scale cannot be chosen.*'pairs'"):
            open_dataset("cave", tmp_path, scale=255)

    def test_pictures_alone(self, tmp_path):
        small_sets.write_picture(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
        with pytest.raises(DatasetError, match="1 pictures but no cube"):
            open_dataset("pairs", tmp_path)

    def test_names_that_do_not_match(self, tmp_path):
        small_sets.pairs(tmp_path, ("a",))
        (tmp_path / "a.png").rename(tmp_path / "z.png")
        with pytest.raises(DatasetError, match="none of its 1 cubes has a picture of its name"):
            open_dataset("pairs", tmp_path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "cannot be read as JSON"),
            ("[]", "no JSON object"),
            ('{"training": []}', "no split: training"),
            ('{"train": "a"}', "a value is no list"),
            ('{"train": ["z"]}', "'z', which is not there"),
            ('{"train": ["a"], "test": ["a"]}', "in train and in test"),
        ],
    )
    def test_a_wrong_split_file(self, tmp_path, content, message):
        small_sets.pairs(tmp_path, ("a", "b"))
        (tmp_path / "split.json").write_text(content)
        with pytest.raises(DatasetError, match=message):
            open_dataset("pairs", tmp_path)

    def test_a_wrong_pairs_file(self, tmp_path):
        small_sets.pairs(tmp_path, ("a",))
        (tmp_path / "pairs.json").write_text('{"lens": "50 mm"}')
        with pytest.raises(DatasetError, match=r"it holds lens.*It may hold camera"):
            open_dataset("pairs", tmp_path)

    def test_reading_a_picture_of_another_size(self, tmp_path):
        small_sets.pairs(tmp_path, ("a",))
        small_sets.write_picture(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
        dataset = open_dataset("pairs", tmp_path)
        with pytest.raises(DatasetError, match="9 x 9 pixels, its cube 40 x 48"):
            dataset.read(dataset.scenes[0])
