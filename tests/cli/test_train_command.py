"""`napari-gmsr train`: settings, the dataset's check, a run, its end by Ctrl+C."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributed import run as torchrun

from napari_gmsr.cli.training_settings import configuration, enter, without_none
from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import list_datasets
from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube
from napari_gmsr.training import RunFolder
from napari_gmsr.training.config import preset
from napari_gmsr.weights import load_model


def test_the_datasets_are_listed(command):
    code, out, _ = command("train", "--dataset", "help")
    assert code == 0
    for info in list_datasets():
        assert f"{info.name}: " in out
        assert info.layout in out
        assert info.licence in out


def test_options_change_a_preset():
    given = {"dataset": {"name": None}, "optimiser": {"learning_rate": 0.01}, "seed": 3}
    given = without_none({**given, "epochs": None})
    enter(given, "loss.sam=0.5")
    enter(given, "name=my run")
    config = configuration(None, "paper", given)
    paper = preset("paper")
    assert (config.seed, config.name, config.loss.sam) == (3, "my run", 0.5)
    assert config.optimiser.learning_rate == 0.01
    assert config.optimiser.name == paper.optimiser.name
    assert config.epochs == paper.epochs


def test_options_change_a_file(tmp_path):
    file = tmp_path / "config.json"
    begin = preset("paper", seed=5, network_arguments={"widths": [31]})
    file.write_text(begin.model_dump_json())
    assert configuration(file, None, {}) == begin
    config = configuration(file, None, {"minutes": 3, "loss": {"l1": 2}})
    assert (config.minutes, config.epochs, config.steps) == (3, None, None)
    assert (config.loss.l1, config.seed, config.preset) == (2, 5, "paper")
    assert config.network_arguments == {"widths": [31]}


def test_another_network_gets_no_arguments_of_gmsr():
    assert configuration(None, None, {"network": "mstpp"}).network_arguments == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--minutes", 1, "--steps", 3], "one of them"),
        (["--steps", 0], "steps"),
        (["--batch", "many"], "batch"),
        (["--set", "loss.sam"], "--set"),
        (["--set", "loss.l1.a=3"], "loss.l1"),
        (["--set", "nothing=3"], "nothing"),
        (["--set", "loss.l1=0"], "loss"),
        (["--data", "somewhere"], "--dataset"),
        (["--dataset", "cave"], "folder"),
        (["--resume", "nobody"], "nobody"),
        (["--resume", "nobody", "--seed", 3], "--resume"),
        (["--config", "no.json"], "no.json"),
        (["--config", "no.json", "--preset", "paper"], "--preset"),
        (["--preset", "mine"], "mine"),
        (["--check"], "no check"),
        (["--dataset", "cawe", "--data", ".", "--check"], "cave"),
        (["--dataset", "cave", "--data", "nowhere", "--check"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(refused, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused("train", *arguments)


def test_only_the_first_process_tells_a_mistake(command, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    code, out, err = command("train", "--steps", 0)
    assert code == 2
    assert out == ""
    assert err == ""


def test_what_the_pages_say_of_torchrun_is_understood(command):
    pages = (Path(__file__).parents[2] / "docs" / name for name in ("training.md", "cli.md"))
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    lines = [line.partition("#")[0] for line in lines if line.startswith("torchrun")]
    assert len(lines) == 3
    for line in lines:
        words = [word for word in shlex.split(line)[1:] if word != "..."]
        arguments = torchrun.parse_args(words).training_script_args
        code, out, _ = command(*arguments, "--dataset", "help")
        assert code == 0
        assert "cave: " in out


def test_a_table_is_entered_only_into_a_table():
    given = {"seed": 3}
    with pytest.raises(InputError, match="seed"):
        enter(given, "seed.a=1")


def test_a_file_of_settings_with_a_mistake(refused, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(preset().model_dump_json()), "batch": 0}))
    assert "batch" in refused("train", "--config", file)


@pytest.fixture
def pairs(tmp_path):
    """Four sound pairs of pictures and cubes."""
    rng = np.random.default_rng(1)
    (tmp_path / "pairs").mkdir()
    for name in "abcd":
        data = np.kron(rng.random((31, 4, 4)), np.ones((1, 8, 8))) * 0.8
        cube = SpectralCube(data.astype(np.float32))
        cube.save(tmp_path / "pairs" / f"{name}.npz")
        picture = np.round(render_rgb(cube, "srgb", encoding="srgb").data * 255)
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "pairs" / f"{name}.png")
    split = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
    (tmp_path / "pairs" / "split.json").write_text(json.dumps(split))
    return tmp_path / "pairs"


def test_a_sound_dataset(command, pairs):
    options = ["--dataset", "pairs", "--data", pairs, "--patch", 16, "--check"]
    code, out, _ = command("train", *options)
    assert code == 0
    assert "2 train, 1 validation, 1 test" in out
    report = json.loads(command("train", *options, "--json")[1])
    assert report["ok"]
    assert report["scenes"] == {"train": 2, "validation": 1, "test": 1}


def test_what_training_would_stumble_over(command, pairs):
    (pairs / "b.npz").write_bytes((pairs / "b.npz").read_bytes()[:200])
    options = ["--dataset", "pairs", "--data", pairs, "--patch", 16, "--check"]
    code, out, _ = command("train", *options)
    assert code == 2
    header, first, *_ = out.splitlines()[1:]
    assert header.split() == ["severity", "scene", "what", "fix"]
    assert first.split()[:2] == ["error", "b"]
    code, out, _ = command("train", *options, "--json")
    assert code == 2
    assert not json.loads(out)["ok"]


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    for more in ([], ["--check"]):
        said = refused("train", "--dataset", "cave", "--data", tmp_path / "empty", *more)
        assert "empty" in said


@pytest.fixture
def training(pairs, tmp_path, monkeypatch):
    """The options of a run of a second on the pairs; its folder is ``tmp_path / "run"``."""
    monkeypatch.setattr("napari_gmsr.training.loop._REPORT_S", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = {
        "network_arguments": '{"widths": [31]}',
        "dataset.cache_folder": tmp_path / "cache",
        "validate_every": 0.5,
        "checkpoint_every_s": 0,
    }
    options = ["--dataset", "pairs", "--data", pairs, "--patch", 16, "--batch", 2, "--steps", 4]
    options += ["--device", "cpu", "--run", tmp_path / "run"]
    for key, value in settings.items():
        options += ["--set", f"{key}={value}"]
    yield ["train", *options]
    torch.set_num_threads(threads)


def test_a_run_from_the_command_line(command, training, tmp_path):
    code, out, err = command(*training)
    assert code == 0
    assert out == f"{tmp_path / 'run'}\n"
    assert "done after 4 steps" in err
    assert load_model(tmp_path / "run" / "best.safetensors").card.arguments == {"widths": [31]}
    code, out, _ = command("train", "--resume", tmp_path / "run", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["event"] == "finished"


def keep_half(pairs):
    file = pairs / "b.npz"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def leave_a_band_out(pairs):
    whole = read_cube(pairs / "b.npz")
    (pairs / "b.npz").unlink()
    SpectralCube(whole.data[:30], whole.wavelengths_nm[:30]).save(pairs / "b.npz")


def put_nan_in(pairs):
    whole = read_cube(pairs / "b.npz")
    data = whole.data.copy()
    data[3, 4, 5] = np.nan
    np.savez(pairs / "b.npz", cube=data, wavelengths_nm=whole.wavelengths_nm)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (keep_half, "b.npz"),
        (leave_a_band_out, "30"),
        (put_nan_in, "NaN"),
        (lambda pairs: (pairs / "b.npz").unlink(), "b"),
        (lambda pairs: (pairs / "b.png").unlink(), "b"),
    ],
)
def test_data_that_cannot_be_used_is_one_line(refused, training, pairs, tmp_path, harm, says):
    harm(pairs)
    assert says in refused(*training)
    assert not (tmp_path / "run" / "last.safetensors").exists()


def test_a_patch_larger_than_the_pictures(refused, training):
    assert "32 x 32" in refused(*training, "--patch", 64)


def test_a_run_that_cannot_go_on_keeps_what_it_has(refused, command, training, tmp_path):
    command(*training)
    run = tmp_path / "run"
    kept = {file: (run / file).read_bytes() for file in ("best.safetensors", "last.safetensors")}
    assert "holds a run" in refused(*training)
    settings = json.loads((run / "config.json").read_text())
    changed = {**settings, "network_arguments": {"widths": [6, 31]}}
    (run / "config.json").write_text(json.dumps(changed))
    assert "architecture" in refused("train", "--resume", run)
    (run / "config.json").write_text(json.dumps(settings))
    with RunFolder(run).locked():
        assert "another job" in refused("train", "--resume", run)
    (run / "run.json").write_text('{"format": 5}')
    assert "format 5" in refused("train", "--resume", run)
    assert kept == {file: (run / file).read_bytes() for file in kept}


def test_a_loss_that_is_no_number_is_told_with_the_step(command, training, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_gmsr.training.loop.weighted_loss",
        lambda *_: lambda prediction, cube, rgb: prediction.mean() * torch.nan,
    )
    code, _, err = command(*training)
    assert code == 2
    assert "no number any more at step 1" in err.splitlines()[-1]
    assert "Traceback" not in err
