"""What became of a run: its numbers for every picture, or why there are none."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_gmsr.errors import GMSRError
from napari_gmsr.evaluate import Evaluation

__all__ = ["Failure", "Outcome", "PictureResult"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PictureResult(_Record):
    """A test picture, reconstructed and compared with its truth.

    Parameters
    ----------
    picture
        The scene's name.
    first_nm, last_nm, bands
        Of what was compared.
    paper, standard
        Both metric sets; ``None`` where a value is infinite or not defined.
    mode, tiles
        How it was reconstructed (``whole``, ``tiled`` or ``paper``), and the side of tiles in
        pixels, 0 for none.
    seconds
        That it took.
    notes
        What to know of it, one sentence each.
    """

    picture: str
    first_nm: float
    last_nm: float
    bands: int
    paper: dict[str, float | None]
    standard: dict[str, float | None]
    mode: str = "whole"
    tile: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, picture: str, evaluation: Evaluation, **more: Any) -> PictureResult:
        """Return an evaluation without its bands."""
        values = evaluation.to_dict()
        nm = evaluation.wavelengths_nm
        sets: dict[str, Any] = {
            name: {key: value for key, value in values[name].items() if key != "bands"}
            for name in ("paper", "standard")
        }
        return cls(
            picture=picture,
            first_nm=float(nm[0]),
            last_nm=float(nm[-1]),
            bands=len(nm),
            **sets,
            **more,
        )

    def value(self, family: str, metric: str) -> float:
        """Return a metric; NaN where it is infinite or not defined."""
        found = getattr(self, family).get(metric)
        return math.nan if found is None else float(found)


class Failure(_Record):
    """Why a run gave nothing: as a `napari_gmsr.errors.GMSRError`, with the end of its log."""

    what: str
    where: str = ""
    fix: str = ""
    log: str = ""

    @classmethod
    def of(cls, error: GMSRError, log: str = "") -> Failure:
        """Return an error's words."""
        return cls(what=error.what, where=error.where, fix=error.fix, log=log)

    def __str__(self) -> str:
        """Return one line."""
        return str(GMSRError(self.what, where=self.where, fix=self.fix))


class Outcome(_Record):
    """How a run ended.

    Parameters
    ----------
    key, model, dataset, seed
        Of the run.
    state
        ``"done"`` or ``"failed"``.
    decided, judged
        What decided its weights and its numbers, as `StudyRun.decides` and `StudyRun.judges` say.
    checkpoint_sha256
        Of the weights that were evaluated.
    parameters
        Of the network: every number that was trained or fitted.
    device, seconds, steps
        Of the training.
    notes
        What to know of the training, one sentence each.
    pictures
        The test pictures.
    failure
        Where it failed.
    """

    key: str
    model: str
    dataset: str
    seed: int
    state: Literal["done", "failed"]
    decided: dict[str, Any]
    judged: dict[str, Any]
    checkpoint_sha256: str = ""
    parameters: int = 0
    device: str = ""
    seconds: float = 0.0
    steps: int = 0
    notes: tuple[str, ...] = ()
    pictures: tuple[PictureResult, ...] = Field(default=())
    failure: Failure | None = None

    def lines(self) -> list[dict[str, Any]]:
        """Return a record a picture, or one that says of the failure."""
        head = self.model_dump(
            mode="json", include={"key", "model", "dataset", "seed", "state", "checkpoint_sha256"}
        )
        if self.failure is not None:
            return [{**head, "failure": self.failure.model_dump(mode="json", exclude={"log"})}]
        return [{**head, **picture.model_dump(mode="json")} for picture in self.pictures]
