"""The reference implementation's parameter names: its checkpoints load, ours can be given back."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from napari_gmsr.errors import CheckpointError
from napari_gmsr.networks.gmsr import GMSRNet

__all__ = ["from_reference_state", "is_reference_state", "to_reference_state"]

# ours within a block -> theirs, {i} counting from 1
_NAMES = {
    "expand.weight": "output{i}.weight",
    "vss.norm.weight": "VSS{i}.ln_1.weight",
    "vss.norm.bias": "VSS{i}.ln_1.bias",
    "vss.ss2d.in_proj.weight": "VSS{i}.self_attention.in_proj.weight",
    "vss.ss2d.depthwise.weight": "VSS{i}.self_attention.conv2d.weight",
    "vss.ss2d.depthwise.bias": "VSS{i}.self_attention.conv2d.bias",
    "vss.ss2d.x_proj": "VSS{i}.self_attention.x_proj_weight",
    "vss.ss2d.dt_proj": "VSS{i}.self_attention.dt_projs_weight",
    "vss.ss2d.dt_bias": "VSS{i}.self_attention.dt_projs_bias",
    "vss.ss2d.A_log": "VSS{i}.self_attention.A_logs",
    "vss.ss2d.D": "VSS{i}.self_attention.Ds",
    "vss.ss2d.norm.weight": "VSS{i}.self_attention.out_norm.weight",
    "vss.ss2d.norm.bias": "VSS{i}.self_attention.out_norm.bias",
    "vss.ss2d.out_proj.weight": "VSS{i}.self_attention.out_proj.weight",
    "spectral_attention.fc.0.weight": "spectral_attention{i}.fc.0.weight",
    "spectral_attention.fc.2.weight": "spectral_attention{i}.fc.2.weight",
    "fuse.weight": "conv{i}.0.weight",
    "fuse.bias": "conv{i}.0.bias",
}
_SPATIAL = ("spatial_attention.conv.weight", "spatial_attention.conv1.weight")
_UNUSED = re.compile(r"VSS\d+\.skip_scale2?$")


def is_reference_state(state: Mapping[str, Tensor]) -> bool:
    """Say whether a state_dict has the reference's names, also behind ``module.``."""
    return any(name.removeprefix("module.") == "output1.weight" for name in state)


def from_reference_state(state: Mapping[str, Tensor]) -> GMSRNet:
    """Make the network that a state_dict of the reference implementation describes.

    Parameters
    ----------
    state
        Tensors by the reference names, also behind ``module.`` as its data-parallel training leaves
        them. The unused ``skip_scale`` vectors are passed over.

    Returns
    -------
    GMSRNet
        With widths read off the tensors, in evaluation mode.

    Raises
    ------
    CheckpointError
        Where tensors are missing, left over or of a wrong shape.
    """
    theirs = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    theirs = {name: tensor for name, tensor in theirs.items() if not _UNUSED.fullmatch(name)}
    blocks = sum(re.fullmatch(r"output\d+\.weight", name) is not None for name in theirs)
    try:
        network = GMSRNet([len(theirs[f"output{i}.weight"]) for i in range(1, blocks + 1)])
    except KeyError as error:
        raise CheckpointError(
            f"tensor {error} is missing", fix="Give a state_dict of the reference GMSR-Net."
        ) from None
    ours: dict[str, Tensor] = {}
    for name, parameter in network.state_dict().items():
        tensor = theirs.pop(_reference_name(name), None)
        if tensor is None or tensor.numel() != parameter.numel():
            found = "is missing" if tensor is None else f"has the shape {tuple(tensor.shape)}"
            raise CheckpointError(
                f"tensor {_reference_name(name)} {found}",
                fix="Give a state_dict of the reference GMSR-Net.",
            )
        # 1x1 convolutions are linear maps over channels; A and D are stored with direction and
        # channel in one axis.
        ours[name] = tensor.to(torch.float32).reshape(parameter.shape)
    if theirs:
        raise CheckpointError(
            f"tensors that GMSR-Net does not have: {', '.join(sorted(theirs)[:4])}",
            fix="Give a state_dict of the reference GMSR-Net.",
        )
    network.load_state_dict(ours)
    return network.eval()


def to_reference_state(network: GMSRNet) -> dict[str, Tensor]:
    """Give a network's weights by the reference names and shapes, with the unused scales as ones.

    Returns
    -------
    dict of str to Tensor
        What the reference implementation's ``load_state_dict`` takes.

    Raises
    ------
    CheckpointError
        Where the network is one of the ablations, which the reference implementation does not hold.
    """
    if not network.complete:
        raise CheckpointError(
            "the reference implementation has no ablations of GMSR-Net",
            fix="Keep the checkpoint as .safetensors, or export one of the paper's GMSR-Net.",
        )
    state: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        theirs = _reference_name(name)
        if re.match(r"output|conv\d+\.0\.weight|spectral", theirs):
            tensor = tensor[:, :, None, None]
        elif theirs.endswith(("A_logs", ".Ds")):
            tensor = tensor.flatten(0, 1)
        state[theirs] = tensor.clone()
    for i, c in enumerate(network.widths, start=1):
        state[f"VSS{i}.skip_scale"] = torch.ones(c)
        state[f"VSS{i}.skip_scale2"] = torch.ones(c)
    return state


def _reference_name(name: str) -> str:
    if name == _SPATIAL[0]:
        return _SPATIAL[1]
    _, index, rest = name.split(".", 2)
    return _NAMES[rest].format(i=int(index) + 1)
