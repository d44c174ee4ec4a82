"""GMSR-Net against the reference implementation's vectors, and its promises beyond it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_gmsr.errors import CheckpointError, EngineError, InputError
from napari_gmsr.networks import GMSRNet, create
from napari_gmsr.networks.gmsr import WIDTHS, Operators
from napari_gmsr.networks.gmsr_names import from_reference_state, to_reference_state
from napari_gmsr.scan import list_engines

ENGINES = [engine.name for engine in list_engines("cpu") if engine.available]


@pytest.fixture(scope="module")
def vectors(conformance: Path) -> Iterator[Any]:
    with np.load(conformance / "gmsr_official_mamba_ssm_h100.npz") as archive:
        yield archive


@pytest.fixture(scope="module")
def official_state(vectors: Any) -> dict[str, Tensor]:
    prefix = "state/"
    return {
        name.removeprefix(prefix): torch.from_numpy(vectors[name])
        for name in vectors.files
        if name.startswith(prefix)
    }


def largest_difference(ours: Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_outputs_agree(
    vectors: Any, official_state: dict[str, Tensor], engine: str, case: str
) -> None:
    network = from_reference_state(official_state)
    network.engine = engine
    with torch.inference_mode():
        cube = network(torch.from_numpy(vectors[f"in/{case}"]))
    assert largest_difference(cube, vectors[f"out/{case}"]) <= 2e-6


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_branches_of_the_first_stage_agree(
    vectors: Any, official_state: dict[str, Tensor], case: str
) -> None:
    network = from_reference_state(official_state)
    block = network.blocks[0]

    operators = Operators("reference")
    with torch.inference_mode():
        a = block.expand(torch.from_numpy(vectors[f"in/{case}"]).movedim(1, -1))
        maps, mean, maximum = operators.pool_gradients(a)
        branches = {
            "features": a,
            "vss": block.vss(a, operators),
            "spatial": a * network.spatial_attention(maps, operators)[..., None],
            "spectral": a * block.spectral_attention(mean, maximum)[:, None, None],
        }
    for name, ours in branches.items():
        theirs = vectors[f"stage1/{name}/{case}"]
        assert largest_difference(ours.movedim(-1, 1), theirs) <= 2e-6, name


@pytest.mark.parametrize(
    ("blocks", "count"), [(1, 25_053), (2, 34_620), (3, 44_980), (4, 57_840), (5, 65_694)]
)
def test_parameters_of_table_iii(blocks: int, count: int) -> None:
    assert GMSRNet(WIDTHS[blocks]).reference_parameter_count == count


def test_reference_names_come_back(official_state: dict[str, Tensor]) -> None:
    network = from_reference_state({f"module.{k}": v for k, v in official_state.items()})
    returned = to_reference_state(network)
    assert returned.keys() == official_state.keys()
    for name, tensor in official_state.items():
        if "skip_scale" not in name:
            assert torch.equal(returned[name], tensor), name


@pytest.mark.parametrize("blocks", WIDTHS)
def test_reference_names_for_any_depth(blocks: int) -> None:
    network = GMSRNet(WIDTHS[blocks])
    again = from_reference_state(to_reference_state(network))
    assert again.widths == WIDTHS[blocks]
    for ours, theirs in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_missing_a_misshapen_and_a_foreign_tensor_are_named() -> None:
    state = to_reference_state(GMSRNet())
    missing = {k: v for k, v in state.items() if k != "conv2.0.bias"}
    with pytest.raises(CheckpointError, match=r"conv2\.0\.bias is missing"):
        from_reference_state(missing)
    with pytest.raises(CheckpointError, match=r"conv2\.0\.bias has the shape"):
        from_reference_state(state | {"conv2.0.bias": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="stranger"):
        from_reference_state(state | {"stranger": torch.zeros(3)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (9, 1), (16, 16)])
def test_flat_and_tiny_pictures_are_finite(
    engine: str, value: float, shape: tuple[int, int]
) -> None:
    network = create("gmsr").eval()
    network.engine = engine
    with torch.inference_mode():
        cube = network(torch.full((1, 3, *shape), value))
    assert cube.shape == (1, 31, *shape)
    assert torch.isfinite(cube).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_picture_does_not_depend_on_its_batch_mates(engine: str) -> None:
    torch.manual_seed(0)
    network = create("gmsr").eval()
    network.engine = engine
    batch = torch.rand(3, 3, 20, 14) * torch.tensor([0.1, 1.0, 0.5])[:, None, None, None]
    with torch.inference_mode():
        together = network(batch)
        alone = torch.cat([network(picture[None]) for picture in batch])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("widths", [(6, 31), (31,), (7, 13, 19, 31)])
def test_engines_agree_on_odd_widths_and_shapes(widths: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    network = GMSRNet(widths).eval()
    picture = torch.rand(1, 3, 37, 29)
    cubes = []
    for engine in ENGINES:
        network.engine = engine
        with torch.inference_mode():
            cubes.append(network(picture))
    for cube in cubes[1:]:
        torch.testing.assert_close(cube, cubes[0], rtol=0, atol=2e-6)


def test_training_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    network = create("gmsr", drop_path=0.0)
    network(torch.rand(2, 3, 12, 12)).abs().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_dropped_branches_need_training_mode() -> None:
    torch.manual_seed(0)
    network = create("gmsr", drop_path=1.0)
    picture = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(network.eval()(picture), network.eval()(picture))
        network.train().engine = "reference"
        assert not torch.equal(network(picture), network.eval()(picture))


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(InputError, match="no network"):
        GMSRNet(())


def test_a_forced_engine_that_is_not_there_is_named() -> None:
    network = create("gmsr").eval()
    network.engine = "fused"
    with torch.inference_mode(), pytest.raises(EngineError, match="fused"):
        network(torch.rand(1, 3, 4, 4))


def test_unknown_networks_and_arguments_are_named() -> None:
    with pytest.raises(InputError, match="gmsrr"):
        create("gmsrr")
    with pytest.raises(InputError, match="depth"):
        create("gmsr", depth=3)
