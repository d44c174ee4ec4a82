"""A study's file: what it says, and mistakes in it."""

import copy
import json
from pathlib import Path

import pytest

from napari_gmsr.errors import InputError
from napari_gmsr.study import make_study, read_study
from napari_gmsr.training.config import preset

TOML = """
name = "mine"
seeds = [0, 3]
budget = { patches = 100 }
training = { batch = 8, optimiser = { learning_rate = 0.01 } }

[[models]]
name = "gmsr"
seeds = [0]
training = { optimiser = { weight_decay = 0 } }

[[models]]
name = "mstpp"
label = "MST++"
start_from = "photo"

[[models]]
name = "rootpoly"

[[datasets]]
name = "cave"
folder = "data/cave"
validation_folder = "../more"

[[datasets]]
name = "simulated"
evaluation = { folder = "scenes", camera = "cie_1964" }
scenes = ["cave_*"]
views = [{ picture = "cave_cloth", band_nm = 600 }]
"""


def test_a_file_makes_runs(tmp_path):
    (tmp_path / "study.toml").write_text(TOML)
    study = read_study(tmp_path / "study.toml")
    keys = [run.key for run in study.runs()]
    assert keys == [
        "gmsr--cave--seed0",
        "mst++--cave--seed0",
        "rootpoly--cave--seed0",
        "gmsr--simulated--seed0",
        "mst++--simulated--seed0",
        "rootpoly--simulated--seed0",
        "mst++--cave--seed3",
        "mst++--simulated--seed3",
    ]
    gmsr = study.run("gmsr--cave--seed0").config()
    assert gmsr.steps == 13  # 100 patches, 8 at a time
    assert gmsr.batch == 8
    assert gmsr.optimiser.learning_rate == 0.01
    assert gmsr.optimiser.weight_decay == 0
    assert gmsr.network_arguments == preset().network_arguments
    other = study.run("mst++--simulated--seed3").config()
    assert (other.seed, other.start_from, other.network_arguments) == (3, "photo", {})
    # Folders are meant from where the file lies.
    assert gmsr.dataset.folder == tmp_path / "data/cave"
    assert gmsr.dataset.validation_folder == tmp_path / "../more"
    assert study.datasets[1].evaluation.folder == tmp_path / "scenes"


def test_json_and_toml_say_the_same(tmp_path, values, study):
    (tmp_path / "study.json").write_text(json.dumps(values))
    assert read_study(tmp_path / "study.json") == study
    assert make_study(json.loads(study.model_dump_json())) == study


def test_a_camera_or_a_checkpoint_may_be_a_file_beside_it(tmp_path):
    (tmp_path / "d700.csv").write_text("")
    (tmp_path / "mine.safetensors").write_text("")
    models = [{"name": "gmsr", "checkpoint": name} for name in ("mine.safetensors", "photo")]
    models[1]["label"] = "shipped"
    datasets = [{"name": "harvard", "folder": "h", "camera": "d700.csv"}]
    (tmp_path / "s.json").write_text(json.dumps({"models": models, "datasets": datasets}))
    study = read_study(tmp_path / "s.json")
    assert study.datasets[0].camera == str(tmp_path / "d700.csv")
    assert [m.checkpoint for m in study.models] == [str(tmp_path / "mine.safetensors"), "photo"]


def test_runs_never_share_a_folder(values):
    values = copy.deepcopy(values)
    values["models"] = [{"name": "wiener", "label": label} for label in ("a", "a--b")]
    values["datasets"] = [{**values["datasets"][0], "label": label} for label in ("b--c", "c")]
    with pytest.raises(InputError, match="would share the folder 'a--b--c--seed0'"):
        make_study(values)


def changed(values, path, value):
    values = copy.deepcopy(values)
    *tables, last = path
    table = values
    for key in tables:
        table = table[key]
    table[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["modles"], [], "no key 'modles'.* 'models'"),
        (["models", 0, "labl"], "x", "no key 'labl' in models.1.* 'label'"),
        (["datasets", 0, "foldr"], "x", "no key 'foldr' in datasets.1.* 'folder'"),
        (["datasets", 0, "views"], [{"pictur": "x"}], "no key 'pictur'.* 'picture'"),
        (["budget", "stpes"], 3, "no key 'stpes' in budget.* 'steps'"),
        (["models", 0, "name"], "gmrs", "no network of the name 'gmrs'.* 'gmsr'"),
        (["datasets", 0, "name"], "harverd", "no dataset of the name 'harverd'.* 'harvard'"),
        (["preset"], "papers", "no preset of the name 'papers'.* 'paper'"),
        (["reference"], "GMSRNet", "no model of the name 'GMSRNet'.* 'GMSR-Net'"),
        (["training", "bacth"], 3, "no training setting of the name 'bacth'.* 'batch'"),
        (["training", "device"], "cpu", "no training setting of the name 'device'"),
        (["training", "seed"], 3, "'seed' follows from models, datasets and seeds"),
        (["training", "steps"], 3, "'steps' is the budget's"),
        (["training", "batch"], 0, "batch"),
        (["budget", "epochs"], 3, "steps and epochs were given"),
        (["seeds"], [], "seeds"),
        (["seeds"], [1, 1], "a seed is given twice"),
        (["models"], [], "models"),
        (["models", 1, "label"], "gmsr-net", "two models are called 'gmsr-net'"),
        (["models", 2, "start_from"], "photo", "fitted, not trained"),
        (["models", 0, "checkpoint"], 3, "checkpoint"),
        (["datasets", 0, "folder"], None, "needs its folder"),
        (["datasets", 0, "name"], "simulated", "no test split"),
        (["mode"], "holes", "mode"),
    ],
)
def test_mistakes_name_the_nearest(values, path, value, says):
    with pytest.raises(InputError, match=says) as caught:
        make_study(changed(values, path, value), "mine.toml")
    assert caught.value.where == "mine.toml"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("s.toml", b"name = ", "no TOML"),
        ("s.json", b"{", "no JSON"),
        ("s.json", b"[1]", "no table"),
        ("s.toml", b"\xff", "cannot be read"),
        ("s.toml", b"", "models"),
    ],
)
def test_files_that_are_no_study(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_study(tmp_path / name)


def test_a_file_that_is_missing(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        read_study(tmp_path / "none.toml")
