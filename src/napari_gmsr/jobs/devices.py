"""The devices of the process that computes."""

from __future__ import annotations

import platform

import torch

__all__ = ["list_devices"]


def list_devices() -> dict[str, str]:
    """Return every device that is there, with a name for people."""
    devices = {"cpu": platform.processor() or platform.machine()}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple's GPU"
    return devices
