"""What a run cannot use or survive: each time a clear end, and nothing is lost."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import on_pairs, small, smooth_cube, write_pair, write_pairs

import napari_gmsr as ng
from napari_gmsr.errors import CheckpointError, DatasetError, GMSRError, InputError, OutputError
from napari_gmsr.training import RunFolder, loop, train
from napari_gmsr.training import events as ev


def refused(folder: Path, tmp_path: Path, **changes: Any) -> GMSRError:
    """Train on a folder of pairs and return how that ends."""
    run = tmp_path / "run"
    with pytest.raises((DatasetError, InputError)) as caught:
        train(on_pairs(folder, **changes), run=run)
    *_, last = RunFolder(run).events()
    assert isinstance(last, ev.Failed)
    assert (last.what, last.where) == (caught.value.what, caught.value.where)
    assert caught.value.fix
    return caught.value


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(tmp_path / "empty", tmp_path).where


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere" in refused(tmp_path / "nowhere", tmp_path).where


def test_a_half_downloaded_file(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    whole = (folder / "b.npz").read_bytes()
    (folder / "b.npz").write_bytes(whole[: len(whole) // 2])
    error = refused(folder, tmp_path)
    assert "b.npz" in str(error)
    (folder / "b.npz").write_bytes(whole)  # downloaded at last: the same folder goes on
    assert train(on_pairs(folder), run=tmp_path / "run").reason == "done"


def test_a_picture_without_its_cube(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    (folder / "b.npz").unlink()
    assert "b" in str(refused(folder, tmp_path))


def test_a_cube_without_its_picture(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    (folder / "b.png").unlink()
    assert "b" in str(refused(folder, tmp_path))


def test_cubes_of_31_and_30_bands(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    write_pair(folder, "b", smooth_cube(1)[:30])
    error = refused(folder, tmp_path)
    assert "31" in str(error)
    assert "30" in str(error)


def test_validation_cubes_of_other_bands(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    write_pair(folder, "c", smooth_cube(1)[:30])
    assert "30 bands" in str(refused(folder, tmp_path))


def test_a_network_of_other_bands(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_pair(folder, "a", smooth_cube(1)[:30])
    with pytest.raises(GMSRError, match=r"30|31"):
        train(on_pairs(folder), run=tmp_path / "run")


def test_back_projection_through_a_response_that_is_not_known(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="camera") as caught:
        train(on_pairs(pairs, loss={"back_projection": 1.0}), run=tmp_path / "run")
    assert "camera" in caught.value.fix
    named = on_pairs(pairs, loss={"back_projection": 1.0}, steps=1)
    named = named.model_copy(
        update={"dataset": named.dataset.model_copy(update={"camera": "srgb", "illuminant": "D65"})}
    )
    assert train(named, run=tmp_path / "named").reason == "done"


def test_a_picture_smaller_than_the_patch(pairs: Path, tmp_path: Path) -> None:
    error = refused(pairs, tmp_path, patch=64)
    assert "32 x 32" in error.what
    assert "64" in error.what


def test_nan_in_a_cube(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data")
    cube = smooth_cube(1)
    cube[3, 5, 7] = np.nan
    np.savez(folder / "b.npz", cube=cube, wavelengths_nm=np.linspace(400, 700, 31))
    error = refused(folder, tmp_path)
    assert "b" in error.where
    assert "NaN" in str(error) or "finite" in str(error)


def test_a_disk_that_fills_during_a_checkpoint(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a file's size are POSIX's")
    folder = RunFolder(tmp_path / "run")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept: dict[Path, bytes] = {}

    def fill(event: ev.Event) -> None:
        if isinstance(event, ev.Step) and event.step == 5:
            kept.update({f: f.read_bytes() for f in (folder.best_file, folder.last_file)})
            room = min(len(content) for content in kept.values()) // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))

    try:
        result = train(small(checkpoint_every_s=0.0), run=folder.path, on_event=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.reason == "done"
    warnings = [e for e in result.events() if isinstance(e, ev.Warning_)]
    assert "disk is full" in warnings[0].what
    assert {w.where for w in warnings} == {str(path) for path in kept}
    assert kept == {path: path.read_bytes() for path in kept}
    assert {p.name for p in folder.path.iterdir() if "partial" in p.name} == set()
    ng.load_model(folder.best_file)
    again = train(small(checkpoint_every_s=0.0), run=folder.path, resume=True)
    assert again.reason == "done"
    assert folder.last_file.read_bytes() != kept[folder.last_file]


def test_a_run_folder_of_another_version(unbroken: Path, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", small())
    (folder.path / "run.json").write_text('{"format": 9}')
    for resume in (False, True):
        with pytest.raises(InputError, match="format 9"):
            train(small(), run=folder.path, resume=resume)


def test_a_changed_architecture(unbroken: Path, tmp_path: Path) -> None:
    other = small(network_arguments={"widths": [8, 31], "drop_path": 0.1})
    folder = RunFolder.create(tmp_path / "run", other)
    folder.last_file.write_bytes(RunFolder(unbroken).last_file.read_bytes())
    with pytest.raises(CheckpointError, match="another architecture"):
        train(other, run=folder.path, resume=True)
    assert folder.last_file.read_bytes() == RunFolder(unbroken).last_file.read_bytes()


def test_another_configuration_does_not_resume(unbroken: Path) -> None:
    before = RunFolder(unbroken).last_file.read_bytes()
    with pytest.raises(InputError, match="another configuration"):
        train(small(seed=1), run=unbroken, resume=True)
    assert RunFolder(unbroken).last_file.read_bytes() == before


def test_a_damaged_state(unbroken: Path, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", small())
    folder.last_file.write_bytes(RunFolder(unbroken).last_file.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(small(), run=folder.path, resume=True)


def test_two_jobs_on_one_folder(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", small())
    script = (
        "import sys; from pathlib import Path\n"
        "from napari_gmsr.training.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked():\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(folder.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        assert folder.is_locked()
        with pytest.raises(InputError, match="another job"):
            train(small(), run=folder.path)
        assert not folder.last_file.exists()
        other.kill()
    assert not folder.is_locked()  # the lock died with its process


def test_a_finished_run_is_not_overwritten(unbroken: Path) -> None:
    with pytest.raises(OutputError, match="holds a run"):
        train(small(), run=unbroken)


def test_a_loss_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poisoned(loop.CapturedStep):
        def __call__(self, rgb: torch.Tensor, cube: torch.Tensor) -> torch.Tensor:
            loss = super().__call__(rgb, cube)
            state = next(iter(self.optimiser.state.values()))
            return loss * torch.nan if state["step"] > 5 else loss

    monkeypatch.setattr(loop, "CapturedStep", Poisoned)
    with pytest.raises(InputError, match="no number any more at step 6"):
        train(small(checkpoint_every_s=0.0), run=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    *_, last = folder.events()
    assert isinstance(last, ev.Failed)
    assert "step 6" in last.what
    for tensor in ng.load_model(folder.best_file).network.state_dict().values():
        assert tensor.isfinite().all()
    monkeypatch.undo()  # what made it so is gone: it goes on from the last sound state
    assert train(small(checkpoint_every_s=0.0), run=folder.path, resume=True).reason == "done"


def test_simulated_scenes_have_no_epochs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="endless"):
        train(small(epochs=2), run=tmp_path / "run")


def test_a_network_without_steps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to train"):
        train(small(network="rootpoly", network_arguments={}), run=tmp_path / "run")


def test_ctrl_c_stays_what_it_is(tmp_path: Path) -> None:
    def interrupt(event: ev.Event) -> None:
        if event.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(), run=tmp_path / "run", on_event=interrupt)
    *_, last = RunFolder(tmp_path / "run").events()
    assert isinstance(last, ev.Failed)
