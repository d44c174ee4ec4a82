"""The checkpoint file: safetensors with a JSON model card in its header. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from pydantic import ValidationError

from napari_gmsr.errors import CheckpointError, GMSRError
from napari_gmsr.io import atomic_output
from napari_gmsr.weights.card import ModelCard

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["PICKLED", "read_card", "read_network", "save_checkpoint", "sha256"]

PICKLED = frozenset({".pth", ".pt", ".ckpt"})
"""Suffixes of PyTorch's own checkpoints, as the reference implementation writes them."""

_CARD = "card"
_WHAT_IS_READ = (
    "Give a .safetensors checkpoint of this project, or a .pth of the reference GMSR-Net."
)


def save_checkpoint(
    network: nn.Module, card: ModelCard, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a network's weights with its card.

    Parameters
    ----------
    network
        What ``card.network`` and ``card.arguments`` make.
    card
        Stored in the file's header.
    path
        Ends in ``.safetensors``.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        Where the name is taken or cannot be written; nothing is left behind.
    """
    from safetensors.torch import save

    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    path = Path(path)
    content = save(state, metadata={_CARD: card.model_dump_json(), "format": "pt"})
    with atomic_output(path, overwrite=overwrite) as temporary:
        # By Python, not by save_file: that one hides the file from other users, and reports a full
        # disk as an error of its own.
        temporary.write_bytes(content)
    return path


def read_card(path: str | Path) -> ModelCard:
    """Read a checkpoint's card without its weights, and without loading torch.

    Raises
    ------
    CheckpointError
        Where the file is missing or is no checkpoint of this project.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    _must_open(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return ModelCard.model_validate_json(metadata[_CARD])
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"no safetensors file ({error})", where=path, fix=_WHAT_IS_READ
        ) from error
    except KeyError:
        raise CheckpointError(
            "a safetensors file without a model card", where=path, fix=_WHAT_IS_READ
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f"{part}: " for part in first["loc"])
        what = f"its model card is not valid: {field}{first['msg']}"
        raise CheckpointError(what, where=path, fix=_WHAT_IS_READ) from error


def read_network(path: str | Path) -> tuple[nn.Module, ModelCard]:
    """Read a checkpoint: ours, or a ``.pth`` of the reference GMSR-Net or a compared network.

    Parameters
    ----------
    path
        A ``.safetensors`` file of `save_checkpoint`, or a ``.pth``, ``.pt`` or ``.ckpt`` whose
        content is a state_dict of the reference GMSR-Net or of a compared network, alone or under
        the key ``state_dict``. Its card is made up from what is known of it.

    Returns
    -------
    network
        In evaluation mode, on the CPU.
    card
        Its model card.

    Raises
    ------
    CheckpointError
        Where the file is missing, no checkpoint, of another architecture, or would have to be
        unpickled.
    """
    path = Path(path)
    _must_open(path)
    if path.suffix.lower() in PICKLED:
        return _read_reference(path)
    return _read_ours(path)


def sha256(path: str | Path) -> str:
    """Return the file's SHA-256 as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_ours(path: Path) -> tuple[nn.Module, ModelCard]:
    from safetensors.torch import load_file

    from napari_gmsr.networks import create

    card = read_card(path)
    try:
        network = create(card.network, **card.arguments)
        network.load_state_dict(load_file(path))
    except GMSRError as error:
        raise CheckpointError(error.what, where=path, fix=error.fix) from error
    except RuntimeError as error:  # what load_state_dict raises for names and shapes
        raise CheckpointError(
            f"the weights do not fit the card's network {card.network!r} ({_first_finding(error)})",
            where=path,
            fix="Train or export the checkpoint again with this version.",
        ) from error
    if network.bands != len(card.wavelengths_nm):
        raise CheckpointError(
            f"{len(card.wavelengths_nm)} wavelengths on its card, but {network.bands} bands",
            where=path,
            fix="Train or export the checkpoint again with this version.",
        )
    return network.eval(), card


def _read_reference(path: Path) -> tuple[nn.Module, ModelCard]:
    import torch

    from napari_gmsr.networks.gmsr_names import from_reference_state, is_reference_state
    from napari_gmsr.networks.published import from_published_state

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # guesses about foreign pickles, which the errors below replace
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "not a pickle of tensors alone; anything else could run code, so it is not opened",
            where=path,
            fix=f"{_WHAT_IS_READ} torch.save(model.state_dict(), path) writes one.",
        ) from error
    except Exception as error:  # over a damaged file PyTorch raises nearly anything
        what = f"no PyTorch checkpoint ({type(error).__name__}: {_first_finding(error)})"
        raise CheckpointError(what, where=path, fix=_WHAT_IS_READ) from error
    state: object = content.get("state_dict", content) if isinstance(content, dict) else content
    try:
        if _is_state(state) and is_reference_state(state):
            network = from_reference_state(state)
            return network, _reference_card(path, network.widths)
        found = from_published_state(state) if _is_state(state) else None
    except CheckpointError as error:
        raise CheckpointError(error.what, where=path, fix=error.fix) from error
    if found is None:
        raise CheckpointError(
            "not the weights of the reference GMSR-Net or of a compared network",
            where=path,
            fix=_WHAT_IS_READ,
        )
    name, compared = found
    return compared, _published_card(path, name)


def _is_state(state: object) -> TypeGuard[dict[str, Tensor]]:
    import torch

    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    )


def _reference_card(path: Path, widths: tuple[int, ...]) -> ModelCard:
    from napari_gmsr.cube import WAVELENGTHS_NM

    if widths[-1] != WAVELENGTHS_NM.size:
        raise CheckpointError(
            f"{widths[-1]} bands, and such a file says nothing of their wavelengths",
            where=path,
            fix=f"Give a checkpoint of {WAVELENGTHS_NM.size} bands, 400 to 700 nm.",
        )
    return ModelCard(
        name=path.stem,
        summary="Weights of the reference GMSR-Net, "
        "for linear CIE 1964 pictures if trained on NTIRE2020 Clean.",
        network="gmsr",
        arguments={"widths": list(widths)},
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="linear",
        camera="cie_1964",
    )


def _published_card(path: Path, network: str) -> ModelCard:
    from napari_gmsr.cube import WAVELENGTHS_NM

    return ModelCard(
        name=path.stem,
        summary=f"Published weights of {network}; what pictures it was trained on, "
        "the file does not say.",
        network=network,
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        encoding="linear",
    )


def _must_open(path: Path) -> None:
    # The libraries name other reasons than the system does.
    try:
        path.open("rb").close()
    except OSError as error:
        raise CheckpointError(
            f"it cannot be opened: {error.strerror}", where=path, fix=_WHAT_IS_READ
        ) from error


def _first_finding(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)][:200] if lines else type(error).__name__
