"""The band as a number: type a wavelength, and the slider goes to the nearest band."""

from __future__ import annotations

from qtpy.QtCore import QLocale, QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from napari_gmsr.plugin.band_cursor import BandCursor

__all__ = ["WavelengthBox"]

_LARGEST_NM = 1e6


class WavelengthBox(QDoubleSpinBox):
    """Shows the slider's band in nm; takes any wavelength, and steps from band to band.

    Parameters
    ----------
    cursor
        The band that it shows and moves.
    parent
        Qt's parent.
    """

    def __init__(self, cursor: BandCursor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cursor = cursor
        self.setLocale(QLocale.c())
        self.setRange(0, _LARGEST_NM)
        self.setDecimals(2)
        self.setSuffix(" nm")
        self.setSpecialValueText("– nm")
        self.setKeyboardTracking(False)  # "5", "54" on the way to "543" are no wish
        self.setToolTip(
            "Type a wavelength and press Enter: the slider goes to the nearest band. "
            "The arrows go from band to band, Page up and down five at once. "
            "W in the picture comes here."
        )
        self.valueChanged.connect(self._on_value)
        cursor.moved.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the band that the slider is at."""
        nm = self._cursor.nm
        with QSignalBlocker(self):
            self.setValue(0 if nm is None else nm)

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Go so many bands on: their spacing need not be even."""
        self._cursor.step(steps if abs(steps) < 10 else steps // 2)
        self.selectAll()

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Return a wavelength without needless digits."""
        return f"{value:.6g}"

    def _on_value(self, nm: float) -> None:
        if nm > 0:
            self._cursor.go_to(nm)
        self.refresh()  # the band that was nearest, not what was typed
