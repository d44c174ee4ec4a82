"""Cubes as napari layers, and back.

A cube's layer is (wavelength, y, x) float32. Where the wavelengths are evenly spaced, the first
axis is in nanometres, so that napari's own readouts speak nm; where they are not, that axis counts
bands and ``metadata["wavelengths_nm"]`` is the lookup. The metadata is always the truth; the scale
is only its picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Layer

__all__ = [
    "LayerCube",
    "add_cube",
    "check_comparable",
    "cube_from_layer",
    "cube_layer_data",
    "cube_layer_kwargs",
    "cube_layers",
    "current_band",
    "is_comparable",
    "is_cube_layer",
    "is_spread_layer",
    "layer_array",
    "layer_cube",
    "layer_size",
    "layer_spectrum",
    "layer_wavelengths",
    "mark_as_spread",
    "pixel_at",
    "show_band",
    "spread_layer",
]

_SPREAD, _SPREAD_OF = " spread", "napari_gmsr_spread_of"
_HOW_TO_GET_A_CUBE = (
    "Run Reconstruct, open a cube with napari-gmsr's reader, or set "
    "layer.metadata['wavelengths_nm'] to one wavelength in nm for each plane."
)


def cube_layer_kwargs(cube: SpectralCube) -> dict[str, Any]:
    """Return what ``Viewer.add_image`` needs beside the data to show a cube.

    Parameters
    ----------
    cube
        The cube. The data beside is that of :func:`cube_layer_data`, not ``cube.data``: bands that
        fall in wavelength are turned round.

    Returns
    -------
    dict
        ``name``, ``axis_labels``, ``units``, ``scale``, ``translate``, ``contrast_limits`` and
        ``metadata`` with ``wavelengths_nm`` (list of float, rising) and ``provenance``.
    """
    wavelengths = np.sort(cube.wavelengths_nm)
    step = _even_step(wavelengths)
    axis: dict[str, Any]
    if step is None:
        axis = {"axis_labels": ("band", "y", "x"), "units": ("pixel",) * 3}
    else:
        axis = {
            "axis_labels": ("wavelength", "y", "x"),
            "units": ("nm", "pixel", "pixel"),
            "scale": (step, 1.0, 1.0),
            "translate": (float(wavelengths[0]), 0.0, 0.0),
        }
    return {
        "name": cube.name,
        **axis,
        "contrast_limits": _contrast_limits(cube.data),
        "metadata": {
            "wavelengths_nm": wavelengths.tolist(),
            "provenance": dict(cube.provenance),
        },
    }


def cube_layer_data(cube: SpectralCube) -> tuple[npt.NDArray[np.float32], dict[str, Any], str]:
    """Return a cube as napari's layer-data tuple, for readers and sample data.

    Parameters
    ----------
    cube
        The cube; its array is shared, not copied.

    Returns
    -------
    data, kwargs, type
        float32 (wavelength, y, x) with rising wavelengths, the keyword arguments of
        :func:`cube_layer_kwargs`, ``"image"``.
    """
    falling = cube.wavelengths_nm[0] > cube.wavelengths_nm[-1]
    return (cube.data[::-1] if falling else cube.data), cube_layer_kwargs(cube), "image"


def add_cube(viewer: ViewerModel, cube: SpectralCube) -> Image:
    """Add a cube to a viewer, its bands shown in their colour, and return its layer."""
    from napari_gmsr.plugin.band_colors import band_colors

    data, kwargs, _ = cube_layer_data(cube)
    layer = viewer.add_image(data, **kwargs)
    band_colors(viewer)
    return layer


def is_cube_layer(layer: Layer) -> bool:
    """Say whether a layer can be read as a cube: see :func:`layer_wavelengths`."""
    try:
        layer_wavelengths(layer)
    except InputError:
        return False
    return True


def cube_layers(layers: Iterable[Layer]) -> list[Image]:
    """Return the layers that can be read as cubes, in the order given."""
    return [layer for layer in layers if is_cube_layer(layer)]


def layer_wavelengths(layer: Layer) -> npt.NDArray[np.float64]:
    """Return the wavelength of each plane of a layer.

    Parameters
    ----------
    layer
        A 3-D image layer. Its ``metadata["wavelengths_nm"]`` counts first; then a first axis called
        "wavelength" in a unit of length; then 31 planes without either are taken for 400, 410, ...
        700 nm, as published cubes have them.

    Returns
    -------
    ndarray
        float64 (band,), nm: all different, in the order of the planes.

    Raises
    ------
    InputError
        Where the layer is no 3-D image or nothing tells its wavelengths.
    """
    if not isinstance(layer, Image) or layer.ndim != 3 or layer.rgb:
        raise InputError(
            "not a cube: a cube is an image layer (wavelength, y, x)",
            where=layer.name,
            fix=_HOW_TO_GET_A_CUBE,
        )
    bands = layer_array(layer).shape[0]
    stored = layer.metadata.get("wavelengths_nm")
    if stored is not None:
        wavelengths = np.asarray(stored, dtype=np.float64)
        if wavelengths.shape != (bands,):
            raise InputError(
                f"{bands} planes but {wavelengths.size} wavelengths in the layer's metadata",
                where=layer.name,
                fix=_HOW_TO_GET_A_CUBE,
            )
        if not np.isfinite(wavelengths).all() or np.unique(wavelengths).size != bands:
            raise InputError(
                "the wavelengths in the layer's metadata are not all different",
                where=layer.name,
                fix=_HOW_TO_GET_A_CUBE,
            )
        return wavelengths
    if layer.axis_labels[0] == "wavelength" and layer.units[0].is_compatible_with("nm"):
        nm = float((1 * layer.units[0]).to("nm").magnitude)
        start, step = layer.translate[0], layer.scale[0]
        in_nm: npt.NDArray[np.float64] = nm * (start + step * np.arange(bands))
        return in_nm
    if bands == WAVELENGTHS_NM.size:
        return WAVELENGTHS_NM
    raise InputError(
        f"nothing tells the wavelengths of its {bands} planes",
        where=layer.name,
        fix=_HOW_TO_GET_A_CUBE,
    )


def cube_from_layer(layer: Layer) -> SpectralCube:
    """Return the cube that a layer shows.

    Parameters
    ----------
    layer
        An image layer (wavelength, y, x); a float32 array is shared, not copied.

    Returns
    -------
    SpectralCube
        With the layer's name, wavelengths (see :func:`layer_wavelengths`; sorted, where its planes
        are in no order) and provenance.

    Raises
    ------
    InputError
        Where the layer is no cube.
    """
    return layer_cube(layer).read()


@dataclass(frozen=True)
class LayerCube:
    """A layer's cube before it is read, to be handed to a worker: its array may be lazy.

    Parameters
    ----------
    array
        (band, y, x).
    wavelengths_nm
        float64 (band,), in any order.
    name
        The layer's name.
    provenance
        The layer's.
    """

    array: Any
    wavelengths_nm: npt.NDArray[np.float64]
    name: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def read(self, band_nm: float | None = None) -> SpectralCube:
        """Return the cube, or only its band nearest to a wavelength in nm.

        A float32 array is shared; only where its planes lie in no order of wavelength they are
        sorted, into a copy.
        """
        nm, array = self.wavelengths_nm, self.array
        if band_nm is not None:
            band = int(np.argmin(np.abs(nm - band_nm)))
            nm, array = nm[band : band + 1], array[band : band + 1]
        data = np.asarray(array, dtype=np.float32)
        steps = np.diff(nm)
        if not ((steps > 0).all() or (steps < 0).all()):
            order = np.argsort(nm)
            nm, data = nm[order], data[order]
        return SpectralCube(data, nm, self.name, dict(self.provenance))


def layer_cube(layer: Layer) -> LayerCube:
    """Return the cube that a layer shows, not read yet.

    Raises
    ------
    InputError
        Where the layer is no cube.
    """
    nm = layer_wavelengths(layer)
    return LayerCube(layer_array(layer), nm, layer.name, layer_provenance(layer))


def layer_provenance(layer: Layer) -> Mapping[str, Any]:
    """Return a cube's provenance; empty where the layer has none, or somebody else's."""
    told = layer.metadata.get("provenance")
    return told if isinstance(told, Mapping) else {}


def layer_size(layer: Layer) -> tuple[int, int]:
    """Return the height and width of a cube's layer in pixels, at full resolution."""
    height, width = layer_array(layer).shape[1:3]
    return height, width


def layer_spectrum(layer: Layer, y: int, x: int, radius: int = 0) -> npt.NDArray[np.float32]:
    """Return the spectrum at a pixel of a cube's layer, reading only the pixels it needs.

    Parameters
    ----------
    layer
        A cube's layer; its array may be lazy.
    y, x
        Row and column.
    radius
        As in :meth:`SpectralCube.spectrum`.

    Returns
    -------
    ndarray
        float32 (band,).

    Raises
    ------
    InputError
        Where the pixel lies outside the layer.
    """
    array = layer_array(layer)
    _, height, width = array.shape
    if not (0 <= y < height and 0 <= x < width):
        raise InputError(f"no pixel (y={y}, x={x}) in {height} x {width}", where=layer.name)
    top, left = max(0, y - radius), max(0, x - radius)
    patch = np.asarray(array[:, top : y + radius + 1, left : x + radius + 1], dtype=np.float32)
    # No SpectralCube: the planes of others' layers may lie in any order of wavelength.
    mean: npt.NDArray[np.float32] = patch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return mean


def mark_as_spread(layer: Layer, cube: Layer) -> None:
    """Mark a cube's layer as the standard deviation of another's: see :func:`spread_layer`."""
    layer.metadata[_SPREAD_OF] = str(cube.unique_id)


def spread_layer(layers: Iterable[Layer], cube: Layer) -> Image | None:
    """Return the layer that holds the standard deviation of a cube's values.

    Parameters
    ----------
    layers
        Where to look.
    cube
        A cube's layer.

    Returns
    -------
    Image or None
        The newest that was marked with :func:`mark_as_spread`, else one that is called as the cube
        is, with " spread" behind; only one of the cube's size and bands.
    """
    fitting = [one for one in cube_layers(layers) if one is not cube and is_comparable(one, cube)]
    marked = [one for one in fitting if one.metadata.get(_SPREAD_OF) == str(cube.unique_id)]
    named = [one for one in fitting if one.name == f"{cube.name}{_SPREAD}"]
    return next(reversed(marked or named), None)


def is_spread_layer(layer: Layer) -> bool:
    """Say whether a layer holds standard deviations: it has bands, and yet no spectra."""
    return _SPREAD_OF in layer.metadata or layer.name.endswith(_SPREAD)


def current_band(layer: Layer, dims: Dims) -> int | None:
    """Return the index of the band that the slider shows of a layer; ``None`` outside its range."""
    point = dims.point[-layer.ndim :]
    band = int(np.rint(layer.world_to_data(point)[0]))
    return band if 0 <= band < layer_array(layer).shape[0] else None


def show_band(layer: Layer, dims: Dims, band: int) -> None:
    """Move the slider to a band of a layer, as far as it goes."""
    axis = dims.ndim - layer.ndim
    dims.set_point(axis, float(layer.data_to_world((band, 0, 0))[0]))


def pixel_at(
    layer: Layer, world: Sequence[float] | npt.NDArray[np.float64]
) -> tuple[int, int] | None:
    """Return the row and column of a layer under a world position; ``None`` outside the layer."""
    y, x = (int(v) for v in np.rint(layer.world_to_data(world))[-2:])
    height, width = layer_array(layer).shape[1:3]
    return (y, x) if 0 <= y < height and 0 <= x < width else None


def check_comparable(prediction: Layer, truth: Layer) -> None:
    """Raise where two cubes' layers cannot be compared pixel by pixel and band by band.

    Raises
    ------
    InputError
        Where a layer is no cube, or the two differ in height, width or wavelengths.
    """
    ours, theirs = layer_wavelengths(prediction), layer_wavelengths(truth)
    size, other = layer_array(prediction).shape[1:], layer_array(truth).shape[1:]
    if size != other:
        raise InputError(
            f"the truth has {other[0]} x {other[1]} pixels, '{prediction.name}' has "
            f"{size[0]} x {size[1]}",
            where=truth.name,
            fix="Choose a truth of the same picture, or crop both to the same pixels.",
        )
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=0, atol=0.5):
        raise InputError(
            f"the truth has {_span(theirs)}, '{prediction.name}' has {_span(ours)}",
            where=truth.name,
            fix="Choose a truth with the prediction's wavelengths, or resample it to them.",
        )


def is_comparable(prediction: Layer, truth: Layer) -> bool:
    """Say whether two layers can be compared: see :func:`check_comparable`."""
    try:
        check_comparable(prediction, truth)
    except InputError:
        return False
    return True


def layer_array(layer: Layer) -> Any:
    """Return a layer's array at full resolution, lazy where it is."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def _span(wavelengths: npt.NDArray[np.float64]) -> str:
    """Describe bands in words."""
    return f"{wavelengths.size} bands from {wavelengths[0]:g} to {wavelengths[-1]:g} nm"


def _even_step(wavelengths: npt.NDArray[np.float64]) -> float | None:
    """Return the step in nm of evenly spaced bands (1 for a single band), else ``None``."""
    if wavelengths.size == 1:
        return 1.0
    step = float(wavelengths[-1] - wavelengths[0]) / (wavelengths.size - 1)
    even = wavelengths[0] + step * np.arange(wavelengths.size)
    # Instruments write rounded wavelengths: a hundredth of a step is not a different band.
    return step if np.abs(wavelengths - even).max() <= 0.01 * step else None


def _contrast_limits(data: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return black at zero and white below the highlights, one scale for all bands."""
    stride = max(1, int(np.sqrt(data[0].size / 65536)))
    sample = data[:, ::stride, ::stride]
    finite = sample[np.isfinite(sample)]
    white = float(np.percentile(finite, 99.8)) if finite.size else 0.0
    return (0.0, white) if white > 0 else (0.0, 1.0)
