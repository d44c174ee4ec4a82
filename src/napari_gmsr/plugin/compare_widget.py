"""The *Compare models* widget: several models on one picture, side by side and in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtGui import QGuiApplication, QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import Executor, Settings
from napari_gmsr.plugin.compare_controller import CompareController, compare_controller
from napari_gmsr.plugin.compare_models import ModelChoice
from napari_gmsr.plugin.compare_pair_box import PairBox
from napari_gmsr.plugin.compare_report import ReportButton
from napari_gmsr.plugin.compare_table import CompareTable
from napari_gmsr.plugin.controls import ElidingComboBox, ScrollingBody, align_labels
from napari_gmsr.plugin.error_layers import compute_evaluations
from napari_gmsr.plugin.error_maps_widget import ErrorMapsWidget
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_choice import CubeComboBox
from napari_gmsr.plugin.layers import LayerCube, is_comparable, layer_cube
from napari_gmsr.plugin.mode_choice import ModeChoice
from napari_gmsr.plugin.picture_choice import PictureComboBox
from napari_gmsr.plugin.pictures import picture_of_layer
from napari_gmsr.plugin.preferences import preferences
from napari_gmsr.plugin.reconstruct_texts import Explanation
from napari_gmsr.plugin.settings import read_controls, write_controls
from napari_gmsr.plugin.spectra_widget import SpectraWidget

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_gmsr.evaluate import Evaluation

__all__ = ["CompareWidget"]

_WIDTH = 320
_PLUGIN = "napari-gmsr"
_NO_CUBES = "Run the comparison first: its cubes are what is shown."


class CompareWidget(QWidget):
    """Tick several checkpoints, press Run, and get a cube from each, with a table.

    The models run in a child process while the dock is closed; opened again, the widget shows how
    they stand.

    Parameters
    ----------
    napari_viewer
        Gets the cubes; napari hands it over by this name.
    executor
        Does the work; the program's shared child process by default.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        super().__init__()
        viewer = self._viewer = napari_viewer
        self._executor = executor
        self._controller: CompareController | None = None
        self._evaluations: dict[int, Evaluation] = {}
        self._evaluated: _Judged | None = None
        self.picture = PictureComboBox(viewer)
        self.models = ModelChoice()
        self.mode = ModeChoice()
        self.run = QPushButton("&Run models")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.state = Explanation("How the comparison stands.")
        self.truth = CubeComboBox(viewer, truth=True, fits=self._fits)
        self.metrics = ElidingComboBox()
        self.table = CompareTable()
        self.copy = QPushButton("&Copy table as CSV")
        self.curves = QPushButton("All c&urves")
        self.errors = QPushButton("&Error maps")
        self.pair = PairBox(viewer)
        self.report = ReportButton(viewer)
        self._judging = LatestWorker("computing the metrics", self)
        self._lay_out()

        self.picture.chosen.connect(self._update)
        self.models.chosen.connect(self._update)
        self.truth.chosen.connect(self._judge)
        self.metrics.currentIndexChanged.connect(self._show_table)
        self._judging.done.connect(self._on_judged)
        self._judging.failed.connect(lambda error: show_error(str(error)))
        self.run.clicked.connect(self._on_run)
        self.cancel.clicked.connect(self._on_cancel)
        self.copy.clicked.connect(self._on_copy)
        self.curves.clicked.connect(self._on_curves)
        self.errors.clicked.connect(self._on_errors)
        self._update()

    @property
    def busy(self) -> bool:
        """Whether models run, or metrics are being computed."""
        return self.controller.running or self._judging.busy

    @property
    def controller(self) -> CompareController:
        """What runs the models: one for each window."""
        if self._controller is None:
            self._controller = compare_controller(self, self._viewer, self._executor)
            self._controller.changed.connect(self._update)
            self._controller.ended.connect(self._on_ended)
        return self._controller

    @property
    def cubes(self) -> list[Image]:
        """The compared cubes that the viewer still holds, in the table's order."""
        return list(self._rows().values())

    def saved_settings(self) -> dict[str, Any]:
        """See :class:`.KeepsSettings`."""
        return {"models": list(self.models.models), **read_controls(self._controls())}

    def restore_settings(self, saved: Mapping[str, Any]) -> None:
        """See :class:`.KeepsSettings`."""
        models = saved.get("models")
        if isinstance(models, list):
            self.models.choose(model for model in models if isinstance(model, str))
        write_controls(self._controls(), saved)

    def _controls(self) -> dict[str, QWidget]:
        return {
            "picture": self.picture,
            "mode": self.mode,
            "truth": self.truth,
            "metrics": self.metrics,
            "first": self.pair.first,
            "second": self.pair.second,
        }

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Pick up a comparison under way, and follow the layers."""
        super().showEvent(event)
        self._viewer.layers.events.removed.connect(self._on_removed)
        align_labels(self._forms)  # in the window's font
        if self.controller.running:
            self._update()
        else:
            self._judge()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop following: a closed dock only hides its widget."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        super().hideEvent(event)

    def _on_removed(self, event: object = None) -> None:
        self._update()

    # -- running the models

    def _on_run(self) -> None:
        layer = self.picture.layer
        if layer is None:
            return
        try:
            picture = picture_of_layer(layer, self._viewer.dims)
        except GMSRError as error:
            show_error(str(error))
            return
        self._evaluations, self._evaluated = {}, None
        settings = Settings(mode=self.mode.currentData(), device=preferences().device)
        self.controller.start(picture, self.models.models, settings)

    def _on_cancel(self) -> None:
        self.controller.cancel()

    def _on_ended(self) -> None:
        cubes = self.cubes
        if len(cubes) > 1 and self.isVisible():
            self.pair.first.choose(cubes[0])
            self.pair.second.choose(cubes[1])
        self.truth.refresh()
        self._judge()

    # -- numbers

    def _rows(self) -> dict[int, Image]:
        """Return the layers of the rows whose cube the viewer still holds."""
        results = [] if self._controller is None else self._controller.results
        layers = self._viewer.layers
        return {
            row: result.layer
            for row, result in enumerate(results)
            if result.layer is not None and result.layer in layers
        }

    def _fits(self, truth: Image) -> bool:
        return any(is_comparable(layer, truth) for layer in self.cubes)

    def _judged(self) -> dict[int, Image]:
        """Return the rows that can be compared with the truth."""
        truth = self.truth.layer
        if truth is None:
            return {}
        rows = self._rows().items()
        return {row: one for row, one in rows if one is not truth and is_comparable(one, truth)}

    def _judge(self) -> None:
        """Compute the metrics in a worker, once all models have run."""
        truth, rows = self.truth.layer, self._judged()
        if self._controller is None or self._controller.running:
            return
        judged = _Judged(rows, truth) if truth is not None and rows else None
        if judged != self._evaluated:
            self._evaluations, self._evaluated = {}, judged
            if judged is not None:
                cubes = [layer_cube(one) for one in rows.values()]
                self._judging.ask(_evaluate, judged, cubes, layer_cube(judged.truth))
        self._update()

    def _on_judged(self, outcome: tuple[_Judged, dict[int, Evaluation]]) -> None:
        judged, evaluations = outcome
        if judged is self._evaluated:
            self._evaluations = evaluations
        self._update()

    def _on_copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(self.table.to_csv())
        show_info("Copied.")

    # -- looking

    def _on_curves(self) -> None:
        """Tell the Spectra widget, opened where it is not, to draw every cube."""
        first, *others = self.cubes
        _, spectra = self._viewer.window.add_plugin_dock_widget(_PLUGIN, "Spectra")
        assert isinstance(spectra, SpectraWidget)
        choices = spectra.choices
        choices.prediction.choose(first)
        if self.truth.layer is not None and is_comparable(first, self.truth.layer):
            choices.truth.choose(self.truth.layer)
        choices.others.choose(others)

    def _on_errors(self) -> None:
        """Tell the Error maps widget, opened where it is not, to judge every cube."""
        truth = self.truth.layer
        if truth is None:
            return
        self.pair.end()
        _, maps = self._viewer.window.add_plugin_dock_widget(_PLUGIN, "Error maps")
        assert isinstance(maps, ErrorMapsWidget)
        maps.compare(self._judged().values(), truth)

    # -- looks

    def _update(self) -> None:
        controller = self._controller
        running = controller is not None and controller.running
        why_not = self._why_not()
        self.run.setEnabled(not running and not why_not)
        self.run.setToolTip(why_not or "Run the ticked models one after the other.")
        self.cancel.setEnabled(running)
        self.bar.setVisible(running)
        if controller is not None:
            self.bar.setRange(0, max(1, len(controller.results)))
            self.bar.setValue(controller.done)
        self._show_table()
        cubes, judged = self.cubes, self._judged()
        self.table.setVisible(self.table.rowCount() > 0)
        self.copy.setEnabled(self.table.rowCount() > 0)
        self.curves.setEnabled(bool(cubes))
        self.curves.setToolTip(
            "Draw the spectra of all these cubes, and the truth's, in the Spectra widget."
            if cubes
            else _NO_CUBES
        )
        self.errors.setEnabled(bool(judged))
        self.errors.setToolTip(
            "Map the errors of all these cubes in one grid, under one scale."
            if judged
            else "Choose a truth of the picture's size and the cubes' bands."
            if cubes
            else _NO_CUBES
        )
        self.state.setText(self._said())

    def _why_not(self) -> str:
        if self.picture.layer is None:
            return "Open a colour picture first: drag it into the window, or File > Open Sample."
        return "" if self.models.models else "Tick the checkpoints to compare."

    def _said(self) -> str:
        controller = self._controller
        if controller is None or not controller.results:
            return ""
        if controller.running:
            return f"{controller.done} of {len(controller.results)} models are done."
        failures = [one for one in controller.results if one.state == "failed"]
        said = [f"✗ {one.name}: {one.message}" for one in failures]
        truth, left_out = self.truth.layer, len(self._rows()) - len(self._judged())
        if truth is not None and left_out:
            said.append(
                f"{left_out} of the cubes differ from '{truth.name}' in size or wavelengths: "
                "they are not judged."
            )
        return "\n".join(said)

    def _show_table(self) -> None:
        controller = self._controller
        if controller is not None:
            metrics = self.metrics.currentData()
            rows = {row: self._evaluations[row] for row in self._rows() if row in self._evaluations}
            self.table.show_results(controller.results, rows, metrics, controller.share)

    def _lay_out(self) -> None:
        self.picture.setToolTip("The RGB layer that every model reconstructs.")
        self.cancel.setToolTip("Stop after the tile under way; cubes that are there stay.")
        self.bar.setToolTip("Models that are dealt with.")
        self.truth.setToolTip("The ground truth: a cube of the same size and wavelengths.")
        self.metrics.addItem("Paper set", "paper")
        self.metrics.addItem("Standard set", "standard")
        self.metrics.setToolTip("As GMSR-Net's test script computes them, or as usually defined.")
        self.copy.setToolTip("Copy the table with all digits, for a spreadsheet.")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Picture", self.picture)
        form.addRow("Chec&kpoints", self.models)
        form.addRow("&Mode", self.mode)
        judged = QFormLayout()
        judged.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        judged.addRow("&Truth", self.truth)
        judged.addRow("Metr&ics", self.metrics)
        self._forms = (form, judged, self.pair.form)
        self.setMinimumWidth(_WIDTH)
        rows = ScrollingBody(self).rows
        rows.addLayout(form)
        rows.addLayout(_beside(self.run, self.cancel))
        rows.addWidget(self.bar)
        rows.addWidget(self.table)
        rows.addWidget(self.state)
        rows.addLayout(judged)
        rows.addLayout(_beside(self.curves, self.errors))
        rows.addWidget(self.copy)
        rows.addWidget(self.pair)
        rows.addWidget(self.report)
        rows.addStretch(1)


@dataclass(frozen=True)
class _Judged:
    """What metrics were asked of: cubes' layers by row, and their truth's."""

    rows: Mapping[int, Image]
    truth: Image


def _evaluate(
    judged: _Judged, cubes: Sequence[LayerCube], truth: LayerCube
) -> tuple[_Judged, dict[int, Evaluation]]:
    return judged, dict(zip(judged.rows, compute_evaluations(cubes, truth), strict=True))


def _beside(first: QWidget, second: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(first)
    row.addWidget(second)
    return row
