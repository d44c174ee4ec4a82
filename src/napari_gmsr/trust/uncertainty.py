"""How much a reconstruction hangs on what should not matter: orientation, and the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.reconstruct import Progress, reconstruct
from napari_gmsr.reconstruct.ensemble import SelfEnsemble
from napari_gmsr.weights import Model, load_model

__all__ = ["uncertainty"]


def uncertainty(
    rgb: RGBImage | npt.ArrayLike,
    models: Sequence[str | Path | Model] = ("photo",),
    *,
    turns: bool = True,
    mode: str = "auto",
    device: str = "auto",
    engine: str = "auto",
    tile: int = 256,
    overlap: int = 32,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> SpectralCube:
    """Reconstruct a picture several times over, and see how much the results differ.

    The spread is a lower bound of the doubt: whatever all members do not know, or get wrong alike,
    is not in it. `napari_gmsr.trust.calibrate` measures how far the truth lies outside.

    Parameters
    ----------
    rgb
        The picture, as for `napari_gmsr.reconstruct`.
    models
        Checkpoints, by name, path or loaded; all count alike. They must expect pictures of the same
        camera for their spread to mean anything.
    turns
        Whether each reconstructs the picture in its eight flips and rotations.
    mode, device, engine, tile, overlap, cancel
        As for `napari_gmsr.reconstruct`.
    progress
        Called after every tile of every member.

    Returns
    -------
    SpectralCube
        The mean over all members, with their standard deviation as its ``spread``.

    Raises
    ------
    InputError
        Where there would be fewer than two members, or the checkpoints differ in their bands.
    GMSRError
        As `napari_gmsr.reconstruct`.
    """
    loaded = [model if isinstance(model, Model) else load_model(model) for model in models]
    if len(loaded) * (8 if turns else 1) < 2:
        raise InputError(
            "one reconstruction has no spread",
            fix="Take the flips and rotations too, or give several checkpoints.",
        )
    bands = {model.card.wavelengths_nm for model in loaded}
    if len(bands) > 1:
        raise InputError(
            "the checkpoints differ in their bands",
            where=", ".join(model.name for model in loaded),
            fix="Choose checkpoints with the same wavelengths.",
        )
    count = _Counter(len(loaded), progress)
    run = partial(
        reconstruct,
        rgb,
        mode=mode,
        device=device,
        engine=engine,
        tile=tile,
        overlap=overlap,
        ensemble=turns,
        cancel=cancel,
    )
    cubes = (run(model, progress=count.of(model.name)) for model in loaded)
    first = next(cubes)
    if len(loaded) == 1:
        return replace(first, provenance=_provenance(first, loaded, turns))
    gathered = SelfEnsemble(np.zeros_like(first.data), keep_spread=True)
    within = np.zeros_like(first.data)
    notes: dict[str, None] = {}
    for cube in chain((first,), cubes):  # one beside the mean, however many there are
        gathered.add(cube.data)
        if cube.spread is not None:
            within += cube.spread**2 / len(loaded)
        notes |= dict.fromkeys(cube.provenance["notes"])
    between = gathered.spread()
    assert between is not None
    return SpectralCube(
        gathered.mean,
        first.wavelengths_nm,
        f"{first.provenance['picture']} [{', '.join(model.name for model in loaded)}]",
        _provenance(first, loaded, turns) | {"notes": list(notes)},
        # The variance of all is the mean of the variances and the variance of the means.
        np.sqrt(within + between**2),
    )


class _Counter:
    """Adds the tiles of one run after another up to one count."""

    def __init__(self, runs: int, progress: Callable[[Progress], None] | None) -> None:
        self._runs, self._progress = runs, progress
        self._begun, self._before, self._at = 0, 0, Progress(0, 0, "")

    def of(self, name: str) -> Callable[[Progress], None] | None:
        """Return what counts for the next run."""
        if self._progress is None:
            return None
        self._begun += 1
        self._before += self._at.total
        tell, prefix = self._progress, f"{name}: " if self._runs > 1 else ""

        def count(at: Progress) -> None:
            self._at = at
            total = self._before + at.total * (self._runs - self._begun + 1)
            tell(Progress(self._before + at.done, total, prefix + at.message))

        return count


def _provenance(first: SpectralCube, models: Sequence[Model], turns: bool) -> dict[str, Any]:
    return {
        **first.provenance,
        "model": ", ".join(model.name for model in models),
        "checkpoint_sha256": ", ".join(model.sha256 for model in models),
        "spread_over": {"checkpoints": len(models), "turns": 8 if turns else 1},
    }
