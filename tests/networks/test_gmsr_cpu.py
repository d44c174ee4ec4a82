"""The compiled network against the reference implementation's vectors and the plain network."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_gmsr.networks.gmsr import WIDTHS, GMSRNet
from napari_gmsr.networks.gmsr_cpu import evaluate, spatial_attention, spectral_attention, vss
from napari_gmsr.networks.gmsr_names import from_reference_state


def make_network(blocks: int = 3) -> GMSRNet:
    torch.manual_seed(blocks)
    network = GMSRNet(WIDTHS[blocks]).eval()
    with torch.no_grad():  # away from initial values, so that a forgotten term shows
        for name, parameter in network.named_parameters():
            if "norm" in name or "bias" in name or name.endswith((".A_log", ".D")):
                parameter += 0.1 * torch.randn_like(parameter)
    return network


def plain(network: GMSRNet, rgb: torch.Tensor) -> torch.Tensor:
    network.double().engine = "reference"
    with torch.no_grad():
        result = network(rgb.double())
    network.float()
    return result


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_agrees_with_the_reference_implementation(conformance: Path, name: str) -> None:
    vectors = np.load(conformance / "gmsr_official_mamba_ssm_h100.npz")
    state = {k[6:]: torch.from_numpy(vectors[k]) for k in vectors if k.startswith("state/")}
    network = from_reference_state(state)

    def stage(branch: str) -> np.ndarray:
        return np.ascontiguousarray(vectors[f"stage1/{branch}/{name}"][0].transpose(1, 2, 0))

    cube = evaluate(network, torch.from_numpy(vectors[f"in/{name}"]))
    assert abs(cube.numpy() - vectors[f"out/{name}"]).max() <= 2e-6
    a, block = stage("features"), network.blocks[0]
    spatial = spatial_attention(network.spatial_attention, a)
    assert abs(vss(block, a) - stage("vss")).max() <= 2e-6
    assert abs(spatial - stage("spatial")).max() <= 2e-6
    assert abs(spectral_attention(block, a) - stage("spectral")).max() <= 2e-6


@pytest.mark.parametrize("blocks", WIDTHS)
def test_any_number_of_blocks(blocks: int) -> None:
    network = make_network(blocks)
    rgb = torch.rand(1, 3, 17, 19)
    assert (evaluate(network, rgb) - plain(network, rgb)).abs().max() <= 2e-6


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (1, 7), (3, 3), (5, 70), (70, 5), (34, 67)]
)
def test_any_size_and_batch(size: tuple[int, int]) -> None:
    network = make_network()
    rgb = torch.rand(3, 3, *size)
    cubes = evaluate(network, rgb)
    assert cubes.shape == (3, 31, *size)
    assert (cubes - plain(network, rgb)).abs().max() <= 2e-6
    for picture, cube in zip(rgb, cubes, strict=True):
        assert torch.equal(evaluate(network, picture[None])[0], cube)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 1e4])
def test_flat_pictures_are_finite(value: float) -> None:
    assert torch.isfinite(evaluate(make_network(), torch.full((1, 3, 20, 30), value))).all()


def test_same_bits_again_and_whatever_the_threads() -> None:
    network = make_network()
    rgb = torch.rand(1, 3, 150, 130)
    one = evaluate(network, rgb, threads=1)
    for threads in (1, 2, 5):
        assert torch.equal(evaluate(network, rgb, threads=threads), one)


def test_from_several_threads_at_once() -> None:
    network = make_network()
    pictures = list(torch.rand(6, 1, 3, 40, 30))
    alone = [evaluate(network, rgb) for rgb in pictures]
    with ThreadPoolExecutor(3) as pool:
        together = pool.map(lambda rgb: evaluate(network, rgb, threads=2), pictures)
        assert all(map(torch.equal, together, alone))


def test_other_dtypes_strides_and_an_empty_batch() -> None:
    network = make_network()
    rgb = torch.rand(1, 9, 8, 3).movedim(-1, 1)
    cube = evaluate(network, rgb)
    wide = evaluate(network.double(), rgb.double())
    assert wide.dtype == torch.float64
    assert torch.equal(wide.float(), cube)
    half = evaluate(network.float(), rgb.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - cube).abs().max() <= 0.02
    assert evaluate(network, rgb[:0]).shape == (0, 31, 9, 8)


def test_is_what_the_network_runs_on_a_cpu() -> None:
    network = make_network()
    rgb = torch.rand(1, 3, 12, 13)
    with torch.no_grad():
        assert torch.equal(network(rgb), evaluate(network, rgb))
