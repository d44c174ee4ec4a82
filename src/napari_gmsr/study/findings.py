"""What a study has found: means over pictures, spread over seeds, differences by picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from napari_gmsr.study.outcome import Failure, Outcome, PictureResult
from napari_gmsr.study.settings import StudyModel, TableName
from napari_gmsr.study.study import Study

__all__ = ["METRICS", "Difference", "Family", "Findings", "Group", "Metric", "Value"]

Family = Literal["paper", "standard"]


@dataclass(frozen=True)
class Metric:
    """A metric of one of the two sets.

    Parameters
    ----------
    family, name
        Where its value stands.
    title
        Of its column.
    decimals
        As it is printed; the paper's tables have four.
    larger_is_better
        Which way it points.
    """

    family: Family
    name: str
    title: str
    decimals: int = 4
    larger_is_better: bool = False


METRICS: Mapping[Family, tuple[Metric, ...]] = {
    "paper": (
        Metric("paper", "rmse", "RMSE"),
        Metric("paper", "psnr_db", "PSNR (dB)", 2, larger_is_better=True),
        Metric("paper", "assim", "ASSIM", larger_is_better=True),
        Metric("paper", "sam_deg", "SAM (°)", 3),
    ),
    "standard": (
        Metric("standard", "rmse", "RMSE"),
        Metric("standard", "psnr_db", "PSNR (dB)", 2, larger_is_better=True),
        Metric("standard", "ssim", "SSIM", larger_is_better=True),
        Metric("standard", "sam_deg", "SAM (°)", 3),
        Metric("standard", "mrae", "MRAE"),
        Metric("standard", "ergas", "ERGAS", 2),
        Metric("standard", "back_projection", "RGB error"),
    ),
}
"""The columns of the tables: the four of the paper's, and the standard ones."""


@dataclass(frozen=True, order=True)
class Group:
    """Pictures that may be pooled: of one dataset, with the same bands.

    Parameters
    ----------
    dataset
        Its title.
    first_nm, last_nm, bands
        Of what was compared.
    """

    dataset: str
    first_nm: float
    last_nm: float
    bands: int

    @property
    def range(self) -> str:
        """The bands, in words."""
        return f"{self.first_nm:g}–{self.last_nm:g} nm"


@dataclass(frozen=True)
class Value:
    """A mean over pictures and seeds.

    Parameters
    ----------
    mean
        Over seeds, of the mean over pictures; NaN where there is none.
    spread
        Standard deviation of the seeds' means (n - 1); NaN with fewer than two seeds.
    seeds, pictures
        How many there are of each.
    """

    mean: float = math.nan
    spread: float = math.nan
    seeds: int = 0
    pictures: int = 0


@dataclass(frozen=True)
class Difference:
    """A model beside the reference, on the same pictures.

    Parameters
    ----------
    mean
        Of the differences, model less reference, over pictures.
    smallest, largest
        Of them.
    better, pictures
        On how many of how many pictures the model is better.
    """

    mean: float
    smallest: float
    largest: float
    better: int
    pictures: int


@dataclass(frozen=True)
class Findings:
    """A study's outcomes, to be asked for numbers.

    Parameters
    ----------
    study
        What was compared.
    outcomes
        Those that are there.
    """

    study: Study
    outcomes: tuple[Outcome, ...]
    _results: dict[tuple[str, Group], dict[int, list[PictureResult]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for outcome in self.outcomes:
            for result in outcome.pictures:
                group = Group(outcome.dataset, result.first_nm, result.last_nm, result.bands)
                seeds = self._results.setdefault((outcome.model, group), {})
                seeds.setdefault(outcome.seed, []).append(result)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All groups, in the order of the study's datasets."""
        titles = [dataset.title for dataset in self.study.datasets]
        found = {group for _, group in self._results}
        return tuple(sorted(found, key=lambda g: (titles.index(g.dataset), g)))

    def title(self, group: Group) -> str:
        """Return a group's title: with its bands, unless all groups have the same."""
        alike = len({(g.first_nm, g.last_nm, g.bands) for g in self.groups}) == 1
        return group.dataset if alike else f"{group.dataset} ({group.range})"

    def models(self, table: TableName) -> tuple[StudyModel, ...]:
        """Return the models of a table, in the study's order."""
        return tuple(model for model in self.study.models if table in model.tables)

    @property
    def reference(self) -> str:
        """Title of the model that others are compared with."""
        return self.study.reference or self.study.models[0].title

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Numbers of the models for their colours: the reference's is 0."""
        titles = [model.title for model in self.study.models if model.title != self.reference]
        return {title: number for number, title in enumerate([self.reference, *titles])}

    def value(self, model: str, group: Group, metric: Metric) -> Value:
        """Return a model's mean and spread in a group."""
        seeds = self._results.get((model, group), {})
        means = [
            _mean(r.value(metric.family, metric.name) for r in each) for each in seeds.values()
        ]
        known = [mean for mean in means if not math.isnan(mean)]
        if not known:
            return Value()
        spread = statistics.stdev(known) if len(known) > 1 else math.nan
        pictures = max(len(each) for each in seeds.values())
        return Value(statistics.fmean(known), spread, len(known), pictures)

    def difference(self, model: str, group: Group, metric: Metric) -> Difference | None:
        """Return how a model differs from the reference; ``None`` where they share no picture."""
        ours, theirs = (self.by_picture(m, group, metric) for m in (model, self.reference))
        shared = [name for name in ours if name in theirs]
        differences = [ours[name] - theirs[name] for name in shared]
        differences = [each for each in differences if not math.isnan(each)]
        if not differences:
            return None
        sign = 1 if metric.larger_is_better else -1
        return Difference(
            mean=statistics.fmean(differences),
            smallest=min(differences),
            largest=max(differences),
            better=sum(sign * each > 0 for each in differences),
            pictures=len(differences),
        )

    def by_picture(self, model: str, group: Group, metric: Metric) -> dict[str, float]:
        """Return a model's metric by picture, mean over seeds."""
        values: dict[str, list[float]] = {}
        for results in self._results.get((model, group), {}).values():
            for result in results:
                values.setdefault(result.picture, []).append(
                    result.value(metric.family, metric.name)
                )
        return {picture: _mean(each) for picture, each in values.items()}

    @cached_property
    def done(self) -> frozenset[tuple[str, str]]:
        """Titles of models and datasets of which there are numbers."""
        return frozenset((o.model, o.dataset) for o in self.outcomes if o.state == "done")

    def failures(self) -> dict[str, Failure]:
        """Return why runs failed, by their keys."""
        return {o.key: o.failure for o in self.outcomes if o.failure is not None}

    def missing(self) -> tuple[str, ...]:
        """Return the titles of runs that are still to be done."""
        there = {outcome.key for outcome in self.outcomes}
        return tuple(run.title for run in self.study.runs() if run.key not in there)

    def state(self, model: str, group: Group) -> str:
        """Return why there is no value: ``"failed"`` or ``"missing"``."""
        mine = [o for o in self.outcomes if (o.model, o.dataset) == (model, group.dataset)]
        return "failed" if any(o.failure is not None for o in mine) else "missing"

    def notes(self) -> tuple[str, ...]:
        """Return what to know of results, as tiles and bands that were left out."""
        found: dict[str, list[str]] = {}
        for outcome in self.outcomes:
            for result in outcome.pictures:
                for note in result.notes:
                    found.setdefault(f"{outcome.model} on {outcome.dataset}: {note}", []).append(
                        result.picture
                    )
        # A sentence about trainings is often true of all of them on a dataset.
        trained: dict[tuple[str, str], list[str]] = {}
        for outcome in self.outcomes:
            for note in outcome.notes:
                trained.setdefault((outcome.dataset, note), []).append(outcome.model)
        return (
            *(f"{dataset}: {note} ({_listed(m)})" for (dataset, note), m in trained.items()),
            *(f"{note} ({_listed(pictures)})" for note, pictures in found.items()),
        )


def ranks(values: Sequence[float], *, larger_is_better: bool) -> tuple[int | None, int | None]:
    """Return the indices of the best and the second best value; NaN takes no part."""
    known = [index for index, value in enumerate(values) if not math.isnan(value)]
    ordered = sorted(known, key=lambda index: values[index], reverse=larger_is_better)
    first, second, *_ = *ordered, None, None
    return first, second


def _mean(values: Iterable[float]) -> float:
    """Return the mean of what is not NaN, as `napari_gmsr.evaluate.mean_evaluation` does."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan


def _listed(pictures: Sequence[str], most: int = 3) -> str:
    names = list(dict.fromkeys(pictures))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
