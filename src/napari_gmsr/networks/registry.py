"""Networks by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_gmsr.errors import InputError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["create", "list_networks"]

_NETWORKS = {
    "gmsr": ("napari_gmsr.networks.gmsr", "GMSRNet"),
    "mscnn": ("napari_gmsr.networks.mscnn", "MSCNN"),
    "hrnet": ("napari_gmsr.networks.hrnet", "HRNet"),
    "hsrnet": ("napari_gmsr.networks.hsrnet", "HSRNet"),
    "agdnet": ("napari_gmsr.networks.agdnet", "AGDNet"),
    "mstpp": ("napari_gmsr.networks.mstpp", "MSTPlusPlus"),
    "repcpsi": ("napari_gmsr.networks.repcpsi", "RepCPSI"),
    "rootpoly": ("napari_gmsr.networks.rootpoly", "RootPolynomialRegression"),
    "wiener": ("napari_gmsr.networks.wiener", "WienerEstimation"),
}
_COUNTS = {"bands", "blocks", "stages", "width"}


def list_networks() -> list[str]:
    """Return the names that `create` knows."""
    return list(_NETWORKS)


def create(name: str, **arguments: Any) -> nn.Module:
    """Make an untrained network.

    Parameters
    ----------
    name
        One of `list_networks`.
    **arguments
        Passed to the network's class, for example ``widths`` for ``gmsr``.

    Returns
    -------
    torch.nn.Module
        (N, 3, H, W) in [0, 1] -> (N, 31, H, W).

    Raises
    ------
    InputError
        Where the name or an argument is unknown, or a value makes no network.
    """
    if name not in _NETWORKS:
        raise InputError(
            "there is no network of this name",
            where=f"network {name!r}",
            fix=f"Choose one of: {', '.join(_NETWORKS)}.",
        )
    for key in _COUNTS & arguments.keys():
        count = arguments[key]
        if type(count) is not int or count < 1:
            raise InputError(
                f"there is no network of {count!r} {key}",
                where=f"network {name!r}",
                fix="Give a whole number from 1 on.",
            )
    module, cls = _NETWORKS[name]
    try:
        network: nn.Module = getattr(import_module(module), cls)(**arguments)
    except InputError as error:
        raise InputError(error.what, where=f"network {name!r}", fix=error.fix) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            str(error), where=f"network {name!r}", fix="See its documentation for arguments."
        ) from error
    return network
