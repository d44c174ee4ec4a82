"""The learning rate over a run, and what weight decay is for."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_gmsr.training import preset
from napari_gmsr.training.schedule import learning_rate, make_optimiser, set_learning_rate

done = st.floats(0, 1)


@settings(max_examples=40, deadline=None)
@given(done)
def test_the_papers_rate_falls_with_the_power_of_one_and_a_half(done: float) -> None:
    assert learning_rate(preset("paper"), done) == pytest.approx(1e-4 * (1 - done) ** 1.5)


@settings(max_examples=40, deadline=None)
@given(done)
def test_the_official_rate_is_constant(done: float) -> None:
    assert learning_rate(preset("official"), done) == 1e-4


@settings(max_examples=40, deadline=None)
@given(done, done)
def test_the_recommended_rate_rises_then_falls_to_a_hundredth(one: float, other: float) -> None:
    config = preset(warm_up=0.1)
    peak = config.optimiser.learning_rate
    low, high = sorted((one, other))
    first, second = learning_rate(config, low), learning_rate(config, high)
    if high <= 0.1:
        assert first <= second
    elif low >= 0.1:
        assert first >= second
    assert 0.01 * peak * (1 - 1e-9) <= min(first, second) <= max(first, second) <= peak
    assert learning_rate(config, 0.05) == pytest.approx(0.5 * peak)
    assert learning_rate(config, 0.1) == pytest.approx(peak)
    halfway = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi / 2))
    assert learning_rate(config, 0.55) == pytest.approx(halfway * peak)
    assert learning_rate(config, 1.0) == pytest.approx(0.01 * peak)


def test_weight_decay_is_for_matrices_alone() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    optimiser = make_optimiser(preset(optimiser={"weight_decay": 0.1}), network)
    decayed = {
        id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]
    }
    assert isinstance(optimiser, torch.optim.AdamW)
    assert {name: decayed[id(p)] for name, p in network.named_parameters()} == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }


def test_the_papers_optimiser_is_adam() -> None:
    optimiser = make_optimiser(preset("paper"), nn.Linear(2, 3))
    assert type(optimiser) is torch.optim.Adam
    assert {group["betas"] for group in optimiser.param_groups} == {(0.9, 0.99)}


def test_a_rate_is_set_whether_number_or_tensor() -> None:
    optimiser = make_optimiser(preset(), nn.Linear(2, 3))
    optimiser.param_groups[0]["lr"] = rate = torch.zeros(())
    set_learning_rate(optimiser, 0.25)
    assert rate == 0.25
    assert optimiser.param_groups[1]["lr"] == 0.25
