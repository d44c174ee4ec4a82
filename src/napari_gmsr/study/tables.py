"""The report's tables: the paper's Tables I, II and III by both metric sets, and the pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from napari_gmsr.networks import NetworkCost
from napari_gmsr.study.findings import METRICS, Family, Findings, Group, Metric, ranks
from napari_gmsr.study.settings import StudyModel, TableName
from napari_gmsr.study.table import CHECK, Cell, Column, Row, Table

__all__ = ["make_tables"]

_NUMBERS: dict[TableName, str] = {"comparison": "I", "ablations": "II", "depth": "III"}
_WHAT: dict[TableName, str] = {
    "comparison": "Reconstruction results",
    "ablations": "Ablations of GMSR-Net's parts",
    "depth": "Number of gradient Mamba blocks",
}
_SETS: dict[Family, str] = {
    "paper": "metrics as in the paper's test script",
    "standard": "metrics as they are usually defined",
}
_COSTS = (
    ("Params (M)", "parameters_paper", 1e6),
    ("MACs (G), paper's count", "macs_paper", 1e9),
    ("MACs (G)", "macs", 1e9),
)
_PARTS = ("Mamba", "Transformer", "CNN", "Gspa", "Gspe", "CBAM")
_ATTENTIONS = {
    "gradient": ("Gspa", "Gspe"),
    "spatial": ("Gspa",),
    "spectral": ("Gspe",),
    "cbam": ("CBAM",),
    "none": (),
}
_BRANCHES = {"mamba": "Mamba", "transformer": "Transformer", "cnn": "CNN"}


def make_tables(findings: Findings, costs: Mapping[str, NetworkCost]) -> tuple[Table, ...]:
    """Return every table of which the study has a model, by both metric sets, and the pairs.

    Parameters
    ----------
    findings
        Of the study.
    costs
        Of models by their titles.
    """
    tables = [
        _table(findings, name, family, costs)
        for name in _NUMBERS
        if findings.models(name)
        for family in METRICS
    ]
    if len(findings.study.models) > 1:
        tables.append(_pairs(findings))
    return tuple(tables)


def _table(
    findings: Findings, name: TableName, family: Family, costs: Mapping[str, NetworkCost]
) -> Table:
    models = findings.models(name)
    columns: list[Column] = []
    cells: list[list[Cell]] = []  # of each column
    if name == "ablations":
        for part in _PARTS:
            columns.append(Column(part))
            cells.append([Cell(text=CHECK if part in _parts(m) else " ") for m in models])
    for title, count, unit in _COSTS:
        columns.append(Column(title))
        cells.append([Cell(getattr(costs[model.title], count) / unit) for model in models])
    for group in findings.groups:
        for metric in METRICS[family]:
            columns.append(Column(metric.title, findings.title(group), metric.decimals))
            cells.append(_cells(findings, models, group, metric))
    caption = (
        f"{_WHAT[name]} ({findings.study.name}; {_SETS[family]}). "
        "Multiply-accumulates at 512 × 482 pixels. Champion and second of each metric are marked"
    )
    seeds = max((len(_seeds(findings, model)) for model in models), default=1)
    caption += "; ± is the standard deviation over seeds." if seeds > 1 else "."
    return Table(
        f"table{_NUMBERS[name]}_{family}",
        f"Table {_NUMBERS[name]}, {_SETS[family]}",
        caption,
        "Method",
        columns,
        [Row(m.title, [column[i] for column in cells]) for i, m in enumerate(models)],
        tuple(_few_seeds(findings, models)),
    )


def _seeds(findings: Findings, model: StudyModel) -> tuple[int, ...]:
    return findings.study.seeds if model.seeds is None else model.seeds


def _cells(
    findings: Findings, models: Sequence[StudyModel], group: Group, metric: Metric
) -> list[Cell]:
    values = [findings.value(model.title, group, metric) for model in models]
    best, second = ranks([value.mean for value in values], larger_is_better=metric.larger_is_better)
    cells = []
    for i, (model, value) in enumerate(zip(models, values, strict=True)):
        if math.isnan(value.mean):
            cells.append(Cell(text=findings.state(model.title, group)))
        else:
            mark = "best" if i == best else "second" if i == second else ""
            cells.append(Cell(value.mean, value.spread, mark))  # type: ignore[arg-type]
    return cells


def _parts(model: StudyModel) -> tuple[str, ...]:
    """Return GMSR-Net's parts that a model has."""
    if model.name != "gmsr":
        return ()
    branch = _BRANCHES.get(str(model.arguments.get("branch", "mamba")))
    attention = _ATTENTIONS.get(str(model.arguments.get("attention", "gradient")), ())
    return (*([branch] if branch else []), *attention)


def _few_seeds(findings: Findings, models: Sequence[StudyModel]) -> Iterator[str]:
    """Yield what to know of models of which some runs are not in the numbers."""
    for dataset in findings.study.datasets:
        for model in models:
            runs = [
                run for run in findings.study.runs() if (run.model, run.dataset) == (model, dataset)
            ]
            done = {o.key for o in findings.outcomes if o.state == "done"}
            there = sum(run.key in done for run in runs)
            if 0 < there < len(runs):
                yield (
                    f"{model.title} on {dataset.title}: {there} of {len(runs)} seeds, "
                    "the others failed or are still to be run."
                )


_PAIRED = (METRICS["paper"][1], METRICS["standard"][0], METRICS["standard"][3])


def _pairs(findings: Findings) -> Table:
    """Return how each model differs from the reference, picture by picture."""
    others = [m for m in findings.study.models if m.title != findings.reference]
    columns, cells = [], []
    for group in findings.groups:
        for metric in _PAIRED:
            title = f"{metric.title}, {metric.family}"
            columns.append(Column(f"Δ {title}", findings.title(group), metric.decimals))
            columns.append(Column("better on", findings.title(group)))
            found = [findings.difference(model.title, group, metric) for model in others]
            cells.append(
                [
                    Cell(text=findings.state(model.title, group))
                    if d is None
                    else Cell(
                        text=f"{d.mean:+.{metric.decimals}f} "
                        f"[{d.smallest:+.{metric.decimals}f}, {d.largest:+.{metric.decimals}f}]"
                    )
                    for model, d in zip(others, found, strict=True)
                ]
            )
            cells.append(
                [Cell(text="–" if d is None else f"{d.better}/{d.pictures}") for d in found]
            )
    return Table(
        "pairs",
        f"Differences from {findings.reference}",
        f"Differences from {findings.reference} on the same pictures ({findings.study.name}): mean "
        "[smallest, largest] over pictures, mean over seeds, and on how many pictures a model is "
        "better",
        "Method",
        columns,
        [Row(model.title, [column[i] for column in cells]) for i, model in enumerate(others)],
    )
