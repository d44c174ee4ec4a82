"""How a reconstruction holds when its picture is worse than it should be."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_gmsr.color import CameraResponse, linear_to_srgb, rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets.simulation_camera import Capture, jpeg
from napari_gmsr.evaluate import evaluate
from napari_gmsr.evaluate.pairs import require_finite
from napari_gmsr.image import Encoding, RGBImage
from napari_gmsr.reconstruct import Progress, reconstruct
from napari_gmsr.weights import Model, load_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["StressReport", "StressRow", "stress", "stress_figure"]

Floats = npt.NDArray[np.float32]

STOPS = (-2.0, -1.0, 0.5, 1.0)
ELECTRONS = (20_000.0, 5_000.0, 1_000.0, 200.0)
QUALITIES = (95, 85, 70, 50, 30)
BALANCES = (0.7, 0.85, 1.15, 1.4)
METAMERS = (0.5, 1.0)
_MEANINGS = {
    "none": "The picture as it should be.",
    "exposure": "Stops; the error is relative to the scene's brightness.",
    "noise": "Electrons at full scale, with shot noise.",
    "jpeg": "Quality.",
    "white balance": "Red times, blue divided by this.",
    "metamers": "The same picture of other spectra: share of the way to another pixel's.",
}


@dataclass(frozen=True)
class StressRow:
    """A picture that was made worse in one way, and what became of its cube.

    Parameters
    ----------
    kind
        ``none``, ``exposure``, ``noise``, ``jpeg``, ``white balance`` or ``metamers``.
    level
        How much: stops, electrons at full scale, quality, factor on red over blue, share of the way
        to another metamer; 0 for ``none``.
    rmse, sam_deg, mrae
        The standard metrics against the truth, RMSE over the exposure.
    ratio
        RMSE over that of the picture as it should be.
    """

    kind: str
    level: float
    rmse: float
    sam_deg: float
    mrae: float
    ratio: float


@dataclass(frozen=True)
class StressReport:
    """How a checkpoint holds on a scene.

    Parameters
    ----------
    scene, model, camera, illuminant
        What was looked at, with what.
    rows
        First the picture as it should be.
    """

    scene: str
    model: str
    camera: str
    illuminant: str
    rows: tuple[StressRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}

    def to_csv(self) -> str:
        """Return the rows as CSV, with a header."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(StressRow.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def to_text(self) -> str:
        """Return a table for people."""
        light = f" under {self.illuminant}" if self.illuminant else ""
        lines = [
            f"{self.scene} through {self.camera}{light}, by {self.model}",
            f"{'':15}{'level':>8}{'RMSE':>9}{'ratio':>8}{'SAM (°)':>9}{'MRAE':>8}",
        ]
        before = ""
        for row in self.rows:
            name = row.kind if row.kind != before else ""
            level = "" if row.kind == "none" else f"{row.level:g}"
            lines.append(
                f"{name:15}{level:>8}{row.rmse:9.4f}{row.ratio:8.2f}{row.sam_deg:9.2f}{row.mrae:8.3f}"
            )
            before = row.kind
        seen = {row.kind for row in self.rows}
        lines += [f"{kind}: {meaning}" for kind, meaning in _MEANINGS.items() if kind in seen]
        return "\n".join(lines)


def stress(
    truth: SpectralCube,
    model: str | Path | Model = "photo",
    camera: CameraResponse | str | Path | None = None,
    illuminant: str | None = None,
    *,
    mode: str = "auto",
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> StressReport:
    """Take pictures of a scene that get worse, reconstruct each, and compare with the truth.

    Exposure, shot noise and white balance change the linear picture, before it is clipped, encoded
    and (sRGB) rounded to 8 bits; JPEG the finished one. *Metamers* leave the picture as it is and
    change the truth: each spectrum goes towards one that another pixel's would be with this pixel's
    colour, its own fundamental with the other's metameric black [1]_, as far as it stays within
    [0, 1]. What the error grows by there no reconstruction from three numbers can avoid.

    Parameters
    ----------
    truth
        The scene.
    model
        A checkpoint, by name, path or loaded.
    camera, illuminant
        What takes the pictures; where no camera is given both are those that the checkpoint's card
        names.
    mode, device, cancel
        As for `napari_gmsr.reconstruct`.
    seed
        Of the noise and of the metamers.
    progress
        Called before each reconstruction.

    Returns
    -------
    StressReport

    Raises
    ------
    InputError
        Where truth, camera and checkpoint do not fit together.
    GMSRError
        As `napari_gmsr.reconstruct`.

    References
    ----------
    .. [1] J. B. Cohen and W. E. Kappauf, "Metameric color stimuli, fundamental metamers, and
           Wyszecki's metameric blacks", American Journal of Psychology 95(4), 1982.
    """
    model = model if isinstance(model, Model) else load_model(model)
    if camera is None:
        camera, illuminant = model.card.camera or "cie_1964", model.card.illuminant or None
    require_finite(truth, truth)
    matrix = rendering_matrix(camera, illuminant, truth.wavelengths_nm)
    linear = np.einsum("byx,bc->yxc", truth.data, matrix.astype(np.float32))
    encoding = model.card.encoding
    run = partial(reconstruct, model=model, mode=mode, device=device, cancel=cancel)
    pictures = list(_pictures(linear, encoding, seed))
    rows: list[StressRow] = []

    def measure(kind: str, level: float, cube: SpectralCube, true: SpectralCube) -> None:
        found = evaluate(cube, true).standard
        exposure = 2**level if kind == "exposure" else 1.0
        rmse = found.rmse / exposure
        clean = rows[0].rmse if rows else rmse
        ratio = rmse / clean if clean else float("nan")
        rows.append(StressRow(kind, level, rmse, found.sam_deg, found.mrae, ratio))

    clean: SpectralCube | None = None
    for done, (kind, level, data) in enumerate(pictures):
        if progress is not None:
            what = "as it should be" if kind == "none" else f"{kind} {level:g}"
            progress(Progress(done, len(pictures), what))
        depth = 8 if encoding == "srgb" else 32
        cube = run(RGBImage(data, encoding, depth, truth.name))
        clean = clean or cube
        exposure = np.float32(2**level if kind == "exposure" else 1)
        measure(kind, level, cube, replace(truth, data=truth.data * exposure, spread=None))
    assert clean is not None
    for share in METAMERS:
        measure("metamers", share, clean, _metamers(truth, matrix, share, seed))
    if progress is not None:
        progress(Progress(len(pictures), len(pictures), "done"))
    name = camera.name if isinstance(camera, CameraResponse) else str(camera)
    return StressReport(truth.name, model.name, name, illuminant or "", tuple(rows))


def stress_figure(report: StressReport) -> Figure:
    """Draw a report: a panel for each kind, RMSE over the level, beside that of a good picture.

    Returns
    -------
    matplotlib.figure.Figure
        For `napari_gmsr.evaluate.save_figure`.
    """
    from matplotlib.figure import Figure

    kinds = [kind for kind in dict.fromkeys(row.kind for row in report.rows) if kind != "none"]
    figure = Figure(figsize=(2.3 * len(kinds) + 0.6, 2.9), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    labels = {
        "exposure": "stops",
        "noise": "electrons at full scale",
        "jpeg": "quality",
        "white balance": "red ×, blue ÷",
        "metamers": "share of the way",
    }
    for panel, kind in zip(panels, kinds, strict=True):
        rows = sorted((row for row in report.rows if row.kind == kind), key=lambda row: row.level)
        places = range(len(rows))
        panel.axhline(report.rows[0].rmse, color="0.6", linewidth=1, linestyle="--")
        panel.plot(places, [row.rmse for row in rows], marker="o", color="#7b3ff2", linewidth=1.5)
        panel.set_xticks(places, [f"{row.level:g}" for row in rows])
        panel.set_title(kind, fontsize=10)
        panel.set_xlabel(labels[kind], fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("RMSE (dashed: a good picture)", fontsize=9)
    title = f"{report.scene}: {report.model} under stress"
    figure.suptitle(title, fontsize=11, parse_math=False)  # a dollar sign is a dollar sign
    return figure


def _pictures(linear: Floats, encoding: Encoding, seed: int) -> Iterator[tuple[str, float, Floats]]:
    """Give kind, level and picture of each."""
    finish = partial(_finished, encoding=encoding)
    good = finish(linear)
    yield "none", 0.0, good
    for stops in STOPS:
        yield "exposure", stops, finish(linear * np.float32(2**stops))
    for electrons in ELECTRONS:
        yield "noise", electrons, finish(_noisy(linear, electrons, seed))
    for quality in QUALITIES:
        yield "jpeg", float(quality), _array(jpeg(_tensor(good), [quality]))
    for factor in BALANCES:
        gains = np.array([factor, 1, 1 / factor], np.float32)
        yield "white balance", factor, finish(linear * gains)


def _finished(linear: Floats, encoding: Encoding) -> Floats:
    clipped: Floats = linear.clip(0, 1)
    if encoding == "linear":
        return clipped
    rounded: Floats = (np.rint(linear_to_srgb(clipped) * 255) / 255).astype(np.float32)
    return rounded


def _noisy(linear: Floats, electrons: float, seed: int) -> Floats:
    generator = torch.Generator().manual_seed(seed)
    return _array(Capture(electrons=electrons).expose(_tensor(linear.clip(0, 1)), generator))


def _tensor(picture: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]


def _array(pictures: torch.Tensor) -> Floats:
    picture: Floats = pictures[0].permute(1, 2, 0).contiguous().numpy()
    return picture


def _metamers(
    truth: SpectralCube, matrix: npt.NDArray[np.float64], share: float, seed: int
) -> SpectralCube:
    """Return a cube that gives the same picture: other pixels' metameric blacks, within [0, 1]."""
    bands = len(matrix)
    spectra = truth.data.reshape(bands, -1).astype(np.float64)
    others = spectra[:, np.random.default_rng(seed).permutation(spectra.shape[1])]
    # Another pixel's spectrum, as bright as this one's.
    others *= spectra.sum(axis=0) / np.maximum(others.sum(axis=0), 1e-6)
    black = np.eye(bands) - matrix @ np.linalg.pinv(matrix)
    step = share * (black @ (others - spectra))
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step > 0, (1 - spectra) / step, np.where(step < 0, -spectra / step, np.inf))
    step *= np.clip(room.min(axis=0), 0, 1)
    data = (spectra + step).astype(np.float32).reshape(truth.shape)
    return replace(truth, data=data, spread=None)
