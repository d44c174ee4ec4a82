"""The compiled scan against the recurrence as it is written, in float64."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import erf, expit
from torch import Tensor

from napari_gmsr.scan import ScanParameters
from napari_gmsr.scan.cpu import selective_scan_2d
from napari_gmsr.scan.cpu_functions import exp2, gelu, sigmoid, softplus
from napari_gmsr.scan.cpu_lanes import LANES, Lanes, load, store
from napari_gmsr.scan.cpu_runtime import kernel


def make_parameters(channels: int, rank: int, seed: int = 0, bias: float = -4.0) -> ScanParameters:
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    return ScanParameters(
        x_proj=normal(4, rank + 32, channels) * channels**-0.5,
        dt_proj=normal(4, channels, rank) * 0.5,
        dt_bias=normal(4, channels) + bias,
        A_log=torch.log(torch.arange(1.0, 17.0)) + 0.1 * normal(4, channels, 16),
        D=1 + 0.1 * normal(4, channels),
    )


def naive_scan(x: Tensor, parameters: ScanParameters) -> np.ndarray:
    """Step by step over one picture (H, W, e)."""
    X, W, bias, A_log, D = (p.double().numpy() for p in parameters)
    rank = W.shape[2]
    height, width, channels = x.shape
    pixels = np.arange(height * width).reshape(height, width)
    flat = x.double().numpy().reshape(-1, channels)
    y = np.zeros_like(flat)
    for direction, order in enumerate((pixels, pixels.T, pixels[::-1, ::-1], pixels.T[::-1, ::-1])):
        A = -np.exp(A_log[direction])
        h = np.zeros((channels, 16))
        for pixel in order.ravel():
            s = flat[pixel]
            r, B, C = np.split(X[direction] @ s, [rank, rank + 16])
            dt = np.logaddexp(0, W[direction] @ r + bias[direction])
            h = np.exp(dt[:, None] * A) * h + np.outer(dt * s, B)
            y[pixel] += h @ C + D[direction] * s
    return y.reshape(x.shape)


@pytest.mark.parametrize(
    ("shape", "rank"),
    [
        ((1, 1, 1, 6), 1),
        ((1, 1, 7, 10), 1),
        ((1, 7, 1, 15), 1),
        ((3, 2, 2, 16), 1),
        ((1, 37, 53, 12), 1),
        ((1, 11, 5, 62), 2),
        ((3, 6, 7, 31), 3),
    ],
)
def test_equals_the_recurrence(shape: tuple[int, ...], rank: int) -> None:
    parameters = make_parameters(shape[-1], rank)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    y = selective_scan_2d(x, parameters)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    for scanned, picture in zip(y, x, strict=True):
        expected = naive_scan(picture, parameters)
        np.testing.assert_allclose(scanned, expected, rtol=2e-5, atol=2e-6 * abs(expected).max())


def test_carries_the_state_across_blocks() -> None:
    """A picture of several blocks, against the plain engine in float64."""
    from napari_gmsr.scan.reference import selective_scan_2d as plain

    for shape in ((1, 150, 170, 8), (1, 1, 17000, 8), (1, 17000, 1, 8)):
        parameters = make_parameters(8, 1)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
        expected = plain(x.double(), ScanParameters(*(p.double() for p in parameters)))
        error = (selective_scan_2d(x, parameters) - expected).abs().max()
        assert error <= 1e-6 * expected.abs().max()


def test_same_bits_whatever_the_threads() -> None:
    parameters = make_parameters(20, 1)
    x = torch.randn(1, 130, 140, 20)
    one = selective_scan_2d(x, parameters, threads=1)
    for threads in (1, 2, 5):
        assert torch.equal(selective_scan_2d(x, parameters, threads=threads), one)


def test_from_several_threads_at_once() -> None:
    parameters = make_parameters(10, 1)
    pictures = [torch.randn(1, 40, 30, 10) for _ in range(8)]
    alone = [selective_scan_2d(x, parameters, threads=2) for x in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda x: selective_scan_2d(x, parameters, threads=2), pictures)
        assert all(map(torch.equal, together, alone))


@pytest.mark.parametrize("bias", [-200.0, -20.0, 0.0, 20.0, 2e4])
def test_finite_at_the_extremes_of_the_step(bias: float) -> None:
    parameters = make_parameters(8, 1, bias=bias)
    x = torch.randn(1, 9, 8, 8)
    y = selective_scan_2d(x, parameters)[0]
    expected = naive_scan(x[0], parameters)
    assert torch.isfinite(y).all()
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6 * abs(expected).max())


def test_takes_float64_and_views() -> None:
    parameters = make_parameters(6, 1)
    x = torch.randn(1, 6, 5, 4).movedim(1, -1)
    y = selective_scan_2d(x, parameters)
    wide = selective_scan_2d(x.double(), ScanParameters(*(p.double() for p in parameters)))
    assert wide.dtype == torch.float64
    assert torch.equal(wide.float(), y)


@kernel
def exp2_of(x: np.ndarray, y: np.ndarray) -> None:
    for i in range(0, x.size, LANES):
        store(y, i, exp2(load(x, i), 1.0))


def _lift(function: Callable[[Lanes], Lanes]) -> Callable[[np.ndarray, np.ndarray], None]:
    @kernel
    def run(x: np.ndarray, y: np.ndarray) -> None:
        for i in range(0, x.size, LANES):
            store(y, i, function(load(x, i)))

    return run


@pytest.mark.parametrize(
    ("function", "exact", "low", "high", "relative", "absolute"),
    [
        (exp2_of, np.exp2, -120, 3, 1e-7, 0),
        (_lift(sigmoid), expit, -80, 80, 1.2e-6, 1e-7),
        (_lift(softplus), lambda x: np.logaddexp(0, x), -80, 80, 1.5e-6, 0),
        (_lift(softplus), lambda x: np.logaddexp(0, x), -10, 25, 4e-7, 0),
        (_lift(gelu), lambda x: x * (1 + erf(x / np.sqrt(2))) / 2, -12, 12, 1e-7, 1.5e-7),
    ],
    ids=["exp2", "sigmoid", "softplus", "softplus where steps are", "gelu"],
)
def test_functions_are_exact_to_float32(
    function: Callable[[np.ndarray, np.ndarray], None],
    exact: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    relative: float,
    absolute: float,
) -> None:
    x = np.linspace(low, high, 1 << 16).astype(np.float32)
    y = np.empty_like(x)
    function(x, y)
    np.testing.assert_allclose(y, exact(x.astype(np.float64)), rtol=relative, atol=absolute)


def test_decays_are_exact_at_their_ends() -> None:
    x = np.array([0.0, -1.0, -200.0, -1e30, -np.inf] + [0.0] * 11, np.float32)
    y = np.empty_like(x)
    exp2_of(x, y)
    assert y[:5].tolist() == [1.0, 0.5, 0.0, 0.0, 0.0]


PROGRAM = """
import logging, sys
import numpy as np
logging.basicConfig(format="WARNED %(message)s", stream=sys.stdout)
from napari_gmsr.scan.cpu_kernels import gather
x = np.arange(64, dtype=np.float32)
y = np.zeros_like(x)
gather(x, 2, 2, 16, 0, 2, y, 0)
assert y.reshape(4, 16)[:, 0].tolist() == [0, 32, 16, 48]
print(sum(gather.stats.cache_hits.values()), "from disk")
"""


def run_with_cache(folder: Path, **variables: str) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_compiled_code_is_kept_for_this_processor_and_damage_survived(tmp_path: Path) -> None:
    assert run_with_cache(tmp_path) == "0 from disk\n"
    assert run_with_cache(tmp_path) == "1 from disk\n"
    other = run_with_cache(tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert other == "0 from disk\n"
    for file in tmp_path.rglob("*.nb?"):
        file.write_bytes(file.read_bytes()[:40])
    damaged = run_with_cache(tmp_path)
    assert "WARNED" in damaged
    assert "0 from disk" in damaged


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    output = run_with_cache(file / "cache")
    assert output.count("WARNED") == 1
    assert "0 from disk" in output
