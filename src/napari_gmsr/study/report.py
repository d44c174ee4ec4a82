"""The report of a study: the paper's tables and figures, in a folder."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from napari_gmsr.errors import InputError
from napari_gmsr.io import atomic_output
from napari_gmsr.networks import NetworkCost, count_cost
from napari_gmsr.study.bubbles import draw_bubbles
from napari_gmsr.study.canvas import Drawing
from napari_gmsr.study.curves import draw_curves
from napari_gmsr.study.findings import METRICS, Findings
from napari_gmsr.study.folder import StudyFolder, make_folder
from napari_gmsr.study.pictures import draw_pictures, shown_views
from napari_gmsr.study.settings import StudyModel, TableName
from napari_gmsr.study.table import FORMATS, Table, markdown_text
from napari_gmsr.study.tables import make_tables

__all__ = ["SIZE", "read_findings", "write_report"]

SIZE = 512, 482
"""Height and width at which the paper counts cost."""

_TABLES: tuple[TableName, ...] = ("comparison", "ablations", "depth")


def read_findings(folder: str | Path) -> Findings:
    """Return what a study has found so far.

    Raises
    ------
    InputError
        Where there is no study, or no run has ended yet.
    """
    place = StudyFolder.open(folder)
    study = place.study()
    outcomes = tuple(found for run in study.runs() if (found := place.outcome(run)) is not None)
    if not outcomes:
        raise InputError(
            "no run of this study has ended yet",
            where=place.path,
            fix="Run it with `napari-gmsr study run`.",
        )
    return Findings(study, outcomes)


def write_report(folder: str | Path) -> Path:
    """Write the report of a study into its folder ``report``, in place of an earlier one.

    Tables are written as CSV, JSON, Markdown and LaTeX, figures as PNG, PDF and SVG with their data
    as JSON beside them, all of it gathered in ``report.md``. It needs no dataset: what the figures
    show was kept. Runs that failed or are missing are marked.

    Parameters
    ----------
    folder
        Of the study; it may be at work.

    Returns
    -------
    Path
        Of ``report.md``.

    Raises
    ------
    InputError
        Where there is no study, or no run has ended yet.
    OutputError
        Where something cannot be written.
    """
    findings = read_findings(folder)
    place = StudyFolder.open(folder)
    target = place.report_folder
    make_folder(target)
    costs = dict(_costs(findings))
    tables = make_tables(findings, costs)
    for table in tables:
        for suffix, text in FORMATS.items():
            _write(target / f"{table.name}{suffix}", text(table))
    _write(target / "pictures.csv", _pictures(findings))
    drawings = list(_drawings(place, findings, costs))
    for drawing in drawings:
        drawing.save(target)
    report = target / "report.md"
    _write(report, _text(findings, tables, drawings))
    return report


def _costs(findings: Findings) -> Iterator[tuple[str, NetworkCost]]:
    for model in findings.study.models:
        yield model.title, _cost(model)


def _cost(model: StudyModel) -> NetworkCost:
    name, arguments = model.name, model.arguments
    if (start := model.checkpoint or model.start_from) is not None:
        from napari_gmsr.weights import load_model

        card = load_model(start).card
        name, arguments = card.network, card.arguments
    return count_cost(name, height=SIZE[0], width=SIZE[1], **arguments)


def _drawings(
    folder: StudyFolder, findings: Findings, costs: dict[str, NetworkCost]
) -> Iterator[Drawing]:
    if (bubbles := draw_bubbles(findings, costs)) is not None:
        yield bubbles
    for dataset in findings.study.datasets:
        views = shown_views(folder, findings, dataset)
        for table in _TABLES:
            if (pictures := draw_pictures(findings, dataset, table, views)) is not None:
                yield pictures
        if (curves := draw_curves(findings, dataset, views)) is not None:
            yield curves


def _write(path: Path, text: str) -> None:
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _pictures(findings: Findings) -> str:
    """Return a line for each model, seed and picture, with every metric in full."""
    metrics = [metric for family in METRICS.values() for metric in family]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = (f"{metric.family} {metric.name}" for metric in metrics)
    head = ("dataset", "model", "seed", "picture", "first_nm", "last_nm", "mode", "seconds")
    writer.writerow([*head, *names])
    for outcome in findings.outcomes:
        for result in outcome.pictures:
            values = (result.value(metric.family, metric.name) for metric in metrics)
            writer.writerow(
                [
                    *(outcome.dataset, outcome.model, outcome.seed, result.picture),
                    *(result.first_nm, result.last_nm, result.mode, f"{result.seconds:.4f}"),
                    *("" if math.isnan(value) else repr(value) for value in values),
                ]
            )
    return out.getvalue()


def _text(findings: Findings, tables: tuple[Table, ...], drawings: list[Drawing]) -> str:
    study, runs = findings.study, findings.study.runs()
    done = sum(outcome.state == "done" for outcome in findings.outcomes)
    parts = [
        f"# {markdown_text(study.name)}",
        f"{done} of {len(runs)} runs are done: {len(study.models)} models on "
        f"{', '.join(markdown_text(dataset.title) for dataset in study.datasets)}; preset "
        f"{study.preset}. Pictures were reconstructed in mode {study.mode}.",
    ]
    failed = [f"{study.run(key).title}: {why}" for key, why in findings.failures().items()]
    for title, lines in (
        ("Failed", failed),
        ("Still to be run", findings.missing()),
        ("Notes", findings.notes()),
    ):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {markdown_text(line)}" for line in lines)]
    for table in tables:
        parts += [f"## {table.title}", table.to_markdown().rstrip()]
    for drawing in drawings:
        caption = markdown_text(drawing.caption)
        parts += [f"![{caption}]({drawing.name}.png)", caption]
    return "\n\n".join(parts) + "\n"
