"""Train a shipped checkpoint on simulated scenes, with a plain loop, within a time.

    python scripts/pack_training_data.py --photographs FOLDER --out .carry python
    scripts/train_first_weights.py --target photo --seconds 540 --data .carry --out runs/photo
    python scripts/ship_weights.py runs/photo

The best weights by the validation scenes (an exponential average of the trained ones), the last
ones, the settings and a log of JSON lines are written to the folder. Needs torch, numpy, pillow and
safetensors alone, so that it runs on a bare machine with a GPU.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_gmsr.color import linear_to_srgb, srgb_to_linear
from napari_gmsr.datasets.generator import Recipe, SceneGenerator
from napari_gmsr.image import Encoding
from napari_gmsr.networks import create

TARGETS: dict[str, tuple[Encoding, Recipe]] = {
    "photo": ("srgb", Recipe(stops=(-2.2, 0.5), noise=0.006)),
    "ntire2020-clean": ("linear", Recipe()),
}
# Min-max, pooling and scans see a patch's extent: the network must meet several.
SIZES = {64: 0.6, 128: 0.3, 256: 0.1}


@dataclass(frozen=True)
class Settings:
    """What a run is made of, stored beside its weights."""

    target: str
    seed: int
    seconds: float
    steps: int
    engine: str
    device: str
    pixels: int = 12 * 128 * 128
    learning_rate: float = 3e-3
    warm_up: float = 0.02
    weight_decay: float = 1e-4
    drop_path: float = 0.0
    average: float = 0.998
    clip_norm: float = 1.0


class Schedule:
    """Fraction of the run that is over, by time or by steps, and the learning rate there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.start = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.start

    def done(self, step: int) -> float:
        """Return the fraction in [0, 1]."""
        parts = [0.0]
        if self.settings.steps:
            parts.append(step / self.settings.steps)
        if self.settings.seconds:
            parts.append(self.seconds() / self.settings.seconds)
        return min(1.0, max(parts))

    def learning_rate(self, done: float) -> float:
        """Return the rate: linear warm-up, then half a cosine down to a hundredth."""
        peak, warm_up = self.settings.learning_rate, self.settings.warm_up
        if done < warm_up:
            return peak * max(done / warm_up, 0.01)
        cosine = 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))
        return peak * (0.01 + 0.99 * cosine)


class Validation:
    """RMSE on the validation scenes relative to root-polynomial regression."""

    def __init__(self, data: Path, encoding: Encoding, device: str) -> None:
        with np.load(data / "validation.npz") as file:
            arrays = {name: file[name] for name in file.files}
        matrix = arrays[f"matrix/{encoding}"]
        self.scenes: dict[str, tuple[Tensor, Tensor, float]] = {}
        for name in (n.removeprefix("cube/") for n in arrays if n.startswith("cube/")):
            cube = arrays[f"cube/{name}"]
            rgb = np.einsum("byx,bc->cyx", cube, matrix).clip(0, 1)
            if encoding == "srgb":
                rgb = np.rint(linear_to_srgb(rgb) * 255) / 255
            picture, truth = (
                torch.from_numpy(a.astype(np.float32)).to(device) for a in (rgb, cube)
            )
            self.scenes[name] = picture[None], truth, float(arrays[f"rmse/{encoding}/{name}"])

    @torch.no_grad()
    def ratios(self, network: nn.Module) -> dict[str, float]:
        """Return the ratio of each scene and, as ``mean``, that of the two groups' means."""
        network.eval()
        found = {}
        for name, (picture, truth, baseline) in self.scenes.items():
            error = (network(picture)[0].clamp(0, 1) - truth).square().mean().sqrt().item()
            found[name] = error / baseline
        groups = {name.split("_")[0] for name in found}
        means = [np.mean([r for n, r in found.items() if n.startswith(g)]) for g in groups]
        return {**found, "mean": float(np.mean(means))}


def scenes(data: Path, settings: Settings) -> SceneGenerator:
    """Return the generator of training patches."""
    encoding, recipe = TARGETS[settings.target]
    photographs = [
        torch.from_numpy(srgb_to_linear(np.asarray(Image.open(path), np.float32) / 255))
        for path in sorted((data / "photographs").glob("*.jpg"))
    ]
    with np.load(data / "spectra.npz") as file:
        spectra, weights = file["spectra"].astype(np.float32), file["weights"]
    with np.load(data / "validation.npz") as file:
        matrix = file[f"matrix/{encoding}"]
    return SceneGenerator(
        [p.permute(2, 0, 1) for p in photographs],
        torch.from_numpy(spectra),
        torch.from_numpy(weights),
        torch.from_numpy(matrix),
        encoding=encoding,
        recipe=recipe,
        seed=settings.seed,
        device=settings.device,
    )


def batches(generator: SceneGenerator, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of about equally many pixels and of varying extent."""
    choose = np.random.default_rng(settings.seed)
    while True:
        size = int(choose.choice(list(SIZES), p=list(SIZES.values())))
        yield generator.batch(max(1, settings.pixels // size**2), size)


def train(data: Path, out: Path, settings: Settings, log: TextIO) -> dict[str, Any]:
    """Train, write ``best`` and ``last``, and return what was found."""
    torch.manual_seed(settings.seed)
    torch.backends.cuda.matmul.allow_tf32 = False
    network = create("gmsr", drop_path=settings.drop_path).to(settings.device)
    network.engine = settings.engine  # type: ignore[assignment]
    averaged = copy.deepcopy(network)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups)
    encoding, _ = TARGETS[settings.target]
    validation = Validation(data, encoding, settings.device)
    schedule = Schedule(settings)
    best: dict[str, Any] = {"mean": math.inf}
    step, patches, validated = 0, 0, 0.0
    losses: list[Tensor] = []

    def validate(done: float) -> None:
        nonlocal best
        found = validation.ratios(averaged)
        line = {
            "step": step,
            "seconds": round(schedule.seconds(), 1),
            "patches": patches,
            "loss": round(float(torch.stack(losses).mean()), 5),
            "learning_rate": schedule.learning_rate(done),
            "ratios": {name: round(r, 4) for name, r in found.items()},
        }
        losses.clear()
        log.write(json.dumps(line) + "\n")
        log.flush()
        print(json.dumps(line), flush=True)
        if found["mean"] < best["mean"]:
            best = {**found, "step": step}
            save_file(averaged.state_dict(), out / "best.safetensors")

    for rgb, cube in batches(scenes(data, settings), settings):
        done = schedule.done(step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate(done)
        network.train()
        loss = (network(rgb) - cube).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimiser.step()
        step, patches = step + 1, patches + len(rgb)
        losses.append(loss.detach())
        # Young averages follow quickly, so that the random start is soon forgotten.
        keep = min(settings.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, current in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(current, 1 - keep)
        done = schedule.done(step)
        if done >= 1 or done - validated >= 0.05:
            validated = done
            validate(done)
        if done >= 1:
            break
    save_file(averaged.state_dict(), out / "last.safetensors")
    return {"best": best, "steps": step, "patches": patches, "seconds": schedule.seconds()}


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=list(TARGETS), required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--pixels", type=int, default=Settings.pixels)
    parser.add_argument("--learning-rate", type=float, default=Settings.learning_rate)
    parser.add_argument("--data", type=Path, default=Path(".carry"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if not (options.seconds or options.steps):
        parser.error("give --seconds or --steps")
    settings = Settings(
        target=options.target,
        seed=options.seed,
        seconds=options.seconds,
        steps=options.steps,
        engine=options.engine,
        device="cuda" if torch.cuda.is_available() else "cpu",
        pixels=options.pixels,
        learning_rate=options.learning_rate,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "log.jsonl").open("w") as log:
        result = train(options.data, options.out, settings, log)
    cuda = settings.device == "cuda"
    run = {
        "settings": asdict(settings),
        "recipe": asdict(TARGETS[settings.target][1]),
        "sizes": SIZES,
        "result": result,
        "device": torch.cuda.get_device_name() if cuda else platform.machine(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    (options.out / "run.json").write_text(json.dumps(run, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
