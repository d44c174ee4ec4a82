"""What the *Trust* widget computes, and the layers that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import Encoding
from napari_gmsr.plugin.layers import LayerCube, add_cube
from napari_gmsr.plugin.pictures import LayerPicture

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_gmsr.trust import Calibration, Reprojection

__all__ = [
    "Corrected",
    "Question",
    "add_cube_over",
    "compare_spread",
    "correct",
    "message",
    "re_project",
    "show_map",
]

_MARK = "napari_gmsr_trust_map"
_HIGHLIGHTS = 99.5
"""Percentile of a map that is drawn in full red: one broken pixel must not blacken it."""


@dataclass(frozen=True)
class Question:
    """A cube and the picture that it came from.

    Parameters
    ----------
    cube
        Not read yet.
    picture
        Not read yet.
    float_encoding
        What floats of the picture mean.
    camera, illuminant
        As for `napari_gmsr.trust.reproject`.
    truth
        What the cube should be, where that is known.
    """

    cube: LayerCube
    picture: LayerPicture
    float_encoding: Encoding
    camera: str
    illuminant: str | None
    truth: LayerCube | None = None


@dataclass(frozen=True)
class Corrected:
    """A corrected cube.

    Parameters
    ----------
    cube
        It.
    before, after
        RMSE against the truth; ``None`` without one.
    """

    cube: SpectralCube
    before: float | None
    after: float | None


def re_project(question: Question) -> Reprojection:
    """Compute a re-projection; for a worker."""
    from napari_gmsr.trust import reproject

    picture = question.picture.read(question.float_encoding)
    return reproject(question.cube.read(), picture, question.camera, question.illuminant)


def correct(question: Question, smooth: bool) -> Corrected:
    """Compute the exact correction; for a worker."""
    from napari_gmsr.trust import exact_correction

    picture, cube = question.picture.read(question.float_encoding), question.cube.read()
    exact = exact_correction(cube, picture, question.camera, question.illuminant, smooth=smooth)
    if question.truth is None:
        return Corrected(exact, None, None)
    truth = question.truth.read()
    return Corrected(exact, _rmse(cube, truth), _rmse(exact, truth))


def compare_spread(cube: SpectralCube, truth: LayerCube) -> Calibration:
    """Compare a spread with a truth; for a worker."""
    from napari_gmsr.trust import calibrate

    return calibrate(cube, truth.read())


def _rmse(cube: SpectralCube, truth: SpectralCube) -> float:
    total = sum(
        float(np.sum((ours.astype(np.float64) - true) ** 2))
        for ours, true in zip(cube.data, truth.data, strict=True)
    )
    return float(np.sqrt(total / cube.data.size))


def show_map(viewer: Viewer, over: Image, values: npt.NDArray[np.float32], title: str) -> Image:
    """Show a map (y, x) in a layer right above a cube; one of that title is brought up to date."""
    # A picture and a cube that agree give a map of rounding errors, which must not look like one.
    finite = values[np.isfinite(values)]
    limit = max(float(np.percentile(finite, _HIGHLIGHTS)) if finite.size else 0.0, 1e-4)
    mark = f"{title} {over.unique_id}"
    layer = next((one for one in viewer.layers if one.metadata.get(_MARK) == mark), None)
    if layer is None:
        layer = Image(
            values,
            name=f"{over.name} {title}",
            scale=over.scale[-2:],
            translate=over.translate[-2:],
            units=over.units[-2:],
            axis_labels=("y", "x"),
            contrast_limits=(0, limit),
            metadata={_MARK: mark},
        )
        selected = set(viewer.layers.selection)
        viewer.layers.insert(viewer.layers.index(over) + 1, layer)
        viewer.layers.selection = selected or {layer}
    else:
        layer.data = values
    # Two maps, each with a colour bar, would lie one over the other.
    for other in viewer.layers:
        if other is not layer and _MARK in other.metadata:
            other.visible = False
    layer.colormap = "turbo"
    layer.contrast_limits_range = (0, limit)
    layer.contrast_limits = (0, limit)
    layer.colorbar.visible = True
    layer.visible = True
    return layer


def add_cube_over(
    viewer: Viewer,
    cube: SpectralCube,
    scale: tuple[float, float],
    translate: tuple[float, float],
) -> Image:
    """Add a cube's layer that lies over another's pixels."""
    layer = add_cube(viewer, cube)
    layer.scale = np.array([layer.scale[0], *scale])
    layer.translate = np.array([layer.translate[0], *translate])
    return layer


def message(tip: str) -> QLabel:
    """Return a label for what a computation said, to be read and copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setToolTip(tip)
    return label
