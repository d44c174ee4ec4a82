"""What re-projection, exact correction and spread say of shipped checkpoints on real scenes.

    python benchmarks/trust.py [CHECKPOINT ...] [--shared ../shared/data]

Scenes and pictures are those of ``real_scenes.py``: what the checkpoint expects, of 8 bits for
sRGB. For each scene: the re-projection's RMSE; the RMSE and the spectral angle of the cube before
and after the exact correction, both kinds; how often the truth lies within the spread over the
eight flips and rotations. The factor on the spread is fitted on balloons and feathers (the median
of their files' factors), and tested on chart_and_stuffed_toy and cloth. Under "both checkpoints"
each gets the scene through its own camera, and the spread is over sixteen.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from napari_gmsr import evaluate, load_model, reconstruct
from napari_gmsr.color import rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.image import RGBImage
from napari_gmsr.trust import calibrate, exact_correction, reproject
from napari_gmsr.trust.calibration import FACTORS
from napari_gmsr.weights import Model
from real_scenes import SCENES, VALIDATION, _commit, _picture, read_scene, render


def picture_of(cube: SpectralCube, model: Model, name: str) -> RGBImage:
    """Return a scene's picture as the checkpoint expects it."""
    card = model.card
    linear = render(cube.data, rendering_matrix(card.camera, card.illuminant or None))
    data = _picture(linear, card.encoding).transpose(1, 2, 0)
    return RGBImage(data, card.encoding, 8 if card.encoding == "srgb" else 32, name)


def errors(cube: SpectralCube, truth: SpectralCube) -> dict[str, float]:
    """Return RMSE and spectral angle."""
    found = evaluate(cube, truth).standard
    return {"rmse": round(found.rmse, 5), "sam_deg": round(found.sam_deg, 3)}


def corrections(
    cube: SpectralCube, picture: RGBImage, truth: SpectralCube, model: Model
) -> dict[str, Any]:
    """Return the re-projection's error, and what exact corrections do to the cube's."""
    light = model.card.camera, model.card.illuminant or None
    back = reproject(cube, picture, *light)
    row: dict[str, Any] = {
        "rmse": round(back.rmse, 6),
        "rmse_encoded": round(back.rmse_encoded, 6),
        "clipped": round(back.clipped, 5),
        "as_it_is": errors(cube, truth),
    }
    for kind in ("smallest", "smoothest"):
        exact = exact_correction(cube, picture, *light, smooth=kind == "smoothest")
        outside = float(np.mean((exact.data < 0) | (exact.data > 1)))
        left = reproject(exact, picture, *light).rmse
        row[kind] = errors(exact, truth) | {"outside": round(outside, 5), "left": left}
    return row


def both(cubes: list[SpectralCube]) -> SpectralCube:
    """Return mean and spread over the members of several ensembles of one size."""
    means = np.stack([cube.data for cube in cubes])
    within = np.mean([cube.spread**2 for cube in cubes if cube.spread is not None], axis=0)
    return SpectralCube(means.mean(axis=0), spread=np.sqrt(within + means.var(axis=0)))


def calibrations(cubes: dict[str, SpectralCube], truths: dict[str, SpectralCube]) -> dict[str, Any]:
    """Return the calibration by scene, with a factor fitted on some and tested on others."""
    rows = {name: calibrate(cube, truths[name]).to_dict() for name, cube in cubes.items()}
    scale = float(np.median([rows[name]["scale"] for name in VALIDATION]))
    for name, row in rows.items():
        row["within_scaled"] = calibrate(cubes[name], truths[name], scale).to_dict()["within"]
    return {"scale": scale, "scenes": rows}


def run(shared: Path, checkpoints: list[str]) -> dict[str, Any]:
    """Return the whole result."""
    truths = {name: SpectralCube(read_scene(shared, name), name=name) for name in SCENES}
    spreads: dict[str, dict[str, SpectralCube]] = {}
    models: dict[str, Any] = {}
    for model in map(load_model, checkpoints):
        rows, cubes = {}, {}
        for name, truth in truths.items():
            picture = picture_of(truth, model, name)
            cube = reconstruct(picture, model, mode="whole")
            rows[name] = corrections(cube, picture, truth, model)
            cubes[name] = reconstruct(picture, model, mode="whole", ensemble=True)
            print(model.name, name, rows[name])
        models[model.name] = {
            "sha256": model.sha256,
            "re_projection": rows,
            "turns": calibrations(cubes, truths),
        }
        spreads[model.name] = cubes
    result = {
        "device": f"{platform.processor() or platform.machine()}, CPU",
        "commit": _commit(),
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch", "numpy")},
        "models": models,
    }
    if len(spreads) > 1:
        pooled = {name: both([cubes[name] for cubes in spreads.values()]) for name in truths}
        result["both_checkpoints"] = calibrations(pooled, truths)
    return result


def main() -> None:
    """Measure, and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="*", default=["photo", "ntire2020-clean"])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/trust.json")
    options = parser.parse_args()
    result = run(options.shared, options.checkpoints)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    factors = {name: round(m["turns"]["scale"], 2) for name, m in result["models"].items()}
    FACTORS.write_text(json.dumps(factors, indent=1) + "\n")


if __name__ == "__main__":
    main()
