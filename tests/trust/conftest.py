"""A checkpoint that takes milliseconds."""

import pytest
import torch

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.networks import create
from napari_gmsr.weights import ModelCard, load_model, save_checkpoint


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Make a loaded model of one untrained block, from a seed."""
    folder = tmp_path_factory.mktemp("weights")

    def make(seed=0, wavelengths_nm=WAVELENGTHS_NM):
        torch.manual_seed(seed)
        arguments = {"widths": [31]}
        card = ModelCard(
            name=f"tiny{seed}",
            network="gmsr",
            arguments=arguments,
            wavelengths_nm=tuple(map(float, wavelengths_nm)),
            encoding="srgb",
            camera="srgb",
            illuminant="D65",
        )
        path = folder / f"tiny{seed}-{wavelengths_nm[0]:g}.safetensors"
        save_checkpoint(create("gmsr", **arguments), card, path, overwrite=True)
        return load_model(path)

    return make
