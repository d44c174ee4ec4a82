"""The paper's own experiments, made from what lies in a folder; and the command that runs them."""

import json
import sys
from pathlib import Path

import pytest

from napari_gmsr.cli.app import run
from napari_gmsr.errors import DatasetError, InputError
from napari_gmsr.networks import ABLATIONS
from napari_gmsr.study import make_preset
from napari_gmsr.study.report import SIZE

sys.path.append(str(Path(__file__).parent.parent / "datasets"))
import small_sets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """NTIRE2020 and CAVE, small, in one folder."""
    folder = tmp_path_factory.mktemp("data")
    small_sets.ntire2020(folder / "ntire", (1, 2, 457, 464))
    small_sets.cave(folder / "cave", ("balloons", "beads", "superballs"))
    return folder


def test_the_comparison_is_made_of_what_is_there(data):
    left_out = []
    study = make_preset("paper", data, on_left_out=left_out.append)
    assert [d.title for d in study.datasets] == ["NTIRE2020 Clean", "CAVE"]
    assert len(left_out) == 1
    assert "Nikon D700" in left_out[0]
    assert [m.title for m in study.models][-1] == study.reference == "GMSR-Net"
    assert len(study.models) == 7
    config = study.runs()[0].config()
    # The paper's settings; nothing is chosen on test pictures.
    assert (config.preset, config.epochs, config.batch) == ("paper", 100, 20)
    assert config.dataset.split == "paper"
    assert config.validate_every == 1.0
    assert study.mode == "paper"
    # What the paper's figures show, as far as it is there.
    assert [(v.picture, v.band_nm) for v in study.datasets[0].views] == [("ARAD_HS_0457", 490)]
    assert [(v.picture, v.band_nm) for v in study.datasets[1].views] == [("superballs", 680)]


def test_ablations_and_depths_are_on_ntire(data):
    ablations = make_preset("ablations", data, seeds=[0, 1], budget={"steps": 3})
    assert [m.title for m in ablations.models] == list(ABLATIONS)
    assert [d.name for d in ablations.datasets] == ["ntire2020-clean"]
    assert len(ablations.runs()) == 16
    assert ablations.runs()[0].config().steps == 3
    depth = make_preset("depth", data)
    assert [len(m.arguments["widths"]) for m in depth.models] == [1, 2, 3, 4, 5]
    assert [v.picture for v in depth.datasets[0].views] == ["ARAD_HS_0464"]


def test_harvard_comes_with_its_camera(data, tmp_path):
    small_sets.harvard(tmp_path / "harvard", tuple(f"imgb{i}" for i in range(1, 10)))
    camera = tmp_path / "nikon_d700.csv"
    rows = [f"{nm},0.2,0.4,0.1" for nm in range(400, 731, 10)]
    camera.write_text("\n".join(["wavelength,r,g,b", *rows]))
    study = make_preset("paper", tmp_path)
    assert [d.title for d in study.datasets] == ["Harvard"]
    assert study.datasets[0].camera == str(camera)


def test_nothing_is_there(tmp_path):
    with pytest.raises(DatasetError, match="none of the paper's datasets"):
        make_preset("paper", tmp_path)
    with pytest.raises(InputError, match="'ablations'"):
        make_preset("ablation", tmp_path)


def test_cost_is_counted_at_the_papers_size():
    assert SIZE == (512, 482)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["study", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def in_process(monkeypatch):
    """Runs in this process: a process for each is tested elsewhere."""
    from napari_gmsr.study import perform_here, run_study

    monkeypatch.setattr(
        run_study, "__kwdefaults__", {**run_study.__kwdefaults__, "perform": perform_here}
    )


def test_from_a_file_to_its_report(command, values, in_process):
    values = {**values, "models": [values["models"][0], {"name": "wiener"}], "seeds": [0]}
    values["models"][1] = {"name": "wiener", "label": "Wiener"}
    Path("mine.json").write_text(json.dumps(values))
    code, out, err = command("run", "mine.json", "--device", "cpu", "--steps", "2")
    assert code == 0, err
    assert out.strip() == str(Path("mine-study/report/report.md"))
    assert "2 runs, 0 of them done before" in err
    assert "gmsr-net--toys--seed0: done" in err
    assert "PSNR" in err
    code, out, _ = command("show", "mine-study")
    assert code == 0
    assert out.count("done") == 2
    code, out, _ = command("list", "--json")
    listed = json.loads(out)
    assert listed["studies"][0]["done"] == ["gmsr-net--toys--seed0", "wiener--toys--seed0"]
    assert listed["presets"].keys() == {"paper", "ablations", "depth"}
    code, out, _ = command("list")
    assert "mine-study" in out
    assert command("report", "mine-study")[0] == 0


def test_a_run_that_failed_is_no_success(command, values, in_process):
    model = {**values["models"][0], "training": {"patch": 64}}
    Path("s.json").write_text(json.dumps({**values, "models": [model, {"name": "wiener"}]}))
    code, out, err = command("s.json", "--device", "cpu", "--seeds", "0")
    assert code == 2
    assert "report.md" in out
    assert "1 of 2 runs failed" in err.splitlines()[-1]


def test_a_preset_is_shown_and_becomes_a_file(command, data):
    code, out, err = command("show", "depth", "--data", data)
    assert code == 0
    assert "left out" in err
    assert out.count("missing") == 5
    code, out, _ = command("show", "depth", "--data", data, "--json")
    Path("depth.json").write_text(out)
    assert command("show", "depth.json", "--json")[1] == out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["paper"], "--data"),
        (["pape"], "'paper'|paper, ablations"),
        (["none.toml"], "none.toml"),
        (["none.toml", "--data", "."], "--data"),
        (["paper", "--data", "."], "none of the paper's"),
        (["paper", "--data", "nowhere"], "nowhere"),
        (["show", "nowhere"], "nowhere"),
        (["report", "."], "no study"),
        (["run", "s.json", "--seeds", "a"], "seeds"),
        (["run", "s.json", "--steps", "3", "--minutes", "1"], "one of them"),
        (["run", "s.json", "--device", "quantum"], "quantum"),
        (["run", "s.json", "--steps"], "--steps"),
    ],
)
def test_mistakes_are_one_line(command, values, arguments, says):
    import re

    Path("s.json").write_text(json.dumps(values))
    code, _, err = command(*arguments)
    assert code == 2
    assert re.search(says, err)
    assert err.count("\n") == 1
    assert "Traceback" not in err
