"""A choice among the devices that can compute."""

from __future__ import annotations

from collections.abc import Mapping

from napari_gmsr.plugin.controls import ElidingComboBox
from napari_gmsr.plugin.preferences import preferences

__all__ = ["DeviceChoice"]


class DeviceChoice(ElidingComboBox):
    """A choice among devices, starting from the preferences; its data are PyTorch's names.

    The window's process does not know the devices: see :meth:`learn`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.addItem("Automatic", "auto")
        self.addItem("CPU", "cpu")
        preferred = preferences().device
        if self.findData(preferred) < 0:
            self.addItem(preferred, preferred)
        self.setCurrentIndex(self.findData(preferred))

    def learn(self, devices: Mapping[str, str]) -> None:
        """Offer what the process that computes has found: PyTorch's names, and whose they are."""
        for device, name in devices.items():
            if self.findData(device) < 0:
                self.addItem(f"{device}: {name}", device)
