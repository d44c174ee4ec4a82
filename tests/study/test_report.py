"""The report: its numbers against plain means, its marks, its figures, and its LaTeX."""

import copy
import csv
import json
import math
import re

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_results import fill
from PIL import Image

from napari_gmsr.errors import InputError
from napari_gmsr.study import make_study, read_findings, write_report
from napari_gmsr.study.findings import METRICS, Group
from napari_gmsr.study.labels import Box, place_labels
from napari_gmsr.study.table import Cell, Column, Row, Table, latex_text, markdown_text

BANDS = {"Harvard": np.arange(420.0, 721.0, 10.0)}


@pytest.fixture(scope="module")
def two(values):
    """A study of three models on two datasets of other bands."""
    values = copy.deepcopy(values)
    values["datasets"].append({"name": "pairs", "label": "Harvard", "folder": "/h"})
    values["models"][0]["tables"] = ["comparison", "ablations"]
    values["models"][1]["tables"] = ["ablations", "depth"]
    return make_study(values)


@pytest.fixture(scope="module")
def reported(two, tmp_path_factory):
    """Its folder with made-up results and the report; a seed of one model failed on one dataset."""
    folder = tmp_path_factory.mktemp("reports") / "study"
    failed = ("gmsr-net--toys--seed1", "wide_50--harvard--seed0")
    place = fill(folder, two, nm=BANDS, failed=failed)
    place.write_results(two)
    before = dict(mpl.rcParams)
    write_report(folder)
    assert dict(mpl.rcParams) == before
    return folder


def table(reported, name):
    return json.loads((reported / "report" / f"{name}.json").read_text())


def cell(reported, name, model, group, column):
    row = next(r for r in table(reported, name)["rows"] if r["Method"] == model)
    return next(c for c in row["cells"] if (c["group"], c["column"]) == (group, column))


def test_means_and_spreads_are_plain_ones(reported):
    lines = [json.loads(line) for line in (reported / "results.jsonl").read_text().splitlines()]
    for family, metrics in METRICS.items():
        for metric in metrics:
            for model, dataset, seeds in (
                ("GMSR-Net", "Harvard", (0, 1)),
                ("GMSR-Net", "Toys", (0,)),
                ("wiener", "Toys", (0,)),
            ):
                means = [
                    np.mean(
                        [
                            line[family][metric.name]
                            for line in lines
                            if (line["model"], line["dataset"], line["seed"])
                            == (model, dataset, seed)
                            and line["state"] == "done"
                        ]
                    )
                    for seed in seeds
                ]
                group = f"{dataset} ({'400–700' if dataset == 'Toys' else '420–720'} nm)"
                found = cell(reported, f"tableI_{family}", model, group, metric.title)
                assert found["value"] == pytest.approx(np.mean(means))
                if len(seeds) > 1:
                    assert found["spread"] == pytest.approx(np.std(means, ddof=1))
                else:
                    assert "spread" not in found


def test_bands_that_differ_are_never_pooled_and_are_named(reported):
    groups = {c["group"] for c in table(reported, "tableI_paper")["rows"][0]["cells"]}
    assert groups == {"", "Toys (400–700 nm)", "Harvard (420–720 nm)"}
    findings = read_findings(reported)
    assert findings.groups == (Group("Toys", 400, 700, 31), Group("Harvard", 420, 720, 31))


def test_champion_and_second_are_marked(reported):
    for family in METRICS:
        rows = table(reported, f"tableII_{family}")["rows"]
        for metric in METRICS[family]:
            marks = {
                r["Method"]: c.get("mark", "")
                for r in rows
                for c in r["cells"]
                if (c["group"], c["column"]) == ("Toys (400–700 nm)", metric.title)
            }
            values = {
                r["Method"]: c["value"]
                for r in rows
                for c in r["cells"]
                if (c["group"], c["column"]) == ("Toys (400–700 nm)", metric.title)
            }
            best = (max if metric.larger_is_better else min)(values, key=values.get)
            assert marks[best] == "best"
            assert sorted(marks.values()) == ["best", "second"]


def test_failures_are_marked_and_say_why(reported):
    found = cell(reported, "tableII_paper", "wide_50%", "Harvard (420–720 nm)", "RMSE")
    assert found["text"] == "failed"
    text = (reported / "report" / "report.md").read_text()
    assert "no number any more at step 3" in text
    assert "GMSR-Net on Toys: 1 of 2 seeds" in text


def test_pairs_are_on_the_same_pictures(reported):
    findings = read_findings(reported)
    group, metric = findings.groups[0], METRICS["paper"][1]
    ours, theirs = (findings.by_picture(m, group, metric) for m in ("wiener", "GMSR-Net"))
    differences = [ours[name] - theirs[name] for name in ("first", "second")]
    found = findings.difference("wiener", group, metric)
    assert found.mean == pytest.approx(np.mean(differences))
    assert (found.smallest, found.largest) == (min(differences), max(differences))
    assert found.better == sum(d > 0 for d in differences)


def test_csv_has_the_same_numbers_in_full(reported):
    with (reported / "report" / "tableI_standard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    gmsr = next(row for row in rows if row["Method"] == "GMSR-Net")
    found = cell(reported, "tableI_standard", "GMSR-Net", "Harvard (420–720 nm)", "SAM (°)")
    assert float(gmsr["Harvard (420–720 nm) SAM (°)"]) == found["value"]
    assert float(gmsr["Harvard (420–720 nm) SAM (°) spread"]) == found["spread"]


def test_every_picture_has_its_line(reported):
    with (reported / "report" / "pictures.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (reported / "results.jsonl").read_text().splitlines()]
    done = [line for line in lines if line["state"] == "done"]
    assert len(rows) == len(done)
    for row, line in zip(rows, done, strict=True):
        assert (row["model"], row["picture"]) == (line["model"], line["picture"])
        assert float(row["paper sam_deg"]) == line["paper"]["sam_deg"]


def test_the_ablations_say_which_parts_there_are(reported):
    row = table(reported, "tableII_paper")["rows"][0]  # of a network without its branch
    parts = {c["column"]: c["text"].strip() for c in row["cells"] if "text" in c}
    assert {part for part, there in parts.items() if there == "✓"} == {"Gspa", "Gspe"}


def test_figures_are_there_in_every_form_with_their_data(reported):
    folder = reported / "report"
    names = {file.stem for file in folder.glob("fig*.png")}
    assert names == {
        "fig1_bubbles",
        *(f"fig{n}_{d}" for n in (4, 7, 8) for d in ("toys", "harvard")),
        "fig9_toys",
    }
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            pixels = np.asarray(image.convert("L"))
        assert pixels.std() > 5  # something is drawn
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert "<svg" in (folder / f"{name}.svg").read_text()
        assert json.loads((folder / f"{name}.json").read_text())["caption"]


def test_figures_show_what_their_data_says(reported):
    data = json.loads((reported / "report" / "fig4_toys.json").read_text())
    view = data["views"][0]
    with np.load(reported / "cubes/toys/first/truth.npz") as file:
        truth = file["cube"] if "cube" in file else file[file.files[0]]
    with np.load(reported / "cubes/toys/first/models/wiener.npz") as file:
        made = file["cube"] if "cube" in file else file[file.files[0]]
    band = int((view["band_nm"] - 400) / 10)
    error = np.abs(made[band].astype(np.float64) - truth[band])
    assert view["models"]["wiener"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    curves = json.loads((reported / "report" / "fig7_toys.json").read_text())["views"][0]
    point = curves["points"][0]
    assert point["spectra"]["wiener"] == pytest.approx(made[:, point["y"], point["x"]].tolist())
    assert point["spectra"].keys() == {"truth", "GMSR-Net", "wiener"}
    bubbles = json.loads((reported / "report" / "fig1_bubbles.json").read_text())
    gmsr = bubbles["panels"][0]["models"][0]
    found = cell(reported, "tableI_paper", "GMSR-Net", "Toys (400–700 nm)", "PSNR (dB)")
    assert gmsr["psnr_db"] == found["value"]


def test_a_model_that_failed_leaves_its_place_empty(reported):
    data = json.loads((reported / "report" / "fig8_harvard.json").read_text())
    assert data["views"][0]["models"].keys() == {"GMSR-Net"}


def test_labels_in_other_capitals_are_the_same_runs(tmp_path, study, values):
    place = fill(tmp_path / "s", study)
    values = copy.deepcopy(values)
    values["models"][0]["label"], values["datasets"][0]["label"] = "gmsr-net", "TOYS"
    place.save(make_study(values))
    findings = read_findings(place.path)
    assert findings.missing() == ()
    assert [group.dataset for group in findings.groups] == ["TOYS"]
    assert ("gmsr-net", "TOYS") in findings.done


def test_no_report_without_a_study_or_results(tmp_path, study):
    with pytest.raises(InputError, match="no study"):
        write_report(tmp_path)
    fill(tmp_path / "s", study, failed=())
    for file in (tmp_path / "s" / "outcomes").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="no run of this study has ended"):
        write_report(tmp_path / "s")


def test_a_report_of_failures_alone(tmp_path, study):
    fill(tmp_path / "s", study, failed=tuple(run.key for run in study.runs()))
    text = write_report(tmp_path / "s").read_text()
    assert "0 of 4 runs are done" in text
    assert text.count("no number any more") == 4


def balanced(text):
    """Whether braces that LaTeX counts come in pairs, and environments end as they begin."""
    text = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    begun = re.findall(r"\\begin\{(.+?)\}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(.+?)\}", text))
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    return depth == 0


@given(st.text(max_size=30), st.text(max_size=10))
def test_latex_is_balanced_whatever_names_are(label, group):
    columns = [Column("a", group), Column("b%_", group)]
    made = Table(
        "t", "t", label, "Method", columns, [Row(label, [Cell(1, 0.5, "best"), Cell(text=label)])]
    )
    text = made.to_latex()
    assert balanced(text)
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip()
    assert len(re.findall(r"(?<!\\)&", body)) == 2
    assert "\n" not in body


def test_latex_and_markdown_escape_what_means_something():
    assert latex_text("a_b & 50% {x} #1 $ ~ ^ \\") == (
        r"a\_b \& 50\% \{x\} \#1 \$ \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert markdown_text("a|b *c* _d_\ne") == r"a\|b \*c\* \_d\_ e"


def test_the_files_of_the_report_are_sound_latex(reported):
    for file in (reported / "report").glob("*.tex"):
        text = file.read_text()
        assert balanced(text)
        rows = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    assert r"wide\_50\%" in (reported / "report" / "tableII_paper.tex").read_text()


def test_labels_do_not_lie_on_bubbles_or_labels_where_there_is_room():
    centres = [(100.0, 100.0), (104.0, 112.0), (100.0, 88.0)]
    radii = [4.0, 4.0, 4.0]
    page = Box(0, 0, 300, 300)
    boxes = place_labels(centres, radii, ["one", "two", "three"], 7.0, page)
    bubbles = [Box.around(*c, r) for c, r in zip(centres, radii, strict=True)]
    for index, box in enumerate(boxes):
        assert sum(box.shared(other) for other in bubbles) == 0
        assert sum(box.shared(other) for other in boxes[:index]) == 0
        assert math.isclose(box.shared(page), box.area)
