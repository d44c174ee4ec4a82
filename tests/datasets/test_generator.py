import numpy as np
import pytest
import torch

from napari_gmsr.color import rendering_matrix
from napari_gmsr.datasets import Recipe, SceneGenerator, measured_reflectances
from napari_gmsr.errors import DatasetError


def generator(seed: int = 0, encoding: str = "linear", **recipe) -> SceneGenerator:
    rng = torch.Generator().manual_seed(9)
    photographs = [torch.rand(3, 90, 90, generator=rng) for _ in range(3)]
    spectra = torch.from_numpy(measured_reflectances().spectra.copy())
    matrix = rendering_matrix(*{"linear": ("cie_1964",), "srgb": ("srgb", "D65")}[encoding])
    return SceneGenerator(
        photographs,
        spectra,
        torch.ones(len(spectra)),
        torch.from_numpy(matrix),
        encoding=encoding,
        recipe=Recipe(**recipe),
        seed=seed,
    )


def test_colours_and_cubes_agree_exactly():
    scenes = generator()
    rgb, cube = scenes.batch(8, 20)
    assert rgb.shape == (8, 3, 20, 20)
    assert cube.shape == (8, 31, 20, 20)
    assert cube.min() >= 0
    assert cube.max() <= 1
    seen = torch.einsum("nbyx,bc->ncyx", cube, scenes.matrix).clamp(0, 1)
    torch.testing.assert_close(rgb, seen)


def test_srgb_pictures_are_rounded_to_8_bits_and_agree_with_the_encoding():
    from napari_gmsr.color import linear_to_srgb

    scenes = generator(encoding="srgb", noise=0.0)
    rgb, cube = scenes.batch(6, 16)
    linear = torch.einsum("nbyx,bc->ncyx", cube, scenes.matrix).clamp(0, 1)
    expected = np.rint(linear_to_srgb(linear.numpy()) * 255)
    levels = rgb.numpy() * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    # A value half-way between two levels may go either way.
    assert np.abs(levels - expected).max() < 1.001
    assert (np.abs(levels - expected) > 0.5).mean() < 1e-3


def test_a_seed_gives_the_same_patches_and_another_seed_others():
    first, again, other = (generator(seed).batch(4, 12)[1] for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("photographs", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 5])
def test_all_photographs_or_none(photographs, n):
    rgb, cube = generator(photographs=photographs).batch(n, 9)
    assert len(rgb) == len(cube) == n
    assert cube.isfinite().all()
    assert cube.std() > 0


def test_without_extras_every_pixel_is_a_mixture_of_the_spectra():
    spectra = torch.zeros(4, 31)
    spectra[range(4), [3, 9, 17, 25]] = 0.8
    plain = Recipe(highlights=0.0, dark_signal=0.0)
    scenes = SceneGenerator(
        [torch.rand(3, 50, 50)],
        spectra,
        torch.ones(4),
        torch.from_numpy(rendering_matrix()),
        recipe=plain,
    )
    _, cube = scenes.batch(6, 16)
    others = [band for band in range(31) if band not in (3, 9, 17, 25)]
    assert cube[:, others].abs().max() < 1e-6
    assert cube[:, [3, 9, 17, 25]].max() > 0.05


def test_spectra_of_weight_0_are_never_drawn():
    spectra = torch.stack([torch.full((31,), 0.2), torch.eye(31)[15]])
    scenes = SceneGenerator(
        [torch.rand(3, 50, 50)],
        spectra,
        torch.tensor([1.0, 0.0]),
        torch.from_numpy(rendering_matrix()),
        recipe=Recipe(dark_signal=0.0),
    )
    _, cube = scenes.batch(8, 8)
    assert (cube.amax(1) - cube.amin(1)).max() < 1e-5


def test_the_dark_signal_rises_towards_both_ends():
    _, cube = generator(stops=(-30.0, -30.0), dark_signal=0.05).batch(64, 4)
    level = cube.mean((0, 2, 3))
    assert level[0] > 2 * level[15]
    assert level[30] > 1.5 * level[15]
    assert level[15] > 0


def test_inconsistent_sources_are_refused():
    matrix = torch.from_numpy(rendering_matrix())
    with pytest.raises(DatasetError, match="squares of one size"):
        SceneGenerator(
            [torch.rand(3, 9, 9), torch.rand(3, 8, 9)], torch.rand(5, 31), torch.ones(5), matrix
        )
    with pytest.raises(DatasetError, match="do not fit"):
        SceneGenerator([torch.rand(3, 9, 9)], torch.rand(5, 31), torch.ones(4), matrix)
