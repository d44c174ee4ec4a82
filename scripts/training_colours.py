"""Write the table of the colours that the shipped checkpoints saw in training.

    python scripts/training_colours.py FOLDER [--batches 300]

FOLDER is what ``scripts/pack_training_data.py`` gathers. Batches are simulated as in training, and
the chromaticities (r, g) = (R, G) / (R + G + B) of their pixels counted, in linear light and
without the darkest; the fewest cells of a grid that hold 99.9 % of them are the training's colours.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import srgb_to_linear
from napari_gmsr.datasets import Recipe, SimulatedPatches, SimulationSources
from napari_gmsr.datasets.simulation import TARGETS
from napari_gmsr.trust.training_colours import CELLS, TABLE, cells_of
from napari_gmsr.weights import load_model

KEPT = 0.999


def count(name: str, sources: SimulationSources, batches: int) -> npt.NDArray[np.int64]:
    """Return how many pixels of a target's pictures lie in each cell."""
    # The recipe of the shipped training, as its card tells it.
    told = load_model(name).card.training["recipe"]
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
    recipe = Recipe(**settings)
    target = replace(TARGETS[name], recipe=recipe)
    patches = SimulatedPatches(sources, sizes={64: 1.0}, pixels=40 * 64**2, target=target)
    counts = np.zeros((CELLS, CELLS), np.int64)
    for step in range(batches):
        rgb = patches.batch(step)[0].numpy().transpose(0, 2, 3, 1)
        linear = srgb_to_linear(rgb) if target.encoding == "srgb" else rgb
        np.add.at(counts, cells_of(linear), 1)
    return counts


def main() -> None:
    """Simulate, count, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batches", type=int, default=300)
    options = parser.parse_args()
    sources = SimulationSources.from_folder(options.folder)
    masks: dict[str, Any] = {}
    for name in TARGETS:
        counts = count(name, sources, options.batches)
        order = np.argsort(counts, axis=None)[::-1]
        held = np.cumsum(counts.ravel()[order]) / counts.sum()
        mask = np.zeros(counts.size, bool)
        mask[order[: int(np.searchsorted(held, KEPT)) + 1]] = True
        masks[name] = np.packbits(mask)
        print(f"{name}: {mask.sum()} of {mask.size} cells hold {KEPT:.1%} of {counts.sum()} pixels")
    np.savez_compressed(TABLE, **masks)


if __name__ == "__main__":
    main()
