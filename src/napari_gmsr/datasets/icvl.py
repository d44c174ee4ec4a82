"""ICVL: scenes of the BGU group's line scanner, with 31 bands or 519.

B. Arad and O. Ben-Shahar, "Sparse Recovery of Hyperspectral Signal from Natural RGB Images", ECCV,
2016.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Options, Rendering
from napari_gmsr.datasets.listing import entries, matched

__all__ = ["INFO", "open_folder"]

INFO = DatasetInfo(
    name="icvl",
    title="ICVL",
    licence="for research (Ben-Gurion University)",
    source="https://icvl.cs.bgu.ac.il/hyperspectral/",
    layout="one .mat a scene with rad and bands: 31 bands from 400 to 700 nm, or all 519, which "
    "are averaged to those 31",
    picture="rendered with the CIE 1964 response, or with the camera that is given",
    split="a tenth each for validation and test, by a hash of the names: nobody published one",
)
FULL_SCALE = 4095.0
"""The camera's 12 bits."""


def open_folder(folder: Path, options: Options) -> Dataset:
    """Open ICVL; see `open_dataset`."""
    dataset = matched(
        INFO,
        folder,
        options,
        files=entries(folder),
        cube=r"(?P<name>.+)\.mat",
        picture=None,
        encoding="linear",
        rendering=Rendering("cie_1964"),
        test=None,
        cube_arguments={"variable": "rad", "scale": FULL_SCALE},
    )
    return replace(dataset, resampled=True)
