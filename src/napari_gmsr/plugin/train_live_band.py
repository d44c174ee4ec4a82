"""The live band: a layer of the viewer that shows a validation picture as the network sees it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_gmsr.plugin.train_probes import PROBES_MARK
from napari_gmsr.training.events import Preview

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["LiveBand"]

_MARK = "napari_gmsr_live_band"


class LiveBand:
    """Shows the newest band of a run and keeps it up to date.

    Parameters
    ----------
    viewer
        Gets two layers, found again by their metadata: the band, and its truth hidden below.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._shown: tuple[Path, int] | None = None

    @property
    def is_there(self) -> bool:
        """Whether the viewer holds it, from a dock that was closed since maybe."""
        return any(_MARK in layer.metadata for layer in self._viewer.layers)

    def show(self, run: Path, preview: Preview) -> None:
        """Show a run's preview; nothing happens where it is shown already, or its file is gone."""
        if self._shown == (run, preview.step):
            return
        try:
            band = np.load(run / preview.file, allow_pickle=False)
            truth = np.load(run / preview.truth_file, allow_pickle=False)
        except (OSError, ValueError):  # the run was removed, or is just writing the next one
            return
        self._shown = (run, preview.step)
        place = f"{preview.band_nm:g} nm, {PurePosixPath(preview.scene).name}"
        white = float(np.percentile(truth, 99.8)) or 1.0
        # One scale for both, and for all times: what changes is the network alone.
        self._put("truth", truth, f"truth {place}", white, visible=False)
        self._put("live", band, f"training {place}", white, visible=True)

    def remove(self, run: Path | None = None) -> None:
        """Take the layers away; those of one run alone, where one is given."""
        if run is not None and (self._shown is None or self._shown[0] != run):
            return
        self._shown = None
        for layer in [layer for layer in self._viewer.layers if _MARK in layer.metadata]:
            self._viewer.layers.remove(layer)

    def _put(self, kind: str, data: np.ndarray, name: str, white: float, *, visible: bool) -> None:
        for layer in self._viewer.layers:
            if layer.metadata.get(_MARK) == kind and isinstance(layer, Image):
                layer.data = data
                layer.name = name
                layer.contrast_limits = (0, white)
                return
        selected = set(self._viewer.layers.selection)
        self._viewer.add_image(
            data,
            name=name,
            contrast_limits=(0, white),
            visible=visible,
            metadata={_MARK: kind},
        )
        layers = self._viewer.layers
        probes = [n for n, layer in enumerate(layers) if PROBES_MARK in layer.metadata]
        if probes:  # they stay in sight
            layers.move(len(layers) - 1, probes[0])
        # The user goes on working with the layer they had in hand.
        if selected and not all(_MARK in layer.metadata for layer in selected):
            self._viewer.layers.selection = selected
