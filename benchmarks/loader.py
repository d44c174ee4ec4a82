"""Feed a consumer from a set of cached scenes, and measure its waiting and the host's memory.

Writes a synthetic set of random samples as scene files, reads its patches through
``cache_dataset``'s files, `CachedPatches` and `prefetch`, and lets a consumer take a given time a
step: on a GPU it keeps the device busy for that time, on the CPU it sleeps, which leaves the
processor to the loader. ``waited_share`` is the time in ``next``; ``added_share`` all that a step
takes longer than the consumer takes alone, also by sharing processors with the loader.

Every run is made twice: first with the files dropped from the page cache, so that patches come from
the disk, then with what the first has left there. Memory is sampled while steps run: ``RssAnon``
and ``RssShmem`` of /proc/self/status are the process's own, ``RssFile`` is code and mapped files
that the kernel takes back at will. Pages that the kernel caches without a mapping belong to no
process and are not counted. Linux only.

    python benchmarks/loader.py [--scenes N] [--steps N] [--step-ms MS] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import CachedPatches, CubeCache, Dataset, Scene, cache_dataset, prefetch
from napari_gmsr.image import RGBImage

HEIGHT, WIDTH, BANDS, SIDE, BATCH = 482, 512, 31, 128, 20
RESULTS = Path(__file__).parent / "results" / "loader.json"
MIB = 1 << 20
LIMIT_MIB = 4096


class RandomScenes(Dataset):
    """Scenes of random samples, made when they are read."""

    def read(self, scene: Scene) -> tuple[RGBImage, SpectralCube]:
        """Return random samples that follow from the scene's name."""
        random = np.random.default_rng(int(scene.name))
        rgb = random.random((HEIGHT, WIDTH, 3), np.float32)
        return RGBImage(rgb, "linear"), SpectralCube(
            random.random((BANDS, HEIGHT, WIDTH), np.float32)
        )


def build(folder: Path, count: int) -> CubeCache:
    """Cache random scenes through the public function."""
    source = folder / "source"
    source.touch()
    scenes = tuple(Scene(f"{i:04d}", "train", source) for i in range(count))
    dataset = RandomScenes("random", folder, scenes, "linear", "unknown", "unknown", "CC0")
    return cache_dataset(dataset, "train", folder=folder)


def drop_pages(folder: Path) -> None:
    """Take the files out of the page cache; they are on the disk already."""
    for path in folder.rglob("*.npy"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident() -> dict[str, float]:
    """Return the parts of the resident set in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    parts = dict(line.split(":", 1) for line in lines if line.startswith(("RssA", "RssF", "RssS")))
    return {name: int(value.split()[0]) / 1024 for name, value in parts.items()}


def consumer(device: torch.device, step_ms: float) -> Callable[[], None]:
    """Return what a step does: keeps the device busy, or sleeps, for ``step_ms``."""
    if device.type == "cpu":
        return lambda: time.sleep(step_ms / 1000)
    a = torch.randn(4096, 4096, device=device)

    def multiply(times: int) -> float:
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(times):
            torch.mm(a, a)
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - started)

    multiply(20)
    times = max(1, round(step_ms / (multiply(100) / 100)))

    def step() -> None:
        multiply(times)

    return step


def measure(
    cache: CubeCache, folder: Path, steps: int, step_ms: float, *, cold: bool
) -> dict[str, Any]:
    """Run steps and return the waiting and the memory."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = CachedPatches(cache, patch=SIDE, batch=BATCH, device=device)
    work, peak, done = consumer(device, step_ms), resident(), threading.Event()
    started = time.perf_counter()
    for _ in range(50):
        work()
    alone_ms = 1000 * (time.perf_counter() - started) / 50
    before = dict(peak)

    def watch() -> None:
        while not done.wait(0.002):
            for name, value in resident().items():
                peak[name] = max(peak[name], value)

    if cold:
        drop_pages(folder)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with prefetch(source, 0) as batches:
            next(batches)  # the first is waited for whatever the loader does
            work()
            first, started = batches.waited_s, time.perf_counter()
            for _ in range(steps):
                next(batches)
                work()
            seconds, waited = time.perf_counter() - started, batches.waited_s - first
    finally:
        done.set()
        watcher.join()
    own = peak["RssAnon"] + peak["RssShmem"]
    return {
        "pages": "dropped" if cold else "as the former run left them",
        "steps": steps,
        "consumer": "sleep" if device.type == "cpu" else "matrix products",
        "consumer_asked_ms": step_ms,
        "consumer_alone_ms": alone_ms,
        "step_ms": 1000 * seconds / steps,
        "first_batch_s": first,
        "waited_share": waited / seconds,
        "added_share": 1 - steps * alone_ms / (1000 * seconds),
        "patches_per_s": steps * BATCH / seconds,
        "before_mib": before,
        "peak_mib": peak,
        "peak_own_mib": own,
        "peak_total_mib": own + peak["RssFile"],
        "within_bars": {
            "waited_share below 0.05": waited / seconds < 0.05,
            f"peak_total_mib below {LIMIT_MIB}": own + peak["RssFile"] < LIMIT_MIB,
        },
    }


def layouts(folder: Path, count: int = 6, repeats: int = 15) -> dict[str, dict[str, float]]:
    """Time a batch of patches from band-last and band-first files; pages warm, then dropped."""
    random = np.random.default_rng(0)
    depth = 3 + BANDS
    shapes = {"band-last": (HEIGHT, WIDTH, depth), "band-first": (depth, HEIGHT, WIDTH)}
    times = {}
    for layout, shape in shapes.items():
        place = folder / layout
        place.mkdir()
        files = [place / f"{i}.npy" for i in range(count)]
        for file in files:
            np.save(file, random.integers(0, 65536, shape, dtype=np.uint16))
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        corners = random.integers((count, HEIGHT - SIDE, WIDTH - SIDE), size=(BATCH, 3)).tolist()

        def read(layout: str = layout, files: list[Path] = files, at: Any = corners) -> float:
            started = time.perf_counter()
            for i, y, x in at:
                rows, columns = slice(y, y + SIDE), slice(x, x + SIDE)
                index = (rows, columns) if layout == "band-last" else (slice(None), rows, columns)
                np.array(np.load(files[i], mmap_mode="r")[index])
            return 1000 * (time.perf_counter() - started)

        cold = []
        for _ in range(repeats):
            drop_pages(place)
            cold.append(read())
        warm = [read() for _ in range(repeats)]
        times[layout] = {
            "cold_ms_a_batch": float(np.median(cold)),
            "warm_ms_a_batch": float(np.median(warm)),
        }
        shutil.rmtree(place)
    return times


def main() -> None:
    """Build, measure, write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scenes", type=int, default=460)
    arguments.add_argument("--steps", type=int, default=300)
    arguments.add_argument("--step-ms", type=float, nargs="+", default=[126.0, 22.0])
    arguments.add_argument("--folder", type=Path, help="where the set lies meanwhile")
    arguments.add_argument("--output", type=Path, default=RESULTS)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        compared = layouts(folder)
        started = time.perf_counter()
        cache = build(folder, given.scenes)
        built_s = time.perf_counter() - started
        size = sum(path.stat().st_size for path in folder.rglob("*.npy"))
        runs = [
            measure(cache, folder, given.steps, step_ms, cold=cold)
            for step_ms in given.step_ms
            for cold in (True, False)
        ]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    report = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "processors": os.cpu_count(),
        "load_average_at_end": os.getloadavg()[0],
        "versions": {
            "python": platform.python_version(),
            "torch": version("torch"),
            "numpy": version("numpy"),
        },
        "scenes": given.scenes,
        "scene": [HEIGHT, WIDTH, 3 + BANDS],
        "cache_mib": size / MIB,
        "built_s": built_s,
        "layouts": compared,
        "runs": runs,
    }
    given.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
