"""The *Figure* widget: the paper's figure of the cubes in the window."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox, CubeList
from napari_gmsr.plugin.layer_files import file_that_holds, layer_file
from napari_gmsr.plugin.layers import (
    LayerCube,
    current_band,
    is_comparable,
    layer_cube,
    layer_size,
    layer_wavelengths,
    pixel_at,
)
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import LayerPicture, picture_of_layer
from napari_gmsr.plugin.pins import is_pins_layer
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.share_page import Page

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.evaluate import Comparison

__all__ = ["FigureWidget"]

_FORMATS = "PDF (*.pdf);;Vector graphic (*.svg);;Picture (*.png)"
_PREVIEW_DPI = 110
_WIDTH = 290
_AT_PINS, _CHOSEN, _NO_POINTS = "pins", "chosen", "none"


@dataclass(frozen=True)
class _Wish:
    """What is to be drawn, independent of the layers from then on."""

    cube_layers: tuple[LayerCube, ...]
    truth_layer: LayerCube | None
    picture: LayerPicture | None
    points: tuple[tuple[int, int], ...] | None
    bands_nm: tuple[float, ...] | None
    error_max: float | None
    files: tuple[Path | None, ...]
    """Of the cubes, the truth and the picture, as far as they are there."""

    # What follows is read where it is first asked for: in the worker.

    @cached_property
    def cubes(self) -> tuple[SpectralCube, ...]:
        return tuple(layer.read() for layer in self.cube_layers)

    @cached_property
    def truth(self) -> SpectralCube | None:
        return None if self.truth_layer is None else self.truth_layer.read()

    @cached_property
    def rgb(self) -> RGBImage | None:
        return None if self.picture is None else self.picture.read("srgb")

    def comparison(self) -> Comparison:
        from napari_gmsr.evaluate import Comparison

        return Comparison.of(
            self.cubes, self.truth, self.rgb, self.points, self.bands_nm, error_max=self.error_max
        )


class FigureWidget(QWidget):
    """Cubes side by side with the truth, their errors under one scale, curves of marked pixels.

    Parameters
    ----------
    napari_viewer
        Whose cubes, pictures and pins are drawn; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self.cubes = CubeList(viewer)
        self.truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self.picture = PictureComboBox(viewer)
        self.bands = QLineEdit()
        self.add_band = QPushButton("Add the slider's")
        self.points = ElidingComboBox()
        self.error_max = QDoubleSpinBox()
        self.preview = QPushButton("&Preview")
        self.save = QPushButton("&Save figure…")
        self.state = Explanation("What came of it.")
        self.page = Page()
        self._drawing = LatestWorker("drawing the figure", self)
        self._saving = LatestWorker("saving the figure", self)
        self._lay_out()

        self.cubes.chosen.connect(self.truth.refresh)
        self.cubes.chosen.connect(self._update_buttons)
        self.add_band.clicked.connect(self._on_add_band)
        self.preview.clicked.connect(self._on_preview)
        self.save.clicked.connect(self._on_save)
        self._drawing.done.connect(self._on_drawn)
        self._drawing.failed.connect(self._on_failed)
        self._saving.done.connect(self._on_saved)
        self._saving.failed.connect(self._on_failed)
        self._update_buttons()

    @property
    def busy(self) -> bool:
        """Whether a figure is being drawn or saved."""
        return self._drawing.busy or self._saving.busy

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "cubes": self.cubes,
            "truth": self.truth,
            "picture": self.picture,
            "bands": self.bands,
            "points": self.points,
            "error_max": self.error_max,
        }

    # -- what is chosen

    def _fits(self, truth: Image) -> bool:
        return any(is_comparable(layer, truth) for layer in self.cubes.layers)

    def _wish(self) -> _Wish:
        """Return what is to be drawn.

        Raises
        ------
        InputError
            Where no cube is chosen, or the bands are no numbers.
        """
        truth_layer = self.truth.layer
        layers = [layer for layer in self.cubes.layers if layer is not truth_layer]
        if not layers:
            raise InputError("no cube is chosen", fix="Tick the cubes to draw.")
        files = [layer_file(layer) for layer in layers]
        if truth_layer is not None:
            files.append(layer_file(truth_layer))
        picture = self._picture(layers[0])
        if picture is not None:
            files.append(picture.file)
        return _Wish(
            tuple(layer_cube(layer) for layer in layers),
            None if truth_layer is None else layer_cube(truth_layer),
            picture,
            self._points(layers[0]),
            self._bands_nm(),
            self.error_max.value() or None,
            tuple(files),
        )

    def _picture(self, cube: Image) -> LayerPicture | None:
        """Return the chosen picture where it is of the cubes' size: another is not theirs."""
        layer = self.picture.layer
        if layer is None:
            return None
        picture = picture_of_layer(layer, self._viewer.dims)
        return picture if picture.shape == layer_size(cube) else None

    def _bands_nm(self) -> tuple[float, ...] | None:
        text = self.bands.text().replace(";", ",").replace("nm", "")
        try:
            return tuple(float(part) for part in text.split(",") if part.strip()) or None
        except ValueError as error:
            raise InputError(
                f"these are no wavelengths: '{self.bands.text()}'", fix="Write 480, 540, 600."
            ) from error

    def _points(self, layer: Image) -> tuple[tuple[int, int], ...] | None:
        match self.points.currentData():
            case "none":
                return ()
            case "chosen":
                return None
        pins = [
            pixel_at(layer, one.data_to_world(point))
            for one in self._viewer.layers
            if is_pins_layer(one)
            for point in one.data
        ]
        return tuple(pixel for pixel in pins if pixel is not None) or None

    # -- what happens

    def _on_add_band(self) -> None:
        """Write the band that the slider shows behind those that are there."""
        layers = self.cubes.layers
        band = current_band(layers[0], self._viewer.dims) if layers else None
        if band is None:
            show_info("Tick a cube, and move the slider to one of its bands.")
            return
        written = [part.strip() for part in self.bands.text().split(",") if part.strip()]
        nm = f"{layer_wavelengths(layers[0])[band]:g}"
        self.bands.setText(", ".join([*written, *([nm] if nm not in written else [])]))

    def _on_preview(self) -> None:
        self._ask(self._drawing, _draw)

    def _on_save(self) -> None:
        chosen, kind = QFileDialog.getSaveFileName(self, "Save figure", "figure.pdf", _FORMATS)
        if chosen:
            path = Path(chosen)
            if not path.suffix:
                path = path.with_suffix("." + kind.rsplit(".", 1)[-1].rstrip(")"))
            self._ask(self._saving, _save, path)

    def _ask(self, worker: LatestWorker, work: Any, *arguments: Any) -> None:
        try:
            wish = self._wish()
        except GMSRError as error:
            show_error(str(error))
            return
        self.state.setText("Drawing…")
        worker.ask(work, wish, *arguments)

    def _on_drawn(self, png: bytes) -> None:
        self.page.show_png(png)
        self.state.setText("")

    def _on_saved(self, written: tuple[list[Path], list[str]]) -> None:
        paths, without = written
        self.state.setText(
            f"Saved {paths[0]}.\nTo make it again: napari-gmsr figure --again "
            f"{shlex.quote(str(paths[1]))} -o {paths[0].name}"
            if not without
            else f"Saved {paths[0]}, with all numbers in {paths[1].name}. To be made again from "
            f"it, these must be saved to files first: {', '.join(without)}."
        )
        show_info(f"Saved {paths[0]}")

    def _on_failed(self, error: Exception) -> None:
        self.state.setText("")
        show_error(str(error))

    # -- looks

    def _update_buttons(self) -> None:
        some = bool(self.cubes.layers)
        for button in (self.preview, self.save):
            button.setEnabled(some)
        self.state.setText("" if some else "Open a cube or run Reconstruct, and tick it.")

    def _lay_out(self) -> None:
        self.cubes.setToolTip("The cubes to draw; tick several to see models side by side.")
        self.truth.setToolTip("The ground truth: drawn beside, and what errors are told from.")
        self.picture.setToolTip(
            "The picture at the top; one of another size is replaced by the cube's own colours."
        )
        self.bands.setPlaceholderText("five, evenly spread")
        self.bands.setToolTip("Wavelengths in nm of the bands to draw, such as 480, 540, 600.")
        self.add_band.setToolTip("Add the band that the viewer shows.")
        self.points.setToolTip("The pixels that are marked, and whose curves are drawn.")
        for name, data in (
            ("the pins", _AT_PINS),
            ("four that differ most", _CHOSEN),
            ("none", _NO_POINTS),
        ):
            self.points.addItem(name, data)
        self.error_max.setDecimals(3)
        self.error_max.setSingleStep(0.01)
        self.error_max.setRange(0, 10)
        self.error_max.setSpecialValueText("automatic")
        self.error_max.setToolTip(
            "The error drawn in full red; give the same in several figures to compare them."
        )
        self.preview.setToolTip("Draw the figure below; click it to see it large.")
        self.save.setToolTip(
            "Save as PDF, SVG or PNG; a .json beside it holds all numbers, files and settings."
        )
        bands = QHBoxLayout()
        bands.addWidget(self.bands, 1)
        bands.addWidget(self.add_band)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Cubes", self.cubes)
        form.addRow("&Truth", self.truth)
        form.addRow("P&icture", self.picture)
        label = QLabel("&Bands")
        label.setBuddy(self.bands)
        form.addRow(label, bands)
        form.addRow("P&oints", self.points)
        form.addRow("&Full red", self.error_max)
        buttons = QHBoxLayout()
        buttons.addWidget(self.preview)
        buttons.addWidget(self.save)
        self.setMinimumWidth(_WIDTH)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addLayout(buttons)
        rows.addWidget(self.state)
        rows.addWidget(self.page)
        rows.addStretch(1)


def _draw(wish: _Wish) -> bytes:
    """Return the figure as PNG."""
    png = BytesIO()
    wish.comparison().draw().savefig(png, format="png", dpi=_PREVIEW_DPI)
    return png.getvalue()


def _save(wish: _Wish, path: Path) -> tuple[list[Path], list[str]]:
    """Write the figure and its record; return both, and the names of what has no file."""
    from napari_gmsr.evaluate import ComparisonFiles, save_comparison

    contents = [one for one in (*wish.cubes, wish.truth, wish.rgb) if one is not None]
    held = [file_that_holds(*pair) for pair in zip(contents, wish.files, strict=True)]
    without = [one.name for one, file in zip(contents, held, strict=True) if file is None]
    rest = held[len(wish.cubes) :]
    files = ComparisonFiles(
        held[: len(wish.cubes)],
        rest.pop(0) if wish.truth is not None else None,
        rest.pop(0) if wish.rgb is not None else None,
    )
    # The dialog has asked whether to replace it.
    return list(save_comparison(wish.comparison(), path, files, overwrite=True)), without
