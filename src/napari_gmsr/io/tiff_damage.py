"""tifffile reports a file that is cut short in its log and goes on; here that is an error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["damage_is_an_error"]


@contextmanager
def damage_is_an_error() -> Iterator[None]:
    """Raise ``ValueError`` where tifffile logs, inside the block, that the file is cut short."""
    found: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            found.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield
    finally:
        logger.removeFilter(collect)
    damage = [message for message in found if "invalid" in message or "corrupted" in message]
    if damage:
        raise ValueError(damage[0])
