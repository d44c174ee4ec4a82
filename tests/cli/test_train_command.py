"""`napari-gmsr train`: settings, the dataset's check, a run, its end by Ctrl+C."""

import json

import pytest

from napari_gmsr.cli.training_settings import configuration, enter, without_none
from napari_gmsr.datasets import list_datasets
from napari_gmsr.errors import InputError
from napari_gmsr.training.config import preset


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


def test_a_table_is_entered_only_into_a_table():
    given = {"seed": 3}
    with pytest.raises(InputError, match="seed"):
        enter(given, "seed.a=1")


def test_a_file_of_settings_with_a_mistake(refused, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(preset().model_dump_json()), "batch": 0}))
    assert "batch" in refused("train", "--config", file)
