"""A run from its configuration to its checkpoints: the same bits, stopped, paused, fine-tuned."""

import threading
import time
from pathlib import Path

import pytest
import torch
from small_runs import assert_same_state, on_pairs, small
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import napari_gmsr as ng
from napari_gmsr.training import RunFolder, train
from napari_gmsr.training import events as ev


def curves(run: Path) -> dict[str, dict[int, float]]:
    """Return TensorBoard's curves, value by step."""
    found = EventAccumulator(str(RunFolder(run).tensorboard_folder)).Reload()
    return {n: {e.step: e.value for e in found.Scalars(n)} for n in found.Tags()["scalars"]}


def test_a_run_learns_tells_and_keeps(unbroken: Path) -> None:
    told = list(RunFolder(unbroken).events())
    assert isinstance(told[0], ev.Started)
    assert told[0].engine == "reference"
    assert isinstance(told[-1], ev.Finished)
    assert told[-1].reason == "done"
    assert [e.step for e in told if isinstance(e, ev.Step)] == [*range(1, 9)]
    validations = [e for e in told if isinstance(e, ev.Validation)]
    assert [e.step for e in validations] == [4, 8]
    assert validations[-1].value < validations[0].value
    preview = next(e for e in told if isinstance(e, ev.Preview))
    assert (unbroken / preview.file).exists()
    assert len(preview.probes[0].truth) == 31
    model = ng.load_model(RunFolder(unbroken).best_file)
    assert model.card.metrics["validation"]["value"] == pytest.approx(told[-1].best)
    assert ng.reconstruct(torch.rand(5, 7, 3).numpy(), model, device="cpu").data.shape == (31, 5, 7)


def test_tensorboard_shows_what_the_events_tell(unbroken: Path) -> None:
    told, found = list(RunFolder(unbroken).events()), curves(unbroken)
    steps = [e for e in told if isinstance(e, ev.Step)]
    losses = {e.step: pytest.approx(e.loss) for e in steps}
    assert found["train/loss"] == losses
    last = next(e for e in reversed(told) if isinstance(e, ev.Validation))
    assert found["validation_paper/psnr_db"][8] == pytest.approx(last.mean["paper"]["psnr_db"])
    assert found["validation_standard/sam_deg"].keys() == {4, 8}


def test_without_tensorboard_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    run = train(small(steps=1), run=tmp_path / "run")
    started = next(e for e in run.events() if isinstance(e, ev.Started))
    assert any("TensorBoard" in note for note in started.notes)
    assert not RunFolder(run.folder).tensorboard_folder.exists()


def test_the_same_configuration_gives_the_same_bits(unbroken: Path, tmp_path: Path) -> None:
    train(small(), run=tmp_path / "again")
    assert_same_state(unbroken, tmp_path / "again")


def test_stopped_and_resumed_ends_where_an_unbroken_run_ends(
    unbroken: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stopped"

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Step) and event.step == 3:
            RunFolder(path).request("stop")

    first = train(small(), run=path, on_event=stop)
    assert first.reason == "stopped"
    assert RunFolder(path).best_file.exists()
    second = train(small(), run=path, resume=True)
    assert second.reason == "done"
    assert_same_state(unbroken, path)
    assert curves(path)["train/loss"].keys() == {*range(1, 9)}


def test_broken_off_before_anything_was_saved_it_begins_anew(
    unbroken: Path, tmp_path: Path
) -> None:
    def break_off(event: ev.Event) -> None:
        if event.step == 3:
            raise KeyboardInterrupt

    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(small(), run=folder.path, on_event=break_off)
    assert not folder.last_file.exists()
    time.sleep(1.1)  # TensorBoard orders its files by the second
    train(small(), run=folder.path, resume=True)
    assert_same_state(unbroken, folder.path)
    void = [e.step for e in folder.events() if isinstance(e, ev.Resumed)]
    assert void == [0]  # steps that were told before count no more
    assert curves(folder.path)["train/loss"].keys() == {*range(1, 9)}


def test_a_paused_run_goes_on_and_its_time_does_not_count(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    began = time.monotonic()

    def pause(event: ev.Event) -> None:
        if isinstance(event, ev.Step) and event.step == 2:
            folder.request("pause")
        if isinstance(event, ev.Paused):
            threading.Timer(0.5, folder.withdraw, ["pause"]).start()

    run = train(small(steps=3), run=folder.path, on_event=pause)
    told = list(run.events())
    kinds = [type(e) for e in told]
    assert kinds.index(ev.Paused) < kinds.index(ev.Resumed)
    assert isinstance(told[-1], ev.Finished)
    assert told[-1].seconds < time.monotonic() - began - 0.5


def test_minutes_are_a_length(tmp_path: Path) -> None:
    run = train(small(minutes=0.02), run=tmp_path / "run")
    *_, last_step = [e for e in run.events() if isinstance(e, ev.Step)]
    assert run.reason == "done"
    assert last_step.done == 1
    assert last_step.seconds >= 1.2


def test_epochs_are_told(pairs: Path, tmp_path: Path) -> None:
    # 9 places a picture of 32 pixels, two pictures, two patches a step: 9 steps an epoch
    config = on_pairs(pairs, epochs=2, order="grid", stride=8, validate_every=1.0)
    told = list(train(config, run=tmp_path / "run").events())
    epochs = [e for e in told if isinstance(e, ev.Epoch)]
    assert [(e.epoch, e.step) for e in epochs] == [(1, 9), (2, 18)]
    losses = [e.loss for e in told if isinstance(e, ev.Step)]
    assert epochs[1].loss == pytest.approx(sum(losses[9:]) / 9)


def test_fine_tuning_starts_from_the_checkpoint(unbroken: Path, tmp_path: Path) -> None:
    start = RunFolder(unbroken).best_file
    config = small(start_from=str(start), steps=1, optimiser={"learning_rate": 1e-9}, warm_up=0)
    model = train(config, run=tmp_path / "run").model()
    begun = ng.load_model(start)
    for name, tensor in begun.network.state_dict().items():
        torch.testing.assert_close(model.network.state_dict()[name], tensor, atol=1e-6, rtol=0)
    sources = [(data.name, data.licence) for data in model.card.training_data]
    assert set(sources) >= {(data.name, data.licence) for data in begun.card.training_data}
