"""NTIRE 2020: 460 scenes of the BGU group, with clean pictures or those of a noisy camera.

B. Arad et al., "NTIRE 2020 Challenge on Spectral Reconstruction from an RGB Image", CVPR Workshops,
2020.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Options, Rendering
from napari_gmsr.datasets.listing import entries, matched

__all__ = ["CLEAN", "REAL_WORLD", "open_clean", "open_real_world"]

TEST = frozenset(
    f"ARAD_HS_{number:04}" for number in (451, 453, 455, 456, 457, 459, 462, 463, 464, 465)
)
"""The challenge's validation pictures: the test set of the papers."""

CLEAN = DatasetInfo(
    name="ntire2020-clean",
    title="NTIRE 2020, Clean track",
    licence="for research (terms of the NTIRE 2020 challenge)",
    source="https://competitions.codalab.org/competitions/22225",
    layout="ARAD_HS_0001.mat and, optionally, ARAD_HS_0001_clean.png, in folders of any name",
    picture="the PNG files, linear; where they are missing, rendered with the CIE 1964 response "
    "and truncated to 8 bits, as they were made",
    split="450 scenes for training; the test set is the challenge's ten validation scenes, as in "
    "the paper",
)
REAL_WORLD = replace(
    CLEAN,
    name="ntire2020-realworld",
    title="NTIRE 2020, Real World track",
    source="https://competitions.codalab.org/competitions/22226",
    layout="ARAD_HS_0001.mat and ARAD_HS_0001_RealWorld.jpg, in folders of any name",
    picture="the JPEG files, of a camera that was not published, with noise",
)
_CUBE = r"(?P<name>ARAD_HS_\d{4})\.mat"
CUBE_ARGUMENTS = {"variable": "cube", "scale": 1.0}


def open_clean(folder: Path, options: Options) -> Dataset:
    """Open the Clean track; see `open_dataset`."""
    default = Rendering("cie_1964", encoding="linear", eight_bit=True)
    return matched(
        CLEAN,
        folder,
        options,
        files=entries(folder),
        cube=_CUBE,
        picture=r"(?P<name>ARAD_HS_\d{4})_clean\.png",
        encoding="linear",
        rendering=default,
        test=TEST,
        cube_arguments=CUBE_ARGUMENTS,
    )


def open_real_world(folder: Path, options: Options) -> Dataset:
    """Open the Real World track; see `open_dataset`."""
    return matched(
        REAL_WORLD,
        folder,
        options,
        files=entries(folder),
        cube=_CUBE,
        picture=r"(?P<name>ARAD_HS_\d{4})_RealWorld\.jpe?g",
        encoding="srgb",
        rendering=None,
        test=TEST,
        cube_arguments=CUBE_ARGUMENTS,
    )
