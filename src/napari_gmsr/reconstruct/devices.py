"""Where a network runs, and why."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from napari_gmsr.errors import DeviceError, InputError, OutOfMemoryError

__all__ = ["DEVICES", "choose_device", "exact_float32", "named_device_errors", "release_memory"]

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
def named_device_errors(what: str, device: torch.device) -> Iterator[None]:
    """Turn what PyTorch raises, RuntimeErrors, where memory runs out or a device fails into ours.

    Parameters
    ----------
    what
        Name of the picture.
    device
        Where it is worked on.

    Raises
    ------
    OutOfMemoryError
        Where the device's memory runs out.
    DeviceError
        Where the device fails otherwise: it vanished, or its driver gave up.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or _OUT_OF_MEMORY.search(text):
            memory = "the computer's memory" if device.type == "cpu" else f"memory of {device}"
            raise OutOfMemoryError(
                f"{memory} ran out",
                where=what,
                fix="Choose mode 'tiled' with a smaller tile, or another device.",
            ) from error
        if _DEVICE_FAILED.search(text):
            raise DeviceError(
                f"the device {device} failed: {text.splitlines()[0]}",
                where=what,
                fix="Start the program again, or choose device 'cpu'.",
            ) from error
        raise


# Only PyTorch's CUDA allocator has a type of its own; these are what the others say.
_OUT_OF_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|CUBLAS_STATUS_ALLOC_FAILED"
)
# torch.AcceleratorError, of PyTorch 2.8 and later, and RuntimeErrors of before.
_DEVICE_FAILED = re.compile(r"CUDA (driver )?error|CUBLAS_STATUS|CUDNN_STATUS|cuDNN error")


def release_memory(device: torch.device) -> None:
    """Give what a failed run left behind back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
