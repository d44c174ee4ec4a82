"""Where a network runs, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from napari_gmsr.errors import InputError, OutOfMemoryError

__all__ = ["DEVICES", "choose_device", "exact_float32", "named_out_of_memory"]

DEVICES = ("auto", "cpu", "cuda", "mps")
"""What a user can ask for; ``cuda:1`` and the like work too."""


def choose_device(requested: str = "auto") -> tuple[torch.device, str]:
    """Choose the device to run on.

    Parameters
    ----------
    requested
        One of `DEVICES`, or a device with its index.

    Returns
    -------
    device : torch.device
    reason : str
        Why, in a clause that a user understands.

    Raises
    ------
    InputError
        Where the requested device is not there.
    """
    if requested == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), f"the GPU is there: {torch.cuda.get_device_name()}"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "Apple's GPU is there"
        return torch.device("cpu"), "no GPU that PyTorch can use"
    name = re.fullmatch(r"(cpu|cuda|mps)(?::([0-9]{1,3}))?", requested)
    if name is None:
        raise InputError(
            "there is no device of this name",
            where=f"device {requested!r}",
            fix=f"Choose one of {', '.join(DEVICES)}.",
        )
    count = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if int(name[2] or 0) >= count[name[1]]:
        raise InputError(
            f"PyTorch {torch.__version__} finds no such device here",
            where=f"device {requested!r}",
            fix="Choose 'auto' or 'cpu'; `napari-gmsr doctor` says what is there.",
        )
    return torch.device(requested), "asked for"


@contextmanager
def exact_float32() -> Iterator[None]:
    """Switch TF32 off: with it a cube differs by up to 4e-4 from the same cube on a CPU."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    convolution = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = convolution


@contextmanager
def named_out_of_memory(what: str, device: torch.device, tile: int) -> Iterator[None]:
    """Turn PyTorch's out-of-memory errors, which are RuntimeErrors, into ours."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(
            f"memory of the device {device} ran out",
            where=what,
            fix=f"Choose mode 'tiled' with a tile size below {tile}, or another device.",
        ) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(
            error
        ):  # PyTorch's CPU allocator has no type of its own
            raise
        raise OutOfMemoryError(
            "the computer's memory ran out",
            where=what,
            fix=f"Choose mode 'tiled' with a tile size below {tile}.",
        ) from error
