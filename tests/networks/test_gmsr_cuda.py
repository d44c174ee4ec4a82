"""The network's CUDA kernels against their plain forms: emulated on the CPU, and on a GPU."""

import shutil
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from emulator import EmulatedKernels
from napari_gmsr.errors import EngineError
from napari_gmsr.networks.cuda.kernels import BlockKernels, BlockLayout, Provider, block_program
from napari_gmsr.networks.gmsr import WIDTHS, GMSRNet, GradientMambaBlock, Operators
from napari_gmsr.networks.gmsr_cuda import (
    BlockWeights,
    evaluate,
    filter_features,
    fuse_branches,
    gates,
)
from napari_gmsr.networks.gmsr_names import from_reference_state
from napari_gmsr.scan.cuda import nvrtc
from napari_gmsr.scan.cuda.kernels import Layout, forward_program
from napari_gmsr.scan.fused import ScanKernels

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the kernels for the CPU")
    folder: Path = tmp_path_factory.mktemp("kernels")

    @cache
    def provide(layout: BlockLayout) -> BlockKernels:
        scan = Layout(2 * layout.width, layout.rank)
        forward = EmulatedKernels(forward_program(scan), compiler, folder)
        own = EmulatedKernels(block_program(layout), compiler, folder)
        return BlockKernels(layout, own, ScanKernels(scan, forward, forward, forward))

    return provide


def make_network(widths: tuple[int, ...] = WIDTHS[3]) -> GMSRNet:
    torch.manual_seed(len(widths))
    network = GMSRNet(widths).eval()
    with torch.no_grad():  # away from initial values, so that a forgotten term shows
        for name, parameter in network.named_parameters():
            if "norm" in name or "bias" in name or name.endswith((".A_log", ".D")):
                parameter += 0.1 * torch.randn_like(parameter)
    return network


def plain(network: GMSRNet, rgb: torch.Tensor) -> torch.Tensor:
    network.double().engine = "reference"
    with torch.no_grad():
        result: torch.Tensor = network(rgb.double())
    network.float().engine = "auto"
    return result


SHAPES = [(1, 1, 1), (3, 1, 7), (1, 2, 2), (3, 5, 4), (1, 17, 35), (1, 37, 53)]


@pytest.mark.parametrize("shape", [*SHAPES, pytest.param((1, 129, 127), marks=pytest.mark.slow)])
@pytest.mark.parametrize(("width", "following"), [(6, 12), (10, 20), (20, 31), (31, 0)])
def test_each_step_of_a_block(
    emulated: Provider, width: int, following: int, shape: tuple[int, int, int]
) -> None:
    network = make_network((width, following or 31))
    block = cast(GradientMambaBlock, network.blocks[0])
    later = cast(GradientMambaBlock, network.blocks[1]) if following else None
    attention = network.spatial_attention
    weights = BlockWeights.from_block(block, attention.conv.weight, later)
    kernels = emulated(BlockLayout(width, following))
    a, y = torch.randn(*shape, width), torch.randn(*shape, 2 * width)

    x = filter_features(kernels, weights, a)
    spatial, spectral = gates(kernels, weights, a)
    out = fuse_branches(kernels, weights, a, y, spatial, spectral)

    network.double()
    a, y, ss2d = a.double(), y.double(), block.vss.ss2d
    with torch.no_grad():
        inward, z = ss2d.in_proj(block.vss.norm(a)).chunk(2, dim=-1)
        wanted = F.silu(ss2d.depthwise(inward.movedim(-1, 1)).movedim(1, -1))
        assert (x - wanted).abs().max() <= 2e-6 * max(1, wanted.abs().max())
        maps, *pooled = Operators("reference").pool_gradients(a)
        by_space = a * attention(maps, Operators("reference"))[..., None]
        by_spectrum = a * block.spectral_attention(*pooled)[:, None, None]
        assert (a * spatial[..., None] - by_space).abs().max() <= 2e-6
        gate = spectral[:, 2 : 2 + width]
        assert (a * gate[:, None, None] - by_spectrum).abs().max() <= 2e-6
        scanned = ss2d.out_proj(ss2d.norm(y) * F.silu(z))
        result = a + F.gelu(block.fuse(torch.cat([scanned, by_space, by_spectrum], dim=-1)))
        result = later.expand(result) if later else result.movedim(-1, 1)
        assert (out - result).abs().max() <= 4e-6


@pytest.mark.parametrize("name", ["a", "b"])
def test_agrees_with_the_reference_implementation(
    emulated: Provider, conformance: Path, name: str
) -> None:
    vectors = np.load(conformance / "gmsr_official_mamba_ssm_h100.npz")
    state = {k[6:]: torch.from_numpy(vectors[k]) for k in vectors if k.startswith("state/")}
    rgb = torch.from_numpy(vectors[f"in/{name}"])
    cube = evaluate(from_reference_state(state), rgb, emulated)
    assert abs(cube.numpy() - vectors[f"out/{name}"]).max() <= 2e-6


@pytest.mark.parametrize("blocks", WIDTHS)
def test_any_number_of_blocks(emulated: Provider, blocks: int) -> None:
    network = make_network(WIDTHS[blocks])
    rgb = torch.rand(1, 3, 9, 8)
    assert (evaluate(network, rgb, emulated) - plain(network, rgb)).abs().max() <= 2e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_and_batch(emulated: Provider, shape: tuple[int, int, int]) -> None:
    network = make_network()
    rgb = torch.rand(shape[0], 3, *shape[1:])
    cubes = evaluate(network, rgb, emulated)
    assert (cubes - plain(network, rgb)).abs().max() <= 2e-6
    assert torch.equal(evaluate(network, rgb, emulated), cubes)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 1e4])
def test_flat_pictures_are_finite(emulated: Provider, value: float) -> None:
    rgb = torch.full((1, 3, 4, 19), value)
    assert torch.isfinite(evaluate(make_network(), rgb, emulated)).all()


def test_changed_weights_are_noticed(emulated: Provider) -> None:
    network, rgb = make_network(), torch.rand(1, 3, 3, 4)
    before = evaluate(network, rgb, emulated)
    with torch.no_grad():
        network.blocks[1].vss.ss2d.out_proj.weight.mul_(1.5)  # type: ignore[union-attr]
    after = evaluate(network, rgb, emulated)
    assert not torch.equal(before, after)
    assert (after - plain(network, rgb)).abs().max() <= 2e-6
    assert torch.equal(evaluate(network.double().float(), rgb, emulated), after)


def test_other_dtypes_strides_and_an_empty_batch(emulated: Provider) -> None:
    network = make_network()
    rgb = torch.rand(1, 9, 8, 3).movedim(-1, 1)
    cube = evaluate(network, rgb, emulated)
    wide = evaluate(network.double(), rgb.double(), emulated)
    assert wide.dtype == torch.float64
    assert torch.equal(wide.float(), cube)
    assert evaluate(network.float(), rgb[:0], emulated).shape == (0, 31, 9, 8)


@pytest.mark.parametrize("architecture", [80, 90, 120])
@pytest.mark.parametrize("layout", [BlockLayout(10, 20), BlockLayout(31, 0)], ids=str)
def test_nvrtc_compiles_the_kernels(
    layout: BlockLayout, architecture: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        architectures = nvrtc.supported_architectures()
    except EngineError as error:
        pytest.skip(error.what)
    if architecture not in architectures:
        pytest.skip(f"this NVRTC does not know sm_{architecture}")
    monkeypatch.setattr(nvrtc, "_cache_folder", lambda: tmp_path)
    assert block_program(layout).compile(architecture).startswith(b"\x7fELF")


@gpu
@needs_gpu
@pytest.mark.parametrize("shape", [*SHAPES, (1, 129, 127), (20, 64, 64)])
@pytest.mark.parametrize("blocks", WIDTHS)
def test_a_gpu_agrees_and_repeats_itself(blocks: int, shape: tuple[int, int, int]) -> None:
    network = make_network(WIDTHS[blocks]).cuda()
    rgb = torch.rand(shape[0], 3, *shape[1:], device="cuda")
    with torch.no_grad():
        cubes = network(rgb)
        assert torch.equal(network(rgb), cubes)
    assert torch.equal(evaluate(network, rgb), cubes)
    assert (cubes - plain(network, rgb)).abs().max() <= 2e-6
