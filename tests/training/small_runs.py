"""Configurations and data of runs whose steps take milliseconds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load_file

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.training import RunFolder, TrainingConfig

SMALL: dict[str, Any] = {
    "network_arguments": {"widths": [6, 31], "drop_path": 0.1},
    "patch": 16,
    "batch": 2,
    "validate_every": 0.5,
    "device": "cpu",
}
TOGETHER: dict[str, Any] = {
    # Nothing random: two processes draw the patches that one with twice the batch would draw.
    "network_arguments": {"widths": [6, 31], "drop_path": 0.0},
    "order": "grid",
    "stride": 8,
    "flips": False,
    "exposure": None,
    "validate_every": 1.0,
    # Adam divides by the gradient's size: a large epsilon keeps rounding what it is.
    "optimiser": {"eps": 1e-3},
}


def small(**changes: Any) -> TrainingConfig:
    """Eight steps of simulated scenes, unless something else is asked for."""
    length = {} if {"epochs", "minutes"} & changes.keys() else {"steps": 8}
    return TrainingConfig(**{**SMALL, **length, **changes})


def on_pairs(folder: Path, **changes: Any) -> TrainingConfig:
    """Likewise, on a folder of pairs that has its cache beside it."""
    cache = folder.with_name(f"{folder.name} cache")
    dataset = {"name": "pairs", "folder": folder, "cache_folder": cache}
    return small(dataset=dataset, **changes)


def smooth_cube(seed: int, side: int = 32) -> npt.NDArray[np.float32]:
    """Return a cube (31, side, side) of smooth spectra in patches of eight pixels."""
    rng = np.random.default_rng(seed)
    bands = np.linspace(0, 1, 31)
    shape = (side // 8, side // 8)
    centre, width, height = (rng.uniform(*r, shape) for r in ((0, 1), (0.2, 0.5), (0.2, 0.8)))
    spectra = height * np.exp(-(((bands[:, None, None] - centre) / width) ** 2))
    return np.kron(spectra, np.ones((8, 8))).astype(np.float32)


def write_pair(folder: Path, name: str, cube: npt.NDArray[np.float32]) -> None:
    """Write a cube and the picture of it."""
    whole = SpectralCube(cube, np.linspace(400, 700, len(cube)))
    (folder / f"{name}.npz").unlink(missing_ok=True)
    whole.save(folder / f"{name}.npz")
    picture = np.round(render_rgb(whole, "srgb", encoding="srgb").data * 255)
    Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")


def write_pairs(
    folder: Path, train: Sequence[str] = "ab", validation: Sequence[str] = "c", test: str = ""
) -> Path:
    """Write pairs of 32 pixels into a new folder, with their split."""
    folder.mkdir()
    for seed, name in enumerate([*train, *validation, *test]):
        write_pair(folder, name, smooth_cube(seed))
    split = {"train": [*train], "validation": [*validation], "test": [*test]}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


def assert_same_state(one: Path, other: Path) -> None:
    """The last states of two runs are equal, bit for bit."""
    first, second = (load_file(RunFolder(path).last_file) for path in (one, other))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
