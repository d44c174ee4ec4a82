"""What a run is validated on, and what it says of that."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import on_pairs, small, smooth_cube, write_pairs

from napari_gmsr.color import rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import PatchSource
from napari_gmsr.training import TrainingConfig
from napari_gmsr.training.data import Picture, training_patches, validation_pictures

CPU = torch.device("cpu")


def pictures_of(config: TrainingConfig) -> tuple[PatchSource, list[Picture], str]:
    source = training_patches(config, CPU)
    return source, *validation_pictures(config, source)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose pictures are for training and test alone."""
    return write_pairs(tmp_path_factory.mktemp("data") / "tested", "ab", "", "c")


def test_the_validation_split_is_whole_pictures(pairs: Path) -> None:
    _, pictures, note = pictures_of(on_pairs(pairs))
    assert [picture.scene for picture in pictures] == ["c"]
    rgb, cube = pictures[0].read()
    assert (rgb.data.shape, cube.data.shape) == ((32, 32, 3), (31, 32, 32))
    np.testing.assert_allclose(cube.data, smooth_cube(2), atol=1e-4)
    assert note == ""


def test_as_the_implementation_does_it_test_patches_choose_and_it_is_said(tested: Path) -> None:
    _, pictures, note = pictures_of(on_pairs(tested, validation="test-patches"))
    assert [picture.scene for picture in pictures] == ["c"] * 4
    whole = smooth_cube(2)
    corners = [(0, 0), (0, 16), (16, 0), (16, 16)]
    for picture, (y, x) in zip(pictures, corners, strict=True):
        _, cube = picture.read()
        np.testing.assert_allclose(cube.data, whole[:, y : y + 16, x : x + 16], atol=1e-4)
    assert "test pictures" in note


def test_test_pictures_smaller_than_a_patch_choose_nothing_and_it_is_said(tested: Path) -> None:
    source = training_patches(on_pairs(tested), CPU)
    config = on_pairs(tested, validation="test-patches", patch=64)
    pictures, note = validation_pictures(config, source)
    assert pictures == []
    assert "no pictures to validate on" in note


def test_without_a_validation_split_the_test_pictures_choose_and_it_is_said(tested: Path) -> None:
    _, pictures, note = pictures_of(on_pairs(tested))
    assert [picture.scene for picture in pictures] == ["c"]
    assert "no validation split" in note


def test_a_folder_of_cubes_is_seen_by_the_trainings_camera(tmp_path: Path) -> None:
    cubes = tmp_path / "cubes"
    cubes.mkdir()
    SpectralCube(smooth_cube(7)).save(cubes / "seven.npz")
    dataset = {"target": "ntire2020-clean", "validation_folder": cubes}
    config = small(dataset={**dataset, "cache_folder": tmp_path / "cache"})
    source, pictures, _ = pictures_of(config)
    assert [picture.scene for picture in pictures] == ["seven"]
    rgb, cube = pictures[0].read()
    assert (rgb.encoding, source.encoding, source.camera) == ("linear", "linear", "cie_1964")
    expected = np.einsum("byx,bc->yxc", cube.data, rendering_matrix("cie_1964")).clip(0, 1)
    np.testing.assert_allclose(rgb.data, expected, atol=1e-4)


def test_simulated_validation_is_the_same_each_time_and_never_trained_on() -> None:
    source, pictures, _ = pictures_of(small())
    _, again, _ = pictures_of(small())
    held_out = [picture.read()[1].data for picture in pictures]
    assert all(
        np.array_equal(first, other.read()[1].data)
        for first, other in zip(held_out, again, strict=True)
    )
    for step in range(4):
        _, cubes = source.batch(step)
        for cube in cubes.numpy():
            side = cube.shape[-1]
            assert not any(np.allclose(cube, each[:, :side, :side]) for each in held_out)
