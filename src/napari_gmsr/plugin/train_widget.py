"""The *Train* widget: set a training run up, watch it, and use what it has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QTabWidget, QWidget

from napari_gmsr.jobs import Executor, RunSummary
from napari_gmsr.plugin.controls import ScrollingBody
from napari_gmsr.plugin.train_controller import TrainingController, training_controller
from napari_gmsr.plugin.train_runs import RunsPage
from napari_gmsr.plugin.train_setup import SetupPage

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["TrainWidget"]

_WIDTH = 330
_AT_WORK = ("starting", "running", "paused")


class TrainWidget(QWidget):
    """Choose data and settings, press Start, and watch the curves; napari stays free.

    A run is a process of its own that outlives napari. Opened again, the widget finds it.

    Parameters
    ----------
    napari_viewer
        Gets the live band, and pictures to choose probe pixels in.
    executor
        Looks into datasets and measures; child processes by default.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._executor = executor
        self._is_built = False
        self._running: tuple[Path, ...] = ()
        self.setMinimumWidth(_WIDTH)
        self.rows = ScrollingBody(self).rows
        self.rows.setContentsMargins(4, 4, 4, 4)  # the pages have margins of their own

    # -- Qt's events

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for runs; build everything when shown first, once the window is known."""
        if not self._is_built:
            self._is_built = True
            self._build()
        super().showEvent(event)
        self.controller.list_runs()

    # -- what happens

    def _on_page(self) -> None:
        """Let the page in front alone decide how high the dock is."""
        for page in (self.setup, self.runs):
            shown = page is self.pages.currentWidget()
            policy = QSizePolicy.Policy.Preferred if shown else QSizePolicy.Policy.Ignored
            page.setSizePolicy(QSizePolicy.Policy.Preferred, policy)

    def _on_listed(self, runs: tuple[RunSummary, ...]) -> None:
        """Offer to attach to what is running and not followed."""
        self._running = tuple(
            run.path
            for run in runs
            if run.state in _AT_WORK and self.controller.history(run.path) is None
        )
        count = len(self._running)
        self._found.setText(
            "1 training is running." if count == 1 else f"{count} trainings are running."
        )
        self._banner.setVisible(count > 0)

    def _on_attach(self) -> None:
        for run in reversed(self._running):
            self.runs.open(run)
        self._banner.setVisible(False)
        self.pages.setCurrentWidget(self.runs)

    def _on_started(self, run: Path) -> None:
        self.runs.open(run)
        self.pages.setCurrentWidget(self.runs)

    def _on_fine_tune(self, checkpoint: Path) -> None:
        self.setup.settings.fine_tune(checkpoint)
        self.pages.setCurrentWidget(self.setup)
        show_info("Choose the data to fine-tune on, and press Start.")

    def _on_use(self, checkpoint: Path) -> None:
        dock, widget = self._viewer.window.add_plugin_dock_widget("napari-gmsr", "Reconstruct")
        dock.show()
        dock.raise_()
        widget.choose_checkpoint(checkpoint)

    # -- looks

    def _build(self) -> None:
        self.controller: TrainingController = training_controller(self, self._executor)
        self.setup = SetupPage(self._viewer, self.controller)
        self.runs = RunsPage(self._viewer, self.controller)
        self.pages = QTabWidget()
        self.pages.addTab(self.setup, "Set up")
        self.pages.addTab(self.runs, "Runs")
        self.pages.setTabToolTip(0, "Data, settings, Start.")
        self.pages.setTabToolTip(1, "Curves, probe pixels, and what to do with the runs.")
        self._found = QLabel()
        self.attach = QPushButton("Attach")
        self.attach.setToolTip("Watch it here; it goes on either way.")
        self._banner = QWidget()
        row = QHBoxLayout(self._banner)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._found, stretch=1)
        row.addWidget(self.attach)
        self._banner.setVisible(False)
        self.setMinimumWidth(0)  # from here on its contents know better
        self.rows.addWidget(self._banner)
        self.rows.addWidget(self.pages)
        self.pages.currentChanged.connect(self._on_page)
        self._on_page()
        self.attach.clicked.connect(self._on_attach)
        self.setup.started.connect(self._on_started)
        self.runs.fine_tune.connect(self._on_fine_tune)
        self.runs.use.connect(self._on_use)
        self.controller.listed.connect(self._on_listed)
        # The dock may have been closed over a training.
        for run in self.controller.at_work:
            self._on_started(run)
