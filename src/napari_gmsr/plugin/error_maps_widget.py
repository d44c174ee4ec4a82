"""The *Error maps* widget: where a cube is wrong, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils import notifications
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QWidget,
)
from superqt.utils import qthrottled

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody
from napari_gmsr.plugin.error_layers import (
    TITLES,
    ErrorMaps,
    MapRequest,
    compute_evaluations,
    compute_maps,
    show_maps,
)
from napari_gmsr.plugin.finder import JudgedCube, WorstFinder
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox, CubeList
from napari_gmsr.plugin.layers import (
    check_comparable,
    current_band,
    is_comparable,
    layer_cube,
    layer_wavelengths,
)
from napari_gmsr.plugin.metric_tables import MetricTables
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.share_copy import CubesCopy
from napari_gmsr.plugin.share_other_texts import ErrorsText
from napari_gmsr.plugin.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.evaluate import Evaluation

__all__ = ["ErrorMapsWidget"]

_NO_CUBE = "Open a cube or run Reconstruct, then choose the truth to compare it with."
_NO_PREDICTION = "Tick the cubes to compare with the truth."
_NO_TRUTH = "Open the ground truth of the same picture, and choose it as truth."
_METRICS = (
    ("rmse", "RMSE", "Root mean squared error; at one band the absolute difference."),
    ("sam", "Spectral angle (SAM)", "Angle between the two spectra in degrees; needs all bands."),
    ("mrae", "MRAE", "Mean absolute error relative to the truth."),
)
_ALL_BANDS, _SLIDER_BAND = 0, 1
_FOLLOW_MS = 60


class ErrorMapsWidget(QWidget):
    """Heatmaps of a cube's errors against its truth, and the two metric tables.

    One button makes the maps, as image layers in the paper's blue to red under one scale; from then
    on they follow the controls and, where one band is asked for, the slider. All numbers are
    computed off the window's thread.

    Parameters
    ----------
    napari_viewer
        The viewer to look at; napari hands it over by this name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._map_layers: list[Image] = []
        self._limits: dict[tuple[object, ...], float] = {}
        self._side_by_side = SideBySide(viewer)

        self._predictions = CubeList(viewer)
        self._truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self._metric = ElidingComboBox()
        self._bands = ElidingComboBox()
        self._grid = QCheckBox("&Side by side")
        self._show = QPushButton("Show &error maps")
        self._copy = CubesCopy(self._compared, self._text)
        self._state = QLabel()
        self._finder = WorstFinder(viewer)
        self._tables = MetricTables()
        self._maps_worker = LatestWorker("comparing the cubes", self)
        self._tables_worker = LatestWorker("computing the metrics", self)
        self._follow_soon = qthrottled(self._update_maps, timeout=_FOLLOW_MS, parent=self)
        self._lay_out()

        self._predictions.chosen.connect(self._truth.refresh)
        self._predictions.chosen.connect(self._on_choice)
        self._truth.chosen.connect(self._on_choice)
        self._metric.currentIndexChanged.connect(self._on_metric)
        self._bands.currentIndexChanged.connect(self._update_maps)
        self._grid.toggled.connect(self._on_grid)
        self._show.clicked.connect(self._on_show)
        self._maps_worker.done.connect(self._on_maps)
        self._maps_worker.failed.connect(self._on_no_maps)
        self._tables_worker.done.connect(self._on_evaluations)
        self._tables_worker.failed.connect(self._on_no_evaluations)
        self._on_choice()

    @property
    def busy(self) -> bool:
        """Whether maps, tables or the worst band are being computed."""
        return self._maps_worker.busy or self._tables_worker.busy or self._finder.busy

    def compare(self, layers: Iterable[Image], truth: Image) -> None:
        """Judge these cubes against their truth, as if the user had chosen them and pressed."""
        self._predictions.choose(layers)
        self._truth.choose(truth)
        self._show.click()

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return read_controls(self._controls())

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "predictions": self._predictions,
            "truth": self._truth,
            "metric": self._metric,
            "bands": self._bands,
            "side_by_side": self._grid,
        }

    def _lay_out(self) -> None:
        self._predictions.setToolTip("The cubes to judge; tick several to compare them.")
        self._truth.setToolTip("The ground truth: a cube of the same size and wavelengths.")
        self._metric.setToolTip("What the heatmap shows at each pixel.")
        for row, (name, title, explanation) in enumerate(_METRICS):
            self._metric.addItem(title, name)
            self._metric.setItemData(row, explanation, 3)  # Qt.ToolTipRole
        self._bands.addItem("all bands", "all")
        self._bands.addItem("the slider's band", "slider")
        self._bands.setToolTip("Judge all bands at once, or the one that the slider shows, live.")
        self._grid.setChecked(True)
        self._grid.setToolTip(
            "With several cubes, show their maps alone in napari's grid, under one scale. "
            "Other layers come back when this or the grid is turned off."
        )
        self._show.setToolTip("Make the heatmap layers and both metric tables.")
        form = QFormLayout()
        form.addRow("&Predictions", self._predictions)
        form.addRow("&Truth", self._truth)
        form.addRow("&Metric", self._metric)
        form.addRow("&Bands", self._bands)
        form.addRow("", self._grid)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._state.setWordWrap(True)
        self._tables.hide()

        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addWidget(self._show)
        rows.addWidget(self._copy)
        rows.addWidget(self._state)
        rows.addWidget(self._finder)
        rows.addWidget(self._tables)
        rows.addStretch(1)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Follow slider and layers while visible."""
        super().showEvent(event)
        self._viewer.dims.events.point.connect(self._on_band)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._on_band()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self._viewer.dims.events.point.disconnect(self._on_band)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._follow_soon.cancel()
        super().hideEvent(event)

    # -- what is chosen ------------------------------------------------------------------------

    def _fits(self, truth: Image) -> bool:
        return any(is_comparable(layer, truth) for layer in self._predictions.layers)

    def _layers(self) -> list[Image]:
        """Return the cubes to judge: the ticked ones, never the truth itself."""
        return [layer for layer in self._predictions.layers if layer != self._truth.layer]

    def _compared(self) -> list[Image]:
        """Return the cubes and, last, their truth; nothing where one is missing."""
        layers, truth = self._layers(), self._truth.layer
        return [*layers, truth] if layers and truth is not None else []

    def _text(self, files: list[Path]) -> ErrorsText:
        """Write down what is compared."""
        *cubes, truth = files
        at_band = self._bands.currentIndex() == _SLIDER_BAND
        nm = self._band_nm(self._layers()[0]) if at_band else None
        return ErrorsText(cubes, truth, self._metric.currentData(), nm)

    def _band_nm(self, layer: Image) -> float | None:
        band = current_band(layer, self._viewer.dims)
        return None if band is None else float(layer_wavelengths(layer)[band])

    def _request(self) -> MapRequest:
        """Return what to compute.

        Raises
        ------
        InputError
            Where the choice cannot be compared.
        """
        layers, truth = self._layers(), self._truth.layer
        if not layers:
            raise InputError("no cube to judge is chosen", fix=_NO_PREDICTION)
        if truth is None:
            raise InputError("no truth is chosen", fix=_NO_TRUTH)
        for layer in layers:
            check_comparable(layer, truth)
        band_nm = None
        if self._bands.currentIndex() == _SLIDER_BAND:
            band_nm = self._band_nm(layers[0])
            if band_nm is None:
                raise InputError(
                    "the slider is outside the cube's bands",
                    where=layers[0].name,
                    fix="Move the slider, or choose all bands.",
                )
        cubes = tuple(layer_cube(layer) for layer in layers)
        return MapRequest(cubes, layer_cube(truth), self._metric.currentData(), band_nm)

    # -- slots ---------------------------------------------------------------------------------

    def _on_choice(self) -> None:
        """Say what is missing, and offer the button once nothing is."""
        layers, truth = self._layers(), self._truth.layer
        if self._predictions.count() == 0:
            missing = _NO_CUBE
        elif truth is None:
            missing = _NO_TRUTH
        else:
            missing = "" if layers else _NO_PREDICTION
        self._say(missing)
        self._show.setEnabled(not missing)
        self._copy.setEnabled(not missing)
        self._grid.setEnabled(len(layers) > 1)
        self._on_band()

    def _on_metric(self, index: int) -> None:
        needs_all = self._metric.currentData() == "sam"
        self._bands.setEnabled(not needs_all)
        if needs_all:
            self._bands.setCurrentIndex(_ALL_BANDS)
        self._update_maps()

    def _on_band(self, event: object = None) -> None:
        layers = self._layers()
        nm = self._band_nm(layers[0]) if layers else None
        self._bands.setItemText(
            _SLIDER_BAND, "the slider's band" if nm is None else f"the slider's band, {nm:.4g} nm"
        )
        if self._bands.currentIndex() == _SLIDER_BAND:
            self._follow_soon()

    def _on_removed(self, event: object = None) -> None:
        before = len(self._map_layers)
        self._map_layers = [layer for layer in self._map_layers if layer in self._viewer.layers]
        if before > len(self._map_layers):
            self._finder.set_judged([])
            if not self._map_layers:
                self._side_by_side.end()

    def _on_grid(self, enabled: bool) -> None:
        if not enabled:
            self._side_by_side.end()
        elif len(self._map_layers) > 1:
            self._side_by_side.show(self._map_layers)

    def _on_show(self) -> None:
        """Make the maps and the tables, or tell why they cannot be."""
        try:
            request = self._request()
        except GMSRError as error:
            notifications.show_error(str(error))
            return
        self._limits.clear()
        self._compute(request)
        self._evaluate(request)

    def _update_maps(self) -> None:
        """Bring the maps that are shown up to date with the controls and the slider."""
        if not self._map_layers:
            return
        try:
            request = self._request()
        except GMSRError as error:
            # Not asked for by a click: a word in the widget is enough.
            self._say(str(error))
        else:
            self._compute(request)

    # -- computing off the window's thread -----------------------------------------------------

    def _compute(self, request: MapRequest) -> None:
        """Compute maps in a worker; while one runs, only the latest wish is remembered."""
        layers, truth = self._layers(), self._truth.layer
        key = (*map(id, layers), id(truth), request.metric, request.band_nm is None)
        context = (layers, truth, key)
        self._maps_worker.ask(_with_context, request, self._limits.get(key), context)
        self._say("Comparing …")

    def _on_maps(
        self, outcome: tuple[MapRequest, ErrorMaps, tuple[list[Image], Image, tuple[object, ...]]]
    ) -> None:
        request, result, (layers, truth, key) = outcome
        self._limits[key] = result.limit
        kept = [i for i, layer in enumerate(layers) if layer in self._viewer.layers]
        before = len(self._map_layers)
        if kept:
            self._map_layers = show_maps(
                self._viewer,
                [layers[i] for i in kept],
                request.metric,
                ErrorMaps(tuple(result.maps[i] for i in kept), result.limit),
            )
            self._judge([layers[i] for i in kept], truth, request)
        if len(self._map_layers) > max(1, before) and self._grid.isChecked():
            self._side_by_side.show(self._map_layers)
        where = "over all bands" if request.band_nm is None else f"at {request.band_nm:.4g} nm"
        self._say(f"Blue is no error, red is {result.limit:.3g} or more, {where}.")

    def _judge(self, layers: list[Image], truth: Image, request: MapRequest) -> None:
        """Have the maps that are shown searched for what is worst."""
        title = TITLES[request.metric]
        one_band = request.band_nm is not None
        self._finder.set_judged(
            JudgedCube(layer, truth, errors, title, one_band)
            for layer, errors in zip(layers, self._map_layers, strict=True)
        )

    def _evaluate(self, request: MapRequest) -> None:
        """Compute both metric sets in a worker of their own, so that maps need not queue."""
        self._tables.setEnabled(False)
        self._tables_worker.ask(compute_evaluations, request.predictions, request.truth)

    def _on_evaluations(self, evaluations: list[Evaluation]) -> None:
        if not self._tables_worker.busy:
            self._tables.show_evaluations(evaluations)
            self._tables.setEnabled(True)
            self._tables.show()

    def _on_no_evaluations(self, error: GMSRError) -> None:
        self._tables.hide()
        notifications.show_error(str(error))

    def _on_no_maps(self, error: GMSRError) -> None:
        self._say("")
        notifications.show_error(str(error))

    def _say(self, text: str) -> None:
        self._state.setText(text)
        self._state.setVisible(bool(text))


def _with_context(
    request: MapRequest, limit: float | None, context: object
) -> tuple[MapRequest, ErrorMaps, object]:
    """Compute maps, and hand back what they belong to."""
    return request, compute_maps(request, limit), context
