"""The task of the child process that says what a checkpoint is, and costs."""

from __future__ import annotations

from typing import Any

from napari_gmsr.jobs.executor import Context
from napari_gmsr.networks import count_cost
from napari_gmsr.weights import load_model

__all__ = ["model_cost"]


def model_cost(context: Context, *, model: str, height: int, width: int) -> dict[str, Any]:
    """Read a checkpoint, and count its network for a picture: see :func:`.start_model_cost`."""
    card = load_model(model).card
    return {"card": card, **vars(count_cost(card.network, height, width, **card.arguments))}
