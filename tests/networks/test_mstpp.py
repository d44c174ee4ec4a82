"""MST++ against its specification's vectors; any size, and the published names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_gmsr.errors import InputError
from napari_gmsr.networks import MSTPlusPlus, create


def uniform(entry: int, count: int) -> np.ndarray:
    """The vectors' stated filling: a hash of an entry's and an element's number, in [-1, 1)."""
    s = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
    s += np.uint32(2246822519 * (entry + 1) & 0xFFFFFFFF)
    for _ in range(2):
        s = (s ^ (s >> 16)) * np.uint32(73244475)
    return (s ^ (s >> 16)) / 2.0**31 - 1


def filled(description: dict[str, Any]) -> dict[str, Tensor]:
    state = {}
    for i, (name, shape, kind, _) in enumerate(description["entries"]):
        u = uniform(i, int(np.prod(shape)))
        values = {
            "weight": description["gain"] / np.sqrt(np.prod(shape[1:])) * u,
            "bias": 0.1 * u,
            "norm_bias": 0.1 * u,
            "norm_scale": 1 + 0.1 * u,
            "temperature": 4 + u,
        }[kind]
        state[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return state


@pytest.fixture(scope="module")
def network(conformance: Path) -> MSTPlusPlus:
    description = json.loads((conformance / "mstpp.json").read_text())
    state = filled(description)
    check = description["fill_check"]["sum_of_filled_values"]
    assert sum(t.double().sum().item() for t in state.values()) == pytest.approx(check, abs=1e-6)
    network = MSTPlusPlus().eval()
    network.load_state_dict(state)
    return network


@pytest.fixture(scope="module")
def vectors(conformance: Path) -> Iterator[Any]:
    with np.load(conformance / "mstpp.npz") as archive:
        yield archive


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 5e-7)])
@pytest.mark.parametrize("size", ["64x48", "61x47"])
def test_outputs_agree(
    network: MSTPlusPlus, vectors: Any, size: str, dtype: torch.dtype, limit: float
) -> None:
    rgb = torch.from_numpy(vectors[f"input_{size}"]).to(dtype)
    with torch.inference_mode():
        cube = network.to(dtype)(rgb)
    assert np.abs(cube.numpy() - vectors[f"output_{size}"]).max() <= limit


def test_parts_agree(network: MSTPlusPlus, vectors: Any) -> None:
    unet = network.float().body[0]
    parts = {
        "mid_f_in": network.conv_in,
        "mid_msa0": unet.encoder_layers[0][0].blocks[0][0],
        "mid_bott0": unet.bottleneck,
        "mid_stage0": unet,
    }
    seen: dict[str, Tensor] = {}
    hooks = [
        part.register_forward_hook(lambda *call, name=name: seen.update({name: call[2]}))
        for name, part in parts.items()
    ]
    with torch.inference_mode():
        network(torch.from_numpy(vectors["input_64x48"]))
    for hook in hooks:
        hook.remove()
    for name, ours in seen.items():
        theirs = vectors[name]
        height, width = theirs.shape[-2:]
        assert np.abs(ours[..., :height, :width].numpy() - theirs).max() <= 1e-5, name
    assert seen.keys() == parts.keys()


def test_parameters_of_table_i() -> None:
    assert sum(p.numel() for p in create("mstpp").parameters()) == 1_619_625


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 5), (8, 8), (17, 2)])
def test_any_size(size: tuple[int, int]) -> None:
    network = MSTPlusPlus(stages=1)
    rgb = torch.rand(2, 3, *size)
    cube = network(rgb)
    assert cube.shape == (2, 31, *size)
    cube.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_pictures_do_not_depend_on_their_batch() -> None:
    network = MSTPlusPlus(stages=1).eval()
    rgb = torch.rand(3, 3, 9, 12)
    with torch.inference_mode():
        torch.testing.assert_close(network(rgb)[1:2], network(rgb[1:2]), rtol=1e-5, atol=1e-6)


def test_no_bands_are_no_network() -> None:
    with pytest.raises(InputError, match="0 bands"):
        create("mstpp", bands=0)
