"""The errors that reach a user: each says what is wrong, where, and what to do.

None of them derives from ``RuntimeError``: napari's generator workers drop those without a word.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "CheckpointError",
    "DatasetError",
    "DeviceError",
    "EngineError",
    "GMSRError",
    "InputError",
    "OutOfMemoryError",
    "OutputError",
]


class GMSRError(Exception):
    """A mistake or a limit that the user can do something about.

    Parameters
    ----------
    what
        What is wrong, in one clause without a full stop.
    where
        The file, layer, argument or device it is about; empty where there is none.
    fix
        What to do about it, in one sentence.
    """

    def __init__(self, what: str, *, where: object = "", fix: str = "") -> None:
        self.what = " ".join(str(what).split())
        self.where = str(where)
        self.fix = " ".join(fix.split())
        super().__init__(what)

    def __str__(self) -> str:
        """Return one line: ``where: what. fix``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.fix}" if self.fix else head

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own pickling calls cls(*args), which would lose the keyword arguments.
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(cls: type[GMSRError], what: str, where: str, fix: str) -> GMSRError:
    return cls(what, where=where, fix=fix)


class InputError(GMSRError):
    """A picture, cube, layer or argument that cannot be used as it is."""


class OutputError(GMSRError):
    """A result that cannot be written: the name is taken, no permission, the disk is full."""


class CheckpointError(GMSRError):
    """A file that is no checkpoint, or one for another network."""


class DatasetError(GMSRError):
    """Training or evaluation data that is missing or inconsistent."""


class EngineError(GMSRError):
    """A scan engine that was asked for and is not there."""


class DeviceError(GMSRError):
    """A device that failed while it computed: it vanished, or its driver gave up."""


class OutOfMemoryError(GMSRError):
    """Memory ran out on a device, and smaller pieces did not help."""


class Cancelled(GMSRError):  # noqa: N818 - it is no error
    """The user cancelled; nothing was written."""

    def __init__(self, what: str = "cancelled", *, where: object = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
