"""The paper's own experiments as studies: its comparison, its ablations, its depths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from napari_gmsr.datasets import Dataset, open_dataset
from napari_gmsr.errors import DatasetError, GMSRError, InputError
from napari_gmsr.networks import ABLATIONS
from napari_gmsr.networks.ablations import DEPTHS
from napari_gmsr.study.file import make_study
from napari_gmsr.study.names import nearest
from napari_gmsr.study.study import Study

__all__ = ["PRESETS", "StudyPreset", "find_datasets", "make_preset"]

StudyPreset = Literal["paper", "ablations", "depth"]

PRESETS: dict[StudyPreset, str] = {
    "paper": "Table I, Figs. 1 and 4 to 7: seven networks on NTIRE2020 Clean, CAVE and Harvard",
    "ablations": "Table II, Fig. 8: GMSR-Net and what is left of it without its parts",
    "depth": "Table III, Fig. 9: one to five gradient Mamba blocks",
}
"""What each preset redoes."""

GMSR = "GMSR-Net"

_COMPARED = {
    "MSCNN": "mscnn",
    "HRNet": "hrnet",
    "HSRnet": "hsrnet",
    "AGD-Net": "agdnet",
    "MST++": "mstpp",
    "RepCPSI": "repcpsi",
    GMSR: "gmsr",
}
_DATASETS = {"ntire2020-clean": "NTIRE2020 Clean", "cave": "CAVE", "harvard": "Harvard"}
_CAMERA = "nikon_d700.csv"
"""Harvard's camera response, where it lies beside the data."""

# What the paper's figures show, by dataset.
_VIEWS: dict[StudyPreset, dict[str, list[tuple[str, float]]]] = {
    "paper": {
        "ntire2020-clean": [("ARAD_HS_0463", 520.0), ("ARAD_HS_0457", 490.0)],
        "cave": [("stuffed_toys", 560.0), ("superballs", 680.0)],
        "harvard": [("imgc7", 530.0), ("imgf7", 680.0)],
    },
    "ablations": {"ntire2020-clean": [("ARAD_HS_0453", 520.0)]},
    "depth": {"ntire2020-clean": [("ARAD_HS_0464", 540.0)]},
}


def find_datasets(
    folder: Path, camera: str | None = None
) -> tuple[dict[str, Dataset], dict[str, str]]:
    """Look which of the paper's datasets lie in a folder.

    Parameters
    ----------
    folder
        With one or several of them, each as it was downloaded and unpacked.
    camera
        The response of a Nikon D700 for Harvard, a CSV file; by default ``nikon_d700.csv`` in the
        folder, where it is there.

    Returns
    -------
    found : dict
        Datasets by name.
    left_out : dict
        Why the others are not among them.
    """
    found: dict[str, Dataset] = {}
    left_out: dict[str, str] = {}
    if camera is None and (folder / _CAMERA).is_file():
        camera = str(folder / _CAMERA)
    for name in _DATASETS:
        try:
            found[name] = open_dataset(
                name, folder, split="paper", camera=camera if name == "harvard" else None
            )
        except GMSRError as error:
            left_out[name] = str(error)
    return found, left_out


def make_preset(
    name: str,
    folder: str | Path,
    *,
    camera: str | None = None,
    on_left_out: Callable[[str], None] | None = None,
    **changes: Any,
) -> Study:
    """Make the study of a preset from those of the paper's datasets that are there.

    Runs are trained as the paper says, on all scenes that are not for test, and the last weights
    are kept: nothing is chosen on test pictures. Ablations and depths take NTIRE2020 Clean, as the
    paper does, or where that is missing what is there.

    Parameters
    ----------
    name
        One of `PRESETS`.
    folder, camera
        As for `find_datasets`.
    on_left_out
        Called with why a dataset is left out.
    **changes
        Fields of `Study` to set instead, such as ``budget`` and ``seeds``.

    Raises
    ------
    InputError
        Where there is no such preset, or a field is not possible.
    DatasetError
        Where none of the datasets is there.
    """
    preset = _known(name)
    folder = Path(folder)
    found, left_out = find_datasets(folder, camera)
    if not found:
        raise DatasetError(
            f"none of the paper's datasets is there ({'; '.join(left_out.values())})",
            where=folder,
            fix="Give the folder that they were unpacked in, one of them at least.",
        )
    for why in left_out.values():
        if on_left_out is not None:
            on_left_out(why)
    if preset != "paper" and "ntire2020-clean" in found:
        found = {"ntire2020-clean": found["ntire2020-clean"]}
    values: dict[str, Any] = {
        "name": {"paper": "The paper's comparison", "ablations": "The paper's ablations"}.get(
            preset, "The paper's depths"
        ),
        "models": _models(preset),
        "datasets": [
            _dataset(title, dataset, _VIEWS[preset].get(title, []))
            for title, dataset in found.items()
        ],
        "preset": "paper",
        "training": {"validate_every": 1.0},
        "mode": "paper",
        "reference": "n=3" if preset == "depth" else GMSR,
    }
    return make_study({**values, **changes}, f"preset {name}")


def _known(name: str) -> StudyPreset:
    for known in get_args(StudyPreset):
        if name == known:
            found: StudyPreset = known
            return found
    raise InputError("there is no study of this name", where=name, fix=nearest(name, PRESETS))


def _models(preset: StudyPreset) -> list[dict[str, Any]]:
    if preset == "paper":
        return [{"name": network, "label": label} for label, network in _COMPARED.items()]
    table: Mapping[str, dict[str, Any]] = ABLATIONS if preset == "ablations" else DEPTHS
    return [
        {"name": "gmsr", "label": label, "arguments": arguments, "tables": [preset]}
        for label, arguments in table.items()
    ]


def _dataset(name: str, dataset: Dataset, views: list[tuple[str, float]]) -> dict[str, Any]:
    tested = {scene.name for scene in dataset.select("test")}
    camera = dataset.rendering.camera if name == "harvard" and dataset.rendering else None
    return {
        "name": name,
        "label": _DATASETS[name],
        "folder": str(dataset.folder.resolve()),
        "camera": camera,
        "split": "paper",
        "views": [{"picture": p, "band_nm": nm} for p, nm in views if p in tested],
    }
