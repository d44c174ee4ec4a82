"""CAVE: 32 indoor scenes of Columbia University, 400 to 700 nm.

F. Yasuma, T. Mitsunaga, D. Iso and S. K. Nayar, "Generalized Assorted Pixel Camera", IEEE
Transactions on Image Processing, 2010.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Options, Rendering
from napari_gmsr.datasets.listing import entries, matched

__all__ = ["INFO", "open_folder"]

INFO = DatasetInfo(
    name="cave",
    title="CAVE",
    licence="for research (Columbia University)",
    source="https://www.cs.columbia.edu/CAVE/databases/multispectral/",
    layout="a folder a scene with balloons_ms_01.png ... balloons_ms_31.png and balloons_RGB.bmp",
    picture="the BMP files (sRGB under D65); with a camera, or where they are missing, rendered",
    split="the first 28 scenes by name for training, the last four for test, as in the paper",
)
TEST = frozenset({"stuffed_toys", "superballs", "thread_spools", "watercolors"})
"""The last four of the 32 by name."""


_BAND = r"(?P<name>.+)_ms_\d+\.png"


def open_folder(folder: Path, options: Options) -> Dataset:
    """Open CAVE; see `open_dataset`."""
    dataset = matched(
        INFO,
        folder,
        options,
        files=_first_bands(folder),
        cube=_BAND,
        picture=r"(?P<name>.+)_RGB\.bmp",
        encoding="srgb",
        # How the BMP files were rendered is not published in full: they are near this, not equal.
        rendering=Rendering("srgb", "D65", "srgb", eight_bit=True, tolerance=0.25),
        test=TEST,
        cube_arguments={},
    )
    # A cube is the folder of its bands.
    return replace(
        dataset, scenes=tuple(replace(scene, cube=scene.cube.parent) for scene in dataset.scenes)
    )


def _first_bands(folder: Path) -> Iterator[Path]:
    """Yield the folder's files, but of each scene's bands in one folder only the first."""
    seen: set[tuple[Path, str]] = set()
    for file in entries(folder):
        band = re.fullmatch(_BAND, file.name, re.IGNORECASE)
        scene = (file.parent, band["name"] if band else file.name)
        if scene not in seen:
            seen.add(scene)
            yield file
