"""The fused CUDA scan: its kernels emulated on the CPU, compiled by NVRTC, and run on a GPU."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_reference import random_parameters

from emulator import EmulatedKernels
from napari_gmsr.errors import EngineError
from napari_gmsr.scan import ScanParameters, fused, reference, selective_scan_2d
from napari_gmsr.scan.cuda import nvrtc
from napari_gmsr.scan.cuda.kernels import Layout, backward_program, forward_program
from napari_gmsr.scan.cuda.linear import linear_program

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

Gradients = tuple[torch.Tensor, ...]


def in_float64(x: torch.Tensor, p: ScanParameters, gy: torch.Tensor) -> Gradients:
    """y and every gradient, from the plain engine."""
    leaves = [t.double().requires_grad_() for t in (x, *p)]
    y = reference.selective_scan_2d(leaves[0], ScanParameters(*leaves[1:]))
    return y.detach(), *torch.autograd.grad(y, leaves, gy.double())


def assert_close(got: Gradients, wanted: Gradients, tolerance: float) -> None:
    names = ("y", "x", *ScanParameters._fields)
    for name, a, b in zip(names, got, wanted, strict=True):
        scale = max(b.norm().item(), 1e-3)
        assert (a.double() - b).norm().item() <= tolerance * scale, name


@pytest.fixture(scope="session")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], fused.ScanKernels]:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the kernels for the CPU")
    folder: Path = tmp_path_factory.mktemp("kernels")

    def kernels(channels: int, rank: int) -> fused.ScanKernels:
        layout = Layout(channels, rank)
        projection = linear_program(channels, 2 * layout.row)
        programs = forward_program(layout), backward_program(layout), projection
        return fused.ScanKernels(layout, *(EmulatedKernels(p, compiler, folder) for p in programs))

    return kernels


@pytest.mark.parametrize(
    ("channels", "rank", "shape"),
    [
        (12, 1, (1, 1, 1)),
        (12, 1, (3, 1, 7)),
        (20, 1, (3, 9, 8)),
        (40, 2, (2, 7, 8)),
        (62, 2, (1, 9, 11)),
        (10, 5, (2, 5, 7)),
    ],
)
def test_kernels_compute_the_scan_and_its_gradient(
    emulate: Callable[[int, int], fused.ScanKernels],
    channels: int,
    rank: int,
    shape: tuple[int, int, int],
) -> None:
    p = random_parameters(channels, rank, torch.float32)
    generator = torch.Generator().manual_seed(2)
    x, gy = (torch.randn(*shape, channels, generator=generator) for _ in range(2))
    kernels = emulate(channels, rank)
    weights = fused.ForwardWeights.from_parameters(p)
    got = fused.scan(kernels, x, weights), *fused.scan_gradients(kernels, x, p, gy)
    assert_close(got, in_float64(x, p, gy), 2e-6)


@pytest.mark.parametrize("architecture", [80, 90, 120])
def test_nvrtc_compiles_the_kernels(
    architecture: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        architectures = nvrtc.supported_architectures()
    except EngineError as error:
        pytest.skip(error.what)
    if architecture not in architectures:
        pytest.skip(f"this NVRTC does not know sm_{architecture}")
    monkeypatch.setattr(nvrtc, "_cache_folder", lambda: tmp_path / "new" / "kernels")
    layout = Layout(40, 2)
    programs = forward_program(layout), backward_program(layout), linear_program(40, 72)
    cubins = [program.compile(architecture) for program in programs]
    assert all(cubin.startswith(b"\x7fELF") for cubin in cubins)
    monkeypatch.setattr(nvrtc, "_compile", lambda *_: pytest.fail("compiled again"))
    assert [program.compile(architecture) for program in programs] == cubins


def test_a_compiler_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        nvrtc.nvrtc_version()
    except EngineError as error:
        pytest.skip(error.what)
    monkeypatch.setattr(nvrtc, "_cache_folder", lambda: tmp_path)
    with pytest.raises(EngineError, match="error"):
        nvrtc.compile_cubin("not a program", [], 90)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so() -> None:
    available, reason = fused.status()
    assert not available
    assert "CUDA" in reason


def test_a_card_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old card")
    assert fused.status("cuda:7") == (False, "an old card is too old (compute capability 7.5)")
    fused._status.cache_clear()


def test_tensors_elsewhere_are_refused() -> None:
    with pytest.raises(EngineError, match="cpu"):
        fused.selective_scan_2d(torch.zeros(1, 2, 2, 4), random_parameters(4, 1, torch.float32))


def on_gpu(x: torch.Tensor, p: ScanParameters, gy: torch.Tensor) -> Gradients:
    leaves = [t.cuda().requires_grad_() for t in (x, *p)]
    y = selective_scan_2d(leaves[0], ScanParameters(*leaves[1:]), "fused")
    return tuple(t.cpu() for t in (y.detach(), *torch.autograd.grad(y, leaves, gy.cuda())))


@gpu
@needs_gpu
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (3, 37, 53), (1, 129, 127)])
@pytest.mark.parametrize(("channels", "rank"), [(12, 1), (20, 1), (40, 2), (62, 2)])
def test_a_gpu_agrees_and_repeats_itself(
    channels: int, rank: int, shape: tuple[int, int, int]
) -> None:
    p = random_parameters(channels, rank, torch.float32)
    x, gy = torch.randn(*shape, channels), torch.randn(*shape, channels)
    got = on_gpu(x, p, gy)
    assert_close(got, in_float64(x, p, gy), 5e-6)
    assert all(torch.equal(a, b) for a, b in zip(got, on_gpu(x, p, gy), strict=True))


@gpu
@needs_gpu
@pytest.mark.parametrize("bias", [-200.0, 200.0])
def test_extreme_steps_stay_finite_on_a_gpu(bias: float) -> None:
    p = random_parameters(20, 1, torch.float32)
    x = torch.randn(2, 9, 11, 20)
    results = on_gpu(x, p._replace(dt_bias=p.dt_bias + bias), x)
    assert all(torch.isfinite(t).all() for t in results)
