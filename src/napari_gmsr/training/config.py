"""The one configuration of a training run. It is saved with the run, and needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_gmsr.errors import InputError

__all__ = [
    "PRESETS",
    "SELECT",
    "DatasetSettings",
    "LossSettings",
    "OptimiserSettings",
    "PresetName",
    "Select",
    "TrainingConfig",
    "preset",
    "read_config",
]

SIMULATED = "simulated"

Select = Literal[
    "relative_rmse",
    "standard.rmse",
    "standard.psnr_db",
    "standard.sam_deg",
    "standard.mrae",
    "paper.rmse",
    "paper.psnr_db",
    "paper.sam_deg",
    "paper.mrae",
]
SELECT: tuple[Select, ...] = Select.__args__  # type: ignore[attr-defined]
"""Names of what the best checkpoint can be chosen by."""

PresetName = Literal["recommended", "paper", "official"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class DatasetSettings(_Settings):
    """What is trained on.

    Parameters
    ----------
    name
        ``"simulated"`` for simulated scenes, or a name of `napari_gmsr.datasets.list_datasets`.
    folder
        Where the data lies. For simulated scenes a folder with their sources; without one, the
        sources that come with the package.
    camera
        Response that pictures are rendered with where the dataset holds cubes alone; without one,
        the dataset's own.
    illuminant, encoding
        Likewise, the light and the encoding (``"srgb"`` or ``"linear"``) of the pictures.
    split
        ``"recommended"`` (validation apart from test) or ``"paper"``.
    target
        For simulated scenes: the shipped model whose pictures are meant, ``"photo"`` (sRGB, from
        any camera, any light) or ``"ntire2020-clean"`` (linear, CIE 1964).
    validation_folder
        A folder of pairs to validate on instead of the dataset's own validation split. Without one,
        simulated training is validated on simulated scenes that it never meets.
    cache_folder
        Where cubes are cached; without one, the user's cache folder.
    """

    name: str = SIMULATED
    folder: Path | None = None
    camera: str | None = None
    illuminant: str | None = None
    encoding: Literal["srgb", "linear"] | None = None
    split: Literal["recommended", "paper"] = "recommended"
    target: str = "photo"
    validation_folder: Path | None = None
    cache_folder: Path | None = None

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.name != SIMULATED and self.folder is None:
            raise ValueError(f"the dataset {self.name!r} needs its folder")
        return self


class LossSettings(_Settings):
    """The loss: a weighted sum.

    Parameters
    ----------
    l1
        Weight of the mean absolute error, the paper's loss.
    mrae
        Weight of the mean of ``|prediction - truth| / (truth + 0.001)``, the standard metric's.
    sam
        Weight of the mean angle between the spectra at a pixel, in radians.
    back_projection
        Weight of the mean absolute error of the linear RGB that the dataset's response makes of
        both.
    """

    l1: float = Field(default=1.0, ge=0)
    mrae: float = Field(default=0.0, ge=0)
    sam: float = Field(default=0.0, ge=0)
    back_projection: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("every weight is 0")
        return self


class OptimiserSettings(_Settings):
    """Adam, or AdamW whose decay spares vectors (biases, norms, A and D of the scan).

    Parameters
    ----------
    name
        ``"adam"`` or ``"adamw"``.
    learning_rate
        The largest one.
    beta1, beta2, eps, weight_decay
        As in the papers of Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019).
    """

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)


class TrainingConfig(_Settings):
    """Everything that decides what a training run does. The defaults are the recommended preset.

    Parameters
    ----------
    version
        Of this table.
    name
        Of the run and of its model; made up from network and dataset where it is empty.
    preset
        The preset that it began as, for the record.
    dataset
        What is trained on.
    network, network_arguments
        What `napari_gmsr.networks.create` makes.
    start_from
        A shipped model or a checkpoint to fine-tune; its network is taken.
    patch, batch
        Side of a patch in pixels, and patches a step *for each process*. Simulated batches come in
        several sizes with about as many pixels.
    order, stride
        ``"random"``: patches from anywhere; ``"grid"``: every patch of a regular grid with this
        stride once an epoch.
    flips
        Whether patches are flipped and turned at random.
    exposure
        Range of the factor, drawn log-uniformly, that picture and cube of a patch are multiplied
        with; None for none.
    epochs, steps, minutes
        How long to train: one of them. Minutes count everything but pauses.
    loss, optimiser
        See there.
    schedule
        Of the learning rate over the run: ``"constant"``, ``"cosine"`` (to a hundredth), or
        ``"polynomial"`` (power 1.5, to 0).
    warm_up
        Fraction of the run in which the learning rate rises linearly.
    ema
        Decay of the exponential average of the weights, which is then what is validated and kept.
    clip_norm
        Largest norm of all gradients together.
    validation
        ``"validation"``: whole pictures of the validation split; ``"test-patches"``: patches of
        the *test* pictures, as the reference implementation does it. What is reported on the same
        test pictures afterwards is then too good.
    select
        What the best checkpoint is chosen by: a metric of one of the two sets, mean over pictures,
        or ``"relative_rmse"``, the RMSE relative to the truth's root mean square.
    validate_every
        Fraction of the run between two validations.
    checkpoint_every_s
        Seconds between two writings of the last state.
    probes
        Pixels (scene, y, x) of validation pictures whose spectra are reported; without any, some
        are chosen.
    seed
        Of the initial weights and of everything random in the run.
    device, engine
        As for reconstruction; ``"auto"`` chooses.
    """

    version: Literal[1] = 1
    name: str = Field(default="", pattern=r"^[^/\\\x00-\x1f]{0,100}$")
    preset: PresetName | Literal[""] = ""

    dataset: DatasetSettings = DatasetSettings()
    network: str = "gmsr"
    network_arguments: dict[str, Any] = {"drop_path": 0.0}
    start_from: str | None = None

    patch: int = Field(default=128, ge=8, le=4096)
    batch: int = Field(default=12, ge=1, le=65536)
    order: Literal["random", "grid"] = "random"
    stride: int = Field(default=64, ge=1)
    flips: bool = True
    exposure: tuple[float, float] | None = (0.25, 1.0)

    epochs: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)

    loss: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: Literal["constant", "cosine", "polynomial"] = "cosine"
    warm_up: float = Field(default=0.02, ge=0, lt=1)
    ema: float | None = Field(default=0.998, gt=0, lt=1)
    clip_norm: float | None = Field(default=1.0, gt=0)

    validation: Literal["validation", "test-patches"] = "validation"
    select: Select = "relative_rmse"
    validate_every: float = Field(default=0.05, gt=0, le=1)
    checkpoint_every_s: float = Field(default=60.0, ge=0)
    probes: tuple[tuple[str, int, int], ...] = ()

    seed: int = Field(default=0, ge=0, lt=2**31)
    device: str = "auto"
    engine: str = "auto"

    @field_validator("exposure")
    @classmethod
    def _a_range(cls, exposure: tuple[float, float] | None) -> tuple[float, float] | None:
        if exposure is not None and not 0 < exposure[0] <= exposure[1] <= 1:
            raise ValueError("an exposure is a range within (0, 1], the lower end first")
        return exposure

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = [name for name in _BUDGETS if values.get(name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} were given: one of them says how long")
        return values if given else {**values, "steps": 1500}

    @property
    def title(self) -> str:
        """The name, or one made up from network and dataset."""
        return self.name or f"{self.start_from or self.network} on {self.dataset.name}".replace(
            "/", "-"
        ).replace("\\", "-")


_BUDGETS = ("epochs", "steps", "minutes")

_PAPER: dict[str, Any] = {
    "network_arguments": {},
    "batch": 20,
    "order": "grid",
    "flips": False,
    "exposure": None,
    "epochs": 100,
    "optimiser": OptimiserSettings(
        name="adam", learning_rate=1e-4, beta2=0.99, weight_decay=0
    ).model_dump(),
    "schedule": "polynomial",
    "warm_up": 0.0,
    "ema": None,
    "clip_norm": None,
    "select": "paper.psnr_db",
    "validate_every": 0.01,
}

PRESETS: dict[PresetName, dict[str, Any]] = {
    "recommended": {},
    "paper": _PAPER,
    "official": {
        **_PAPER,
        "optimiser": {**_PAPER["optimiser"], "beta2": 0.999},
        "schedule": "constant",
        "validation": "test-patches",
    },
}
"""What each preset changes.

``recommended`` is ours: validation apart from test, flips and turns, exposure, an average of the
weights, AdamW, cosine with warm-up. ``paper`` is what GMSR-Net's paper says. ``official`` is what
its implementation does: a rate that stays constant in effect, and the checkpoint chosen on patches
of the test pictures.
"""


def preset(name: PresetName = "recommended", /, **overrides: Any) -> TrainingConfig:
    """Make a configuration from a preset.

    Parameters
    ----------
    name
        ``"recommended"``, ``"paper"`` or ``"official"``, see `PRESETS`.
    **overrides
        Fields of `TrainingConfig` to set instead. Tables such as ``optimiser`` may be given as
        mappings of the few values that differ from the preset's. A length (``epochs``, ``steps``,
        ``minutes``) replaces the preset's.

    Raises
    ------
    InputError
        Where the preset or a field is unknown or a value is not possible.
    """
    if name not in PRESETS:
        raise InputError(
            "there is no preset of this name",
            where=f"preset {name!r}",
            fix=f"Choose one of: {', '.join(PRESETS)}.",
        )
    values: dict[str, Any] = {**PRESETS[name], "preset": name}
    if any(overrides.get(budget) is not None for budget in _BUDGETS):
        values = {key: value for key, value in values.items() if key not in _BUDGETS}
    for key, value in overrides.items():
        both_tables = isinstance(values.get(key), dict) and isinstance(value, dict)
        values[key] = {**values[key], **value} if both_tables else value
    return _validated(values, where=f"preset {name!r}")


def read_config(path: str | Path) -> TrainingConfig:
    """Read a configuration from a JSON file, as a run saves it.

    Raises
    ------
    InputError
        Where it cannot be read or is not valid.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        return TrainingConfig.model_validate_json(text)
    except ValidationError as error:
        raise _as_input_error(error, path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"it cannot be read: {getattr(error, 'strerror', None) or error}",
            where=path,
            fix="Give the config.json of a run, or a file like it.",
        ) from error


def _validated(values: dict[str, Any], where: object) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        raise _as_input_error(error, where) from error


def _as_input_error(error: ValidationError, where: object) -> InputError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return InputError(
        f"{field}: {what}" if field else what,
        where=where,
        fix="Correct it; the documentation of TrainingConfig lists every field.",
    )
