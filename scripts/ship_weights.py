"""Turn a training run into a shipped checkpoint: weights, model card, figures on the real scenes.

python scripts/ship_weights.py runs/photo [--data .carry] [--shared ../shared/data]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.networks import create
from napari_gmsr.weights import ModelCard, TrainingData, load_model, save_checkpoint

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from real_scenes import VALIDATION, by_baseline, by_model, ratios

WEIGHTS = Path(__file__).parent.parent / "src/napari_gmsr/weights"

NOT_FOR = (
    "Measuring: red, green and blue leave most of a spectrum open, above all below 420 and above "
    "660 nm.",
    "Light that is neither daylight nor neutral: it was trained on reflectances.",
    "Fluorescence, single spectral lines, and anything outside 400 to 700 nm.",
)
TARGETS: dict[str, dict[str, Any]] = {
    "photo": {
        "summary": "For photographs: sRGB pictures of 8 bits, white-balanced, in daylight.",
        "encoding": "srgb",
        "camera": "srgb",
        "illuminant": "D65",
        "not_for": NOT_FOR,
    },
    "ntire2020-clean": {
        "summary": "For linear pictures of the CIE 1964 response, as NTIRE2020 Clean has them.",
        "encoding": "linear",
        "camera": "cie_1964",
        "not_for": ("Photographs as cameras store them: use 'photo'.", *NOT_FOR),
    },
}


def training_data(sources: dict[str, Any]) -> tuple[TrainingData, ...]:
    """Return the sources of a data package, pictures of one package together."""
    pictures: dict[tuple[str, str], int] = {}
    for picture in sources["photographs"]:
        key = picture["source"], picture["licence"]
        pictures[key] = pictures.get(key, 0) + 1
    return (
        *(
            TrainingData(name=name, licence=licence, use=f"structure, {count} photographs")
            for (name, licence), count in pictures.items()
        ),
        *(
            TrainingData(
                name=family["source"],
                licence=family["licence"],
                use=f"{family['spectra']} reflectances, weight {family['weight']}",
            )
            for family in sources["reflectances"]
        ),
        TrainingData(
            name="CAVE: balloons, feathers (Yasuma et al. 2010)",
            licence="research use",
            use="choice of the recipe and of the best step; never trained on",
        ),
    )


def main() -> None:
    """Write the checkpoint, then evaluate it and write it again with the figures on its card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".carry"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--commit", help="what was trained; HEAD by default")
    options = parser.parse_args()
    run = json.loads((options.run / "run.json").read_text())
    target = run["settings"]["target"]
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    network = create("gmsr")
    network.load_state_dict(load_file(options.run / "best.safetensors"))
    card = ModelCard(
        name=target,
        network="gmsr",
        wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
        training_data=training_data(json.loads((options.data / "sources.json").read_text())),
        training={"loss": "L1", **run},
        seed=run["settings"]["seed"],
        commit=options.commit or head.stdout.strip(),
        **TARGETS[target],
    )
    path = save_checkpoint(network, card, options.out / f"{target}.safetensors", overwrite=True)
    rows = by_model(options.shared, load_model(path))
    baseline = by_baseline(options.shared, card.camera, card.illuminant or None)
    found = ratios(rows, baseline)
    metrics = {
        "protocol": "benchmarks/real_scenes.py; RMSE ratio to root-polynomial regression",
        "validation": list(VALIDATION),
        "rmse_ratio": found,
        "scenes": rows,
    }
    card = card.model_copy(update={"metrics": metrics})
    path = save_checkpoint(network, card, path, overwrite=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, RMSE ratios {found}")


if __name__ == "__main__":
    main()
