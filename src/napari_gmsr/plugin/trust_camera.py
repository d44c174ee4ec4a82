"""A choice of camera and light, with a plot of what the camera sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_gmsr.color import list_cameras
from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.colors_widget import LIGHTS
from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.plots import ThemedPlot, set_up_frame

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_gmsr.color import CameraResponse

__all__ = ["CameraChoice", "ResponsePlot"]

_TITLES = {
    "srgb": ("Ideal photograph (sRGB)", "What 'photo' was trained on: the CIE 1964 observer."),
    "cie_1964": ("CIE 1964, as in NTIRE 2020", "What 'ntire2020-clean' was trained on."),
    "nikon_5100": ("Nikon 5100", "Measured by the National Physical Laboratory."),
    "sigma_sdmerrill": ("Sigma SD Merrill", "Measured by the National Physical Laboratory."),
}
_CHANNELS = (("red", "#e5484d"), ("green", "#30a46c"), ("blue", "#3e84f7"))
_SEEN_NM = (380.0, 730.0)


class ResponsePlot(ThemedPlot):
    """The sensitivity of a camera's channels over the wavelength."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.setToolTip("What each channel of the camera makes of each wavelength.")
        self._plot = self.addPlot()
        set_up_frame(self._plot, "Response")
        self._plot.setLabel("bottom", "Wavelength (nm)")
        self._curves = [
            self._plot.plot(pen=pg.mkPen(color, width=2), name=name) for name, color in _CHANNELS
        ]
        self.setFixedHeight(150)
        self.paint_items()

    def show_response(self, nm: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> None:
        """Draw a response, its largest value at 1.

        Parameters
        ----------
        nm
            float64 (band,).
        values
            float64 (band, 3).
        """
        largest = np.abs(values).max() or 1.0
        for curve, channel in zip(self._curves, values.T, strict=True):
            curve.setData(nm, channel / largest)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a low plot's size: it stands between controls."""
        return QSize(280, 150)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest readable size."""
        return QSize(200, 150)


class CameraChoice(QWidget):
    """What a picture was taken with: a camera, shipped or from a file, and a light.

    Parameters
    ----------
    viewer
        Whose theme the plot follows.
    """

    chosen = Signal()
    """Another camera or light was chosen."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.camera_box = ElidingComboBox()
        self.camera_box.setToolTip(
            "The camera that took the picture. Your own: a CSV file with the header "
            "wavelength,r,g,b, in nm."
        )
        for name in list_cameras():
            title, tip = _TITLES.get(name, (name, ""))
            self.camera_box.addItem(title, name)
            self.camera_box.setItemData(self.camera_box.count() - 1, tip, Qt.ItemDataRole(3))
        self.camera_box.addItem("From file…", None)
        self.light_box = ElidingComboBox()
        self.light_box.setToolTip(
            "The light on the scene. A cube of radiance holds its light already."
        )
        for light, title in LIGHTS:
            self.light_box.addItem(title, light)
        self.plot = ResponsePlot(viewer)
        self._state = QLabel()
        self._state.setWordWrap(True)
        self._state.hide()
        self._before = 0
        self._worker = LatestWorker("reading the camera's response", self)
        self._worker.done.connect(self._on_response)
        self._worker.failed.connect(self._on_failed)

        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Ca&mera", self.camera_box)
        form.addRow("&Light", self.light_box)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(form)
        rows.addWidget(self.plot)
        rows.addWidget(self._state)
        self.camera_box.activated.connect(self._on_activated)
        self.light_box.activated.connect(self._on_light)
        self._draw()

    @property
    def camera(self) -> str:
        """The name of a shipped response, or a file's path."""
        return str(self.camera_box.currentData())

    @property
    def illuminant(self) -> str | None:
        """The light's name; ``None`` for equal power, or a cube that is radiance."""
        light = self.light_box.currentData()
        return light if isinstance(light, str) else None

    @property
    def busy(self) -> bool:
        """Whether a response is being read."""
        return self._worker.busy

    def choose(self, camera: str | Path, illuminant: str | None) -> None:
        """Choose a camera, by name or file, and a light, as a checkpoint's card names them."""
        index = self.camera_box.findData(str(camera))
        if index < 0:
            index = self.camera_box.count() - 1
            self.camera_box.insertItem(index, Path(camera).name, str(camera))
            self.camera_box.setItemData(index, str(camera), Qt.ItemDataRole(3))
        self.camera_box.setCurrentIndex(index)
        lights = [light for light, _ in LIGHTS]
        if illuminant not in lights and self.light_box.findData(illuminant) < 0:
            self.light_box.addItem(str(illuminant), illuminant)
        by_data = [self.light_box.itemData(i) for i in range(self.light_box.count())]
        self.light_box.setCurrentIndex(by_data.index(illuminant))
        self._on_activated()

    def _on_light(self, index: int = 0) -> None:
        self.chosen.emit()

    def _on_activated(self, index: int = 0) -> None:
        if self.camera_box.currentData() is None:
            self.camera_box.setCurrentIndex(self._before)
            path, _ = QFileDialog.getOpenFileName(
                self, "Choose a camera's response", "", "Responses (*.csv *.npz)"
            )
            if path:
                self.choose(path, self.illuminant)
            return
        self._before = self.camera_box.currentIndex()
        self._draw()
        self.chosen.emit()

    def _draw(self) -> None:
        self._worker.ask(_read, self.camera)

    def _on_response(self, response: CameraResponse) -> None:
        seen = (response.wavelengths_nm >= _SEEN_NM[0]) & (response.wavelengths_nm <= _SEEN_NM[1])
        self.plot.show_response(response.wavelengths_nm[seen], response.sensitivity[seen])
        self._state.hide()

    def _on_failed(self, error: GMSRError) -> None:
        self._state.setText(str(error))
        self._state.show()


def _read(camera: str) -> CameraResponse:
    from napari_gmsr.color import camera_response

    return camera_response(camera)
