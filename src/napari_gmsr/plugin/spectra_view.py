"""Ways to look at spectra, and the control that chooses one. Data never changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QSpinBox, QWidget

from napari_gmsr import spectra
from napari_gmsr.plugin.controls import ElidingComboBox

__all__ = ["AS_MEASURED", "View", "ViewChoice"]

_LARGEST_WINDOW = 99


@dataclass(frozen=True)
class View:
    """A way to look at spectra.

    Parameters
    ----------
    name
        As the user reads it, also in saved tables.
    label
        Of the axis of the curves.
    change
        Turns spectra (band, n) at wavelengths (band,) into what is shown, (band, n); ``None`` for
        spectra as they are.
    """

    name: str
    label: str
    change: Callable[[npt.NDArray[Any], npt.NDArray[np.float64]], npt.NDArray[Any]] | None = None

    def __call__(
        self, values: npt.NDArray[Any], wavelengths_nm: npt.NDArray[np.float64]
    ) -> npt.NDArray[Any]:
        """Return spectra (band, ...) as this view shows them."""
        return values if self.change is None else self.change(values, wavelengths_nm)


AS_MEASURED = View("as measured", "Response")
_SMOOTHED = View("smoothed", "Response, smoothed", spectra.smooth)

_VIEWS = (
    (AS_MEASURED, "The spectra as they are in the cubes."),
    (
        _SMOOTHED,
        "By the filter of Savitzky and Golay: parabolas through neighbouring bands.",
    ),
    (
        View("first derivative", "Derivative (1/nm)", spectra.derivative),
        "How fast the response rises or falls over the wavelength.",
    ),
    (
        View("normalised: maximum", "Response / maximum", spectra.normalise),
        "Divided by the greatest response: 1 at the peak.",
    ),
    (
        View("normalised: area", "Response / area (1/nm)", partial(spectra.normalise, by="area")),
        "Divided by the area under the curve.",
    ),
    (
        View("normalised: vector", "Response / length", partial(spectra.normalise, by="vector")),
        "Divided by the length as a vector: what a spectral angle compares.",
    ),
    (
        View("normalised: SNV", "Response (SNV)", partial(spectra.normalise, by="snv")),
        "Standard normal variate: mean 0 and standard deviation 1 over the bands.",
    ),
    (
        View("continuum removed", "Response / continuum", spectra.remove_continuum),
        "Divided by the upper convex hull, so that absorption bands stand alone.",
    ),
)


class ViewChoice(QWidget):
    """A choice of the view; for a smoothed one also of how many bands are fitted at once.

    Parameters
    ----------
    parent
        Qt's parent.
    """

    chosen = Signal()
    """The view has changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = ElidingComboBox()
        self.kind.setToolTip(
            "How the curves are shown: pins, regions, truth and residual alike. "
            "The cubes stay as they are, and errors are always of the spectra as measured."
        )
        for row, (view, explanation) in enumerate(_VIEWS):
            self.kind.addItem(view.name)
            self.kind.setItemData(row, explanation, Qt.ItemDataRole.ToolTipRole)
        self.bands = QSpinBox()
        self.bands.setRange(3, _LARGEST_WINDOW)
        self.bands.setSingleStep(2)
        self.bands.setValue(7)
        self.bands.setSuffix(" bands")
        self.bands.setToolTip("How many neighbouring bands each parabola is fitted to; odd.")
        self.bands.setMinimumWidth(105)
        self.bands.hide()
        self.setFocusProxy(self.kind)  # for the mnemonic of the label beside
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kind, 1)
        layout.addWidget(self.bands)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.bands.valueChanged.connect(self._on_window)

    @property
    def view(self) -> View:
        """What is chosen."""
        view = _VIEWS[self.kind.currentIndex()][0]
        if view is not _SMOOTHED:
            return view
        window = self.bands.value()
        return View(
            f"smoothed over {window} bands", view.label, partial(spectra.smooth, window=window)
        )

    def _on_kind(self, index: int) -> None:
        self.bands.setVisible(_VIEWS[index][0] is _SMOOTHED)
        self.chosen.emit()

    def _on_window(self, window: int) -> None:
        if window % 2 == 0:  # typed by hand
            self.bands.setValue(window + 1)
            return
        self.chosen.emit()
