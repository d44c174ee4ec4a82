"""Reconstructing a picture anew, to see how results differ; the job outlives the widget."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.utils import progress
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import Encoding
from napari_gmsr.jobs import (
    Cancelled,
    Event,
    Executor,
    Failed,
    Finished,
    Job,
    Progress,
    UncertaintyRequest,
    start_seams,
    start_uncertainty,
)
from napari_gmsr.plugin.inbox import Inbox
from napari_gmsr.plugin.layers import mark_as_spread
from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.trust_layers import add_cube_over, show_map

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["Seams", "Spread", "UncertaintyController"]

_POLL_MS = 40

_log = logging.getLogger("napari_gmsr")


@dataclass(frozen=True)
class Spread:
    """What came out of a run.

    Parameters
    ----------
    layer
        The mean cube's.
    cube
        It, with its spread as shown.
    members
        How many reconstructions.
    factor
        What the spread was multiplied by; 1 where it is as it was found.
    rms
        Root mean square of the spread over all values.
    """

    layer: Image
    cube: SpectralCube
    members: int
    factor: float
    rms: float


@dataclass(frozen=True)
class Seams:
    """How much tiles disagreed where they overlap.

    Parameters
    ----------
    rms, most
        Root mean square and largest value; 0 where one tile was enough.
    """

    rms: float
    most: float


@dataclass(frozen=True)
class _Run:
    finish: Callable[[Any], Spread | Seams]
    job: Job
    bar: progress


class UncertaintyController(QObject):
    """Starts the job, and brings what it tells into the GUI thread and the viewer.

    Parameters
    ----------
    viewer
        Gets the layers.
    executor
        Does the work; the shared child process by default.
    parent
        The window: with it, its job ends.
    """

    progressed = Signal(object)
    """A run got on: a :class:`.Progress`."""
    ended = Signal(object)
    """A run ended: a :class:`Spread`, :class:`Seams`, ``Failed`` or ``Cancelled``."""

    def __init__(
        self, viewer: Viewer, executor: Executor | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._executor = viewer, executor
        self._run: list[_Run] = []  # at most one
        self._inbox = Inbox(_POLL_MS, lambda: self.running, self)
        self.destroyed.connect(partial(_abandon, self._run))
        # A closed window is destroyed only when Python collects it, which may be long after.
        if parent is not None:
            parent.installEventFilter(self)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return bool(self._run)

    def start(
        self,
        picture: LayerPicture,
        float_encoding: Encoding,
        models: tuple[str, ...],
        *,
        turns: bool,
        widened: bool,
    ) -> None:
        """Start a run, unless one is under way.

        Parameters
        ----------
        picture
            From :func:`.picture_of_layer`.
        float_encoding
            What the floats of a float layer mean.
        models, turns
            As in :func:`napari_gmsr.trust.uncertainty`.
        widened
            Whether the spread is multiplied by what it was too narrow by on real scenes, where that
            was measured.
        """
        if self.running:
            return
        request = UncertaintyRequest(partial(picture.read, float_encoding), models, turns)
        bar = progress(total=0, desc=f"Spread of {picture.name}")
        job = start_uncertainty(request, self._inbox.address(self._on_event), self._executor)
        finish = partial(self._add, picture=picture, request=request, widened=widened)
        self._run.append(_Run(finish, job, bar))

    def start_seams(
        self, picture: LayerPicture, float_encoding: Encoding, model: str, over: Image
    ) -> None:
        """Start a run in tiles for the map of their seams, unless one is under way.

        Parameters
        ----------
        picture, float_encoding
            As in :meth:`start`.
        model
            A checkpoint.
        over
            The cube's layer that the map is to lie over.
        """
        if self.running:
            return
        bar = progress(total=0, desc=f"Seams of {picture.name}")
        rgb = partial(picture.read, float_encoding)
        job = start_seams(rgb, model, self._inbox.address(self._on_event), self._executor)
        self._run.append(_Run(partial(self._map, over=over), job, bar))

    def cancel(self) -> None:
        """Ask the run under way to stop."""
        for run in self._run:
            run.job.cancel()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """End the run once the window has accepted to be closed."""
        if event is not None and event.type() == QEvent.Type.Close:
            QTimer.singleShot(0, self._end_if_closed)
        return super().eventFilter(watched, event)

    def _end_if_closed(self) -> None:
        window = self.parent()
        if isinstance(window, QWidget) and not window.isVisible():
            _abandon(self._run)

    def _on_event(self, event: Event) -> None:
        if not self._run:  # the window was closed meanwhile
            return
        if isinstance(event, Progress):
            bar = self._run[0].bar
            if bar.total != event.total:
                bar.total = event.total
            bar.update(event.done - bar.n)
            self.progressed.emit(event)
        elif isinstance(event, Finished | Failed | Cancelled):
            run = self._run.pop()
            run.bar.close()
            if isinstance(event, Failed):
                if event.log:
                    _log.error("%s\n%s", event.error, event.log)
                show_error(str(event.error))
            self.ended.emit(run.finish(event.result) if isinstance(event, Finished) else event)

    def _map(self, values: npt.NDArray[np.float32], over: Image) -> Seams:
        overlapping = values[values > 0].astype(np.float64)
        if not overlapping.size:
            return Seams(0.0, 0.0)
        if over in self._viewer.layers:
            show_map(self._viewer, over, values, "tile seams")
        return Seams(float(np.sqrt(np.mean(overlapping**2))), float(overlapping.max()))

    def _add(
        self, cube: SpectralCube, picture: LayerPicture, request: UncertaintyRequest, widened: bool
    ) -> Spread:
        from napari_gmsr.trust import measured_factor, widen

        members = len(request.models) * (8 if request.turns else 1)
        factor = None
        if widened and request.turns and len(request.models) == 1:
            factor = measured_factor(request.models[0])
        if factor is not None:
            cube = widen(cube, factor)
        assert cube.spread is not None
        mean = replace(cube, name=f"{cube.name} mean of {members}", spread=None)
        layer = add_cube_over(self._viewer, mean, picture.scale, picture.translate)
        spread = add_cube_over(
            self._viewer,
            replace(mean, data=cube.spread, name=f"{layer.name} spread"),
            picture.scale,
            picture.translate,
        )
        spread.visible = False
        spread.colormap = "magma"
        mark_as_spread(spread, layer)
        # NumPy's mean of squares would hold up the window: a second for a measured scene.
        squares = np.einsum("byx,byx->yx", cube.spread, cube.spread) / len(cube.spread)
        show_map(self._viewer, layer, np.sqrt(squares), "spread map")
        self._viewer.layers.selection.active = layer
        return Spread(layer, cube, members, factor or 1.0, float(np.sqrt(squares.mean())))


def _abandon(run: list[_Run], *_: Any) -> None:
    """End what runs when the window goes."""
    for one in run:
        one.job.cancel()
        one.bar.close()
    run.clear()
