import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.color import rendering_matrix
from napari_gmsr.datasets import Recipe, SimulatedPatches, SimulationSources, Target
from napari_gmsr.errors import DatasetError

SMALL = {"sizes": {8: 0.6, 16: 0.4}, "pixels": 512}


@given(seed=st.integers(0, 2**31), step=st.integers(0, 10**7), rank=st.integers(0, 7))
@settings(max_examples=20, deadline=None)
def test_a_batch_is_a_function_of_seed_step_and_rank(seed, step, rank):
    first, second = (SimulatedPatches(seed=seed, **SMALL) for _ in range(2))
    first.batch(3)  # what was asked for before does not matter
    for one, other in zip(
        first.batch(step, rank=rank, world=8), second.batch(step, rank=rank, world=8), strict=True
    ):
        assert torch.equal(one, other)


def test_steps_ranks_and_seeds_differ_and_the_ranks_of_a_step_have_one_extent():
    patches = SimulatedPatches(seed=1, sizes={8: 1.0}, pixels=512)
    base = patches.batch(5)[1]
    assert not torch.equal(base, patches.batch(6)[1])
    assert not torch.equal(base, patches.batch(5, rank=1, world=2)[1])
    assert not torch.equal(base, SimulatedPatches(seed=2, sizes={8: 1.0}, pixels=512).batch(5)[1])
    several = SimulatedPatches(seed=1, **SMALL)
    for step in range(10):
        shapes = {several.batch(step, rank=rank, world=3)[0].shape for rank in range(3)}
        assert len(shapes) == 1


def test_each_extent_has_one_number_of_patches_and_all_are_met():
    patches = SimulatedPatches(**SMALL)
    shapes = {tuple(patches.batch(step)[1].shape) for step in range(40)}
    assert shapes == {(8, 31, 8, 8), (2, 31, 16, 16)}


@pytest.mark.parametrize(
    "target",
    [
        Target(),
        Target("nikon_5100", "A"),
        Target("srgb", "FL2"),
        Target("sigma_sdmerrill", "LED-B3"),
    ],
    ids=lambda t: f"{t.camera} {t.illuminant}",
)
def test_colours_are_exactly_those_that_the_camera_sees_of_the_cube(target):
    rgb, cube = SimulatedPatches(target=target, **SMALL).batch(0)
    matrix = rendering_matrix(target.camera, target.illuminant or None).astype(np.float32)
    seen = np.einsum("nbyx,bc->ncyx", cube.numpy(), matrix).clip(0, 1)
    np.testing.assert_allclose(rgb.numpy(), seen, atol=1e-6)


def test_the_source_says_what_it_gives():
    photo = SimulatedPatches(target="photo", **SMALL)
    assert (photo.camera, photo.illuminant, photo.encoding) == ("srgb", "D65", "srgb")
    assert photo.wavelengths_nm.size == 31
    assert photo.patches_per_epoch == 0
    assert all(name and licence for name, licence in photo.licences)


def test_a_dimmed_patch_is_the_same_scene_times_a_factor():
    plain, dim = (
        SimulatedPatches(
            target="ntire2020-clean", recipe=Recipe(dimmed=share, dimming=(-2, -2)), **SMALL
        ).batch(0)[1]
        for share in (0.0, 1.0)
    )
    torch.testing.assert_close(dim, plain / 4)


@pytest.mark.parametrize("sizes", [{}, {0: 1.0}, {8: -1.0}, {8: 0.0}])
def test_sizes_that_are_none(sizes):
    with pytest.raises(DatasetError, match="sides in pixels"):
        SimulatedPatches(sizes=sizes)


def test_an_unknown_target_names_those_there_are():
    with pytest.raises(DatasetError, match=r"photo, ntire2020-clean"):
        SimulatedPatches(target="phot")


def test_the_sources_licences_are_carried_along():
    rng = np.random.default_rng(0)
    spectra = rng.random((5, 31)).astype(np.float32)
    own = SimulationSources((), spectra, np.ones(5), (("mine", "CC0-1.0"),))
    assert SimulatedPatches(own, **SMALL).licences == (("mine", "CC0-1.0"),)
