"""The model card: what a checkpoint is, what it expects, and where it comes from."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["ModelCard", "TrainingData"]


class TrainingData(BaseModel):
    """A source that a checkpoint was trained from.

    Parameters
    ----------
    name
        The source's own name.
    licence
        Its licence, or what is known of it.
    use
        What it gave: spectra, structure, camera, ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str
    use: str


class ModelCard(BaseModel):
    """What stands in a checkpoint's header beside the weights.

    Parameters
    ----------
    name
        Name of the checkpoint.
    summary
        One sentence for the user who chooses.
    network, arguments
        What `napari_gmsr.networks.create` makes it from.
    wavelengths_nm
        Centre of each band in nm, strictly rising.
    encoding
        How the numbers of the pictures that it takes relate to light.
    camera, illuminant
        The response that pictures were rendered with, and the light, where one was applied.
    training_data
        Sources with their licences.
    training
        Settings of the training run: loss, steps, batch, learning rate, device, versions.
    metrics
        Figures on named data, by the metric set's name.
    not_for
        What the model is not for, one sentence each.
    seed, commit
        Of the training run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str = ""
    network: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    wavelengths_nm: tuple[float, ...]
    encoding: Literal["srgb", "linear"]
    camera: str = ""
    illuminant: str = ""
    training_data: tuple[TrainingData, ...] = ()
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    not_for: tuple[str, ...] = ()
    seed: int | None = None
    commit: str = ""

    @field_validator("wavelengths_nm")
    @classmethod
    def _rising(cls, wavelengths: tuple[float, ...]) -> tuple[float, ...]:
        rising = all(first < second for first, second in pairwise(wavelengths))
        if not (rising and all(map(math.isfinite, wavelengths))):
            raise ValueError("the wavelengths are not finite and strictly rising")
        return wavelengths
