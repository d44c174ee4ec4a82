"""A whole training on a small folder of pairs, from files to a model that reconstructs."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_runs import on_pairs, write_pairs

import napari_gmsr as ng
from napari_gmsr.training import DatasetSettings, RunFolder, card, preset
from napari_gmsr.training import events as ev


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> ng.TrainingRun:
    config = preset(
        dataset=DatasetSettings(
            name="pairs", folder=pairs, cache_folder=pairs.with_name("pairs cache")
        ),
        network_arguments={"widths": [31], "drop_path": 0.0},
        name="small",
        patch=16,
        batch=4,
        steps=40,
        seed=3,
        validate_every=0.25,
        probes=(("c", 2, 3), ("c", 20, 30)),
        device="cpu",
    )
    return ng.train(config, run=tmp_path_factory.mktemp("runs") / "pairs")


def test_it_learns(run: ng.TrainingRun) -> None:
    told = list(run.events())
    losses = [e.loss for e in told if isinstance(e, ev.Step)]
    assert np.mean(losses[-5:]) < 0.4 * np.mean(losses[:5])
    values = [e.value for e in told if isinstance(e, ev.Validation)]
    assert values[-1] < 0.95 * values[0]
    assert run.best == min(values)


def test_probes_are_the_pixels_that_were_chosen(run: ng.TrainingRun, pairs: Path) -> None:
    truth = ng.read_cube(pairs / "c.npz")
    previews = [e for e in run.events() if isinstance(e, ev.Preview)]
    assert [e.step for e in previews] == [10, 20, 30, 40]
    for event in previews:
        assert [(p.y, p.x) for p in event.probes] == [(2, 3), (20, 30)]
        for probe in event.probes:
            np.testing.assert_allclose(probe.truth, truth.data[:, probe.y, probe.x], atol=1e-4)
        assert np.load(run.folder / event.file).shape == truth.data.shape[1:]
    first, last = (
        np.mean([np.abs(np.subtract(p.prediction, p.truth)).mean() for p in e.probes])
        for e in (previews[0], previews[-1])
    )
    assert last < first


def test_the_best_checkpoint_reconstructs(run: ng.TrainingRun, pairs: Path) -> None:
    model = ng.load_model(RunFolder(run.folder).best_file)
    cube = ng.reconstruct(ng.read_rgb(pairs / "c.png"), model, device="cpu")
    found = ng.evaluate(cube, ng.read_cube(pairs / "c.npz"))
    validation = model.card.metrics["validation"]
    assert found.standard.rmse == pytest.approx(validation["standard"]["rmse"], rel=0.01)


def test_the_card_says_where_it_comes_from_and_what_it_is_not_for(run: ng.TrainingRun) -> None:
    found = run.model().card
    assert (found.name, found.seed, found.encoding, found.camera) == ("small", 3, "srgb", "")
    assert [(data.name, data.use) for data in found.training_data] == [("pairs", "training")]
    assert found.training_data[0].licence
    assert found.commit == card.source_version() != ""
    assert found.training["step"] == run.best_step
    assert found.training["config"]["batch"] == 4
    assert "folder" not in found.training["config"]["dataset"]
    assert found.metrics["validation"].keys() >= {"paper", "standard", "value", "select"}
    assert any("400 to 700" in sentence for sentence in found.not_for)


def test_the_version_is_said_where_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_git(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    assert card.source_version() == f"v{ng.__version__}"


def test_without_validation_pictures_the_last_weights_are_the_best(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", train="ab", validation="")
    run = ng.train(on_pairs(folder, steps=2), run=tmp_path / "run")
    started = next(e for e in run.events() if isinstance(e, ev.Started))
    assert any("no pictures to validate on" in note for note in started.notes)
    assert np.isnan(run.best)
    assert run.model().card.metrics == {}
    assert run.model().card.training["step"] == 2
