"""What a study's file says of models, datasets and budgets. It needs no torch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from napari_gmsr.datasets import list_datasets
from napari_gmsr.image import Encoding
from napari_gmsr.networks import list_networks
from napari_gmsr.study.names import nearest
from napari_gmsr.training.config import PRESETS, SIMULATED, DatasetSettings, TrainingConfig

__all__ = [
    "FITTED",
    "Budget",
    "EvaluationSettings",
    "Kind",
    "Seeds",
    "Settings",
    "StudyDataset",
    "StudyModel",
    "TableName",
    "TrainingSettings",
    "View",
    "known",
    "known_preset",
]

TableName = Literal["comparison", "ablations", "depth"]
"""The paper's Tables I, II and III."""

Kind = Literal["trained", "fitted", "as it is"]

FITTED = frozenset({"rootpoly", "wiener"})
"""Networks whose coefficients have a closed form."""

_OF_THE_STUDY = frozenset({"dataset", "network", "network_arguments", "start_from", "seed"})
_OF_THE_BUDGET = frozenset({"steps", "epochs", "minutes"})
_OF_THE_RUN = frozenset({"version", "name", "device"})


def _known_network(name: str) -> str:
    return known(name, list_networks(), "network")


def _known_dataset(name: str) -> str:
    return known(name, [SIMULATED, *(info.name for info in list_datasets())], "dataset")


def known_preset(name: Any) -> str:
    """Return a preset's name, or say which there are."""
    return known(str(name), list(PRESETS), "preset")


def known(name: str, names: list[str], what: str) -> str:
    """Return a name that is one of these, or say which are near.

    Raises
    ------
    PydanticCustomError
        Where it is none; its context holds the fix.
    """
    if name not in names:
        raise PydanticCustomError(
            "unknown_name",
            "there is no {what} of the name '{name}'",
            {"what": what, "name": name, "fix": nearest(name, names)},
        )
    return name


def _training_settings(values: dict[str, Any]) -> dict[str, Any]:
    fields = TrainingConfig.model_fields.keys() - _OF_THE_STUDY - _OF_THE_BUDGET - _OF_THE_RUN
    for key in values:
        if key in _OF_THE_BUDGET:
            raise PydanticCustomError(
                "budget", "'{key}' is the budget's", {"key": key, "fix": "Set it under budget."}
            )
        if key in _OF_THE_STUDY:
            fix = "Set it there, and leave it out here."
            raise PydanticCustomError(
                "own", "'{key}' follows from models, datasets and seeds", {"key": key, "fix": fix}
            )
        known(key, sorted(fields), "training setting")
    return values


def _apart(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is given twice")
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31)], ...],
    Field(min_length=1),
    AfterValidator(_apart),
]
TrainingSettings = Annotated[dict[str, Any], AfterValidator(_training_settings)]


class Settings(BaseModel):
    """A table of a study's file: unknown keys are mistakes, and nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Budget(Settings):
    """How long each run trains: one of them; without any, as the preset says.

    Parameters
    ----------
    patches
        How many patches every model meets, whatever its batch: the fair one.
    steps, epochs, minutes
        As for `napari_gmsr.training.TrainingConfig`.
    """

    patches: int | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name, value in self if value is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} were given: one of them says how long")
        return self

    def of(self, batch: int) -> dict[str, Any]:
        """Return it as settings of a run with a batch of this size."""
        if self.patches is not None:
            return {"steps": math.ceil(self.patches / batch)}
        return self.model_dump(exclude={"patches"}, exclude_none=True)


class StudyModel(Settings):
    """A model that is compared.

    Parameters
    ----------
    name
        Its network, one of `napari_gmsr.networks.list_networks`.
    label
        What it is called in tables and figures; unique in the study, by default the name.
    arguments
        Of `napari_gmsr.networks.create`.
    start_from
        A shipped model or a checkpoint to fine-tune; its network is taken.
    checkpoint
        A shipped model or a checkpoint that is evaluated as it is, without training.
    seeds
        In place of the study's.
    training
        Fields of `napari_gmsr.training.TrainingConfig` in place of the study's.
    tables
        Which of the paper's tables it stands in: ``"comparison"`` (Table I), ``"ablations"``
        (Table II), ``"depth"`` (Table III).
    """

    name: Annotated[str, AfterValidator(_known_network)]
    label: str = Field(default="", max_length=60)
    arguments: dict[str, Any] = {}
    start_from: str | None = None
    checkpoint: str | None = None
    seeds: Seeds | None = None
    training: TrainingSettings = {}
    tables: tuple[TableName, ...] = Field(default=("comparison",), min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.start_from is not None and self.checkpoint is not None:
            raise ValueError("start_from is trained on, checkpoint is not: give one of them")
        if self.name in FITTED and (self.start_from or self.training):
            raise ValueError(f"'{self.name}' is fitted, not trained: leave start_from and training")
        return self

    @property
    def title(self) -> str:
        """The label, or the network's name."""
        return self.label or self.name

    @property
    def kind(self) -> Kind:
        """Whether it is trained by steps, fitted in one, or taken as it is."""
        if self.checkpoint is not None:
            return "as it is"
        return "fitted" if self.name in FITTED else "trained"


class EvaluationSettings(Settings):
    """Scenes to evaluate on that are not the dataset's own.

    Parameters
    ----------
    name, folder, camera, illuminant, encoding
        As for `napari_gmsr.datasets.open_dataset`.
    """

    name: Annotated[str, AfterValidator(_known_dataset)] = "pairs"
    folder: Path
    camera: str | None = None
    illuminant: str | None = None
    encoding: Encoding | None = None

    @model_validator(mode="after")
    def _real(self) -> Self:
        if self.name == SIMULATED:
            raise ValueError("simulated scenes are trained on; name the dataset of these")
        return self


class View(Settings):
    """A picture to show in the figures, at one band.

    Parameters
    ----------
    picture
        The scene's name.
    band_nm
        Wavelength of the band; the nearest one is taken.
    points
        Row and column of pixels whose spectra are drawn; without any, three that differ most.
    """

    picture: str
    band_nm: float = 550.0
    points: tuple[tuple[int, int], ...] = Field(default=(), max_length=6)


class StudyDataset(DatasetSettings):
    """What models are trained and evaluated on: training's settings, and these.

    Parameters
    ----------
    label
        What it is called in tables and figures; unique in the study, by default the name.
    evaluation
        Other scenes to evaluate on; without them, the dataset's own test split.
    scenes
        Patterns such as ``"cave_cloth*"`` of the names of scenes to evaluate on, from whichever
        split; without any, the test split.
    views
        What the figures show; without any, the first two pictures at 550 nm.
    """

    name: Annotated[str, AfterValidator(_known_dataset)] = SIMULATED
    label: str = Field(default="", max_length=60)
    evaluation: EvaluationSettings | None = None
    scenes: tuple[str, ...] = ()
    views: tuple[View, ...] = ()

    @model_validator(mode="after")
    def _has_truth(self) -> Self:
        if self.name == SIMULATED and self.evaluation is None:
            raise ValueError("simulated scenes have no test split: give evaluation its folder")
        return self

    @property
    def title(self) -> str:
        """The label, or the dataset's name."""
        return self.label or self.name

    def to_train_on(self) -> DatasetSettings:
        """Return what a training run is told of it."""
        return DatasetSettings(
            **{name: getattr(self, name) for name in DatasetSettings.model_fields}
        )

    def to_evaluate_on(self) -> dict[str, Any]:
        """Return what decides an evaluation, as JSON types."""
        return self.model_dump(mode="json", exclude={"label", "views"})
