"""What a run leaves behind as it goes: events, curves, previews, its best and its last state.

None of it ends a run: where the disk is full, what was written before stays, and a warning says so.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from napari_gmsr.errors import OutputError
from napari_gmsr.io import atomic_output
from napari_gmsr.training import events
from napari_gmsr.training.curves import Curves, open_curves
from napari_gmsr.training.run_folder import Request, RunFolder, State
from napari_gmsr.training.state import Position, write_state
from napari_gmsr.weights import ModelCard, save_checkpoint

if TYPE_CHECKING:
    from napari_gmsr.training.validation import Measured

__all__ = ["OnEvent", "Record"]

OnEvent = Callable[[events.Event], None]
_REQUESTS: tuple[Request, ...] = ("stop", "pause")


class Record:
    """Writes into the run's folder, and tells whoever listens.

    Parameters
    ----------
    folder
        Of the run.
    writes
        False in all but the first of several processes: then nothing here does anything.
    on_event
        Takes every event.
    """

    def __init__(self, folder: RunFolder, *, writes: bool, on_event: OnEvent | None = None) -> None:
        self.folder = folder
        self._writes = writes
        self._on_event = on_event
        self._curves: Curves | None = None
        self.goes_on = folder.events_file.exists()
        """Whether the run has told something before, perhaps without having saved its state."""

    def begin(self) -> None:
        """Forget requests that an earlier part of the run has acted on."""
        if self._writes:
            for old in _REQUESTS:
                self.folder.withdraw(old)
            self.folder.write_status("starting")

    def open_curves(self, step: int) -> str:
        """Begin TensorBoard's curves, or go on from a step; return why there are none."""
        if not self._writes:
            return ""
        self._curves, why = open_curves(self.folder.tensorboard_folder, step)
        return why

    def close(self) -> None:
        """Write what is still to be written."""
        if self._curves is not None:
            self._curves.close()

    def tell(self, kind: type[Any], step: int, **fields: Any) -> None:
        """Write an event, and hand it on."""
        if not self._writes:
            return
        event = kind(time=time.time(), step=step, **fields)
        with contextlib.suppress(OutputError):  # whoever listens here and now is told all the same
            self.folder.append(event)
        if self._curves is not None:
            self._curves.add(event)
        if self._on_event is not None:
            self._on_event(event)

    def status(self, state: State, step: int, done: float = 0.0) -> None:
        """Say how the run stands."""
        if self._writes:
            self.folder.write_status(state, step, done)

    def preview(self, found: Measured, step: int) -> None:
        """Keep a band of a validation picture, and spectra of some of its pixels."""
        folder = self.folder.previews_folder
        names = f"{step:08d}.npy", "truth.npy"
        try:
            folder.mkdir(exist_ok=True)
            for name, band in zip(names, found.bands, strict=True):
                with atomic_output(folder / name, overwrite=True) as temporary:
                    np.save(temporary, band.astype(np.float32))
        except (OSError, OutputError) as error:
            self._warn(f"the preview could not be written: {error}", folder, step)
            return
        self.tell(
            events.Preview,
            step,
            scene=found.truth.name,
            wavelengths_nm=tuple(found.truth.wavelengths_nm.tolist()),
            band_nm=found.band_nm,
            file=f"{folder.name}/{names[0]}",
            truth_file=f"{folder.name}/{names[1]}",
            probes=found.probes,
        )

    def keep_best(
        self, network: nn.Module, card: ModelCard, step: int, metrics: dict[str, Any]
    ) -> None:
        """Write the best checkpoint; where that fails, the one before stays."""
        if not self._writes:
            return
        card = card.model_copy(
            update={
                "training": {**card.training, "step": step},
                "metrics": {"validation": metrics} if metrics else {},
            }
        )
        try:
            save_checkpoint(network, card, self.folder.best_file, overwrite=True)
        except OutputError as error:
            what = f"the best checkpoint could not be written: {error.what}"
            self._warn(what, self.folder.best_file, step)
            return
        self.tell(events.Checkpoint, step, file=self.folder.best_file.name)

    def keep_last(
        self,
        position: Position,
        network: nn.Module,
        averaged: nn.Module,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        """Write the last state; where that fails, the one before stays."""
        if not self._writes:
            return
        try:
            write_state(self.folder.last_file, position, network, averaged, optimiser)
        except OutputError as error:
            what = f"the last state could not be written: {error.what}"
            self._warn(what, self.folder.last_file, position.step)
            return
        self.tell(events.Checkpoint, position.step, file=self.folder.last_file.name)

    def _warn(self, what: str, where: Path, step: int) -> None:
        self.tell(events.Warning_, step, what=what, where=str(where), fix="Free some space.")
