"""A small dataset of pairs, and studies on it that take seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.study import Study, make_study

SIDE = 24
TINY = {"widths": [31], "branch": "none"}
"""Arguments of a GMSR-Net whose training step takes milliseconds."""


def write_pairs(folder: Path, names: str = "abcde") -> Path:
    """Write pairs of picture and cube: two to train on, one for validation, two for test."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    bands, centres = np.linspace(0, 1, 31), np.linspace(0, 1, 5)
    curves = np.exp(-(((bands[None] - centres[:, None]) / 0.2) ** 2))
    for name in names:
        places = np.kron(random.random((6, 6, 5)), np.ones((SIDE // 6, SIDE // 6, 1)))
        cube = SpectralCube.from_band_last((places @ curves / 2.5).astype(np.float32), name=name)
        cube.save(folder / f"{name}.npz")
        picture = np.round(render_rgb(cube, "srgb", encoding="srgb").data * 255)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")
    split = {"train": list(names[:2]), "validation": [names[2]], "test": list(names[3:])}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data") / "pairs")


@pytest.fixture(scope="session")
def values(pairs: Path) -> dict[str, Any]:
    """A study of three models and two seeds."""
    return {
        "name": "tiny",
        "seeds": [0, 1],
        "budget": {"steps": 4},
        "training": {"patch": 16, "batch": 2, "validate_every": 0.5},
        "models": [
            {
                "name": "gmsr",
                "label": "GMSR-Net",
                "arguments": TINY,
                "tables": ["comparison", "ablations", "depth"],
            },
            {
                "name": "gmsr",
                "label": "wide_50%",
                "arguments": {"widths": [6, 31], "branch": "none"},
                "tables": ["ablations"],
                "seeds": [0],
            },
            {"name": "wiener"},
        ],
        "datasets": [
            {
                "name": "pairs",
                "label": "Toys",
                "folder": str(pairs),
                "cache_folder": str(pairs.parent / "cache"),
            }
        ],
    }


@pytest.fixture
def study(values: dict[str, Any]) -> Study:
    return make_study(values)
