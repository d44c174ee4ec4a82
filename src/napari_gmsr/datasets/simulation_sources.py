"""What simulated scenes are made from: photographs and measured reflectances, with licences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.datasets.spectra import measured_reflectances
from napari_gmsr.errors import DatasetError, InputError

__all__ = ["SimulationSources"]

Spectra = npt.NDArray[np.float32]

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
UNKNOWN = "not stated"
BLACK = 0.01  # spectra below it everywhere have no colour


@dataclass(frozen=True, eq=False)
class SimulationSources:
    """Photographs for the structure of scenes, reflectances for their spectra.

    Parameters
    ----------
    photographs
        Picture files; none: scenes are random fields of flat regions.
    spectra
        Reflectances, float32 (n, 31) within [0, 1] at 400, 410, ... 700 nm; at least four.
    weights
        How often each is drawn, float64 (n,), in any scale.
    licences
        Name and licence of every source of both.

    Raises
    ------
    DatasetError
        Where the spectra are no reflectances, or weights do not fit to them.
    """

    photographs: tuple[Path, ...]
    spectra: Spectra
    weights: npt.NDArray[np.float64]
    licences: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        spectra = np.asarray(self.spectra, np.float32)
        weights = np.asarray(self.weights, np.float64)
        if spectra.ndim != 2 or spectra.shape[1] != WAVELENGTHS_NM.size or len(spectra) < 4:
            raise DatasetError(
                f"spectra of the shape {spectra.shape}",
                fix=f"Give at least four, as (n, {WAVELENGTHS_NM.size}).",
            )
        if not ((spectra >= 0) & (spectra <= 1)).all():
            raise DatasetError(
                "the spectra are no reflectances", fix="Give finite numbers within [0, 1]."
            )
        possible = weights.shape == spectra.shape[:1] and np.isfinite(weights).all()
        if not possible or (weights < 0).any() or weights.sum() <= 0:
            raise DatasetError(
                f"weights of the shape {weights.shape} for {len(spectra)} spectra",
                fix="Give each spectrum a weight of 0 or more, one of them above 0.",
            )
        object.__setattr__(self, "spectra", spectra)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def defaults(cls) -> SimulationSources:
        """Return the reflectances of colour-science, and no photographs."""
        reflectances = measured_reflectances()
        spectra = reflectances.spectra[reflectances.spectra.max(axis=1) > BLACK]
        licences = tuple((name, "BSD-3-Clause (colour-science)") for name in reflectances.sources)
        return cls((), spectra, np.ones(len(spectra)), licences)

    @classmethod
    def from_folder(cls, folder: str | Path) -> SimulationSources:
        """Read the sources that lie in a folder.

        Parameters
        ----------
        folder
            With ``photographs/`` (jpg, png, tif, bmp), and ``spectra.npz`` (``spectra`` of (n, 31)
            and, where given, ``weights`` of (n,)) or a folder ``spectra/`` of CSV and npz files.
            What is missing is left out (photographs) or taken from colour-science (spectra).
            A CSV file has a header whose first column is the wavelength in nm, and one column a
            spectrum. An npz file has ``wavelengths_nm`` (band,) and ``reflectance`` (n, band), and
            where given ``source`` and ``licence``. Every file of the folder is drawn equally often.
            ``sources.json`` names sources and licences under ``photographs`` (``name``, ``source``,
            ``licence``) and ``reflectances`` (``source``, ``licence``).

        Raises
        ------
        DatasetError
            Where there is no such folder, nothing usable in it, or a file in it is damaged.
        """
        root = Path(folder)
        if not root.is_dir():
            raise DatasetError("there is no such folder", where=root, fix="Check the path.")
        photographs = tuple(
            sorted(p for p in (root / "photographs").glob("*") if p.suffix.lower() in PICTURES)
        )
        stated = _stated(root / "sources.json")
        spectra, weights, licences = _spectra(root, stated)
        if not photographs and licences is None:
            raise DatasetError(
                "holds neither photographs/ nor spectra.npz nor spectra/",
                where=root,
                fix="Put pictures into photographs/, or spectra (CSV, npz) into spectra/.",
            )
        defaults = cls.defaults()
        if spectra is None or weights is None or licences is None:
            spectra, weights, licences = defaults.spectra, defaults.weights, defaults.licences
        try:
            return cls(photographs, spectra, weights, _of(photographs, stated) + licences)
        except DatasetError as error:
            raise DatasetError(error.what, where=root, fix=error.fix) from None

    def squares(self, side: int) -> list[npt.NDArray[np.float32]]:
        """Return the middle square of each photograph, linear light, float32 (3, side, side).

        Raises
        ------
        DatasetError
            Where a photograph cannot be read.
        """
        return [_square(path, side) for path in self.photographs]


def _square(path: Path, side: int) -> npt.NDArray[np.float32]:
    from PIL import Image

    from napari_gmsr.color import srgb_to_linear
    from napari_gmsr.io import read_rgb

    try:
        picture = read_rgb(path)
    except InputError as error:
        raise DatasetError(error.what, where=error.where or path, fix=error.fix) from error
    data = picture.data.clip(0, 1)
    linear = srgb_to_linear(data) if picture.encoding == "srgb" else data
    short = min(linear.shape[:2])
    top, left = (linear.shape[0] - short) // 2, (linear.shape[1] - short) // 2
    square = linear[top : top + short, left : left + short]
    channels = [
        np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.BOX))
        if short != side
        else channel
        for channel in np.ascontiguousarray(np.moveaxis(square, 2, 0))
    ]
    return np.stack(channels).astype(np.float32)


def _stated(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError("is no JSON", where=path, fix="Write it anew, or remove it.") from error
    if not isinstance(stated, dict):
        raise DatasetError("holds no object", where=path, fix="Write it anew, or remove it.")
    return stated


def _of(photographs: tuple[Path, ...], stated: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    by_stem = {Path(p["name"]).stem: p for p in stated.get("photographs", []) if "name" in p}
    found = []
    for path in photographs:
        entry = by_stem.get(path.stem, {})
        name = f"{entry['source']}: {entry['name']}" if "source" in entry else path.name
        found.append((name, str(entry.get("licence", UNKNOWN))))
    return tuple(found)


_Read = tuple[Spectra | None, npt.NDArray[np.float64] | None, tuple[tuple[str, str], ...] | None]


def _spectra(root: Path, stated: Mapping[str, Any]) -> _Read:
    packed, folder = root / "spectra.npz", root / "spectra"
    if packed.is_file():
        with _reading(packed), packed.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            spectra = file["spectra"].astype(np.float32)
            weights = file["weights"] if "weights" in file else np.ones(len(spectra))
        entries = stated.get("reflectances", [])
        licences = tuple((str(e["source"]), str(e.get("licence", UNKNOWN))) for e in entries)
        return spectra, weights, licences or ((packed.name, UNKNOWN),)
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".csv", ".npz"})
    if not files:
        return None, None, None
    parts = [_file(path) for path in files]
    kept = [rows for rows, _ in parts]
    weights = np.concatenate([np.full(len(rows), 1 / len(rows)) for rows in kept])
    return np.concatenate(kept), weights, tuple(licence for _, licence in parts)


def _file(path: Path) -> tuple[Spectra, tuple[str, str]]:
    source, licence = path.name, UNKNOWN
    with _reading(path):
        if path.suffix.lower() == ".csv":
            lines = path.read_text(encoding="utf-8-sig").splitlines()[1:]
            table = np.array([line.split(",") for line in lines if line.strip()], np.float64)
            nm, rows = table[:, 0], table[:, 1:].T
        else:
            with path.open("rb") as stream:
                file = np.load(stream, allow_pickle=False)
                nm, rows = file["wavelengths_nm"].ravel(), np.atleast_2d(file["reflectance"])
                source = str(file["source"]) if "source" in file else source
                licence = str(file["licence"]) if "licence" in file else licence
        if rows.shape[1:] != nm.shape or not (np.diff(nm) > 0).all():
            raise ValueError("wavelengths do not rise, or do not fit")
    first, last = WAVELENGTHS_NM[0], WAVELENGTHS_NM[-1]
    if nm[0] > first or nm[-1] < last:
        raise DatasetError(
            f"the spectra reach from {nm[0]:g} to {nm[-1]:g} nm",
            where=path,
            fix=f"Give spectra from {first:g} to {last:g} nm.",
        )
    sampled = np.array([np.interp(WAVELENGTHS_NM, nm, row) for row in rows], np.float32)
    # Above 1 a surface fluoresces, and black has no colour: neither can be mixed.
    fit = (sampled >= 0).all(axis=1) & (sampled <= 1).all(axis=1) & (sampled.max(axis=1) > BLACK)
    if not fit.any():
        raise DatasetError(
            "no spectrum lies within [0, 1]", where=path, fix="Give reflectances, not percent."
        )
    return sampled[fit], (source, licence)


class _reading:  # noqa: N801 - a context manager
    """Turn what a damaged file raises into an error that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | ValueError | KeyError | IndexError | EOFError | BadZipFile):
            raise DatasetError(
                "holds no spectra that can be read",
                where=self.path,
                fix="Give a CSV with a header, wavelengths in nm in the first column and a column "
                "a spectrum, or an npz with wavelengths_nm (band,) and reflectance (n, band).",
            ) from error
