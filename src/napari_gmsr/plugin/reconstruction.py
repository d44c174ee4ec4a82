"""Reconstructions of a viewer: they outlive the dock widget, and end with the window."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from napari.utils import progress
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QObject, Signal  # type: ignore[attr-defined]

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
    ReconstructionRequest,
    Settings,
    start_preflight,
    start_reconstruction,
)
from napari_gmsr.plugin.inbox import Inbox
from napari_gmsr.plugin.layers import add_cube, cube_layers, is_comparable, layer_wavelengths
from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.share_texts import RunText

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["LastRun", "ReconstructionController"]

_POLL_MS = 40
_FIRST_BAND_NM = 550.0
"""Where the eye is most sensitive: a new cube is shown there."""

_SPREAD = " spread"

_Question: TypeAlias = tuple[tuple[int, int] | None, Settings]

_log = logging.getLogger("napari_gmsr")


class ReconstructionController(QObject):
    """Starts jobs and brings what they tell into the GUI thread.

    Parameters
    ----------
    viewer
        Gets the cubes.
    executor
        Does the work; the shared child process by default.
    parent
        The window: with it, its job ends.
    """

    started = Signal(object)
    """A run was started, of a :class:`.LayerPicture`."""
    progressed = Signal(object)
    """A run got on: a :class:`.Progress`."""
    ended = Signal(object)
    """A run ended: ``Finished`` (with the cube), ``Failed`` or ``Cancelled``."""
    answered = Signal(object, object)
    """A preflight of these settings came back: ``Finished`` (with a :class:`.Preflight`) or
    ``Failed``."""

    def __init__(
        self, viewer: Viewer, executor: Executor | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._executor = executor
        self._run: list[_Run] = []  # at most one
        self.last: LastRun | None = None
        """The last run that gave a cube."""
        self._asked: _Question | None = None
        self._ask_next: _Question | None = None
        self._inbox = Inbox(_POLL_MS, lambda: self.running or self._asked is not None, self)
        self.destroyed.connect(partial(_abandon, self._run))
        # A closed window is destroyed only when Python collects it, which may be long after.
        self._closing = False
        if parent is not None:
            parent.installEventFilter(self)

    @property
    def running(self) -> bool:
        """Whether a reconstruction is under way."""
        return bool(self._run)

    @property
    def picture(self) -> LayerPicture | None:
        """The picture of the run under way."""
        return self._run[0].picture if self._run else None

    def start(self, picture: LayerPicture, settings: Settings, float_encoding: Encoding) -> None:
        """Start a reconstruction; while one runs, do nothing but say so.

        Parameters
        ----------
        picture
            From :func:`.picture_of_layer`.
        settings
            How.
        float_encoding
            What the floats of a float layer mean.
        """
        if self.running:
            show_info("A reconstruction is running: wait for it, or cancel it.")
            return
        request = ReconstructionRequest(partial(picture.read, float_encoding), settings)
        bar = progress(total=0, desc=f"Reconstructing {picture.name}")
        job = start_reconstruction(request, self._inbox.address(self._on_event), self._executor)
        self._run.append(_Run(picture, settings, float_encoding, job, bar))
        self.started.emit(picture)

    def cancel(self) -> None:
        """Ask the run under way to stop."""
        for run in self._run:
            run.job.cancel()

    def ask(self, shape: tuple[int, int] | None, settings: Settings) -> None:
        """Ask what a run would do and take; :attr:`answered` tells.

        While an earlier question is open or a run under way, only the newest question is kept.
        """
        if self._asked or self.running:
            self._ask_next = (shape, settings)
            return
        self._asked, self._ask_next = (shape, settings), None
        start_preflight(shape, settings, self._inbox.address(self._on_answer), self._executor)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """End the run once the window has accepted to be closed: it is hidden then."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Close:
            self._closing = True
        elif kind == QEvent.Type.Show:
            self._closing = False
        elif kind == QEvent.Type.Hide and self._closing:
            _abandon(self._run)
        return super().eventFilter(watched, event)

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
            self._end(event)

    def _end(self, event: Finished | Failed | Cancelled) -> None:
        run = self._run.pop()
        run.bar.close()
        if isinstance(event, Finished):
            provenance = event.result.provenance
            self.last = LastRun(run.picture, run.settings, run.float_encoding, provenance)
            self._add(event.result, run.picture)
        elif isinstance(event, Failed):
            if event.log:
                _log.error("%s\n%s", event.error, event.log)
            show_error(str(event.error))
        self.ended.emit(event)
        self._ask_again()

    def _on_answer(self, event: Event) -> None:
        if isinstance(event, Finished | Failed | Cancelled):
            assert self._asked is not None
            (_, settings), self._asked = self._asked, None
            self.answered.emit(settings, event)
            self._ask_again()

    def _ask_again(self) -> None:
        if self._ask_next is not None:
            self.ask(*self._ask_next)

    def _add(self, cube: SpectralCube, picture: LayerPicture) -> None:
        if cube.spread is not None:
            spread = SpectralCube(
                cube.spread, cube.wavelengths_nm, cube.name + _SPREAD, cube.provenance
            )
            layer = self._add_layer(spread, picture)
            layer.visible = False
            layer.colormap = "magma"
        layer = self._add_layer(cube, picture)
        self._share_contrast(layer, picture)
        self._viewer.layers.selection.active = layer
        band_axis = self._viewer.dims.ndim - 3
        band = int(np.argmin(np.abs(layer_wavelengths(layer) - _FIRST_BAND_NM)))
        self._viewer.dims.set_point(band_axis, layer.translate[0] + band * layer.scale[0])

    def _add_layer(self, cube: SpectralCube, picture: LayerPicture) -> Image:
        layer = add_cube(self._viewer, cube)
        layer.scale = np.array([layer.scale[0], *picture.scale])
        layer.translate = np.array([layer.translate[0], *picture.translate])
        return layer

    def _share_contrast(self, layer: Image, picture: LayerPicture) -> None:
        """Show a cube under the limits of its picture's other cubes, so that the eye can compare.

        The lowest layer of them counts: that is the truth, where there is one.
        """
        for other in cube_layers(self._viewer.layers):
            of_picture = other.name.startswith(picture.name) and not other.name.endswith(_SPREAD)
            if other is not layer and of_picture and is_comparable(layer, other):
                layer.contrast_limits = other.contrast_limits
                return


@dataclass(frozen=True)
class LastRun:
    """A run that gave a cube.

    Parameters
    ----------
    picture, settings, float_encoding
        What it was started with.
    provenance
        The cube's.
    """

    picture: LayerPicture
    settings: Settings
    float_encoding: Encoding
    provenance: Mapping[str, Any]

    def text(self, file: Path, encoding: Encoding | None) -> RunText:
        """Write it down as :class:`.RunText`, for the file that holds the picture."""
        return RunText.of_run(file, encoding, self.settings, self.provenance)


@dataclass(frozen=True)
class _Run:
    picture: LayerPicture
    settings: Settings
    float_encoding: Encoding
    job: Job
    bar: progress
    """In napari's activity dock; the GUI thread's alone."""


def _abandon(run: list[_Run], *_: Any) -> None:
    """End what runs when the window goes."""
    for one in run:
        one.job.cancel()
        one.bar.close()
    run.clear()
