"""The training loop: one configuration in, a run folder out."""

from __future__ import annotations

import copy
import math
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_gmsr.color import rendering_matrix
from napari_gmsr.datasets import prefetch
from napari_gmsr.errors import GMSRError, InputError, OutOfMemoryError, OutputError
from napari_gmsr.networks import CapturedStep, create
from napari_gmsr.reconstruct.devices import exact_float32
from napari_gmsr.scan import choose_engine
from napari_gmsr.training import events
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.data import Picture, training_patches, validation_pictures
from napari_gmsr.training.losses import weighted_loss
from napari_gmsr.training.processes import Processes
from napari_gmsr.training.run_folder import Request, RunFolder, new_run_path
from napari_gmsr.training.schedule import learning_rate, make_optimiser, set_learning_rate
from napari_gmsr.training.state import Position, read_state, write_state
from napari_gmsr.training.validation import lower_is_better, measure
from napari_gmsr.weights import Model, ModelCard, TrainingData, load_model, save_checkpoint

if TYPE_CHECKING:
    from napari_gmsr.datasets import PatchSource

__all__ = ["TrainingRun", "train"]

OnEvent = Callable[[events.Event], None]
_REPORT_S = 0.2
_PAUSE_S = 0.2
_AHEAD = 4
_REQUESTS: tuple[Request, ...] = ("stop", "pause")


@dataclass(frozen=True)
class TrainingRun:
    """A run that has ended.

    Parameters
    ----------
    folder
        The run's folder.
    config
        What it did.
    reason
        ``"done"`` or ``"stopped"``.
    best, best_step
        The best value of what is selected by, and after how many steps; NaN and 0 where nothing was
        validated.
    """

    folder: Path
    config: TrainingConfig
    reason: str
    best: float
    best_step: int

    def events(self) -> Iterator[events.Event]:
        """Yield what the run has told, from its beginning."""
        return RunFolder(self.folder).events()

    def model(self) -> Model:
        """Return the best checkpoint."""
        return load_model(RunFolder(self.folder).best_file)


def train(
    config: TrainingConfig,
    *,
    run: str | Path | None = None,
    resume: bool = False,
    on_event: OnEvent | None = None,
) -> TrainingRun:
    """Train a network here and now; under ``torchrun``, together with the other processes.

    A batch depends on the configuration's seed, the step and the process alone, so that a resumed
    run ends bit for bit where an unbroken one ends, on the same kind of device and with as
    many processes. A length in minutes is the exception: how many steps they hold is not known.

    Parameters
    ----------
    config
        What to do.
    run
        The run's folder; by default a new one among the user's runs.
    resume
        Go on from the folder's last state.
    on_event
        Takes every event, which are also written to the folder. Of several processes, only the
        first one's is called.

    Returns
    -------
    TrainingRun
        How it ended, done or stopped.

    Raises
    ------
    GMSRError
        Where the data, the configuration or the folder cannot be used, or the loss is no number any
        more. Best and last checkpoint stay.
    """
    processes = Processes(config.device, config.precision)
    folder = RunFolder(Path(run) if run is not None else new_run_path(config))
    if not processes.is_first:
        _Training(config, folder, processes, None).run(resume)
        return TrainingRun(folder.path, config, "done", math.nan, 0)
    _claim(folder, config, resume)
    with folder.locked():
        training = _Training(config, folder, processes, on_event)
        try:
            return training.run(resume)
        except BaseException as error:
            known = _as_known(error)
            training.tell(
                events.Failed,
                error=type(known).__name__,
                what=known.what,
                where=known.where,
                fix=known.fix,
            )
            folder.write_status("failed", training.at.step)
            if known is error:
                raise
            raise known from error


def _claim(folder: RunFolder, config: TrainingConfig, resume: bool) -> None:
    """See that the folder is a new run's, or the one that this configuration began."""
    if not resume and not folder.config_file.exists():
        RunFolder.create(folder.path, config)
        return
    opened = RunFolder.open(folder.path)
    if opened.config() != config:
        raise InputError(
            "the run began with another configuration",
            where=folder.path,
            fix="Resume it with its own config.json, or start a new run.",
        )
    if not resume and opened.last_file.exists():
        raise OutputError(
            "the folder holds a run", where=folder.path, fix="Resume it, or choose another folder."
        )


def _as_known(error: BaseException) -> GMSRError:
    if isinstance(error, GMSRError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemoryError(
            "the memory does not hold a training step", fix="Use a smaller batch or patch."
        )
    return GMSRError(
        f"training was broken off ({type(error).__name__}: {error})",
        fix="Resume the run; if it fails again, please report it with the log.",
    )


class _Training:
    """What a run is made of while it runs."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: RunFolder,
        processes: Processes,
        on_event: OnEvent | None,
    ) -> None:
        self.config = config
        self.folder = folder
        self.processes = processes
        self.on_event = on_event
        self.at = Position(world=processes.world)
        self.losses: list[Tensor] = []
        self.pictures: list[Picture] = []
        self.saved = self.reported = time.monotonic()

    def tell(self, kind: type[Any], **fields: Any) -> None:
        """Write an event, and hand it on; a full disk does not end the run."""
        if not self.processes.is_first:
            return
        event = kind(time=time.time(), step=self.at.step, **fields)
        try:
            self.folder.append(event)
        except OutputError:
            if kind is events.Failed:
                raise
        if self.on_event is not None:
            self.on_event(event)

    def run(self, resume: bool) -> TrainingRun:
        """Train to the end."""
        config, device = self.config, self.processes.device
        torch.manual_seed(config.seed)
        if self.processes.is_first:
            for old in _REQUESTS:  # requests that an earlier part of the run has acted on
                self.folder.withdraw(old)
            self.folder.write_status("starting")
        self._make_network()
        source = training_patches(config, device)
        pictures, note = (
            validation_pictures(config, source) if self.processes.is_first else ([], "")
        )
        self.pictures = pictures
        self.source = source
        if resume and self.folder.last_file.exists():
            self.at = read_state(self.folder.last_file, self.network, self.averaged, self.optimiser)
            if self.at.world != self.processes.world:
                raise InputError(
                    f"the run began with {self.at.world} processes, now there are "
                    f"{self.processes.world}",
                    where=self.folder.path,
                    fix="Resume it with as many.",
                )
        total = self._total_steps(source)
        self._tell_start(source, total, note)
        matrix = None
        if config.loss.back_projection:
            light = source.illuminant if source.illuminant not in {"", "none", "unknown"} else None
            response = rendering_matrix(source.camera, light)
            matrix = torch.from_numpy(response).to(device, torch.float32)
        clip = self.processes.average_gradients(self.optimiser, config.clip_norm)
        step = CapturedStep(
            self.network,
            self.optimiser,
            weighted_loss(config.loss, matrix),
            clip,
            capture=self.processes.world == 1 and config.precision == "32",
        )
        rank, world = self.processes.rank, self.processes.world
        with (
            exact_float32(),
            prefetch(source, self.at.step, rank=rank, world=world, depth=_AHEAD) as batches,
        ):
            reason = self._loop(step, batches, total)
        self._save()
        if self.processes.is_first and not self.folder.best_file.exists():
            self._keep_best({})
        value = self._value(self.at.best)
        self.tell(
            events.Finished,
            reason=reason,
            seconds=self.at.seconds,
            best=value,
            best_step=self.at.best_step,
        )
        if self.processes.is_first:
            done = self._done(total)
            self.folder.write_status("done" if reason == "done" else "stopped", self.at.step, done)
        return TrainingRun(self.folder.path, config, reason, value, self.at.best_step)

    def _make_network(self) -> None:
        config = self.config
        if config.start_from is None:
            self.name, self.arguments = config.network, dict(config.network_arguments)
            network = create(self.name, **self.arguments)
        else:
            start = load_model(config.start_from)
            self.name, self.arguments = start.card.network, dict(start.card.arguments)
            network = copy.deepcopy(start.network).requires_grad_(True)
        if not any(p.requires_grad for p in network.parameters()):
            raise InputError(
                "this network has nothing to train by steps",
                where=f"network {self.name!r}",
                fix="Choose another, or fit it with its own method.",
            )
        self.network: nn.Module = network.to(self.processes.device).train()
        if hasattr(self.network, "engine"):
            self.network.engine = config.engine  # type: ignore[assignment]
        averages = config.ema is not None
        self.averaged = copy.deepcopy(self.network) if averages else self.network
        self.optimiser = make_optimiser(config, self.network)

    def _total_steps(self, source: PatchSource) -> int:
        """Return the number of steps; 0 where the length is a time."""
        if self.config.steps is not None:
            return self.config.steps
        if self.config.epochs is None:
            return 0
        if not source.patches_per_epoch:
            raise InputError(
                "simulated scenes have no epochs: they are endless",
                where="training configuration: epochs",
                fix="Give steps or minutes.",
            )
        patches = self.config.epochs * source.patches_per_epoch
        return max(1, math.ceil(patches / (self.config.batch * self.processes.world)))

    def _tell_start(self, source: PatchSource, total: int, note: str) -> None:
        engine, why = "none", "the network has no scan"
        if hasattr(self.network, "engine"):
            chosen = choose_engine(self.processes.device, self.config.engine, gradients=True)
            engine, why = chosen.name, chosen.reason
        if self.at.step:
            self.tell(events.Resumed)
        self.tell(
            events.Started,
            name=self.config.title,
            dataset=self.config.dataset.name,
            network=self.name,
            device=str(self.processes.device),
            device_reason=self.processes.device_reason,
            engine=engine,
            engine_reason=why,
            world=self.processes.world,
            parameters=sum(p.numel() for p in self.network.parameters()),
            patches_per_epoch=source.patches_per_epoch,
            total_steps=total,
            notes=(note,) if note else (),
        )

    def _done(self, total: int) -> float:
        if total:
            return min(1.0, self.at.step / total)
        assert self.config.minutes is not None
        return min(1.0, self.at.seconds / (60 * self.config.minutes))

    def _loop(self, step: CapturedStep, batches: Any, total: int) -> str:
        """Take steps until the run is over or a stop is asked for; return which it was."""
        config, shares = self.config, self.processes
        began, before = time.monotonic(), self.at.seconds
        paused = waited = 0.0
        patches = 0
        done = shares.share([self._done(total)])[0]
        while done < 1:
            rgb, cube = next(batches)
            # Drop-path draws from the global generator: from one place in a resumed run too.
            torch.manual_seed((config.seed << 32) + (self.at.step << 8) + shares.rank)
            set_learning_rate(self.optimiser, learning_rate(config, done))
            with shares.fabric.autocast():
                self.losses.append(step(rgb, cube))
            patches += len(rgb) * shares.world
            last, now = done, time.monotonic()
            seconds = before + now - began - paused
            self.at = replace(self.at, step=self.at.step + 1, seconds=seconds)
            self._average()
            asked = self.folder.requested("stop"), self.folder.requested("pause")
            done, stop, pause = shares.share([self._done(total), *map(float, asked)])
            if now - self.reported >= _REPORT_S or done >= 1 or stop:
                elapsed = max(now - self.reported, 1e-9)
                self._report(done, patches / elapsed, (batches.waited_s - waited) / elapsed)
                self.reported, patches, waited = now, 0, batches.waited_s
            if int(done / config.validate_every) > int(last / config.validate_every) or done >= 1:
                self._validate(done)
            if now - self.saved >= config.checkpoint_every_s:
                self._save()
            if stop:
                return "stopped" if done < 1 else "done"
            if pause:
                paused += self._wait()
        return "done"

    def _average(self) -> None:
        if self.config.ema is None:
            return
        # Young averages follow quickly, so that the random start is soon forgotten.
        keep = min(self.config.ema, (1 + self.at.step) / (10 + self.at.step))
        with torch.no_grad():
            means: list[Tensor] = list(self.averaged.parameters())
            values: list[Tensor] = list(self.network.parameters())
            torch._foreach_lerp_(means, values, 1 - keep)
            for mean, value in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
                mean.copy_(value)

    def _report(self, done: float, patches_per_s: float, loader_share: float) -> None:
        """Look at the losses since the last time, which waits for the device."""
        mean = float(torch.stack(self.losses).mean())
        mean = float(np.mean(self.processes.gather(mean)))
        if not math.isfinite(mean):
            first = next(i for i, loss in enumerate(self.losses) if not math.isfinite(float(loss)))
            step = self.at.step - len(self.losses) + first + 1
            raise InputError(
                f"the loss is no number any more at step {step}",
                where=self.folder.path,
                fix="The best checkpoint is kept. Lower the learning rate, or look for NaN in the "
                "data with train --check.",
            )
        self.losses.clear()
        self.tell(
            events.Step,
            done=done,
            loss=mean,
            learning_rate=learning_rate(self.config, done),
            patches_per_s=patches_per_s,
            seconds=self.at.seconds,
            loader_share=min(1.0, loader_share),
        )
        if self.processes.is_first:
            self.folder.write_status("running", self.at.step, done)

    def _value(self, key: float) -> float:
        """Return the metric of its sorting key, which is lower where it is better."""
        if not math.isfinite(key):
            return math.nan
        return key if lower_is_better(self.config.select) else -key

    def _validate(self, done: float) -> None:
        if not self.processes.is_first or not self.pictures:
            return
        began = time.monotonic()
        found = measure(
            self.averaged,
            self.pictures,
            self.config.select,
            self.config.probes,
            self.processes.device,
        )
        key = found.value if lower_is_better(self.config.select) else -found.value
        best = key < self.at.best
        if best:
            self.at = replace(self.at, best=key, best_step=self.at.step)
        self.tell(
            events.Validation,
            metrics=found.metrics,
            mean=found.mean,
            select=self.config.select,
            value=found.value,
            best=best,
            seconds=time.monotonic() - began,
        )
        self._preview(found)
        if best:
            self._keep_best({"select": self.config.select, "value": found.value, **found.mean})

    def _preview(self, found: Any) -> None:
        folder = self.folder.previews_folder
        names = f"{self.at.step:08d}.npy", "truth.npy"
        try:
            folder.mkdir(exist_ok=True)
            for name, band in zip(names, found.bands, strict=True):
                np.save(folder / name, band.astype(np.float32))
        except OSError as error:
            self._warn(f"the preview could not be written: {error.strerror}", folder)
            return
        self.tell(
            events.Preview,
            scene=found.truth.name,
            wavelengths_nm=tuple(found.truth.wavelengths_nm.tolist()),
            band_nm=found.band_nm,
            file=f"{folder.name}/{names[0]}",
            truth_file=f"{folder.name}/{names[1]}",
            probes=found.probes,
        )

    def _keep_best(self, metrics: dict[str, Any]) -> None:
        source, cuda = self.source, self.processes.device.type == "cuda"
        card = ModelCard(
            name=self.config.title,
            summary=f"Trained on {self.config.dataset.name}.",
            network=self.name,
            arguments=self.arguments,
            wavelengths_nm=tuple(source.wavelengths_nm.tolist()),
            encoding=source.encoding,
            camera=source.camera if source.camera != "unknown" else "",
            illuminant="" if source.illuminant in {"none", "unknown"} else source.illuminant,
            training_data=tuple(
                TrainingData(name=name, licence=licence, use="training")
                for name, licence in source.licences
            ),
            training={
                "config": self.config.model_dump(mode="json", exclude={"dataset": {"folder"}}),
                "step": self.at.step,
                "device": torch.cuda.get_device_name() if cuda else platform.machine(),
                "versions": {n: version(n) for n in ("napari-gmsr", "torch", "lightning-fabric")},
            },
            metrics={"validation": metrics} if metrics else {},
            seed=self.config.seed,
        )
        try:
            save_checkpoint(self.averaged, card, self.folder.best_file, overwrite=True)
        except OutputError as error:
            self._warn(f"the best checkpoint could not be written: {error.what}", error.where)
            return
        self.tell(events.Checkpoint, file=self.folder.best_file.name)

    def _save(self) -> None:
        """Write the last state; where that fails, the one before stays and the run goes on."""
        self.saved = time.monotonic()
        if not self.processes.is_first:
            return
        try:
            write_state(self.folder.last_file, self.at, self.network, self.averaged, self.optimiser)
        except OutputError as error:
            self._warn(f"the last state could not be written: {error.what}", error.where)
            return
        self.tell(events.Checkpoint, file=self.folder.last_file.name)

    def _warn(self, what: str, where: object) -> None:
        self.tell(events.Warning_, what=what, where=str(where), fix="Free some space.")

    def _wait(self) -> float:
        """Wait while a pause is asked for; return the seconds."""
        began = time.monotonic()
        self._save()
        self.tell(events.Paused)
        waiting = 1.0
        while waiting:
            if self.processes.is_first:
                self.folder.write_status("paused", self.at.step)
            time.sleep(_PAUSE_S)
            waits = self.folder.requested("pause") and not self.folder.requested("stop")
            waiting = self.processes.share([float(waits)])[0]
        self.tell(events.Resumed)
        return time.monotonic() - began
