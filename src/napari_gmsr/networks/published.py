"""Published weights of the compared networks: which network a state_dict belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from napari_gmsr.errors import CheckpointError
from napari_gmsr.networks.registry import create

__all__ = ["from_published_state"]

# A tensor that no other network has.
_MARKS = {
    "mscnn": ("bottleneck.down.2.conv.0.weight",),
    "hrnet": ("top21.conv1.conv2d.weight",),
    "hsrnet": ("convinputb.1.weight",),
    "agdnet": ("degradation.conv.weight", "degradation.Module.0.weight"),
    "mstpp": ("body.0.embedding.weight",),
    "repcpsi": ("in_conv2D.weight",),
}
_PREFIX = "module."  # what training on several devices puts in front


def from_published_state(state: Mapping[str, Tensor]) -> tuple[str, nn.Module] | None:
    """Make the compared network that published weights belong to.

    Parameters
    ----------
    state
        Its state_dict, by the published names.

    Returns
    -------
    tuple of str and torch.nn.Module, or None
        The name that `create` knows, and the network in evaluation mode; None where these are the
        weights of none of them.

    Raises
    ------
    CheckpointError
        Where they are incomplete or of another configuration.
    """
    state = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
    for name, marks in _MARKS.items():
        if any(mark in state for mark in marks):
            network = create(name)
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                finding = next((line for line in str(error).splitlines()[1:]), "").strip()
                raise CheckpointError(
                    f"not the published configuration of {name} ({finding[:200]})",
                    fix="Give weights of the configuration in the paper, for 31 bands.",
                ) from error
            return name, network.eval()
    return None
