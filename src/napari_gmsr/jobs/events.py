"""What a job tells whoever looks: ``Started``, any ``Progress``, then one of three ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from napari_gmsr.errors import GMSRError

__all__ = ["Cancelled", "End", "Event", "Failed", "Finished", "Progress", "Started"]


@dataclass(frozen=True)
class Started:
    """The job has been taken up."""


@dataclass(frozen=True)
class Progress:
    """A part of the work is done.

    Parameters
    ----------
    done, total
        Parts done, and parts in all; ``total`` may be 0 where it is not known.
    message
        What is being done, in a few words.
    """

    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class Finished:
    """The end: the work is done.

    Parameters
    ----------
    result
        What the task returned, for a reconstruction a :class:`~napari_gmsr.cube.SpectralCube`.
    """

    result: Any


@dataclass(frozen=True)
class Failed:
    """The end: the work could not be done; nothing was changed.

    Parameters
    ----------
    error
        What is wrong, where, and what to do.
    log
        The last lines that the child process wrote, where there is one and it says more.
    """

    error: GMSRError
    log: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The end: the work was cancelled; nothing was changed."""


End: TypeAlias = Finished | Failed | Cancelled
Event: TypeAlias = Started | Progress | Finished | Failed | Cancelled
