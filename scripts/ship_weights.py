"""Turn a training run into a shipped checkpoint: weights, model card, figures on the real scenes.

    python scripts/ship_weights.py RUN TARGET [--data training-data] [--shared ../shared/data]

RUN is a run's folder, TARGET `photo` or `ntire2020-clean`; --data is what the run was trained from,
as `scripts/pack_training_data.py` made it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from napari_gmsr.training import RunFolder
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
        "not_for": NOT_FOR,
    },
    "ntire2020-clean": {
        "summary": "For linear pictures of the CIE 1964 response, as NTIRE2020 Clean has them.",
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
            use="choice of the recipe, the seed and the best step; never trained on",
        ),
    )


def ship(run: Path, target: str, data: Path, shared: Path, out: Path) -> Path:
    """Write a run's best checkpoint under the target's name, with its figures on its card."""
    model = load_model(RunFolder.open(run).best_file)
    rows = by_model(shared, model)
    baseline = by_baseline(shared, model.card.camera, model.card.illuminant or None)
    metrics = {
        "protocol": "benchmarks/real_scenes.py; RMSE ratio to root-polynomial regression",
        "validation": list(VALIDATION),
        "rmse_ratio": ratios(rows, baseline),
        "scenes": rows,
    }
    sources = json.loads((data / "sources.json").read_text(encoding="utf-8"))
    changes = {"name": target, "training_data": training_data(sources), "metrics": metrics}
    card = ModelCard.model_validate({**model.card.model_dump(), **changes, **TARGETS[target]})
    return save_checkpoint(model.network, card, out / f"{target}.safetensors", overwrite=True)


def main() -> None:
    """Ship one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--data", type=Path, default=Path("training-data"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    path = ship(given.run, given.target, given.data, given.shared, given.out)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
