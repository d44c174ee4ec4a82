"""Cubes that the io tests write and read."""

import numpy as np
import pytest

from napari_gmsr.cube import SpectralCube


@pytest.fixture
def cube() -> SpectralCube:
    """A small cube with everything that a file can lose."""
    rng = np.random.default_rng(1)
    data = rng.standard_normal((31, 6, 5)).astype(np.float32)
    data[0, 0, :4] = -0.0, np.nan, np.inf, 1e-42
    data[3] = 0
    data[4] = -0.0
    return SpectralCube(
        data,
        np.linspace(400, 700, 31) + rng.random(31) / 3,
        name='Ärger, {x} = "\n1',
        provenance={
            "model": "photo",
            "sha256": "0" * 64,
            "notes": ["a, b", "{c}; d = e"],
            "scale": 0.1,
            "nested": {"none": None, "true": True, "ü": [1, 2.5, -1e-300]},
        },
        spread=rng.random((31, 6, 5), dtype=np.float32),
    )
