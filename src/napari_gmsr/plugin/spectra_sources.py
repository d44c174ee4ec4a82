"""The cubes that spectra are drawn from, read at one place of the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_gmsr.plugin.layers import (
    is_comparable,
    layer_array,
    layer_size,
    layer_spectrum,
    layer_wavelengths,
    pixel_at,
)
from napari_gmsr.plugin.spectra_view import AS_MEASURED, View
from napari_gmsr.plugin.spectrum import Curve, PixelSpectrum

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Source", "Sources"]


@dataclass(frozen=True)
class Source:
    """A cube that curves are drawn from.

    Parameters
    ----------
    layer
        The cube's layer.
    truth
        What it is compared with, where the two have the same size and bands.
    spread
        The standard deviations of its values, where there are.
    rank
        Its place among the cubes drawn together.
    wavelengths_nm
        float64 (band,), rising.
    order
        The planes in this order of wavelength.
    """

    layer: Image
    truth: Image | None
    spread: Image | None
    rank: int
    wavelengths_nm: npt.NDArray[np.float64]
    order: npt.NDArray[np.intp]


class Sources:
    """The prediction, its truth, and any other cubes beside it.

    A cube of the prediction's size is read at the same row and column, wherever it lies; another at
    the same place of the canvas, if it is there.

    Parameters
    ----------
    prediction
        The cube whose spectra are drawn first.
    truth
        What it should be.
    others
        Further cubes, of any size and bands.
    radius
        Half the side of the averaged square in pixels.
    view
        How the spectra are shown.
    spread_of
        Finds the layer with the standard deviations of a cube's values. They are shown around
        spectra as measured: how far they are apart in another view does not follow from them.
    """

    def __init__(
        self,
        prediction: Image,
        truth: Image | None = None,
        others: Sequence[Image] = (),
        *,
        radius: int = 0,
        view: View = AS_MEASURED,
        spread_of: Callable[[Image], Image | None] = lambda layer: None,
    ) -> None:
        self.view = view
        self.radius = radius
        self._spread_of = spread_of
        beside = [layer for layer in others if layer not in (prediction, truth)]
        self._all = [
            self._source(rank, cube, truth) for rank, cube in enumerate((prediction, *beside))
        ]
        self._size = layer_size(prediction)
        self._shapes = {layer: layer_array(layer).shape for layer in self.layers}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._all)

    @property
    def prediction(self) -> Image:
        """The first cube."""
        return self._all[0].layer

    @property
    def layers(self) -> list[Image]:
        """All layers that are read: cubes, truth and spreads, each once."""
        read = ((source.layer, source.truth, source.spread) for source in self._all)
        return list(dict.fromkeys(layer for one in read for layer in one if layer is not None))

    def still_fit(self) -> bool:
        """Say whether the layers' arrays have the shapes that they had."""
        return all(layer_array(layer).shape == shape for layer, shape in self._shapes.items())

    @property
    def range_nm(self) -> tuple[float, float]:
        """The least and the greatest wavelength of all cubes."""
        ends = [source.wavelengths_nm[[0, -1]] for source in self._all]
        return float(np.min(ends)), float(np.max(ends))

    def pixel(
        self, world: Sequence[float] | npt.NDArray[np.float64], color: str = ""
    ) -> list[PixelSpectrum]:
        """Return the spectra of all cubes at a world position; none beside the prediction."""
        place = pixel_at(self.prediction, world)
        if place is None:
            return []
        spectra = []
        for source in self._all:
            same = self.is_aligned(source)
            pixel = place if same else pixel_at(source.layer, world)
            if pixel is not None:
                spectra.append(self._read(source, *pixel, color))
        return spectra

    def is_aligned(self, source: Source) -> bool:
        """Say whether a cube's pixels are the prediction's, row by row and column by column."""
        return layer_size(source.layer) == self._size

    def _source(self, rank: int, layer: Image, truth: Image | None) -> Source:
        wavelengths = layer_wavelengths(layer)
        order = np.argsort(wavelengths)
        compared = truth if truth is not None and is_comparable(layer, truth) else None
        spread = self._spread_of(layer)
        return Source(layer, compared, spread, rank, wavelengths[order], order)

    def _read(self, source: Source, y: int, x: int, color: str) -> PixelSpectrum:
        def values(layer: Image | None) -> npt.NDArray[np.float32] | None:
            return None if layer is None else layer_spectrum(layer, y, x, self.radius)[source.order]

        nm, response = source.wavelengths_nm, values(source.layer)
        assert response is not None
        measured = shown = Curve(response, values(source.truth), values(source.spread))
        if self.view.change is not None:
            truth = None if measured.truth is None else self.view(measured.truth, nm)
            shown = Curve(self.view(response, nm), truth)
        return PixelSpectrum(
            cube=source.layer.name,
            color=color,
            wavelengths_nm=nm,
            measured=measured,
            shown=shown,
            view=self.view.name,
            rank=source.rank,
            y=y,
            x=x,
            radius=self.radius,
        )
