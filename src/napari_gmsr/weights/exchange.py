"""The reference implementation's ``.pth`` files: in as checkpoints of ours, and out again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_gmsr.errors import CheckpointError, InputError, OutputError
from napari_gmsr.io import atomic_output
from napari_gmsr.weights.checkpoint import PICKLED, read_network, save_checkpoint
from napari_gmsr.weights.models import list_shipped, load_model, models_folder

__all__ = ["export_reference", "import_reference"]


def import_reference(
    path: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    encoding: Literal["srgb", "linear"] = "linear",
    camera: str = "cie_1964",
    overwrite: bool = False,
) -> Path:
    """Make a checkpoint of ours from a ``.pth`` of the reference GMSR-Net or a compared network.

    Parameters
    ----------
    path
        A ``.pth``, ``.pt`` or ``.ckpt`` whose content is a state_dict, alone or under the key
        ``state_dict``.
    out
        The ``.safetensors`` file to write; by default one of the model's name among the models that
        `list_models` finds.
    name
        The model's name; the file's by default.
    encoding, camera
        What the network was trained on; such a file does not tell. The defaults are those of the
        NTIRE2020 Clean pictures.
    overwrite
        Replace an existing checkpoint.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    CheckpointError
        Where the file is no such checkpoint.
    InputError
        Where there is no such camera, or the name cannot be a model's.
    OutputError
        Where the name is taken or cannot be written; nothing is left behind.
    """
    from napari_gmsr.color import camera_response

    path = Path(path)
    if path.suffix.lower() not in PICKLED:
        raise CheckpointError(
            f"no {', '.join(sorted(PICKLED))} file of published weights",
            where=path,
            fix="A .safetensors checkpoint needs no import: give its path as the model.",
        )
    camera_response(camera)
    network, card = read_network(path)
    name = path.stem if name is None else name
    target = _among_models(name) if out is None else Path(out)
    if target.suffix != ".safetensors":
        raise OutputError(
            "no name of a checkpoint", where=target, fix="Give one that ends in .safetensors."
        )
    card = card.model_copy(
        update={
            "name": name,
            "summary": f"Imported from {path.name}: published weights of {card.network}, "
            f"for {encoding} pictures.",
            "encoding": encoding,
            "camera": camera,
        }
    )
    return save_checkpoint(network, card, target, overwrite=overwrite)


def export_reference(name_or_path: str | Path, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write a GMSR-Net's weights as the ``.pth`` that the reference implementation loads.

    The two per-channel scales of each block that the reference implementation stores and never
    uses are written as the ones that they start from, since it loads strictly.

    Parameters
    ----------
    name_or_path
        As for `load_model`.
    out
        Ends in ``.pth``, ``.pt`` or ``.ckpt``; it holds a state_dict and nothing else.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    CheckpointError
        Where the model is no GMSR-Net.
    OutputError
        Where the name is taken or cannot be written; nothing is left behind.
    """
    import torch

    from napari_gmsr.networks import GMSRNet
    from napari_gmsr.networks.gmsr_names import to_reference_state

    out = Path(out)
    if out.suffix.lower() not in PICKLED:
        raise OutputError(
            "no name of a PyTorch checkpoint", where=out, fix="Give one that ends in .pth."
        )
    model = load_model(name_or_path)
    if not isinstance(model.network, GMSRNet):
        raise CheckpointError(
            f"the reference implementation has no network {model.card.network!r}",
            where=name_or_path,
            fix="Export a checkpoint of the network 'gmsr'.",
        )
    # PyTorch writes to an open file: a full disk is then Python's error, not its own.
    with atomic_output(out, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        torch.save(to_reference_state(model.network), file)
    return out


def _among_models(name: str) -> Path:
    if not name or name.startswith(".") or set(name) & set('/\\:*?"<>|\0'):
        raise InputError(
            f"no name for a model: '{name}'", where="name", fix="Use letters, digits, - and _."
        )
    if name in list_shipped():
        raise InputError(
            f"'{name}' is a shipped model's name", where="name", fix="Choose another name."
        )
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder of models cannot be made: {error.strerror}",
            where=folder,
            fix="Say where the checkpoint shall go.",
        ) from error
    return folder / f"{name}.safetensors"
