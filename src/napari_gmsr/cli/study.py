"""`napari-gmsr study`: models compared on datasets, to the paper's tables and figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from napari_gmsr.cli.console import Verbose, print_table
from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    from napari_gmsr.study import Study, StudySummary

__all__ = ["app"]


class _CommandsOrStudy(TyperGroup):
    """Subcommands, where a word that is none of them is a study to run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_CommandsOrStudy, subcommand_metavar="[STUDY | COMMAND [ARGS]...]")

_Study = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A study's file (TOML, JSON), or paper, ablations or depth."
    ),
]
_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")]
_Data = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="For paper, ablations and depth: the folder with NTIRE2020, CAVE or Harvard in it.",
    ),
]
_Camera = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Likewise, the Nikon D700's response for Harvard (CSV)."),
]
_Seeds = Annotated[str | None, typer.Option(metavar="0,1,2", help="Seeds in place of the study's.")]
_Patches = Annotated[int | None, typer.Option(help="Patches that each model meets, or")]
_Steps = Annotated[int | None, typer.Option(help="steps, or")]
_Epochs = Annotated[float | None, typer.Option(help="epochs, or")]
_Minutes = Annotated[float | None, typer.Option(help="minutes, in place of the study's budget.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _root(context: typer.Context, verbose: Verbose = False) -> None:
    """Train and evaluate models on datasets; write the paper's tables and figures."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("run")
def _run(
    study: _Study,
    data: _Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="The study's folder; by default STUDY-study, here."
        ),
    ] = None,
    camera: _Camera = None,
    seeds: _Seeds = None,
    patches: _Patches = None,
    steps: _Steps = None,
    epochs: _Epochs = None,
    minutes: _Minutes = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="auto|cpu|cuda:N",
            help="Where to compute, repeatable: a run at a time on each. By default every GPU.",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try runs again that have failed.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Do what is missing of a study, and write its report. Ctrl+C stops; the same command goes on.

    A run that fails is marked, and the others go on.
    """
    from napari_gmsr.cli.study_display import study_display
    from napari_gmsr.study import run_study

    budget = {"patches": patches, "steps": steps, "epochs": epochs, "minutes": minutes}
    chosen = _chosen(study, data, camera, seeds, budget)
    folder = out or Path(f"{Path(study).stem}-study")
    with study_display() as show:
        summary = run_study(
            chosen, folder, devices=tuple(device or ["auto"]), retry=retry, on_event=show
        )
    _report(folder, summary)


@app.command("report")
def _write_report(folder: _Folder, verbose: Verbose = False) -> None:
    """Write tables and figures from what is there; also while the study is at work."""
    from napari_gmsr.study import write_report

    print(write_report(folder))


@app.command("list")
def _list(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A folder that holds studies; this one.")
    ] = Path(),
    as_json: _Json = False,
    verbose: Verbose = False,
) -> None:
    """List the studies in a folder, and the presets."""
    from napari_gmsr.study import PRESETS, StudyFolder, summarise

    found = []
    for path in sorted([folder, *folder.iterdir()] if folder.is_dir() else []):
        place = StudyFolder(path)
        if place.study_file.is_file():
            found.append((place, place.study()))
    summaries = [(place, study, summarise(place, study)) for place, study in found]
    if as_json:
        records = [{"name": study.name, **_counts(s)} for _, study, s in summaries]
        print(json.dumps({"presets": PRESETS, "studies": records}, indent=2))
        return
    for name, what in PRESETS.items():
        print(f"{name:10} {what}")
    if summaries:
        print()
        header = ("study", "name", "done", "failed", "missing")
        rows = [
            [str(p.path), study.name, *map(str, map(len, (s.done, s.failed, s.missing)))]
            for p, study, s in summaries
        ]
        print_table(header, rows)


@app.command("show")
def _show(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study's folder or file, or a preset.")
    ],
    data: _Data = None,
    camera: _Camera = None,
    as_json: _Json = False,
    verbose: Verbose = False,
) -> None:
    """List a study's runs and how each stands; with --json the study as it will be run."""
    from napari_gmsr.study import StudyFolder

    place = StudyFolder.open(study) if Path(study).is_dir() else None
    chosen = place.study() if place else _chosen(study, data, camera, None, {})
    if as_json:
        print(chosen.model_dump_json(indent=2))
        return
    rows = []
    for run in chosen.runs():
        outcome = place.outcome(run) if place else None
        problem = str(outcome.failure) if outcome and outcome.failure else ""
        state = outcome.state if outcome else "missing"
        rows.append([run.model.title, run.dataset.title, str(run.seed), run.kind, state, problem])
    print_table(("model", "dataset", "seed", "kind", "state", "problem"), rows)


def _chosen(
    name: str, data: Path | None, camera: str | None, seeds: str | None, budget: dict[str, Any]
) -> Study:
    """Return a preset's study or a file's, with the options in place of its values."""
    from napari_gmsr.study import PRESETS, make_preset, make_study, read_study

    changes: dict[str, Any] = {}
    if seeds is not None:
        changes["seeds"] = _numbers(seeds)
    budget = {key: value for key, value in budget.items() if value is not None}
    if budget:
        changes["budget"] = budget
    if name in PRESETS:
        if data is None:
            raise InputError(
                "the folder of the data is missing",
                where=name,
                fix="Give the folder of NTIRE2020, CAVE or Harvard with --data.",
            )

        def left_out(why: str) -> None:
            print(f"left out: {why}", file=sys.stderr)

        return make_preset(name, data, camera=camera, on_left_out=left_out, **changes)
    if data is not None or camera is not None:
        raise InputError(
            "--data and --camera belong to paper, ablations and depth",
            where=name,
            fix="Write the folders into the study's file.",
        )
    if not Path(name).exists() and Path(name).suffix.lower() not in {".toml", ".json"}:
        raise InputError(
            "there is no study of this name, and no such file",
            where=name,
            fix=f"Give a study's file, or one of {', '.join(PRESETS)}.",
        )
    study = read_study(name)
    if not changes:
        return study
    return make_study({**study.model_dump(mode="json"), **changes}, name)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"these are no seeds: '{text}'", where="--seeds", fix="Give numbers, such as 0,1,2."
        ) from None


def _counts(summary: StudySummary) -> dict[str, Any]:
    return {
        "folder": str(summary.folder),
        "done": list(summary.done),
        "failed": list(summary.failed),
        "missing": list(summary.missing),
    }


def _report(folder: Path, summary: StudySummary) -> None:
    """Write the report and say how the study stands; some runs that failed are no success."""
    from napari_gmsr.study import write_report

    print(write_report(folder))
    if summary.failed:
        count = len(summary.failed)
        raise InputError(
            f"{count} of {count + len(summary.done)} runs failed, as the report says",
            where=folder,
            fix="Mend the cause and run the study again with --retry.",
        )
