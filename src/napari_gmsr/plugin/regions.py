"""The spectra of drawn regions: mean and spread in every cube, up to date with the drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels, Shapes
from napari.utils import notifications
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from superqt.utils import qthrottled

from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layers import layer_array, layer_size, layer_wavelengths
from napari_gmsr.plugin.region_masks import Grid, Mask, RegionMasks, region_masks
from napari_gmsr.plugin.spectrum import Curve, RegionSpectrum
from napari_gmsr.spectra import region_spectrum

if TYPE_CHECKING:
    from napari_gmsr.plugin.spectra_sources import Source, Sources
    from napari_gmsr.plugin.spectra_view import View

__all__ = ["MOST_REGIONS", "Regions"]

MOST_REGIONS = 24
"""Regions of one layer that are drawn: a segmentation may hold thousands."""
_FOLLOW_MS = 80
_NO_COLOR = "#808080"


class Regions(QObject):
    """The spectra of the regions of one Shapes or Labels layer.

    They are computed in a thread, and again whenever the regions, the cubes or the view change.

    Parameters
    ----------
    parent
        Qt's parent.
    """

    changed = Signal()
    """There are other spectra than before."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer: Shapes | Labels | None = None
        self._sources: Sources | None = None
        self._spectra: list[RegionSpectrum] = []
        self._left_out = 0
        self._worker = LatestWorker("summing up regions", self)
        self._worker.done.connect(self._on_done)
        self._worker.failed.connect(self._on_failed)
        self._ask_soon = qthrottled(self._ask, timeout=_FOLLOW_MS, parent=self)

    @property
    def spectra(self) -> list[RegionSpectrum]:
        """The spectra: region by region, and cube by cube."""
        return list(self._spectra)

    @property
    def left_out(self) -> int:
        """How many regions are too many to be drawn."""
        return self._left_out

    @property
    def busy(self) -> bool:
        """Whether spectra are being computed."""
        return self._worker.busy

    def follow(self, layer: Shapes | Labels | None, sources: Sources | None) -> None:
        """Sum up the regions of this layer in these cubes from now on."""
        if layer is not self._layer:
            self._connect(False)
            self._layer = layer
            self._connect(True)
        self._sources = sources
        if layer is None or sources is None:
            self._worker.forget()
            self._show([], 0)
        else:
            self._ask()

    def refresh(self, event: object = None) -> None:
        """Sum up again soon: the regions or the cubes' numbers have changed."""
        self._ask_soon()

    def _connect(self, on: bool) -> None:
        for signal in _signals(self._layer):
            if on:
                signal.connect(self.refresh)
            else:
                signal.disconnect(self.refresh)

    def _ask(self) -> None:
        if self._layer is None or self._sources is None:
            return
        wish = _Wish(
            self._layer,
            self._layer.name,
            region_masks(self._layer),
            [_Cube.of(source, self._sources) for source in self._sources],
            self._sources.view,
        )
        self._worker.ask(_sum_up, wish)

    def _on_done(self, result: tuple[_Wish, list[tuple[int, RegionSpectrum]], int]) -> None:
        wish, numbered, left_out = result
        if wish.layer is self._layer and self._sources is not None:
            color = _colors(wish.layer)
            spectra = [replace(spectrum, color=color(number)) for number, spectrum in numbered]
            self._show(spectra, left_out)

    def _on_failed(self, error: Exception) -> None:
        self._show([], 0)
        notifications.show_error(str(error))

    def _show(self, spectra: list[RegionSpectrum], left_out: int) -> None:
        if spectra or self._spectra or left_out != self._left_out:
            self._spectra, self._left_out = spectra, left_out
            self.changed.emit()


@dataclass(frozen=True)
class _Cube:
    """What is needed of a cube, so that its layer is not touched in a thread."""

    name: str
    array: Any
    truth: Any
    planes_nm: npt.NDArray[np.float64]
    source: Source
    grid: Grid
    aligned: bool

    @classmethod
    def of(cls, source: Source, sources: Sources) -> _Cube:
        layer = source.layer
        return cls(
            layer.name,
            layer_array(layer),
            None if source.truth is None else layer_array(source.truth),
            layer_wavelengths(layer),
            source,
            Grid.of_layer(layer, layer_size(layer)),
            sources.is_aligned(source),
        )


@dataclass(frozen=True)
class _Wish:
    layer: Shapes | Labels
    name: str
    regions: RegionMasks
    cubes: Sequence[_Cube]
    view: View


def _sum_up(wish: _Wish) -> tuple[_Wish, list[tuple[int, RegionSpectrum]], int]:
    """Compute the spectra of all regions in all cubes, with the regions' numbers."""
    drawn = list(_first(wish.regions.masks(wish.cubes[0].grid)))
    left_out = sum(1 for _, mask in drawn if mask is None)
    elsewhere = {
        cube.source.rank: dict(wish.regions.masks(cube.grid))
        for cube in wish.cubes
        if not cube.aligned
    }
    spectra = []
    for number, mask in drawn:
        for cube in wish.cubes:
            there = mask if cube.aligned else elsewhere[cube.source.rank].get(number)
            if mask is not None and there is not None:
                spectra.append((number, _spectrum(cube, there, f"{wish.name} {number}", wish.view)))
    return wish, spectra, left_out


def _first(masks: Iterator[tuple[int, Mask]]) -> Iterator[tuple[int, Mask | None]]:
    """Keep the masks of the first regions alone: thousands would not fit in memory."""
    for place, (number, mask) in enumerate(masks):
        yield number, mask if place < MOST_REGIONS else None


def _spectrum(cube: _Cube, mask: Mask, name: str, view: View) -> RegionSpectrum:
    order = cube.source.order

    def curve(change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None) -> Curve:
        mean, spread = region_spectrum(cube.array, mask, change)
        truth = None if cube.truth is None else region_spectrum(cube.truth, mask, change)[0]
        return Curve(mean[order], None if truth is None else truth[order], spread[order])

    measured = curve(None)
    shown = measured
    if view.change is not None:
        shown = curve(partial(view, wavelengths_nm=cube.planes_nm))
    return RegionSpectrum(
        cube=cube.name,
        color=_NO_COLOR,
        wavelengths_nm=cube.source.wavelengths_nm,
        measured=measured,
        shown=shown,
        view=view.name,
        rank=cube.source.rank,
        region=name,
        pixels=int(mask.sum()),
    )


def _signals(layer: Shapes | Labels | None) -> tuple[Any, ...]:
    """Return what tells that a layer's regions, or their colours, may have changed."""
    if layer is None:
        return ()
    events = layer.events
    moves = (events.data, events.scale, events.translate, events.name)
    if isinstance(layer, Shapes):
        return (*moves, events.edge_color, events.face_color)
    paints = (events.paint, events.labels_update, events.colormap)
    # Undoing tells nothing but that; of a layer with bands, so does every step through them.
    return (*moves, *paints, events.set_data) if layer.ndim == 2 else (*moves, *paints)


def _colors(layer: Shapes | Labels) -> Callable[[int], str]:
    """Return what tells the colour ``#rrggbb`` of a region by its number."""
    if isinstance(layer, Labels):
        return lambda label: _hex(layer.get_color(label))
    edges, faces = np.asarray(layer.edge_color), np.asarray(layer.face_color)

    def color(number: int) -> str:
        if number > len(edges):
            return _NO_COLOR
        edge = edges[number - 1]
        return _hex(edge if edge[3] > 0 else faces[number - 1])

    return color


def _hex(rgba: npt.NDArray[Any] | None) -> str:
    if rgba is None or not rgba[3]:
        return _NO_COLOR
    return QColor.fromRgbF(*map(float, rgba[:3])).name()
