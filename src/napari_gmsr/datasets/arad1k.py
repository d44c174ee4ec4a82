"""ARAD-1K: the 950 public scenes of NTIRE 2022, with JPEG pictures of a simulated camera.

B. Arad et al., "NTIRE 2022 Spectral Recovery Challenge and Data Set", CVPR Workshops, 2022.
"""

from __future__ import annotations

from pathlib import Path

from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Options
from napari_gmsr.datasets.listing import entries, matched

__all__ = ["INFO", "open_folder"]

INFO = DatasetInfo(
    name="arad1k",
    title="ARAD-1K (NTIRE 2022)",
    licence="for research (terms of the NTIRE 2022 challenge)",
    source="https://github.com/boazarad/ARAD_1K",
    layout="ARAD_1K_0001.mat and ARAD_1K_0001.jpg, in folders of any name",
    picture="the JPEG files; what the camera's processing made of the light is taken as sRGB",
    split="0001 to 0900 for training; the test set is the challenge's validation scenes, 0901 to "
    "0950",
)
TEST = frozenset(f"ARAD_1K_{number:04}" for number in range(901, 951))


def open_folder(folder: Path, options: Options) -> Dataset:
    """Open ARAD-1K; see `open_dataset`."""
    return matched(
        INFO,
        folder,
        options,
        files=entries(folder),
        cube=r"(?P<name>ARAD_1K_\d{4})\.mat",
        picture=r"(?P<name>ARAD_1K_\d{4})\.jpe?g",
        encoding="srgb",
        rendering=None,
        test=TEST,
        cube_arguments={"variable": "cube", "scale": 1.0},
    )
