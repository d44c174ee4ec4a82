"""Models run one after the other on one picture; it outlives the dock widget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import (
    Cancelled,
    Event,
    Executor,
    Failed,
    Finished,
    Job,
    Progress,
    Settings,
    start_model_cost,
)
from napari_gmsr.plugin.inbox import Inbox
from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.reconstruction import ReconstructionController
from napari_gmsr.weights import ModelCard

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["CompareController", "ComparedModel", "compare_controller"]

_POLL_MS = 40


@dataclass(frozen=True)
class ComparedModel:
    """What is known of one model of a comparison.

    Parameters
    ----------
    model
        A name, or a checkpoint's path.
    state
        How it stands.
    layer
        Its cube's.
    parameters, macs, macs_paper
        As in `napari_gmsr.networks.NetworkCost`, for this picture.
    seconds
        From start to cube.
    message
        Why it failed.
    """

    model: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    layer: Image | None = None
    parameters: int | None = None
    macs: int | None = None
    macs_paper: int | None = None
    seconds: float | None = None
    message: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        return Path(self.model).name


class CompareController(QObject):
    """Runs models one after the other by the window's reconstructions, and goes on after an error.

    Parameters
    ----------
    viewer
        Gets the cubes.
    reconstruction
        Runs each model.
    executor
        Reads the checkpoints; the program's shared child process by default.
    parent
        The window: with it, the comparison ends.
    """

    changed = Signal()
    """What is known of a model has changed: see :attr:`results`."""
    ended = Signal()
    """The comparison has ended."""

    def __init__(
        self,
        viewer: Viewer,
        reconstruction: ReconstructionController,
        executor: Executor | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._reconstruction, self._executor = viewer, reconstruction, executor
        self._picture: LayerPicture | None = None
        self._settings = Settings()
        self._job: list[Job] = []  # at most one, that reads a checkpoint
        self._waiting: Callable[[], None] | None = None
        self._row = 0
        self._began = 0.0
        self._is_ours = self._cancelled = self._closing = False
        self.results: list[ComparedModel] = []
        self.share = 0.0
        """Of the model under way, what is done; 0 to 1."""
        self._inbox = Inbox(_POLL_MS, lambda: bool(self._job), self)
        reconstruction.progressed.connect(self._on_progress)
        reconstruction.ended.connect(self._on_ended)
        if parent is not None:
            parent.installEventFilter(self)

    @property
    def running(self) -> bool:
        """Whether a comparison is under way."""
        return self._picture is not None

    @property
    def done(self) -> int:
        """How many models have been dealt with."""
        return sum(result.state not in ("waiting", "running") for result in self.results)

    def start(self, picture: LayerPicture, models: Sequence[str], settings: Settings) -> None:
        """Start a comparison; while one runs, do nothing but say so.

        Parameters
        ----------
        picture
            From :func:`.picture_of_layer`.
        models
            Names, or paths of checkpoints.
        settings
            How to reconstruct, whatever the model.
        """
        if self.running:
            show_info("A comparison is running: wait for it, or cancel it.")
            return
        self._picture, self._settings, self._cancelled = picture, settings, False
        self.results = [ComparedModel(model) for model in models]
        self._go_on(0)

    def cancel(self) -> None:
        """End after the tile under way; the cubes that are there stay."""
        self._cancelled = True
        for job in self._job:
            job.cancel()
        if self._is_ours:
            self._reconstruction.cancel()
        if self._waiting is not None:
            self._waiting = None
            self._end_model(state="cancelled")

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """End once the window has accepted to be closed: it is hidden then."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Close:
            self._closing = True
        elif kind == QEvent.Type.Show:
            self._closing = False
        elif kind == QEvent.Type.Hide and self._closing and self.running:
            self.cancel()
        return super().eventFilter(watched, event)

    def _go_on(self, row: int) -> None:
        """Take up a model: read its checkpoint, which says what its pictures are."""
        picture = self._picture
        if picture is None:
            return
        if self._cancelled or row == len(self.results):
            self._finish()
            return
        self._row, self.share = row, 0.0
        self._set(state="running")
        address = self._inbox.address(self._on_cost)
        model = self.results[row].model
        self._job.append(start_model_cost(model, picture.shape, address, self._executor))

    def _on_cost(self, event: Event) -> None:
        if not isinstance(event, Finished | Failed | Cancelled):
            return
        self._job.clear()
        if isinstance(event, Failed):
            self._end_model(state="failed", message=self._told(event.error))
        elif self._cancelled or isinstance(event, Cancelled):
            self._end_model(state="cancelled")
        else:
            found = event.result
            self._set(**{key: found[key] for key in ("parameters", "macs", "macs_paper")})
            self._reconstruct(found["card"])

    def _reconstruct(self, card: ModelCard) -> None:
        picture = self._picture
        if picture is None:
            return
        if self._reconstruction.running:  # started by the user, in another widget
            self._waiting = partial(self._reconstruct, card)
            return
        settings = replace(self._settings, model=self.results[self._row].model)
        self._began, self._is_ours = time.monotonic(), True
        self._reconstruction.start(picture, settings, card.encoding)

    def _on_progress(self, at: Progress) -> None:
        if self._is_ours:
            self.share = at.done / at.total if at.total else 0.0
            self.changed.emit()

    def _on_ended(self, end: object) -> None:
        if not self._is_ours:
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                QTimer.singleShot(0, waiting)
            return
        self._is_ours = False
        if isinstance(end, Finished):
            layer = self._viewer.layers.selection.active
            seconds = time.monotonic() - self._began
            self._end_model(state="done", layer=layer, seconds=seconds)
        elif isinstance(end, Failed):
            self._end_model(state="failed", message=self._told(end.error))
        else:
            # Cancelled by any widget: the user wants it to stop.
            self._cancelled = True
            self._end_model(state="cancelled")

    def _told(self, error: GMSRError) -> str:
        """Return what is wrong and what to do; which checkpoint it is about stands beside."""
        if str(error.where) == self.results[self._row].model:
            return f"{error.what[:1].upper()}{error.what[1:]}. {error.fix}"
        return str(error)

    def _end_model(self, **changes: Any) -> None:
        self._set(**changes)
        # The window gets its turn between two models.
        QTimer.singleShot(0, partial(self._go_on, self._row + 1))

    def _set(self, **changes: Any) -> None:
        self.results[self._row] = replace(self.results[self._row], **changes)
        self.changed.emit()

    def _finish(self) -> None:
        self._picture = None
        self.results = [
            replace(result, state="cancelled") if result.state == "waiting" else result
            for result in self.results
        ]
        failed = sum(result.state == "failed" for result in self.results)
        if failed and not self._closing:
            show_warning(f"Compare: {failed} of {len(self.results)} models failed; see its table.")
        self.changed.emit()
        self.ended.emit()


def compare_controller(
    widget: QWidget, viewer: Viewer, executor: Executor | None
) -> CompareController:
    """Return the window's comparison, found again when the widget is opened again."""
    window = widget.window()
    parent = window if isinstance(window, QMainWindow) else widget
    # Typed as if there always were one.
    runs = parent.findChild(ReconstructionController) or ReconstructionController(
        viewer, executor, parent
    )
    return parent.findChild(CompareController) or CompareController(viewer, runs, executor, parent)
