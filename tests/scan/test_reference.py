"""The plain engine against the recurrence written out pixel by pixel in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.scan import ScanParameters, reference


def random_parameters(e: int, rank: int, dtype: torch.dtype, seed: int = 0) -> ScanParameters:
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=dtype) * scale

    return ScanParameters(
        draw(4, rank + 32, e, scale=0.3),
        draw(4, e, rank, scale=0.5),
        draw(4, e) - 2,
        draw(4, e, 16, scale=0.5),
        draw(4, e),
    )


def naive(x: np.ndarray, p: ScanParameters) -> np.ndarray:
    """One state at a time, in float64: the recurrence as Mamba's paper writes it."""
    x_proj, dt_proj, dt_bias, a_log, d = (w.double().numpy() for w in p)
    rank = dt_proj.shape[-1]
    pictures, height, width, e = x.shape
    total = np.zeros(x.shape)
    rows = [(h, w) for h in range(height) for w in range(width)]
    columns = [(h, w) for w in range(width) for h in range(height)]
    for n in range(pictures):
        for k, path in enumerate((rows, columns, rows[::-1], columns[::-1])):
            state = np.zeros((e, 16))
            for h, w in path:
                s = x[n, h, w].astype(np.float64)
                projected = x_proj[k] @ s
                dt = np.logaddexp(0, dt_proj[k] @ projected[:rank] + dt_bias[k])
                b, c = projected[rank : rank + 16], projected[rank + 16 :]
                state = np.exp(-np.exp(a_log[k]) * dt[:, None]) * state + (dt * s)[:, None] * b
                total[n, h, w] += state @ c + d[k] * s
    return total


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 7), (3, 7, 1), (2, 5, 6), (1, 13, 11)])
def test_agrees_with_the_recurrence(shape: tuple[int, int, int]) -> None:
    p = random_parameters(e=6, rank=2, dtype=torch.float64)
    x = torch.randn(*shape, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    np.testing.assert_allclose(
        reference.selective_scan_2d(x, p).numpy(), naive(x.numpy(), p), rtol=1e-9, atol=1e-10
    )


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    states=st.integers(1, 10_000),
    steps=st.integers(1, 20),
)
def test_segments_and_chunks_change_nothing(
    height: int, width: int, states: int, steps: int
) -> None:
    """However the sequence is cut, the result is that of one long recurrence."""
    p = random_parameters(e=4, rank=1, dtype=torch.float64)
    x = torch.randn(2, height, width, 4, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(reference._STATES_AND_STEPS, "cpu", (states, steps))
        patch.setattr(reference, "_FEWEST_STEPS", 1)
        cut = reference.selective_scan_2d(x, p)
    torch.testing.assert_close(cut, torch.from_numpy(naive(x.numpy(), p)))


def test_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several segments of several chunks, the last one padded."""
    monkeypatch.setitem(reference._STATES_AND_STEPS, "cpu", (3 * 4 * 16 * 2, 2))
    monkeypatch.setattr(reference, "_FEWEST_STEPS", 1)
    p = random_parameters(e=2, rank=1, dtype=torch.float64)
    x = torch.randn(1, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    weights = [w.requires_grad_() for w in p]
    assert torch.autograd.gradcheck(
        lambda x, *w: reference.selective_scan_2d(x, ScanParameters(*w)),
        (x, *weights),
        fast_mode=True,
    )


def with_gradients(x: torch.Tensor, p: ScanParameters) -> list[torch.Tensor]:
    leaves = [t.detach().requires_grad_() for t in (x, *p)]
    y = reference.selective_scan_2d(leaves[0], ScanParameters(*leaves[1:]))
    return [y.detach(), *torch.autograd.grad(y.square().sum(), leaves)]


@pytest.mark.parametrize("bias", [-200.0, 200.0])
def test_extreme_steps_stay_finite(bias: float) -> None:
    p = random_parameters(e=4, rank=1, dtype=torch.float32)
    p = p._replace(dt_bias=p.dt_bias + bias)
    assert all(torch.isfinite(t).all() for t in with_gradients(torch.randn(1, 8, 8, 4), p))


def test_two_runs_give_the_same_bits() -> None:
    p = random_parameters(e=20, rank=1, dtype=torch.float32)
    x = torch.randn(2, 19, 23, 20)
    first, second = with_gradients(x, p), with_gradients(x, p)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
