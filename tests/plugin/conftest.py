"""Training runs for the window: folders as a training process writes them, without one."""

import time

import numpy as np
import platformdirs
import pytest

from napari_gmsr.training.config import preset
from napari_gmsr.training.events import (
    Epoch,
    Failed,
    Finished,
    Paused,
    Preview,
    Probe,
    Resumed,
    Started,
    Step,
    Validation,
)
from napari_gmsr.training.run_folder import RunFolder, default_root

NM = tuple(float(nm) for nm in range(400, 701, 10))


class ScriptedRun:
    """A run whose process is the test: it tells what the test says.

    To others it is at work as long as it has not ended, since the test's process lives.
    """

    def __init__(self, config, path=None):
        self.folder = RunFolder.create(path or default_root() / config.name, config)
        self.folder.previews_folder.mkdir()
        self.path = self.folder.path
        self.steps = config.steps or 100

    def tell(self, kind, step, **fields):
        self.folder.append(kind(time=time.time(), step=step, **fields))

    def start(self, notes=()):
        self.folder.write_status("running")
        self.tell(
            Started,
            0,
            name="scripted",
            dataset="simulated",
            network="gmsr",
            device="cpu",
            device_reason="no GPU",
            engine="reference",
            engine_reason="plain PyTorch",
            world=1,
            parameters=45_000,
            patches_per_epoch=0,
            total_steps=self.steps,
            notes=notes,
        )

    def step(self, step, loss=0.1, loader_share=0.0):
        self.folder.write_status("running", step, step / self.steps)
        self.tell(
            Step,
            step,
            done=step / self.steps,
            loss=loss,
            learning_rate=1e-3,
            patches_per_s=10.0,
            seconds=2.0 * step,
            loader_share=loader_share,
        )

    def epoch(self, step, epoch):
        self.tell(Epoch, step, epoch=epoch, loss=0.1)

    def validate(self, step, psnr=30.0, sam=4.0, best=True):
        metrics = {"psnr_db": psnr, "sam_deg": sam}
        self.tell(
            Validation,
            step,
            metrics={},
            mean={"paper": metrics, "standard": metrics},
            select="relative_rmse",
            value=0.1,
            best=best,
            seconds=1.0,
        )
        self.folder.best_file.write_bytes(b"")

    def preview(self, step, prediction=0.5, scene="wall", value=0.25):
        np.save(self.folder.previews_folder / "truth.npy", np.full((6, 8), 0.5, np.float32))
        file = f"previews/{step}.npy"
        np.save(self.path / file, np.full((6, 8), value, np.float32))
        self.tell(
            Preview,
            step,
            scene=scene,
            wavelengths_nm=NM,
            band_nm=550.0,
            file=file,
            truth_file="previews/truth.npy",
            probes=tuple(
                Probe(y, 3, (prediction,) * len(NM), (0.25 * y,) * len(NM)) for y in (1, 2)
            ),
        )

    def pause(self, step):
        self.folder.write_status("paused", step)
        self.tell(Paused, step)

    def resume(self, step):
        self.folder.write_status("running", step)
        self.tell(Resumed, step)

    def finish(self, step, reason="done"):
        self.tell(Finished, step, reason=reason, seconds=2.0 * step, best=0.1, best_step=step)
        self.folder.write_status(reason, step, step / self.steps)

    def fail(self, step, what="the loss is no number", log="what the process printed"):
        self.tell(Failed, step, error="GMSRError", what=what, where="step 3", fix="Ask.", log=log)
        self.folder.write_status("failed", step)


@pytest.fixture
def runs_home(tmp_path, monkeypatch):
    """A user's folder of runs, empty."""
    home = tmp_path / "home"
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: home)
    return default_root()


@pytest.fixture
def script(runs_home):
    """Make a scripted run of a name."""

    def make(name, **overrides):
        overrides = {"steps": 100} | overrides
        return ScriptedRun(preset("recommended", name=name, **overrides))

    return make
