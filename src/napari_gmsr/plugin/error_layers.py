"""Error maps as image layers: computed from cubes, shown under one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.plugin.layers import LayerCube
from napari_gmsr.plugin.pins import is_pins_layer

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_gmsr.evaluate import Evaluation

__all__ = [
    "TITLES",
    "ErrorMaps",
    "MapRequest",
    "compute_evaluations",
    "compute_maps",
    "is_error_map",
    "show_maps",
]

Metric = Literal["rmse", "sam", "mrae"]

TITLES: dict[str, str] = {"rmse": "RMSE", "sam": "SAM (°)", "mrae": "MRAE"}
_MARK = "napari_gmsr_error_map"
_LINKED = ("colormap", "contrast_limits", "gamma")
_HIGHLIGHTS = 99.5
"""Percentile of the errors that is drawn in full red: one broken pixel must not blacken a map."""
_SAMPLE = 128
"""Pixels a side from which the colour scale over all bands is estimated."""


@dataclass(frozen=True)
class MapRequest:
    """What to map.

    Parameters
    ----------
    predictions
        The cubes to judge; of these and the truth only what is needed is read.
    truth
        What they should be.
    metric
        ``"rmse"``, ``"sam"`` or ``"mrae"``.
    band_nm
        One band, in nm; ``None`` for all.
    """

    predictions: tuple[LayerCube, ...]
    truth: LayerCube
    metric: Metric
    band_nm: float | None = None


@dataclass(frozen=True)
class ErrorMaps:
    """Error maps with the colour scale that they share.

    Parameters
    ----------
    maps
        float32 (y, x) for each prediction.
    limit
        The error drawn in full red; zero is full blue.
    """

    maps: tuple[npt.NDArray[np.float32], ...]
    limit: float


def compute_maps(request: MapRequest, limit: float | None = None) -> ErrorMaps:
    """Compute the maps and, where ``limit`` is not known yet, the scale they share.

    The scale of a band's map is that of all bands, so that a bad band looks bad beside a good one.

    Raises
    ------
    InputError
        Where the cubes do not fit together, or hold NaN.
    """
    from napari_gmsr.evaluate import error_map

    # Two bands of one wavelength, give or take: each is read by what its own cube calls it.
    truth = request.truth.read(request.band_nm)
    maps = tuple(
        error_map(cube.read(request.band_nm), truth, request.metric) for cube in request.predictions
    )
    return ErrorMaps(maps, _limit(request, maps) if limit is None else limit)


def compute_evaluations(predictions: Sequence[LayerCube], truth: LayerCube) -> list[Evaluation]:
    """Compute both metric sets of each prediction.

    Raises
    ------
    InputError
        As :func:`compute_maps`.
    """
    from napari_gmsr.evaluate import evaluate

    reference = truth.read()
    return [evaluate(cube.read(), reference) for cube in predictions]


def show_maps(
    viewer: Viewer, predictions: Sequence[Image], metric: Metric, result: ErrorMaps
) -> list[Image]:
    """Show maps as layers: those there already are updated, others added above all but pins.

    Parameters
    ----------
    viewer
        The viewer that holds the predictions.
    predictions
        The layer each map belongs to; the map lies over its pixels.
    metric
        What the maps show.
    result
        The maps.

    Returns
    -------
    list of Image
        The layers, in the order of the predictions.
    """
    selected = set(viewer.layers.selection)
    layers = []
    for prediction, values in zip(predictions, result.maps, strict=True):
        layer = _map_layer(viewer, prediction.name)
        if layer is None:
            layer = Image(
                values,
                scale=prediction.scale[-2:],
                translate=prediction.translate[-2:],
                units=prediction.units[-2:],
                axis_labels=("y", "x"),
                contrast_limits=(0, result.limit),
                metadata={_MARK: prediction.name},
            )
            viewer.layers.insert(_below_pins(viewer), layer)
        else:
            layer.data = values
        _style(layer, f"{prediction.name} {TITLES[metric]}", result.limit)
        layers.append(layer)
    if len(layers) > 1:  # one scale, also when the user changes it
        viewer.layers.link_layers(layers, _LINKED)
    viewer.layers.selection = selected or {layers[-1]}
    return layers


def _map_layer(viewer: Viewer, prediction: str) -> Image | None:
    found = (layer for layer in viewer.layers if layer.metadata.get(_MARK) == prediction)
    return next(found, None)


def _below_pins(viewer: Viewer) -> int:
    """Return the highest place among the layers from which pins stay in sight."""
    place = len(viewer.layers)
    while place and is_pins_layer(viewer.layers[place - 1]):
        place -= 1
    return place


def _style(layer: Image, name: str, limit: float) -> None:
    from napari_gmsr.evaluate.maps import PAPER_COLORMAP

    if layer.name != name:
        layer.name = name
    layer.colormap = PAPER_COLORMAP
    layer.contrast_limits_range = (0, limit)
    layer.contrast_limits = (0, limit)
    layer.colorbar.visible = True


def _limit(request: MapRequest, maps: Sequence[npt.NDArray[np.float32]]) -> float:
    """Return the error that full red stands for."""
    if request.band_nm is not None:
        from napari_gmsr.evaluate import error_map

        truth = _thinned(request.truth)
        maps = [
            error_map(cube, truth, request.metric, float(nm))
            for cube in map(_thinned, request.predictions)
            for nm in cube.wavelengths_nm
            if _is_finite(cube, truth, float(nm))
        ] or maps
    limit = max(float(np.percentile(values, _HIGHLIGHTS)) for values in maps)
    # Two equal cubes have no error at all, and a colour scale needs a width.
    return limit if limit > 0 else 1.0


def _thinned(cube: LayerCube) -> SpectralCube:
    steps = (max(1, side // _SAMPLE) for side in cube.array.shape[1:])
    rows, columns = (slice(None, None, step) for step in steps)
    return replace(cube, array=cube.array[:, rows, columns]).read()


def _is_finite(cube: SpectralCube, truth: SpectralCube, nm: float) -> bool:
    """Say whether a band can be compared: one lost band is no reason against the others."""
    return bool(np.isfinite(cube.band(nm)).all() and np.isfinite(truth.band(nm)).all())


def is_error_map(layer: Layer) -> bool:
    """Say whether a layer is a map of errors that was made here."""
    return _MARK in layer.metadata
