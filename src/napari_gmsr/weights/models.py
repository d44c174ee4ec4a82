"""Models by name: the shipped checkpoints, or a file of one's own."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmsr.errors import CheckpointError
from napari_gmsr.weights.card import ModelCard
from napari_gmsr.weights.checkpoint import read_card, read_network, sha256

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Model", "list_models", "load_model"]

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """A network with its weights and its card.

    Parameters
    ----------
    network
        In evaluation mode; (N, 3, H, W) -> (N, bands, H, W).
    card
        What it is and what it expects.
    sha256
        Hash of the checkpoint file, hexadecimal.
    path
        The checkpoint file.
    """

    network: nn.Module
    card: ModelCard
    sha256: str
    path: Path

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name


def list_models() -> list[ModelCard]:
    """Return the cards of the shipped checkpoints, the default first. Loads no torch."""
    cards = [read_card(path) for path in _shipped().values()]
    return sorted(cards, key=lambda card: (card.name != "photo", card.name))


def load_model(name_or_path: str | Path) -> Model:
    """Load a shipped checkpoint by name, or one from a file.

    Parameters
    ----------
    name_or_path
        A name from `list_models`, or the path of a checkpoint. A name wins over a file of the same
        name.

    Returns
    -------
    Model
        Loaded anew where the file has changed, otherwise shared with earlier callers.

    Raises
    ------
    CheckpointError
        Where there is no such name or file, or the file is no checkpoint.
    """
    path = _shipped().get(str(name_or_path), Path(name_or_path))
    try:
        status = path.stat()
    except OSError as error:
        known = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
        reason = "no such file" if known else f"no file that can be opened ({error.strerror})"
        raise _no_model(name_or_path, reason) from error
    if path.is_dir():
        raise _no_model(name_or_path, "no such file, but a folder")
    return _load(path.resolve(), status.st_mtime_ns, status.st_size)


def _no_model(name_or_path: str | Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"no shipped model of this name and {reason}",
        where=name_or_path,
        fix=f"Choose one of {', '.join(_shipped())}, or give the path of a checkpoint.",
    )


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_FOLDER.glob("*.safetensors"))}


@lru_cache(maxsize=4)
def _load(path: Path, mtime_ns: int, size: int) -> Model:
    network, card = read_network(path)
    return Model(network.requires_grad_(False), card, sha256(path), path)
