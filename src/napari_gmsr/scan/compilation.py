"""A word to the user while kernels are compiled, which takes seconds and happens once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["announce_compilation", "compilation_announced"]

_listeners: list[Callable[[str], None]] = []


@contextmanager
def compilation_announced(listener: Callable[[str], None]) -> Iterator[None]:
    """Call the listener with a sentence whenever kernels are compiled, in any thread."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce_compilation(target: str) -> None:
    """Tell the listeners that kernels are about to be compiled.

    Parameters
    ----------
    target
        What they are compiled for: ``card`` or ``processor``.
    """
    for listener in tuple(_listeners):
        listener(f"Compiling kernels for this {target}, once…")
