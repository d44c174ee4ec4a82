"""GMSR-Net with parts taken away or replaced: any picture, any engine, the paper's budget."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emulator import EmulatedKernels
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import CheckpointError, InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.networks import ABLATIONS, DEPTHS, CapturedStep, GMSRNet, create, network_engine
from napari_gmsr.networks.ablated import mamba_parameters
from napari_gmsr.networks.gmsr import Operators
from napari_gmsr.networks.gmsr_cuda_training import FusedOperators
from napari_gmsr.networks.gmsr_names import to_reference_state
from napari_gmsr.networks.padding import reflected
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.reconstruct.costs import run_bytes
from napari_gmsr.scan.cuda.kernels import Kernels, Program
from napari_gmsr.weights import ModelCard, load_model, save_checkpoint

ALTERED = [name for name in ABLATIONS if name != "GMSR-Net"]
SCANNING = [name for name in ALTERED if name.startswith("Mamba")]


def made(name: str, **arguments: Any) -> nn.Module:
    """A small one, its norms and biases away from what they start from."""
    torch.manual_seed(0)
    network = create("gmsr", **{"widths": [6, 14], **arguments}, **ABLATIONS[name]).eval()
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if "norm" in parameter_name or "bias" in parameter_name:
                parameter += 0.1 * torch.randn_like(parameter)
    return network


@pytest.mark.parametrize("name", ABLATIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (37, 53)])
def test_any_size_and_flat_pictures(name: str, size: tuple[int, int]) -> None:
    network = made(name)
    for rgb in (torch.zeros(1, 3, *size), torch.full((1, 3, *size), 0.7), torch.rand(1, 3, *size)):
        with torch.inference_mode():
            cube = network(rgb)
        assert cube.shape == (1, 14, *size)
        assert torch.isfinite(cube).all()


@pytest.mark.parametrize("name", ALTERED)
def test_a_picture_does_not_depend_on_its_batch_mates(name: str) -> None:
    network = made(name).double()
    batch = torch.rand(2, 3, 5, 12, dtype=torch.float64)
    with torch.no_grad():
        if hasattr(network, "engine"):
            network.engine = "reference"
        alone = torch.cat([network(picture[None]) for picture in batch])
        torch.testing.assert_close(network(batch), alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ALTERED)
def test_training_reaches_every_parameter(name: str) -> None:
    network = made(name, drop_path=0.0).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    step = CapturedStep(network, optimiser, lambda cube, truth, _: (cube - truth).abs().mean())
    rgb, truth = torch.rand(1, 3, 7, 9), torch.rand(1, 14, 7, 9)
    losses = [step(rgb, truth).item() for _ in range(3)]
    assert losses[-1] < losses[0]
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


@pytest.mark.parametrize("name", ["Transformer+GG", "CNN+GG"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_what_replaces_mamba_has_its_parameters(name: str, depth: str) -> None:
    network = create("gmsr", **DEPTHS[depth], **ABLATIONS[name])
    assert isinstance(network, GMSRNet)
    for c, block in zip(network.widths, network.blocks, strict=True):
        count = sum(p.numel() for p in block.branch.parameters())
        assert count == pytest.approx(mamba_parameters(c), rel=0.05)


def test_parts_taken_away_leave_no_parameters() -> None:
    counts = {
        n: sum(p.numel() for p in create("gmsr", **a).parameters()) for n, a in ABLATIONS.items()
    }
    blocks = [10, 20, 31]
    squares = sum(c * c for c in blocks)
    assert counts["Mamba+CBAM"] == counts["GMSR-Net"] == 44_858
    assert counts["Mamba+Gspa"] == 44_858 - 2 * squares - squares  # perceptrons and fusion
    assert counts["Mamba+Gspe"] == 44_858 - 98 - squares
    assert counts["Mamba"] == 44_858 - 2 * squares - 98 - 2 * squares
    assert counts["Gspa+Gspe"] == 44_858 - sum(map(mamba_parameters, blocks)) - squares


@pytest.mark.parametrize("name", SCANNING)
def test_engines_agree_with_the_reference(name: str) -> None:
    network = made(name)
    rgb = torch.rand(1, 3, 29, 18)
    cubes = []
    for engine in ("reference", "cpu"):
        network.engine = engine
        with torch.inference_mode():
            cubes.append(network(rgb))
    torch.testing.assert_close(cubes[1], cubes[0], rtol=0, atol=2e-6)


class Emulated(FusedOperators):
    """The training operators' kernels, compiled for this processor."""

    def __init__(self, compiler: str, folder: Path) -> None:
        super().__init__("reference")
        self._compile = cache(lambda program: EmulatedKernels(program, compiler, folder))

    def kernels(self, program: Program, device: torch.device) -> Kernels:
        return self._compile(program)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile the kernels for the CPU")
    return Emulated(compiler, tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("name", SCANNING)
def test_the_fused_engines_operators_serve(name: str, emulated: Emulated) -> None:
    network = made(name, widths=[6])
    assert isinstance(network, GMSRNet)
    rgb = torch.rand(2, 3, 5, 9)
    with torch.inference_mode():
        plain = network.run(rgb, Operators("reference"))
        torch.testing.assert_close(network.run(rgb, emulated), plain, rtol=0, atol=2e-6)
    gradients = []
    for operators in (emulated, Operators("reference")):
        network.zero_grad()
        network.run(rgb, operators).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    for ours, wanted in zip(*gradients, strict=True):
        assert (ours - wanted).norm() <= 1e-5 * wanted.norm().clamp_min(1e-2)


def test_engines_are_chosen_for_the_network() -> None:
    paper, scanning, none = (made(n) for n in ("GMSR-Net", "Mamba", "CNN+GG"))
    assert "only the scan" not in network_engine(paper, "cpu").reason
    assert network_engine(scanning, "cpu").name == "cpu"
    assert "only the scan" in network_engine(scanning, "cpu").reason
    assert network_engine(scanning, "cpu", gradients=True).name == "reference"
    assert network_engine(none, "cpu").name == "none"
    assert network_engine(create("wiener"), "cpu").name == "none"


@pytest.mark.parametrize("name", ["Transformer+GG", "Mamba+CBAM"])
def test_checkpoints_and_reconstruction(name: str, tmp_path: Path) -> None:
    network = made(name, widths=[6, 31])
    card = ModelCard(
        name="ablation",
        network="gmsr",
        arguments={"widths": [6, 31], **ABLATIONS[name]},
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="linear",
    )
    model = load_model(save_checkpoint(network, card, tmp_path / "ablation.safetensors"))
    picture = np.random.default_rng(0).random((14, 9, 3), np.float32)
    cube = reconstruct(RGBImage(picture, "linear"), model, device="cpu")
    with torch.inference_mode():
        direct = network(torch.from_numpy(picture).movedim(-1, 0)[None])[0].clamp(0, 1)
    np.testing.assert_allclose(cube.data, direct, rtol=0, atol=2e-6)
    expected = "no scan" if name == "Transformer+GG" else "only the scan"
    assert expected in cube.provenance["engine_reason"]
    with pytest.raises(CheckpointError, match="no ablations"):
        to_reference_state(model.network)


def test_a_scan_with_pytorch_around_it_is_planned_to_take_more_than_the_fused_network() -> None:
    scanning = create("gmsr", **ABLATIONS["Mamba"])
    assert run_bytes(10**6, "fused", scanning) == run_bytes(10**6, "mamba_ssm", scanning)
    assert run_bytes(10**6, "fused", scanning) > run_bytes(10**6, "fused")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"branch": "lstm"}, "Choose one of: mamba"),
        ({"attention": ["cbam"]}, "Choose one of: gradient"),
        ({"branch": "none", "attention": "none"}, "do nothing"),
        ({"widths": 3}, "widths 3"),
        ({"widths": "31"}, "widths '31'"),
        ({"widths": [10.0, 31]}, "whole numbers"),
        ({"widths": [1, 31]}, "no network"),
        ({"drop_path": 1.5}, "1.5"),
        ({"drop_path": "much"}, "'much'"),
        ({"depth": 3}, "depth"),
    ],
)
def test_bad_values_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="network 'gmsr'") as error:
        create("gmsr", **arguments)
    assert said in str(error.value)


def test_mirrored_lines_in_front() -> None:
    x = torch.arange(5.0)[None, :]
    assert reflected(x, 8, before=2)[0].tolist() == [2, 1, 0, 1, 2, 3, 4, 3]
    alone: Tensor = reflected(torch.ones(1, 1), 4, before=3)
    assert alone.shape == (4, 4)


@pytest.mark.parametrize("name", ["mscnn", "hrnet", "mstpp", "repcpsi", "rootpoly"])
def test_networks_of_no_bands_are_refused(name: str) -> None:
    for bands in (0, -3, 2.5, "31"):
        with pytest.raises(InputError, match="bands"):
            create(name, bands=bands)


def test_configurations_are_known_without_pytorch() -> None:
    code = (
        "import sys; from napari_gmsr.networks import ABLATIONS, DEPTHS; "
        "sys.exit('torch' in sys.modules or len(ABLATIONS) != 8 or len(DEPTHS) != 5)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
