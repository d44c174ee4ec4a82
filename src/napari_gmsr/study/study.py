"""A study: models, datasets and seeds to be compared. It needs no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from napari_gmsr.errors import InputError
from napari_gmsr.study.names import nearest
from napari_gmsr.study.settings import (
    Budget,
    Kind,
    Seeds,
    Settings,
    StudyDataset,
    StudyModel,
    TrainingSettings,
    known,
    known_preset,
)
from napari_gmsr.training.config import PresetName, TrainingConfig, preset

__all__ = ["Study", "StudyRun", "slug"]


class Study(Settings):
    """Models x datasets x seeds, and how they are trained.

    Parameters
    ----------
    version
        Of this table.
    name
        Title of the report.
    models, datasets
        What is compared, and on what.
    seeds
        Of every model that has none of its own.
    preset
        Where the settings of every run begin.
    budget
        How long each run trains.
    training
        Fields of `napari_gmsr.training.TrainingConfig` in place of the preset's.
    mode
        How test pictures are reconstructed: ``"auto"`` (whole where memory allows, else in tiles,
        which the report says), ``"whole"``, ``"tiled"`` or ``"paper"`` (the paper's test).
    reference
        Label of the model that the others are compared with picture by picture; by default the
        first.
    """

    version: Literal[1] = 1
    name: str = Field(default="study", max_length=100)
    models: tuple[StudyModel, ...] = Field(min_length=1)
    datasets: tuple[StudyDataset, ...] = Field(min_length=1)
    seeds: Seeds = (0,)
    preset: Annotated[PresetName, BeforeValidator(known_preset)] = "recommended"
    budget: Budget = Budget()
    training: TrainingSettings = Field(default_factory=dict)
    mode: Literal["auto", "whole", "tiled", "paper"] = "auto"
    reference: str = ""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for what, titles in (
            ("models", [model.title for model in self.models]),
            ("datasets", [dataset.title for dataset in self.datasets]),
        ):
            slugs = [slug(title) for title in titles]
            twice = [title for title, s in zip(titles, slugs, strict=True) if slugs.count(s) > 1]
            if twice:
                raise PydanticCustomError(
                    "same_label",
                    "two {what} are called '{title}'",
                    {"what": what, "title": twice[-1], "fix": "Give each a label of its own."},
                )
        keys = [run.key for run in self.runs()]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise PydanticCustomError(
                "same_key",
                "two runs would share the folder '{key}'",
                {"key": twice[0], "fix": "Give models or datasets labels without '--'."},
            )
        if self.reference:
            known(self.reference, [model.title for model in self.models], "model")
        for run in self.runs():
            if run.kind == "trained":
                run.config()  # what is not possible is said now
        return self

    def runs(self) -> tuple[StudyRun, ...]:
        """Return every run, first seeds first, so that a first comparison is there early."""
        return tuple(sorted(self._runs(), key=lambda run: _seeds(self, run.model).index(run.seed)))

    def _runs(self) -> Iterator[StudyRun]:
        for dataset in self.datasets:
            for model in self.models:
                # Without training nothing is random.
                seeds = _seeds(self, model)
                for seed in seeds if model.kind == "trained" else seeds[:1]:
                    yield StudyRun(self, model, dataset, seed)

    def run(self, key: str) -> StudyRun:
        """Return the run with this key."""
        for run in self.runs():
            if run.key == key:
                return run
        keys = [run.key for run in self.runs()]
        raise InputError("the study has no such run", where=key, fix=nearest(key, keys))


def _seeds(study: Study, model: StudyModel) -> tuple[int, ...]:
    return study.seeds if model.seeds is None else model.seeds


@dataclass(frozen=True)
class StudyRun:
    """One model trained on one dataset from one seed.

    Parameters
    ----------
    study
        That it belongs to.
    model, dataset, seed
        What it is.
    """

    study: Study
    model: StudyModel
    dataset: StudyDataset
    seed: int

    @property
    def key(self) -> str:
        """Its name among the study's runs, fit for a folder."""
        return f"{slug(self.model.title)}--{slug(self.dataset.title)}--seed{self.seed}"

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{self.model.title} on {self.dataset.title}, seed {self.seed}"

    @property
    def kind(self) -> Kind:
        """As its model's."""
        return self.model.kind

    def config(self) -> TrainingConfig:
        """Return the configuration of its training, on whichever device.

        Raises
        ------
        InputError
            Where a setting is not possible.
        """
        study, model = self.study, self.model
        settings: dict[str, Any] = {
            # The preset's arguments are GMSR-Net's.
            "network_arguments": {},
            **({"network_arguments": {"drop_path": 0.0}} if self._recommended_gmsr else {}),
            **study.training,
        }
        for key, value in model.training.items():
            both = isinstance(settings.get(key), dict) and isinstance(value, dict)
            settings[key] = {**settings[key], **value} if both else value
        batch = settings.get("batch") or preset(study.preset).batch
        return preset(
            study.preset,
            **{
                **settings,
                "network_arguments": {**settings["network_arguments"], **model.arguments},
                **study.budget.of(batch),
                "name": _NOT_IN_NAMES.sub("-", f"{model.title} on {self.dataset.title}")[:100],
                "dataset": self.dataset.to_train_on(),
                "network": model.name,
                "start_from": model.start_from,
                "seed": self.seed,
            },
        )

    @property
    def _recommended_gmsr(self) -> bool:
        return self.study.preset == "recommended" and self.model.name == "gmsr"

    def was_begun_with(self, config: TrainingConfig) -> bool:
        """Say whether a training of this configuration is this run's."""
        return _decides(config) == self.decides()

    def decides(self) -> dict[str, Any]:
        """Return what decides its weights, as JSON types: the same, the same weights."""
        if self.kind == "trained":
            return _decides(self.config())
        model = self.model.model_dump(mode="json", include={"name", "arguments", "checkpoint"})
        if self.kind == "fitted":  # to pixels of the patches that are trained on
            model |= self.study.model_dump(mode="json", include={"preset", "training"})
        return {**model, "dataset": self.dataset.to_train_on().model_dump(mode="json")}

    def judges(self) -> dict[str, Any]:
        """Return what decides its numbers beside the weights, as JSON types."""
        return {"mode": self.study.mode, **self.dataset.to_evaluate_on()}


def _decides(config: TrainingConfig) -> dict[str, Any]:
    # Not what it is called, where it runs, and how often it is saved.
    apart = {"name", "device", "engine", "checkpoint_every_s"}
    return config.model_dump(mode="json", exclude=apart)


_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f]")


def slug(title: str) -> str:
    """Return a title as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", title).strip("-.").lower() or "x"
