"""A run's curves for TensorBoard, beside its events."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from napari_gmsr.training.events import Epoch, Event, Step, Validation

__all__ = ["Curves", "open_curves"]

_FLUSH_S = 10
_NOT_INSTALLED = (
    "There are no curves for TensorBoard: it is not installed (pip install 'napari-gmsr[train]')."
)


class Curves:
    """Writes the numbers of events; where that fails, it gives up and the run goes on.

    Parameters
    ----------
    writer
        A ``torch.utils.tensorboard.SummaryWriter``.
    """

    def __init__(self, writer: Any) -> None:
        self._writer: Any = writer

    def add(self, event: Event) -> None:
        """Write what an event has of numbers."""
        if self._writer is None:
            return
        try:
            for name, value in _numbers(event).items():
                self._writer.add_scalar(name, value, event.step, walltime=event.time)
        except OSError:
            self._give_up()

    def close(self) -> None:
        """Write what is still to be written."""
        if self._writer is not None:
            self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):  # the curves are a copy: the events have it all
            self._writer.close()
        self._writer = None


def open_curves(folder: Path, step: int) -> tuple[Curves | None, str]:
    """Open a run's curves.

    Parameters
    ----------
    folder
        Where TensorBoard's files lie.
    step
        From which the run goes on: what stands there of later ones is void.

    Returns
    -------
    Curves or None
        None where TensorBoard is not installed, or the folder cannot be written to.
    str
        Why there are none.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None, _NOT_INSTALLED
    try:
        writer = SummaryWriter(folder, purge_step=step + 1, flush_secs=_FLUSH_S)
    except OSError as error:
        return None, f"There are no curves for TensorBoard: {error.strerror or error}."
    return Curves(writer), ""


def _numbers(event: Event) -> dict[str, float]:
    match event:
        case Step():
            names = ("loss", "learning_rate", "patches_per_s", "loader_share")
            return {f"train/{name}": getattr(event, name) for name in names}
        case Epoch():
            return {"train/epoch_loss": event.loss}
        case Validation():
            return {
                f"validation_{name}/{key}": value
                for name, metrics in event.mean.items()
                for key, value in metrics.items()
            } | {f"validation/{event.select}": event.value}
        case _:
            return {}
