"""Models by name: the shipped checkpoints, or a file of one's own."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_gmsr.errors import CheckpointError
from napari_gmsr.weights.card import ModelCard
from napari_gmsr.weights.checkpoint import read_card, read_network, sha256

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Model", "list_models", "list_shipped", "load_model", "models_folder"]

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


def models_folder() -> Path:
    """Return the folder of the user's own models; it need not be there."""
    return platformdirs.user_data_path("napari-gmsr", appauthor=False) / "models"


def list_shipped() -> dict[str, Path]:
    """Return the shipped checkpoints' files by name, the default first."""
    files = sorted(
        _FOLDER.glob("*.safetensors"), key=lambda path: (path.stem != "photo", path.stem)
    )
    return {path.stem: path for path in files}


def list_models() -> list[ModelCard]:
    """Return the cards of the models that have a name. Loads no torch.

    Returns
    -------
    list of ModelCard
        The shipped checkpoints, the default first, then the user's own in `models_folder`, which
        bear their files' names.
    """
    shipped = [read_card(path) for path in list_shipped().values()]
    return [*shipped, *_own_cards()]


def load_model(name_or_path: str | Path) -> Model:
    """Load a model by name, or a checkpoint from a file.

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
    path = (_own() | list_shipped()).get(str(name_or_path), Path(name_or_path))
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
    names = ", ".join(list_shipped() | _own())
    return CheckpointError(
        f"no model of this name and {reason}",
        where=name_or_path,
        fix=f"Choose one of {names}, or give the path of a checkpoint.",
    )


def _own() -> dict[str, Path]:
    try:
        files = sorted(models_folder().glob("*.safetensors"))
    except PermissionError:
        # Whoever may not look into the folder has no models there; those shipped still serve.
        return {}
    return {path.stem: path for path in files if not path.name.startswith(".")}


def _own_cards() -> Iterator[ModelCard]:
    for name, path in _own().items():
        # A damaged file must not hide the others; whoever asks for it by name is told.
        with contextlib.suppress(CheckpointError):
            if name not in list_shipped():
                yield read_card(path).model_copy(update={"name": name})


@lru_cache(maxsize=4)
def _load(path: Path, mtime_ns: int, size: int) -> Model:
    network, card = read_network(path)
    return Model(network.requires_grad_(False), card, sha256(path), path)
