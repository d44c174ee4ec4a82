"""The paper's figure for any cubes: bands, error heatmaps, and spectra of marked points."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from matplotlib.figure import Figure

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import OutputError
from napari_gmsr.evaluate.comparison import Comparison
from napari_gmsr.image import RGBImage
from napari_gmsr.io import atomic_output

__all__ = ["comparison_figure", "save_figure"]

_DOTS_PER_INCH = 200


def comparison_figure(
    rgb: RGBImage | None,
    cube: SpectralCube | Sequence[SpectralCube],
    truth: SpectralCube | None = None,
    points: Sequence[tuple[int, int]] | None = None,
    bands_nm: Sequence[float] | None = None,
    *,
    labels: Sequence[str] | None = None,
    error_max: float | None = None,
) -> Figure:
    """Draw one or several cubes against their truth as the paper does.

    Above, the RGB picture with the marked points and the spectral response curves of each,
    reconstructed and true. Below, the bands in one range of grey, which is encoded as sRGB like a
    photograph, and their absolute differences from the truth (the RMSE of one band at one pixel),
    all of them in one range of colour with one colour bar. One cube has a column a band; several
    have a column each, the truth and the errors beside them (of more than three the errors below),
    and a row a band.

    Parameters
    ----------
    rgb
        The picture that the cubes were made from; ``None`` draws the truth's, or the cube's, true
        colours under D65.
    cube
        The reconstruction, or several of the same picture, as of several models.
    truth
        The measured cube, of the same size and bands; ``None`` leaves its curves and the errors
        out.
    points
        Row and column of each pixel to mark; ``None`` chooses four that differ most in their
        spectra.
    bands_nm
        Wavelengths of the bands, in nanometres; the nearest band is taken. ``None`` takes five,
        evenly spread.
    labels
        A short name for each of several cubes; ``None`` takes the models', or the cubes' names.
    error_max
        Upper end of the heatmaps' range, to compare several figures; ``None`` takes the 99.5th
        percentile of the heatmaps drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot: it belongs to no window and changes no global setting.

    Raises
    ------
    InputError
        Where the sizes or bands differ, a value is NaN, or a point lies outside the picture.
    """
    return Comparison.of(
        cube, truth, rgb, points, bands_nm, labels=labels, error_max=error_max
    ).draw()


def save_figure(
    figure: Figure, path: str | Path, *, overwrite: bool = False, description: str = ""
) -> Path:
    """Write a figure; the format follows from the suffix.

    Parameters
    ----------
    figure
        The figure.
    path
        ``.png`` (200 dots an inch), ``.pdf`` or ``.svg``.
    overwrite
        Replace an existing file; otherwise an existing name is an error.
    description
        What it shows and where that comes from, kept in the file's own metadata.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        Where the suffix is another one, or the file cannot be written; nothing is left of it then.
    """
    path = Path(path)
    form = path.suffix.lower().lstrip(".")
    program = f"napari-gmsr {version('napari-gmsr')}"
    # Without the date the same figure gives the same file (SVG has random names within it).
    metadata = {
        "png": {"Software": program, "Description": description},
        "pdf": {"Creator": program, "Subject": description, "CreationDate": None},
        "svg": {"Creator": program, "Description": description, "Date": None},
    }
    if form not in metadata:
        raise OutputError(
            f"a figure cannot be written as '{path.suffix}'",
            where=path,
            fix="Name it .png, .pdf or .svg.",
        )
    with atomic_output(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=form, dpi=_DOTS_PER_INCH, metadata=metadata[form])
    return path
