"""What the user has chosen on napari's *Preferences* page, from which the widgets start.

The page is declared in the manifest (``configurations``); napari draws it, keeps its file, and
drops values of it that are not allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Preferences", "preferences"]

_PLUGIN = "napari-gmsr"


@dataclass(frozen=True)
class Preferences:
    """How widgets start.

    Parameters
    ----------
    model
        A shipped checkpoint's name, or a checkpoint file.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    mode
        As in :func:`napari_gmsr.reconstruct.reconstruct`.
    format
        The suffix of the cubes that a batch writes, with its dot.
    band_colors
        Whether bands are shown in their perceived colour; else in grey.
    """

    model: str = "photo"
    device: str = "auto"
    mode: str = "auto"
    format: str = ".zarr"
    band_colors: bool = True


def preferences(read: Callable[[], Mapping[str, Any]] | None = None) -> Preferences:
    """Return the preferences as they are now.

    Parameters
    ----------
    read
        Returns napari's settings of each plugin; napari's own function by default.

    Returns
    -------
    Preferences
        The defaults where napari knows no settings of this plugin, as while it is disabled.
    """
    settings = (read or _of_all_plugins)().get(_PLUGIN)
    if settings is None:
        return Preferences()
    run, looks = settings.reconstruction, settings.looks
    return Preferences(
        model=run.model.strip(),
        device=run.device,
        mode=run.mode,
        format=run.format,
        band_colors=looks.band_colors,
    )


def _of_all_plugins() -> Mapping[str, Any]:
    from napari.settings import get_plugin_settings

    every: dict[str, Any] = get_plugin_settings()
    return every
