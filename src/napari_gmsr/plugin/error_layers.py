"""Error maps as image layers: computed from cubes, shown under one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import GMSRError, OutOfMemoryError
from napari_gmsr.plugin.pins import is_pins_layer

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_gmsr.evaluate import Evaluation

__all__ = ["ErrorMaps", "MapRequest", "compute_evaluations", "compute_maps", "show_maps"]

Metric = Literal["rmse", "sam", "mrae"]

_TITLES: dict[str, str] = {"rmse": "RMSE", "sam": "SAM (°)", "mrae": "MRAE"}
_MARK = "napari_gmsr_error_map"
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
        The cubes to judge.
    truth
        What they should be.
    metric
        ``"rmse"``, ``"sam"`` or ``"mrae"``.
    band_nm
        One band, in nm; ``None`` for all.
    """

    predictions: tuple[SpectralCube, ...]
    truth: SpectralCube
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
    GMSRError
        Where the cubes do not fit together or memory runs out. Nothing else leaves this function: a
        RuntimeError would vanish in a worker.
    """
    from napari_gmsr.evaluate import error_map

    try:
        maps = tuple(
            error_map(cube, request.truth, request.metric, request.band_nm)
            for cube in request.predictions
        )
        return ErrorMaps(maps, _limit(request, maps) if limit is None else limit)
    except Exception as error:
        raise _named(error) from error


def compute_evaluations(
    predictions: Sequence[SpectralCube], truth: SpectralCube
) -> list[Evaluation]:
    """Compute both metric sets of each prediction.

    Raises
    ------
    GMSRError
        As :func:`compute_maps`.
    """
    from napari_gmsr.evaluate import evaluate

    try:
        return [evaluate(cube, truth) for cube in predictions]
    except Exception as error:
        raise _named(error) from error


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
        _style(layer, f"{prediction.name} {_TITLES[metric]}", result.limit)
        layers.append(layer)
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
            error_map(_thinned(cube), truth, request.metric, float(nm))
            for cube in request.predictions
            for nm in cube.wavelengths_nm
        ]
    limit = max(float(np.percentile(values, _HIGHLIGHTS)) for values in maps)
    # Two equal cubes have no error at all, and a colour scale needs a width.
    return limit if limit > 0 else 1.0


def _thinned(cube: SpectralCube) -> SpectralCube:
    _, height, width = cube.shape
    rows, columns = (slice(None, None, max(1, side // _SAMPLE)) for side in (height, width))
    return SpectralCube(cube.data[:, rows, columns], cube.wavelengths_nm, cube.name)


def _named(error: Exception) -> GMSRError:
    """Return an error of our own for any that a computation may raise."""
    if isinstance(error, GMSRError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            "memory ran out while comparing the cubes",
            fix="Compare fewer or smaller cubes at once.",
        )
    return GMSRError(
        f"comparing the cubes failed: {type(error).__name__}: {error}",
        fix="Please report this with the two cubes' shapes and wavelengths.",
    )
