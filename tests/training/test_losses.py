"""The losses against their formulas in NumPy, and their gradients where spectra are black."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_gmsr.training import LossSettings
from napari_gmsr.training.losses import weighted_loss

NOTHING = {"l1": 0.0}
MATRIX = np.random.default_rng(0).random((5, 3)).astype(np.float32)
cubes = arrays(np.float32, (2, 5, 3, 2), elements=st.floats(0.0625, 1, width=32))


def loss(prediction: np.ndarray, cube: np.ndarray, **weights: float) -> float:
    settings = LossSettings(**{**NOTHING, **weights})
    rgb = torch.zeros(len(cube), 3, *cube.shape[2:])
    found = weighted_loss(settings, torch.from_numpy(MATRIX))
    return float(found(torch.from_numpy(prediction), torch.from_numpy(cube), rgb))


def l1(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean(np.abs(a - b)))


def mrae(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean(np.abs(a - b) / (b + 0.001)))


def sam(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (x.astype(np.float64) for x in (a, b))
    cosine = np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return float(np.mean(np.arccos(np.clip(cosine, -1, 1))))


def back_projection(a: np.ndarray, b: np.ndarray) -> float:
    pixels = (np.moveaxis(x, 1, -1).reshape(-1, 5) @ MATRIX for x in (a, b))
    return float(np.mean(np.abs(next(pixels) - next(pixels))))


NAIVE = {"l1": l1, "mrae": mrae, "sam": sam, "back_projection": back_projection}


@pytest.mark.parametrize("name", NAIVE)
@settings(max_examples=40, deadline=None)
@given(prediction=cubes, cube=cubes)
def test_each_is_its_formula(name: str, prediction: np.ndarray, cube: np.ndarray) -> None:
    expected = NAIVE[name](prediction, cube)
    # acos of the oracle loses angles below 1e-4, and so does the root that keeps slopes finite.
    assert loss(prediction, cube, **{name: 1}) == pytest.approx(expected, rel=1e-4, abs=2e-5)


@settings(max_examples=40, deadline=None)
@given(cubes, cubes)
def test_several_are_a_weighted_sum(prediction: np.ndarray, cube: np.ndarray) -> None:
    weights = {"l1": 0.5, "mrae": 0.1, "sam": 2.0, "back_projection": 3.0}
    parts = sum(weight * loss(prediction, cube, **{name: 1}) for name, weight in weights.items())
    assert loss(prediction, cube, **weights) == pytest.approx(parts, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("prediction", [0.0, 0.3, -0.1])
@pytest.mark.parametrize("truth", [0.0, 0.3])
def test_gradients_are_finite(name: str, prediction: float, truth: float) -> None:
    """Black pixels, a perfect prediction, and one that points the other way."""
    value = torch.full((1, 5, 2, 2), prediction, requires_grad=True)
    cube = torch.full((1, 5, 2, 2), truth)
    settings = LossSettings(**{**NOTHING, name: 1})
    found = weighted_loss(settings, torch.from_numpy(MATRIX))
    found(value, cube, torch.zeros(1, 3, 2, 2)).backward()
    assert value.grad is not None
    assert value.grad.isfinite().all()
    assert value.grad.abs().max() < 1e4


def test_the_angle_does_not_see_brightness() -> None:
    cube = np.random.default_rng(1).uniform(0.2, 0.5, (1, 5, 2, 2)).astype(np.float32)
    assert loss(cube * 2, cube, sam=1) < 1e-4
    assert loss(cube[:, ::-1].copy(), cube, sam=1) > 0.05
