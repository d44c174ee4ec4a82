"""Harvard: 50 scenes under daylight, 420 to 720 nm.

A. Chakrabarti and T. Zickler, "Statistics of Real-World Hyperspectral Images", CVPR, 2011.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_gmsr.datasets.dataset import Dataset, DatasetInfo, Finding, Options
from napari_gmsr.datasets.listing import entries, matched
from napari_gmsr.datasets.splits import with_test
from napari_gmsr.errors import DatasetError

__all__ = ["INFO", "open_folder"]

INFO = DatasetInfo(
    name="harvard",
    title="Harvard",
    licence="for research (Harvard University)",
    source="http://vision.seas.harvard.edu/hyperspec/",
    layout="img*.mat with ref, 420 to 720 nm, in a folder of any name; CZ_hsdbi (indoor) is left "
    "out",
    picture="rendered with the Nikon D700 response, which you give as a file: the cube is divided "
    "by its maximum and the picture stretched to [0, 1], so the exposure is lost",
    split="the first 43 scenes by name for training, the last seven for test, as in the paper",
    needs_camera=True,
)
SCENES, TEST = 50, 7
_WAVELENGTHS_NM = np.arange(420.0, 721.0, 10.0)
_INDOOR = "CZ_hsdbi"


def open_folder(folder: Path, options: Options) -> Dataset:
    """Open Harvard; see `open_dataset`.

    The cubes stay as they are stored, not normalised.
    """
    rendering = options.rendering()
    if rendering is None:
        raise DatasetError(
            "its pictures are rendered with the response of a Nikon D700, which is not shipped",
            where=folder,
            fix="Give camera, a CSV file with the header wavelength,r,g,b (nm), or another camera.",
        )
    dataset = matched(
        INFO,
        folder,
        # The response is not another one than the layout's: it is the layout's, from a file.
        replace(options, camera=None),
        files=[file for file in entries(folder) if _INDOOR not in file.relative_to(folder).parts],
        cube=r"(?P<name>img[a-z]*\d+)\.mat",
        picture=None,
        encoding="linear",
        rendering=replace(rendering, eight_bit=True, stretched=True),
        test=(),
        cube_arguments={"variable": "ref", "scale": 1.0, "wavelengths_nm": _WAVELENGTHS_NM},
    )
    names = [scene.name for scene in dataset.scenes]
    splits = with_test(names, names[-TEST:] if len(names) > TEST else (), options.split)
    dataset = replace(
        dataset,
        wavelengths_nm=_WAVELENGTHS_NM,
        scenes=tuple(replace(scene, split=splits[scene.name]) for scene in dataset.scenes),
    )
    if len(names) == SCENES:
        return dataset
    finding = Finding(
        "warning",
        "",
        f"there are {len(names)} scenes instead of {SCENES}, so that the last {TEST} by name need "
        "not be the paper's test set",
        "Download the whole set to compare with published numbers.",
    )
    return replace(dataset, problems=(*dataset.problems, finding))
