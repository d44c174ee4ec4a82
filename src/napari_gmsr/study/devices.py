"""Where a study runs: one process a device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_gmsr.errors import InputError
from napari_gmsr.reconstruct import choose_device

__all__ = ["StudyDevice", "choose_devices"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class StudyDevice:
    """A device that does one run at a time.

    Parameters
    ----------
    name
        For people.
    setting
        As for training and reconstruction, in the process that has this device.
    environment
        What makes it that process's own.
    """

    name: str
    setting: str = "auto"
    environment: dict[str, str] = field(default_factory=dict)


def choose_devices(requested: Sequence[str] = ("auto",)) -> tuple[StudyDevice, ...]:
    """Choose the devices of a study.

    Parameters
    ----------
    requested
        ``auto``: every GPU that PyTorch sees, or else the one that training would take; or names
        such as ``cpu``, ``cuda:0``, ``cuda:1``.

    Raises
    ------
    InputError
        Where a device is not there, or named twice.
    """
    import torch

    if tuple(requested) == ("auto",):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        requested = [f"cuda:{index}" for index in range(count)] or ["auto"]
    chosen = []
    for name in requested:
        device = choose_device(name)[0]
        if device.type == "cuda":
            chosen.append(_gpu(device.index or 0))
        else:
            # What "auto" gives here it gives in the process too.
            chosen.append(StudyDevice(device.type, "auto" if name == "auto" else device.type))
    names = [device.name for device in chosen]
    if len(set(names)) < len(names) or not names:
        raise InputError(
            f"the devices {', '.join(names)} are not one or several different ones",
            where="devices",
            fix="Name each once.",
        )
    return tuple(chosen)


def _gpu(index: int) -> StudyDevice:
    visible = [each for each in os.environ.get(_VISIBLE, "").split(",") if each.strip()]
    own = visible[index].strip() if visible else str(index)
    return StudyDevice(f"cuda:{index}", "auto", {_VISIBLE: own})
