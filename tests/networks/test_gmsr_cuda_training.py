"""The training operators' CUDA kernels against their plain forms: emulated, and on a GPU."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from emulator import EmulatedKernels
from napari_gmsr.networks.gmsr import GMSRNet, Operators
from napari_gmsr.networks.gmsr_cuda_training import FusedOperators
from napari_gmsr.scan.cuda.kernels import Kernels, Program

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

Tensors = tuple[torch.Tensor, ...]
SHAPES = [(1, 1, 1), (3, 1, 7), (1, 2, 2), (2, 3, 4), (1, 37, 53)]
CHANNELS = [6, 10, 20, 31]


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> FusedOperators:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the kernels for the CPU")
    folder: Path = tmp_path_factory.mktemp("kernels")

    @cache
    def kernels(program: Program) -> Kernels:
        return EmulatedKernels(program, compiler, folder)

    class Emulated(FusedOperators):
        def kernels(self, program: Program, device: torch.device) -> Kernels:
            return kernels(program)

    return Emulated("reference")


def check(run: Callable[[Operators, Tensors], Tensors], fused: Operators, leaves: Tensors) -> None:
    """Compare results and gradients with those of the plain form in float64."""

    def results(operators: Operators, leaves: Tensors) -> Tensors:
        torch.manual_seed(3)
        leaves = tuple(t.clone().requires_grad_() for t in leaves)
        out = tuple(
            o + 0 * leaves[0].sum() for o in run(operators, leaves)
        )  # one pixel has no gradient
        weights = [torch.randn(o.shape, dtype=torch.float64).to(o) for o in out]
        return *out, *torch.autograd.grad(out, leaves, weights)

    got = results(fused, leaves)
    wanted = results(Operators("reference"), tuple(t.double() for t in leaves))
    for a, b in zip(got, wanted, strict=True):
        assert (a - b).norm() <= 5e-6 * max(b.norm().item(), 1e-2)
    assert all(map(torch.equal, got, results(fused, leaves)))


def functional_norm(weight: torch.Tensor, bias: torch.Tensor) -> nn.LayerNorm:
    norm = nn.LayerNorm(len(weight), dtype=weight.dtype)
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias  # type: ignore[assignment]
    return norm


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_layer_norm(emulated: FusedOperators, channels: int, shape: tuple[int, int, int]) -> None:
    leaves = (torch.randn(*shape, channels) + 1, torch.randn(channels), torch.randn(channels))
    check(lambda o, t: (o.normalise(functional_norm(*t[1:]), t[0]),), emulated, leaves)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_gated_product(
    emulated: FusedOperators, channels: int, shape: tuple[int, int, int]
) -> None:
    features = torch.randn(*shape, channels), torch.randn(*shape, 2 * channels)
    leaves = (*features, torch.randn(channels), torch.randn(channels))

    def run(operators: Operators, t: Tensors) -> Tensors:
        return (operators.gate(functional_norm(*t[2:]), t[0], t[1].chunk(2, dim=-1)[1]),)

    check(run, emulated, leaves)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_depthwise_convolution(
    emulated: FusedOperators, channels: int, shape: tuple[int, int, int]
) -> None:
    filters = torch.randn(channels, 1, 3, 3), torch.randn(channels)
    leaves = (torch.randn(*shape, 2 * channels), *filters)

    def run(operators: Operators, t: Tensors) -> Tensors:
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        del depthwise.weight, depthwise.bias
        depthwise.weight, depthwise.bias = t[1:]  # type: ignore[assignment]
        return (operators.convolve(depthwise, t[0].chunk(2, dim=-1)[0]),)

    check(run, emulated, leaves)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 10), (10, 40), (31, 124), (62, 31), (93, 31)])
def test_linear_layer(
    emulated: FusedOperators, inputs: int, outputs: int, shape: tuple[int, int, int]
) -> None:
    leaves = (torch.randn(*shape, inputs), torch.randn(outputs, inputs))

    def run(operators: Operators, t: Tensors) -> Tensors:
        layer = nn.Linear(inputs, outputs, bias=False)
        del layer.weight
        layer.weight = t[1]  # type: ignore[assignment]
        return (operators.project(layer, t[0]),)

    check(run, emulated, leaves)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 33, 70)])
def test_convolution_of_the_maps(emulated: FusedOperators, shape: tuple[int, int, int]) -> None:
    leaves = (torch.rand(shape[0], 2, *shape[1:]), torch.randn(1, 2, 7, 7))

    def run(operators: Operators, t: Tensors) -> Tensors:
        conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        del conv.weight
        conv.weight = t[1]  # type: ignore[assignment]
        return (operators.convolve_maps(conv, t[0]),)

    check(run, emulated, leaves)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_fusion(emulated: FusedOperators, channels: int, shape: tuple[int, int, int]) -> None:
    pictures = shape[0]
    features = torch.randn(*shape, channels), torch.randn(*shape, channels)
    gates = torch.rand(*shape), torch.rand(pictures, channels) / 2 + 0.5
    weights = torch.randn(channels, 3 * channels) * channels**-0.5, torch.randn(channels)
    kept = torch.arange(pictures) / 0.9  # the first picture's branch is dropped

    def run(operators: Operators, t: Tensors) -> Tensors:
        layer = nn.Linear(3 * channels, channels)
        del layer.weight, layer.bias
        layer.weight, layer.bias = t[4:]  # type: ignore[assignment]
        return (operators.fuse(layer, t[0], t[1], kept.to(t[0]), t[2], t[3]),)

    check(run, emulated, (*features, *gates, *weights))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_pooled_gradients(
    emulated: FusedOperators, channels: int, shape: tuple[int, int, int]
) -> None:
    a = torch.randn(*shape, channels)
    check(lambda o, t: o.pool_gradients(t[0]), emulated, (a,))


def test_ties_share_the_gradient(emulated: FusedOperators) -> None:
    a = torch.randint(0, 3, (2, 9, 8, 10)).float()
    check(lambda o, t: o.pool_gradients(t[0]), emulated, (a,))


@gpu
@needs_gpu
@pytest.mark.parametrize("shape", [*SHAPES, (20, 64, 64)])
def test_the_networks_gradient_on_a_gpu(
    shape: tuple[int, int, int],
) -> None:
    torch.manual_seed(0)
    network = GMSRNet(drop_path=0).cuda().train()
    rgb = torch.rand(shape[0], 3, *shape[1:], device="cuda")
    weights = torch.randn(shape[0], 31, *shape[1:], device="cuda")

    def gradients(engine: str, dtype: torch.dtype) -> Tensors:
        network.to(dtype).engine = engine
        parameters = list(network.parameters())
        return torch.autograd.grad(network(rgb.to(dtype)), parameters, weights.to(dtype))

    got, again = gradients("fused", torch.float32), gradients("fused", torch.float32)
    assert all(map(torch.equal, got, again))
    for a, b in zip(got, gradients("reference", torch.float64), strict=True):
        assert (a - b).norm() <= 1e-4 * max(b.norm().item(), 1e-3)
