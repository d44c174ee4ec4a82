"""A study from its file to its results: whole, broken off, failing, twice at once."""

import _thread
import copy
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from napari_gmsr import evaluate, load_model, read_cube, read_rgb, reconstruct
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import DatasetError, GMSRError, InputError, OutputError
from napari_gmsr.networks import create
from napari_gmsr.study import (
    StudyFolder,
    make_study,
    perform_here,
    perform_in_child,
    read_findings,
    run_study,
)
from napari_gmsr.study.events import RunBegan, RunFailed, RunStopped, RunTraining, StudyBegan
from napari_gmsr.study.worker import teller
from napari_gmsr.training import RunFolder
from napari_gmsr.training.events import Checkpoint, Step
from napari_gmsr.weights import ModelCard, save_checkpoint


def run(study, folder, **more):
    return run_study(study, folder, devices=("cpu",), **{"perform": perform_here, **more})


def interrupter(told):
    """Gather events; press Ctrl+C, once, while the first run is training."""
    pressed = []

    def gather(event):
        told.append(event)
        if not pressed and isinstance(event, RunTraining) and isinstance(event.event, Step):
            pressed.append(event)
            _thread.interrupt_main()

    return gather


@pytest.fixture(scope="module")
def finished(values, tmp_path_factory):
    """The whole study, done."""
    folder = tmp_path_factory.mktemp("studies") / "whole"
    summary = run(make_study(values), folder)
    assert len(summary.done) == 4
    assert summary.failed == summary.missing == ()
    return folder


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_every_model_has_its_numbers_for_every_test_picture(finished, values):
    found = {(line["key"], line["picture"]) for line in lines(finished)}
    keys = [run.key for run in make_study(values).runs()]
    assert found == {(key, picture) for key in keys for picture in "de"}


def test_numbers_are_those_of_evaluate(finished, pairs):
    for line in lines(finished):
        model = load_model(finished / "runs" / line["key"] / "best.safetensors")
        assert model.sha256 == line["checkpoint_sha256"]
        picture = read_rgb(pairs / f"{line['picture']}.png")
        cube = reconstruct(picture, model, device="cpu")
        expected = evaluate(cube, read_cube(pairs / f"{line['picture']}.npz")).to_dict()
        for family in ("paper", "standard"):
            wanted = {k: v for k, v in expected[family].items() if k != "bands"}
            assert line[family] == pytest.approx(wanted)


def test_each_run_is_an_ordinary_training_run(finished):
    place = RunFolder.open(finished / "runs" / "gmsr-net--toys--seed1")
    assert place.config().seed == 1
    assert place.status().state == "done"


def test_cubes_for_the_figures_are_of_the_first_seed(finished, pairs):
    place = finished / "cubes" / "toys" / "d"
    assert np.array_equal(read_cube(place / "truth.npz").data, read_cube(pairs / "d.npz").data)
    kept = read_cube(place / "models" / "gmsr-net.npz")
    model = load_model(finished / "runs" / "gmsr-net--toys--seed0" / "best.safetensors")
    again = reconstruct(read_rgb(pairs / "d.png"), model, device="cpu")
    assert np.array_equal(kept.data, again.data)


def test_what_is_done_is_not_done_again(finished, values, tmp_path):
    shutil.copytree(finished, tmp_path / "more")
    values = copy.deepcopy(values)
    values["models"].append({"name": "rootpoly"})
    told = []
    summary = run(make_study(values), tmp_path / "more", on_event=told.append)
    assert [e.key for e in told if isinstance(e, RunBegan)] == ["rootpoly--toys--seed0"]
    assert next(e for e in told if isinstance(e, StudyBegan)).done == 4
    assert len(summary.done) == 5


def test_other_pictures_are_measured_without_training_again(finished, values, tmp_path):
    shutil.copytree(finished, tmp_path / "other")
    values = copy.deepcopy(values)
    values["datasets"][0]["scenes"] = ["e"]
    told = []
    run(make_study(values), tmp_path / "other", on_event=told.append)
    assert not [e for e in told if isinstance(e, RunTraining)]
    assert {line["picture"] for line in lines(tmp_path / "other")} == {"e"}


def test_a_baseline_is_fitted_again_to_other_patches(finished, values, tmp_path):
    shutil.copytree(finished, tmp_path / "other")
    values = {**values, "models": values["models"][2:]}
    values["training"] = {**values["training"], "patch": 8}
    told = []
    run(make_study(values), tmp_path / "other", on_event=told.append)
    assert [e.key for e in told if isinstance(e, RunBegan)] == ["wiener--toys--seed0"]


def test_interrupted_and_taken_up_it_ends_where_an_unbroken_one_ends(values, tmp_path):
    folder = tmp_path / "broken"

    values = {**values, "models": [values["models"][0], {"name": "wiener"}], "seeds": [0]}
    long = make_study({**values, "budget": {"steps": 300}})
    told = []
    with pytest.raises(KeyboardInterrupt):
        run(long, folder, on_event=interrupter(told))
    assert isinstance(told[-1], RunStopped)
    assert not (folder / "outcomes").exists()
    place = RunFolder.open(folder / "runs" / "gmsr-net--toys--seed0")
    assert 0 < place.status().step < 300
    # Wherever it began, it goes on where it is asked to.
    config = json.loads(place.config_file.read_text())
    place.config_file.write_text(json.dumps({**config, "device": "cuda:7"}))
    # With fewer steps it is another run: that is refused, and nothing is run.
    with pytest.raises(InputError, match="other settings"):
        run(make_study(values), folder)
    told.clear()
    summary = run(long, folder, on_event=told.append)
    first = next(event for event in told if isinstance(event, RunBegan))
    assert first.resumed
    assert len(summary.done) == 2
    run(long, tmp_path / "whole")
    ours, theirs = (
        load_file(each / "runs" / "gmsr-net--toys--seed0" / "last.safetensors")
        for each in (folder, tmp_path / "whole")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.fixture
def broken_weights(tmp_path):
    """A checkpoint of NaN."""
    network = create("wiener")
    network.coefficients.fill_(torch.nan)
    nm = tuple(WAVELENGTHS_NM.tolist())
    card = ModelCard(name="nan", network="wiener", wavelengths_nm=nm, encoding="linear")
    return save_checkpoint(network, card, tmp_path / "nan.safetensors")


def test_a_run_that_fails_is_marked_and_the_others_go_on(values, tmp_path, broken_weights):
    values = copy.deepcopy(values)
    gmsr = create("gmsr", widths=[31], branch="none")
    torch.nn.init.constant_(next(gmsr.parameters()), torch.nan)
    card = load_model(broken_weights).card.model_copy(
        update={"network": "gmsr", "arguments": {"widths": [31], "branch": "none"}}
    )
    start = save_checkpoint(gmsr, card, tmp_path / "start.safetensors")
    values["models"] = [
        {"name": "gmsr", "label": "large patches", "arguments": {"widths": [31]}},
        {"name": "gmsr", "label": "diverges", "start_from": str(start), "seeds": [0]},
        {"name": "wiener", "label": "damaged", "checkpoint": str(broken_weights)},
        {"name": "wiener"},
    ]
    values["models"][0]["training"] = {"patch": 64}
    values["models"][1]["training"] = {"validate_every": 1.0}
    values["seeds"] = [0]
    told = []
    summary = run(make_study(values), tmp_path / "out", on_event=told.append)
    assert summary.done == ("wiener--toys--seed0",)
    failed = {e.key: str(e.failure) for e in told if isinstance(e, RunFailed)}
    assert "smaller than the patch" in failed["large-patches--toys--seed0"]
    assert "no number" in failed["diverges--toys--seed0"]
    assert "NaN" in failed["damaged--toys--seed0"]
    marked = {line["key"]: line for line in lines(tmp_path / "out") if line["state"] == "failed"}
    assert marked.keys() == failed.keys()
    assert "no number" in marked["diverges--toys--seed0"]["failure"]["what"]
    # They are not tried again, unless that is asked for: then from anew with other settings.
    told.clear()
    run(make_study(values), tmp_path / "out", on_event=told.append)
    assert not [event for event in told if isinstance(event, RunBegan)]
    assert len(told[0].failed) == 3
    values["models"][0]["training"] = {}
    summary = run(make_study(values), tmp_path / "out", retry=True)
    assert "large-patches--toys--seed0" in summary.done
    assert len(summary.failed) == 2


def test_a_child_that_is_killed_is_marked_and_goes_on_when_asked(values, tmp_path):
    values = copy.deepcopy(values)
    values["models"] = values["models"][:1]
    values["seeds"] = [0]
    values["budget"] = {"steps": 100000}
    values["training"]["checkpoint_every_s"] = 0.0
    folder = tmp_path / "killed"
    key = "gmsr-net--toys--seed0"

    def kill(event):
        if isinstance(event, RunTraining) and isinstance(event.event, Checkpoint):
            os.kill(RunFolder(folder / "runs" / key).status().pid, signal.SIGKILL)

    summary = run(make_study(values), folder, perform=perform_in_child, on_event=kill)
    assert summary.failed == (key,)
    assert "SIGKILL" in lines(folder)[0]["failure"]["what"]
    told = []
    with pytest.raises(KeyboardInterrupt):
        run(
            make_study(values),
            folder,
            perform=perform_in_child,
            on_event=interrupter(told),
            retry=True,
        )
    assert next(event for event in told if isinstance(event, RunBegan)).resumed
    assert isinstance(told[-1], RunStopped)
    assert RunFolder(folder / "runs" / key).status().state == "stopped"


def test_a_listener_that_fails_leaves_no_child_behind(values, tmp_path):
    values = copy.deepcopy(values)
    values["models"], values["seeds"] = values["models"][:1], [0]
    values["budget"] = {"steps": 100000}
    children = []

    def fail(event):
        if isinstance(event, RunTraining):
            children.extend(psutil.Process().children())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(make_study(values), tmp_path / "left", perform=perform_in_child, on_event=fail)
    assert children
    assert not any("napari_gmsr.study.worker" in command for command in map(command_of, children))


def command_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_a_child_whose_study_has_died_is_not_stopped_by_what_it_tells():
    read, write = os.pipe()
    tell = teller(write)
    tell("picture", {"done": 1})
    assert json.loads(os.read(read, 100)) == {"picture": {"done": 1}}
    os.close(read)
    tell("picture", {"done": 2})
    os.close(write)


def test_two_studies_on_one_folder(study, tmp_path):
    place = StudyFolder.create(tmp_path / "one", study)
    with place.locked(), pytest.raises(InputError, match="another study is at work"):
        run(study, tmp_path / "one")
    assert not (tmp_path / "one" / "runs").exists()


def test_a_folder_with_other_things(study, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(OutputError, match="other things"):
        run(study, tmp_path)


@pytest.mark.parametrize(
    ("table", "changes", "says"),
    [
        ("models", {"arguments": {"width": [31]}}, "width"),
        ("models", {"checkpoint": "nobody"}, "nobody"),
        ("datasets", {"folder": "/nowhere/at/all"}, "nowhere"),
        ("datasets", {"scenes": ["x*"]}, "no scene is called 'x\\*'"),
        ("datasets", {"scenes": ["a"]}, "'a' is trained on"),
        ("datasets", {"views": [{"picture": "f"}]}, "'f', which is not evaluated on"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_runs(values, tmp_path, table, changes, says):
    values = copy.deepcopy(values)
    values[table][0].update(changes)
    with pytest.raises(GMSRError, match=says):
        run(make_study(values), tmp_path / "out")
    assert not (tmp_path / "out" / "runs").exists()


def test_an_unknown_device(study, tmp_path):
    for devices in (("cuda:97",), ("cpu", "cpu")):
        with pytest.raises(InputError, match="device"):
            run_study(study, tmp_path / "out", devices=devices)


def test_truth_of_other_bands_is_compared_where_both_have_them(values, pairs, tmp_path):
    """A model of 400 to 700 nm on truth of 420 to 720 nm."""
    (tmp_path / "red").mkdir()
    nm = np.arange(420.0, 721.0, 10.0)
    for name in "de":
        cube = read_cube(pairs / f"{name}.npz")
        SpectralCube(cube.data, nm).save(tmp_path / "red" / f"{name}.npz")
        shutil.copy(pairs / f"{name}.png", tmp_path / "red")
    values = copy.deepcopy(values)
    values["models"] = [{"name": "wiener"}]
    values["datasets"][0] |= {
        "evaluation": {"folder": str(tmp_path / "red")},
        "scenes": ["*"],
    }
    run(make_study(values), tmp_path / "out")
    for line in lines(tmp_path / "out"):
        assert (line["first_nm"], line["last_nm"], line["bands"]) == (420, 700, 29)
        assert "420 to 720 nm" in line["notes"][0]


def test_a_choice_on_test_pictures_is_told(values, pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "pairs")
    (tmp_path / "pairs" / "split.json").write_text(json.dumps({"train": ["a"], "test": ["d"]}))
    values = {**copy.deepcopy(values), "seeds": [0]}
    values["models"] = values["models"][:1]
    values["datasets"][0]["folder"] = str(tmp_path / "pairs")
    for every, told in ((0.5, True), (1.0, False)):
        values["training"]["validate_every"] = every
        run(make_study(values), tmp_path / str(every))
        notes = read_findings(tmp_path / str(every)).notes()
        assert any("chosen on the test pictures" in note for note in notes) == told


def test_tiles_are_told(values, tmp_path):
    values = copy.deepcopy(values)
    values["models"] = [{"name": "wiener"}]
    run(make_study({**values, "mode": "tiled"}), tmp_path / "out")
    for line in lines(tmp_path / "out"):
        assert line["mode"] == "tiled"
        assert "tiles of" in line["notes"][0]


def test_a_damaged_record_is_named(finished, study, tmp_path):
    shutil.copytree(finished, tmp_path / "x")
    file = StudyFolder(tmp_path / "x").outcome_file("wiener--toys--seed0")
    file.write_text("{")
    with pytest.raises(InputError, match="wiener"):
        run(study, tmp_path / "x")


def test_a_dataset_without_test_pictures(values, pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "pairs")
    (tmp_path / "pairs" / "split.json").write_text(json.dumps({"train": ["a", "b", "c", "d"]}))
    values = copy.deepcopy(values)
    values["datasets"][0]["folder"] = str(tmp_path / "pairs")
    with pytest.raises(DatasetError, match="no test pictures"):
        run(make_study(values), Path(tmp_path / "out"))
