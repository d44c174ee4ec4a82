import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.datasets import Capture, Recipe, SimulatedPatches
from napari_gmsr.datasets.simulation_camera import demosaic, jpeg
from napari_gmsr.errors import InputError


def naive_demosaic(picture):
    """Every pixel and colour by hand: what it saw, else the mean of the neighbours that saw it."""
    _, height, width = picture.shape
    result = np.empty_like(picture)
    for colour in range(3):
        for y in range(height):
            for x in range(width):
                if y % 2 + x % 2 == colour:
                    result[colour, y, x] = picture[colour, y, x]
                    continue
                total = weight = 0.0
                for v in range(max(0, y - 1), min(height, y + 2)):
                    for u in range(max(0, x - 1), min(width, x + 2)):
                        if v % 2 + u % 2 == colour:
                            w = 0.5 ** (abs(v - y) + abs(u - x))
                            total += w * picture[colour, v, u]
                            weight += w
                result[colour, y, x] = total / weight
    return result


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_mosaic_is_interpolated_as_by_hand(height, width, seed):
    picture = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    expected = np.stack([naive_demosaic(p) for p in picture.numpy()])
    np.testing.assert_allclose(demosaic(picture).numpy(), expected, atol=1e-6)


def test_noise_has_the_variance_of_the_electrons():
    linear = torch.full((1, 3, 400, 400), 0.25)
    taken = Capture(electrons=1000, read_noise=10).expose(linear, torch.Generator().manual_seed(0))
    assert taken.mean().item() == pytest.approx(0.25, abs=1e-3)
    assert taken.var().item() * 1000**2 == pytest.approx(250 + 100, rel=0.02)


def test_jpeg_is_pillows_and_keeps_a_flat_picture():
    flat = torch.full((2, 3, 16, 16), 51 / 255)
    assert (jpeg(flat, [95, 95]) - flat).abs().max() <= 2 / 255
    rough = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    errors = [(jpeg(rough, [quality]) - rough).abs().mean() for quality in (95, 20)]
    assert errors[0] < errors[1]


def test_a_capture_changes_the_pictures_alone_and_the_same_way_each_time():
    settings = {"sizes": {16: 1.0}, "pixels": 512, "target": "photo"}
    capture = Capture(electrons=2000, read_noise=3, mosaic=True, jpeg=(60, 95))
    plain, taken, again = (
        SimulatedPatches(recipe=Recipe(capture=c), **settings).batch(4)
        for c in (Capture(), capture, capture)
    )
    assert torch.equal(plain[1], taken[1])
    assert not torch.equal(plain[0], taken[0])
    assert torch.equal(taken[0], again[0])
    levels = taken[0] * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "arguments",
    [{"electrons": -1}, {"read_noise": 3}, {"jpeg": (0, 50)}, {"jpeg": (90, 80)}],
    ids=str,
)
def test_what_no_camera_does(arguments):
    with pytest.raises(InputError, match="Give"):
        Capture(**arguments)
