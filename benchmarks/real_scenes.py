"""Checkpoints on real scenes that they never saw, against root-polynomial regression.

    python benchmarks/real_scenes.py [CHECKPOINT ...] [--shared ../shared/data]

The protocol: a cube is divided by its full scale; its picture is what the checkpoint expects
(``clip(cube @ matrix, 0, 1)``, encoded and rounded to 8 bits for sRGB); the prediction is clipped
to [0, 1]. The baseline is fitted on the Capbone reflectances, each scaled by a uniform draw from
[0.02, 1], for the same camera and light. The ratio of a scene group is the mean of its files'
ratios of RMSE; balloons and feathers chose the weights, chart_and_stuffed_toy and cloth did not.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_gmsr import evaluate, load_model, read_cube, reconstruct
from napari_gmsr.color import linear_to_srgb, rendering_matrix, srgb_to_linear
from napari_gmsr.image import RGBImage
from napari_gmsr.networks import RootPolynomialRegression
from napari_gmsr.weights import Model

Floats = npt.NDArray[np.float32]

SCENES = {
    "balloons_101": "cave_balloons_101.mat",
    "balloons_crop100": "cave_balloons_crop100.mat",
    "feathers_512": "cave_feathers_512_uint8.mat",
    "feathers_crop150": "cave_feathers_crop150.mat",
    "chart_and_stuffed_toy_256": "cave_chart_and_stuffed_toy_256.mat",
    "chart_and_stuffed_toy_crop150": "cave_chart_and_stuffed_toy_crop150.mat",
    "cloth_256": "cave_cloth_256.mat",
    "cloth_256_sharp": "cave_cloth_256_sharp.mat",
}
GROUPS = ("balloons", "feathers", "chart_and_stuffed_toy", "cloth")
EXPOSURES = (0.5, 0.25)
VALIDATION = tuple(name for name in SCENES if name.startswith(("balloons", "feathers")))


def read_scene(shared: Path, name: str) -> Floats:
    """Return a scene's cube (31, y, x) within [0, 1]."""
    return read_cube(shared / "scenes" / SCENES[name]).data


def render(cube: Floats, matrix: npt.NDArray[np.float64]) -> Floats:
    """Return the linear picture (3, y, x) of a cube, clipped to [0, 1]."""
    rgb: Floats = np.einsum("byx,bc->cyx", cube.astype(np.float64), matrix).astype(np.float32)
    return rgb.clip(0, 1)


def rmse(prediction: Floats, cube: Floats) -> float:
    """Return the root mean squared error of a prediction, clipped to [0, 1]."""
    return float(np.sqrt(np.mean((prediction.clip(0, 1).astype(np.float64) - cube) ** 2)))


def fit_baseline(
    shared: Path, matrix: npt.NDArray[np.float64], seed: int = 0
) -> RootPolynomialRegression:
    """Return root-polynomial regression as the protocol fits it."""
    with np.load(shared / "reflectances" / "capbone.npz") as file:
        spectra = file["reflectance"].astype(np.float64)
    spectra *= np.random.default_rng(seed).uniform(0.02, 1, (len(spectra), 1))
    rgb = np.clip(spectra @ matrix, 0, 1)
    return RootPolynomialRegression().fit(
        torch.from_numpy(rgb), torch.from_numpy(spectra), ridge=1e-9
    )


def fit_on_scene(cube: Floats, rgb: Floats) -> RootPolynomialRegression:
    """Return the same regression fitted on the scene itself: a floor for functions of a pixel."""
    samples, spectra = (torch.from_numpy(a.reshape(len(a), -1).T) for a in (rgb, cube))
    return RootPolynomialRegression().fit(samples, spectra)


def metrics(prediction: Floats, cube: Floats) -> dict[str, dict[str, float]]:
    """Return both metric sets."""
    evaluation = evaluate(prediction.clip(0, 1), cube)
    return {
        family: {
            name: round(value, 5)
            for name, value in vars(getattr(evaluation, family)).items()
            if isinstance(value, float)
        }
        for family in ("paper", "standard")
    }


def by_baseline(shared: Path, camera: str, illuminant: str | None) -> dict[str, Any]:
    """Return the baseline's metrics by scene, for a camera and a light."""
    matrix = rendering_matrix(camera, illuminant)
    network = fit_baseline(shared, matrix)
    rows: dict[str, Any] = {}
    for name in SCENES:
        cube = read_scene(shared, name)
        rgb = _picture(render(cube, matrix), "srgb" if camera == "srgb" else "linear")
        linear = srgb_to_linear(rgb).astype(np.float32) if camera == "srgb" else rgb
        picture = torch.from_numpy(linear)[None]
        rows[name] = metrics(network(picture)[0].numpy(), cube)
        fitted = fit_on_scene(cube, linear)(picture)[0].numpy()
        rows[name]["rmse_fitted_on_the_scene"] = round(rmse(fitted, cube), 5)
    return rows


def by_model(shared: Path, model: Model, exposure: float = 1.0) -> dict[str, Any]:
    """Return a checkpoint's metrics by scene; an exposure multiplies cube and linear picture."""
    card = model.card
    matrix = rendering_matrix(card.camera, card.illuminant or None)
    rows = {}
    for name in SCENES:
        cube = read_scene(shared, name) * np.float32(exposure)
        rgb = _picture(render(cube, matrix), card.encoding).transpose(1, 2, 0)
        picture = RGBImage(rgb, encoding=card.encoding, name=name)
        rows[name] = metrics(reconstruct(picture, model, mode="whole").data, cube)
    return rows


def ratios(rows: dict[str, Any], baseline: dict[str, Any]) -> dict[str, float]:
    """Return RMSE relative to the baseline's, by scene group, and their mean."""
    each = {n: rows[n]["standard"]["rmse"] / baseline[n]["standard"]["rmse"] for n in rows}
    return _by_group(each)


def growth(rows: dict[str, Any], darker: dict[str, Any], exposure: float) -> dict[str, float]:
    """Return the RMSE relative to the signal, darker over full exposure, by scene group."""
    each = {n: darker[n]["standard"]["rmse"] / exposure / rows[n]["standard"]["rmse"] for n in rows}
    return _by_group(each)


def _by_group(each: dict[str, float]) -> dict[str, float]:
    found = {
        group: float(np.mean([r for name, r in each.items() if name.startswith(group)]))
        for group in GROUPS
    }
    found["mean"] = float(np.mean(list(found.values())))
    return {name: round(value, 4) for name, value in found.items()}


def _picture(linear: Floats, encoding: str) -> Floats:
    if encoding == "linear":
        return linear
    rounded: Floats = (np.rint(linear_to_srgb(linear) * 255) / 255).astype(np.float32)
    return rounded


def _print(title: str, rows: dict[str, Any]) -> None:
    print(f"\n{title}\n{'scene':32}{'RMSE':>9}{'PSNR paper':>12}{'SAM standard':>14}")
    for name, row in rows.items():
        paper, standard = row["paper"], row["standard"]
        print(
            f"{name:32}{standard['rmse']:9.4f}{paper['psnr_db']:12.2f}{standard['sam_deg']:14.2f}"
        )


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    folder = Path(__file__).parent
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def run(shared: Path, checkpoints: Iterable[str]) -> dict[str, Any]:
    """Return the whole result, printing its tables."""
    result: dict[str, Any] = {
        "device": f"{platform.processor() or platform.machine()}, CPU",
        "commit": _commit(),
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch", "numpy")},
        "baselines": {},
        "models": {},
    }
    baselines = result["baselines"]
    for key in ("cie_1964", "srgb/D65"):
        camera, _, illuminant = key.partition("/")
        baselines[key] = by_baseline(shared, camera, illuminant or None)
        _print(f"root-polynomial regression, {key}", baselines[key])
    for name in checkpoints:
        model = load_model(name)
        rows = by_model(shared, model)
        key = "/".join(filter(None, (model.card.camera, model.card.illuminant)))
        ratio = ratios(rows, baselines[key])
        grown = {str(e): growth(rows, by_model(shared, model, e), e) for e in EXPOSURES}
        result["models"][model.name] = {
            "sha256": model.sha256,
            "ratios": ratio,
            "growth_with_exposure": grown,
            "scenes": rows,
        }
        _print(model.name, rows)
        print("RMSE relative to the baseline:", ratio)
        print("RMSE relative to the signal, growth by exposure:", grown)
    return result


def main() -> None:
    """Evaluate checkpoints, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="*", default=["photo", "ntire2020-clean"])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results/real_scenes.json"
    )
    options = parser.parse_args()
    result = run(options.shared, options.checkpoints)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
