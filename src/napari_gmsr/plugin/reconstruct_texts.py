"""What the *Reconstruct* widget says: explanations, plans, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGraphicsOpacityEffect, QLabel

from napari_gmsr.jobs import Preflight
from napari_gmsr.weights import ModelCard

__all__ = ["MODES", "Explanation", "bullets", "card_tip", "plan_sentence", "size"]

MODES = {
    "auto": ("Automatic", "The whole picture where it fits in memory, else tiles."),
    "whole": ("Whole picture", "At once, with its global context: the best result."),
    "tiled": ("Tiles", "Overlapping tiles, smoothly blended: any size, less context."),
    "paper": ("As in the paper", "128-pixel tiles on two grids, and flipped: to compare."),
}
"""Label and tooltip of each mode."""


class Explanation(QLabel):
    """A fainter text that explains the control above it.

    Parameters
    ----------
    tip
        The tooltip.
    """

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setToolTip(tip)
        fainter = QGraphicsOpacityEffect(self)  # in any theme's colour of text
        fainter.setOpacity(0.75)
        self.setGraphicsEffect(fainter)


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a list."""
    return "\n".join(f"• {sentence}" for sentence in sentences)


def card_tip(card: ModelCard) -> str:
    """Return what a checkpoint is, and is not, for."""
    lines = [f"Network: {card.network}", f"Pictures: {card.encoding}"]
    if card.camera:
        lines.append(f"Camera: {card.camera}")
    lines += [f"Not for: {reason}" for reason in card.not_for]
    return "\n".join(lines)


def plan_sentence(preflight: Preflight) -> str:
    """Return what a run will do and need."""
    runs = "" if preflight.runs == 1 else f", {preflight.runs} runs of the network"
    needs = (
        f"needs about {size(preflight.peak_bytes)} of {size(preflight.free_bytes)} free memory"
        if preflight.mode_reason == "asked for"
        else preflight.mode_reason
    )
    return f"{MODES[preflight.mode][0]}{runs}{_duration(preflight.seconds)}: {needs}."


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return ", under a second"
    return f", about {seconds:.0f} s" if seconds < 90 else f", about {seconds / 60:.0f} min"


def size(count: float) -> str:
    """Return a number of bytes in the unit that fits."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
