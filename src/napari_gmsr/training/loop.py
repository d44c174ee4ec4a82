"""The training loop: steps, what is told of them, validations, pauses."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from napari_gmsr.color import rendering_matrix
from napari_gmsr.datasets import prefetch
from napari_gmsr.errors import InputError
from napari_gmsr.networks import CapturedStep, create
from napari_gmsr.reconstruct.devices import exact_float32
from napari_gmsr.scan import choose_engine
from napari_gmsr.training import events
from napari_gmsr.training.card import run_card
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.data import Picture, training_patches, validation_pictures
from napari_gmsr.training.losses import weighted_loss
from napari_gmsr.training.processes import Processes
from napari_gmsr.training.record import Record
from napari_gmsr.training.schedule import learning_rate, make_optimiser, set_learning_rate
from napari_gmsr.training.state import Position, read_state
from napari_gmsr.training.validation import lower_is_better, measure
from napari_gmsr.weights import ModelCard, load_model

if TYPE_CHECKING:
    from napari_gmsr.datasets.prefetch import Prefetch

__all__ = ["Training"]

_REPORT_S = 0.2
_PAUSE_S = 0.2
_AHEAD = 4


class Training:
    """What a run is made of while it runs.

    Parameters
    ----------
    config
        What to do.
    processes
        Those that train together.
    record
        Takes what is told and kept.
    """

    def __init__(self, config: TrainingConfig, processes: Processes, record: Record) -> None:
        self.config = config
        self.processes = processes
        self.record = record
        self.folder = record.folder
        self.at = Position(world=processes.world)
        self.losses: list[Tensor] = []
        self.epoch_losses: list[float] = []
        self.saved = self.reported = time.monotonic()

    def tell(self, kind: type[Any], **fields: Any) -> None:
        """Tell an event of the step at which the run stands."""
        self.record.tell(kind, self.at.step, **fields)

    def run(self, resume: bool) -> tuple[Literal["done", "stopped"], float, int]:
        """Train to the end.

        Returns
        -------
        reason
            ``"done"`` or ``"stopped"``.
        best, best_step
            The best value of what is selected by, and after how many steps.
        """
        config, shares = self.config, self.processes
        torch.manual_seed(config.seed)
        self.record.begin()
        start = self._make_network()
        with shares.first_goes_first():  # what it caches, the others find
            self.source = source = training_patches(config, shares.device)
        self.card = run_card(
            config,
            self.name,
            self.arguments,
            source,
            shares.device,
            world=shares.world,
            start=start,
        )
        self.pictures, note = validation_pictures(config, source) if shares.is_first else ([], "")
        if resume and self.folder.last_file.exists():
            self._read_last()
        self.total = self._total_steps()
        self._tell_start(note, self.record.open_curves(self.at.step))
        step = CapturedStep(
            self.network,
            self.optimiser,
            weighted_loss(config.loss, self._rendering()),
            shares.average_gradients(self.optimiser, config.clip_norm),
            capture=shares.world == 1,
        )
        rank, world = shares.rank, shares.world
        with (
            exact_float32(),
            prefetch(source, self.at.step, rank=rank, world=world, depth=_AHEAD) as batches,
        ):
            reason = self._loop(step, batches)
        self._save()
        if not self.folder.best_file.exists():
            self.record.keep_best(self.averaged, self.card, self.at.step, {})
        best = self._value(self.at.best)
        self.tell(
            events.Finished,
            reason=reason,
            seconds=self.at.seconds,
            best=best,
            best_step=self.at.best_step,
        )
        self.record.status(reason, self.at.step, self._done())
        return reason, best, self.at.best_step

    def _make_network(self) -> ModelCard | None:
        """Make network, average and optimiser; return the card of what is fine-tuned."""
        config, start = self.config, None
        if config.start_from is None:
            self.name, self.arguments = config.network, dict(config.network_arguments)
            network = create(self.name, **self.arguments)
        else:
            begun = load_model(config.start_from)
            start = begun.card
            self.name, self.arguments = start.network, dict(start.arguments)
            network = copy.deepcopy(begun.network).requires_grad_(True)
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
        return start

    def _read_last(self) -> None:
        self.at = read_state(self.folder.last_file, self.network, self.averaged, self.optimiser)
        if self.at.world != self.processes.world:
            raise InputError(
                f"the run began with {self.at.world} processes, now there are "
                f"{self.processes.world}",
                where=self.folder.path,
                fix="Resume it with as many.",
            )

    def _rendering(self) -> Tensor | None:
        """Return what makes linear RGB of spectra, where the loss compares that."""
        if not self.config.loss.back_projection:
            return None
        if not self.card.camera:
            raise InputError(
                "the loss compares back-projections, and the camera of the pictures is not known",
                where="training configuration: loss.back_projection",
                fix="Name the dataset's camera (dataset.camera), or leave this loss out.",
            )
        matrix = rendering_matrix(self.card.camera, self.card.illuminant or None)
        return torch.from_numpy(matrix).to(self.processes.device, torch.float32)

    def _total_steps(self) -> int:
        """Return the number of steps; 0 where the length is a time."""
        if self.config.steps is not None:
            return self.config.steps
        if self.config.epochs is None:
            return 0
        if not self.source.patches_per_epoch:
            raise InputError(
                "simulated scenes have no epochs: they are endless",
                where="training configuration: epochs",
                fix="Give steps or minutes.",
            )
        return max(1, math.ceil(self.config.epochs * self.source.patches_per_epoch / self._wide))

    @property
    def _wide(self) -> int:
        """Patches a step, of all processes."""
        return self.config.batch * self.processes.world

    def _tell_start(self, *notes: str) -> None:
        engine, why = "none", "the network has no scan"
        if hasattr(self.network, "engine"):
            chosen = choose_engine(self.processes.device, self.config.engine, gradients=True)
            engine, why = chosen.name, chosen.reason
        if self.record.goes_on:
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
            patches_per_epoch=self.source.patches_per_epoch,
            total_steps=self.total,
            notes=tuple(filter(None, notes)),
        )

    def _done(self) -> float:
        if self.total:
            return min(1.0, self.at.step / self.total)
        assert self.config.minutes is not None
        return min(1.0, self.at.seconds / (60 * self.config.minutes))

    def _loop(self, step: CapturedStep, batches: Prefetch) -> Literal["done", "stopped"]:
        """Take steps until the run is over or a stop is asked for; return which it was."""
        config, shares = self.config, self.processes
        began, before = time.monotonic(), self.at.seconds
        paused = waited = 0.0
        patches = 0
        (done,) = shares.share([self._done()])
        while done < 1:
            rgb, cube = next(batches)
            # Drop-path draws from the global generator: from one place in a resumed run too.
            torch.manual_seed((config.seed << 32) + (self.at.step << 8) + shares.rank)
            set_learning_rate(self.optimiser, learning_rate(config, done))
            self.losses.append(step(rgb, cube))
            patches += len(rgb) * shares.world
            last, now = done, time.monotonic()
            seconds = before + now - began - paused
            self.at = replace(self.at, step=self.at.step + 1, seconds=seconds)
            self._average()
            asked = self.folder.requested("stop"), self.folder.requested("pause")
            late = now - self.reported >= _REPORT_S
            done, stop, pause, report = shares.share([self._done(), *map(float, (*asked, late))])
            if report or done >= 1 or stop:
                elapsed = max(now - self.reported, 1e-9)
                self._report(done, patches / elapsed, (batches.waited_s - waited) / elapsed)
                self.reported, patches, waited = now, 0, batches.waited_s
            if _validations(config, done) > _validations(config, last) or done >= 1:
                self._validate()
            if now - self.saved >= config.checkpoint_every_s:
                self._save()
            if stop:
                return "stopped" if done < 1 else "done"
            if pause:
                paused += self._wait(done)
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
        losses = torch.stack(self.losses).tolist()
        losses = [
            sum(each) / len(each) for each in zip(*self.processes.gather(losses), strict=True)
        ]
        step = self.at.step - len(losses)
        for loss in losses:
            step += 1
            if not math.isfinite(loss):
                raise InputError(
                    f"the loss is no number any more at step {step}",
                    where=self.folder.path,
                    fix="The best checkpoint is kept. Lower the learning rate, or look for NaN in "
                    "the data with train --check.",
                )
        self.losses.clear()
        self.tell(
            events.Step,
            done=done,
            loss=sum(losses) / len(losses),
            learning_rate=learning_rate(self.config, done),
            patches_per_s=patches_per_s,
            seconds=self.at.seconds,
            loader_share=min(1.0, loader_share),
        )
        self._tell_epochs(losses)
        self.record.status("running", self.at.step, done)

    def _tell_epochs(self, losses: list[float]) -> None:
        """Tell of an epoch that is over; of several short ones, of the last."""
        each = self.source.patches_per_epoch
        if not each:
            return
        self.epoch_losses += losses
        over = self.at.step * self._wide // each
        if over > (self.at.step - len(losses)) * self._wide // each:
            loss = sum(self.epoch_losses) / len(self.epoch_losses)
            self.epoch_losses.clear()
            self.tell(events.Epoch, epoch=over, loss=loss)

    def _value(self, key: float) -> float:
        """Return the metric of its sorting key, which is lower where it is better."""
        if not math.isfinite(key):
            return math.nan
        return key if lower_is_better(self.config.select) else -key

    def _validate(self) -> None:
        """Measure the validation pictures; the other processes wait for the first."""
        if self.pictures:
            self._measure(self.pictures)
        self.processes.share([0.0])

    def _measure(self, pictures: Sequence[Picture]) -> None:
        select, began = self.config.select, time.monotonic()
        found = measure(self.averaged, pictures, select, self.config.probes, self.processes.device)
        key = found.value if lower_is_better(select) else -found.value
        best = key < self.at.best
        if best:
            self.at = replace(self.at, best=key, best_step=self.at.step)
        self.tell(
            events.Validation,
            metrics=found.metrics,
            mean=found.mean,
            select=select,
            value=found.value,
            best=best,
            seconds=time.monotonic() - began,
        )
        self.record.preview(found, self.at.step)
        if best:
            metrics = {"select": select, "value": found.value, **found.mean}
            self.record.keep_best(self.averaged, self.card, self.at.step, metrics)

    def _save(self) -> None:
        self.saved = time.monotonic()
        self.record.keep_last(self.at, self.network, self.averaged, self.optimiser)

    def _wait(self, done: float) -> float:
        """Wait while a pause is asked for; return the seconds."""
        began = time.monotonic()
        self._save()
        self.tell(events.Paused)
        waiting = 1.0
        while waiting:
            self.record.status("paused", self.at.step, done)
            time.sleep(_PAUSE_S)
            waits = self.folder.requested("pause") and not self.folder.requested("stop")
            (waiting,) = self.processes.share([float(waits)])
        self.tell(events.Resumed)
        return time.monotonic() - began


def _validations(config: TrainingConfig, done: float) -> int:
    """Return how many validations belong to a fraction of the run."""
    return int(done / config.validate_every + 1e-9)
