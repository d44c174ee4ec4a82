"""What one's own data buys: training on the left half of a scene, tested on its right half.

    python benchmarks/in_domain.py [--minutes 5] [--shared ../shared/data]

For each of three real scenes, linear pictures of the CIE 1964 response: GMSR-Net from random
weights and from the shipped ``ntire2020-clean``, by the recommended preset with patches of 64
pixels. The upper three quarters of the left half are trained on, its lower quarter chooses the best
step; the right half is seen by nobody until the end. The baseline is root-polynomial regression
fitted on the Capbone reflectances; the same fitted on the left half's pixels is given beside it.
The bar: RMSE on the right half at most 0.50 of the baseline's.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_gmsr import load_model, reconstruct
from napari_gmsr.color import rendering_matrix
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.image import RGBImage
from napari_gmsr.training import preset, train
from napari_gmsr.training.card import source_version
from napari_gmsr.training.events import Event, Finished, Started, Step
from real_scenes import fit_baseline, fit_on_scene, metrics, read_scene, render

SCENES = ("chart_and_stuffed_toy_256", "cloth_256", "feathers_512")
SHIPPED = "ntire2020-clean"
STARTS: dict[str, dict[str, Any]] = {
    "random weights": {},
    SHIPPED: {"start_from": SHIPPED, "optimiser": {"learning_rate": 1e-3}},
}
BAR = 0.50
PATCH = 64


def write_half(cube: np.ndarray, folder: Path) -> None:
    """Write the left half as a folder of cubes: its upper part to train on, its lower to choose."""
    rows = cube.shape[1] * 3 // 4
    left = cube[:, :, : cube.shape[2] // 2]
    for name, part in (("upper", left[:, :rows]), ("lower", left[:, rows:])):
        np.savez(folder / f"{name}.npz", cube=part, wavelengths_nm=WAVELENGTHS_NM)
    split = {"train": ["upper"], "validation": ["lower"], "test": []}
    (folder / "split.json").write_text(json.dumps(split))


def seconds_to(step: int, told: list[Event]) -> float:
    """Return the seconds of training after which a step was done."""
    return next((e.seconds for e in told if isinstance(e, Step) and e.step >= step), 0.0)


def trained(
    given: argparse.Namespace, start: dict[str, Any], data: Path, rgb: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    """Train on the left half and measure on the right one."""
    length = {"steps": given.steps} if given.steps else {"minutes": given.minutes}
    config = preset(
        "recommended",
        dataset={
            "name": "pairs",
            "folder": data,
            "camera": "cie_1964",
            "encoding": "linear",
            "cache_folder": data / "cache",
        },
        patch=PATCH,
        batch=given.batch,
        device=given.device,
        **length,
        **start,
    )
    with tempfile.TemporaryDirectory() as name:
        run = train(config, run=Path(name) / "run")
        told, model = list(run.events()), run.model()
        picture = RGBImage(rgb.transpose(1, 2, 0), encoding="linear")
        found = metrics(reconstruct(picture, model, mode="whole", device=given.device).data, truth)
    began = next(e for e in told if isinstance(e, Started))
    ended = next(e for e in told if isinstance(e, Finished))
    return {
        "metrics": found,
        "device": torch.cuda.get_device_name() if began.device.startswith("cuda") else "cpu",
        "engine": began.engine,
        "steps": ended.step,
        "seconds": ended.seconds,
        "best_step": ended.best_step,
        "seconds_to_the_best": seconds_to(ended.best_step, told),
        "learning_rate": config.optimiser.learning_rate,
    }


def of_scene(given: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return all figures of one scene."""
    cube = read_scene(given.shared, name)
    matrix = rendering_matrix("cie_1964")
    half = cube.shape[2] // 2
    left, truth = cube[:, :, :half], cube[:, :, half:]
    rgb = render(truth, matrix)
    picture = torch.from_numpy(rgb)[None]
    baseline = metrics(fit_baseline(given.shared, matrix)(picture)[0].numpy(), truth)
    fitted = fit_on_scene(left, render(left, matrix))(picture)[0].numpy()
    unchanged = reconstruct(
        RGBImage(rgb.transpose(1, 2, 0), encoding="linear"),
        load_model(SHIPPED),
        mode="whole",
        device=given.device,
    )
    rows: dict[str, Any] = {
        "baseline": {"metrics": baseline},
        "regression fitted on the left half": {"metrics": metrics(fitted, truth)},
        f"{SHIPPED}, unchanged": {"metrics": metrics(unchanged.data, truth)},
    }
    with tempfile.TemporaryDirectory() as folder:
        write_half(cube, Path(folder))
        for title, start in STARTS.items():
            rows[f"trained from {title}"] = trained(given, start, Path(folder), rgb, truth)
    reference = baseline["standard"]["rmse"]
    for title, row in rows.items():
        row["rmse_ratio"] = round(row["metrics"]["standard"]["rmse"] / reference, 4)
        if title.startswith("trained"):
            row["within_bar"] = row["rmse_ratio"] <= BAR
    return rows


def main() -> None:
    """Train, measure, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES)
    parser.add_argument("--minutes", type=float, default=5.0, help="of each run")
    parser.add_argument("--steps", type=int, help="of each run, instead of minutes")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    scenes: dict[str, Any] = {}
    for name in given.scenes:
        scenes[name] = of_scene(given, name)
        print(name, {title: row["rmse_ratio"] for title, row in scenes[name].items()}, flush=True)
    device = next(iter(scenes.values()))[f"trained from {SHIPPED}"]["device"]
    result = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": source_version(),
        "device": device,
        "versions": {"python": platform.python_version()}
        | {n: version(n) for n in ("napari-gmsr", "torch", "numpy")},
        "patch": PATCH,
        "batch": given.batch,
        "bar": BAR,
        "scenes": scenes,
    }
    kind = "in_domain_cpu.json" if device == "cpu" else "in_domain.json"
    out = given.out or Path(__file__).parent / "results" / kind
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
