"""GMSR-Net's configurations in the paper's tables, by the names of their rows.

Nothing here needs PyTorch. The values are those of JSON and TOML, so that they can stand in a
training's settings, on a model's card and in a study's file as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_gmsr.errors import InputError

__all__ = ["ABLATIONS", "ATTENTIONS", "BRANCHES", "DEPTHS", "WIDTHS", "check_arguments"]

WIDTHS: dict[int, tuple[int, ...]] = {
    1: (31,),
    2: (15, 31),
    3: (10, 20, 31),
    4: (8, 16, 24, 31),
    5: (6, 12, 18, 24, 31),
}
"""Channels of each block for n = 1..5 blocks (the paper's Table III)."""

BRANCHES = ("mamba", "transformer", "cnn", "none")
"""What sees far in a block: the paper's scan, what takes its place, or nothing."""

ATTENTIONS = ("gradient", "spatial", "spectral", "cbam", "none")
"""What guides a block: both gradient attentions, one of them, CBAM's two instead, or nothing."""

ABLATIONS: dict[str, dict[str, Any]] = {
    "GMSR-Net": {},
    "Transformer+GG": {"branch": "transformer"},
    "CNN+GG": {"branch": "cnn"},
    "Mamba+CBAM": {"attention": "cbam"},
    "Mamba+Gspa": {"attention": "spatial"},
    "Mamba+Gspe": {"attention": "spectral"},
    "Gspa+Gspe": {"branch": "none"},
    "Mamba": {"attention": "none"},
}
"""Arguments of ``create("gmsr", ...)`` for each row of the paper's Table II."""

DEPTHS: dict[str, dict[str, Any]] = {
    f"n={blocks}": {"widths": list(widths)} for blocks, widths in WIDTHS.items()
}
"""Arguments of ``create("gmsr", ...)`` for each row of the paper's Table III."""


def check_arguments(widths: Sequence[int], drop_path: float, branch: str, attention: str) -> None:
    """Refuse what makes no network, see `napari_gmsr.networks.GMSRNet`.

    Raises
    ------
    InputError
        Where an argument cannot be used.
    """
    if not isinstance(widths, Sequence) or not all(type(c) is int for c in widths):
        raise InputError(f"widths {widths!r} are no list of whole numbers", fix="Give such a list.")
    if not widths or min(widths) < 2:
        raise InputError(
            f"widths {tuple(widths)} make no network",
            fix="Give at least one block of two channels.",
        )
    if isinstance(drop_path, bool) or not isinstance(drop_path, int | float):
        raise InputError(f"drop_path {drop_path!r} is no number", fix="Give one from 0 to 1.")
    if not 0 <= drop_path <= 1:
        raise InputError(f"drop_path {drop_path:g} is no probability", fix="Give one from 0 to 1.")
    for name, value, known in (("branch", branch, BRANCHES), ("attention", attention, ATTENTIONS)):
        if value not in known:
            raise InputError(
                f"there is no {name} {value!r}", fix=f"Choose one of: {', '.join(known)}."
            )
    if branch == attention == "none":
        raise InputError(
            "blocks without a branch and without attention do nothing",
            fix="Choose at least one of them.",
        )
