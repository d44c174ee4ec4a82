"""A step of training against the same written out; on a GPU, recorded against not recorded."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_gmsr.errors import InputError
from napari_gmsr.networks import CapturedStep, GMSRNet

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def loss(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
    return (prediction - cube).abs().mean() + 0.1 * (prediction.mean(1) - rgb[:, 1]).square().mean()


def batch(seed: int, side: int = 8, device: str = "cpu") -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = ((2, 3, side, side), (2, 5, side, side))
    rgb, cube = (torch.rand(size, generator=generator).to(device) for size in sizes)
    return rgb, cube


def make_network(device: str = "cpu") -> GMSRNet:
    torch.manual_seed(0)
    return GMSRNet((4, 5), drop_path=0).to(device).train()


def adam(network: nn.Module, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.1, **options)


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_a_step_is_what_one_would_write(clip_norm: float | None) -> None:
    network = make_network()
    twin = copy.deepcopy(network)
    optimiser, other = adam(network), adam(twin)
    step = CapturedStep(network, optimiser, loss, clip_norm)
    assert not step.captures
    for seed in range(3):
        rgb, cube = batch(seed)
        got = step(rgb, cube)
        other.zero_grad()
        wanted = loss(twin(rgb), cube, rgb)
        wanted.backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(twin.parameters(), clip_norm)
        other.step()
        assert torch.equal(got, wanted.detach())
        assert not got.requires_grad
    assert all(map(torch.equal, network.parameters(), twin.parameters()))


def test_a_state_from_a_gpu_serves_on_the_cpu() -> None:
    network = make_network()
    optimiser = adam(network)
    step = CapturedStep(network, optimiser, loss)
    step(*batch(0))
    state = optimiser.state_dict()
    state["param_groups"][0].update(capturable=True, lr=torch.tensor(1e-2))
    optimiser.load_state_dict(state)
    step(*batch(1))
    assert not optimiser.param_groups[0]["capturable"]


def run(
    step: CapturedStep, seeds: range, device: str = "cuda", rate: float | None = None
) -> list[Tensor]:
    if rate is not None:
        step.optimiser.param_groups[0]["lr"] = rate
    return [step(*batch(seed, 8 if seed % 3 else 9, device)) for seed in seeds]


@gpu
@needs_gpu
@pytest.mark.parametrize("clip_norm", [None, 0.01])
@pytest.mark.parametrize("fused", [False, True])
def test_recorded_steps_are_the_same_steps(clip_norm: float | None, fused: bool) -> None:
    results = []
    for capture in (False, True):
        network = make_network("cuda")
        step = CapturedStep(
            network, adam(network, fused=fused, capturable=True), loss, clip_norm, capture=capture
        )
        assert step.captures == capture
        losses = run(step, range(10)) + run(step, range(10, 14), rate=1e-3)
        network.eval()
        with torch.no_grad():
            cube = network(batch(0, device="cuda")[0])  # with the newest weights
        losses += run(CapturedStep(network.train(), step.optimiser, loss), range(2))
        results.append((losses, [*network.parameters(), cube]))
    (losses, tensors), (recorded, again) = results
    assert torch.allclose(torch.stack(losses), torch.stack(recorded), rtol=1e-5)
    for a, b in zip(tensors, again, strict=True):
        assert (a - b).norm() <= 1e-4 * a.norm()


@gpu
@needs_gpu
def test_training_resumes_from_a_checkpoint() -> None:
    network = make_network("cuda")
    optimiser = adam(network, fused=True)
    step = CapturedStep(network, optimiser, loss, 1.0)
    run(step, range(6), rate=3e-3)
    saved = copy.deepcopy((network.state_dict(), optimiser.state_dict()))
    wanted = run(step, range(6, 12))
    network.load_state_dict(saved[0])
    optimiser.load_state_dict(copy.deepcopy(saved[1]))  # or it would go on in these very tensors
    again = run(step, range(6, 12))
    fresh = make_network("cuda")
    other = adam(fresh, fused=True)
    fresh.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    anew = run(CapturedStep(fresh, other, loss, 1.0), range(6, 12))
    for losses in (again, anew):
        assert torch.allclose(torch.stack(wanted), torch.stack(losses), rtol=1e-5)


@gpu
@needs_gpu
def test_what_cannot_be_recorded_is_told() -> None:
    network = make_network("cuda")
    step = CapturedStep(network, torch.optim.SGD(network.parameters()), loss)
    with pytest.raises(InputError, match="SGD"):
        step(*batch(0, device="cuda"))
