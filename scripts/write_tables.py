"""Write the tables of the documentation from the results of the benchmarks.

    python scripts/write_tables.py [--check]

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``; whatever is there is
replaced. ``--check`` writes nothing, and fails where a table is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
GROUPS = ("balloons", "feathers", "chart_and_stuffed_toy", "cloth", "mean")


def read(name: str) -> Any:
    """Return a benchmark's results."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *([str(c) for c in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def source(name: str, device: str, results: dict[str, Any]) -> str:
    """Return the line that says where a table comes from."""
    versions = ", ".join(f"{key} {value}" for key, value in results["versions"].items())
    return (
        f"\n*`benchmarks/results/{name}.json`: {device}, commit {results['commit']}, "
        f"{results['date'][:10]}, {versions}.*\n"
    )


def ratios() -> str:
    """RMSE of each checkpoint on groups of scenes, relative to root-polynomial regression."""
    results = read("real_scenes")
    rows = [
        [f"`{name}`", *(f"{model['ratios'][group]:.3f}" for group in GROUPS)]
        for name, model in results["models"].items()
    ]
    head = ["checkpoint", *(group.replace("_", " ") for group in GROUPS)]
    return table(head, rows) + source("real_scenes", results["device"], results)


def exposures() -> str:
    """RMSE of each checkpoint relative to the signal, in darker pictures over full exposure."""
    results = read("real_scenes")
    rows = [
        [f"`{name}`", f"{float(exposure):g}", *(f"{grown[group]:.3f}" for group in GROUPS)]
        for name, model in results["models"].items()
        for exposure, grown in model["growth_with_exposure"].items()
    ]
    head = ["checkpoint", "exposure", *(group.replace("_", " ") for group in GROUPS)]
    return table(head, rows) + source("real_scenes", results["device"], results)


def scenes(name: str, camera: str) -> str:
    """Both metric sets of a checkpoint on every scene, with the baseline's RMSE."""
    results = read("real_scenes")
    rows = [
        [
            scene.replace("_", " "),
            f"{results['baselines'][camera][scene]['standard']['rmse']:.4f}",
            f"{found['standard']['rmse']:.4f}",
            f"{found['paper']['psnr_db']:.2f}",
            f"{found['standard']['psnr_db']:.2f}",
            f"{found['paper']['sam_deg']:.2f}",
            f"{found['standard']['sam_deg']:.2f}",
            f"{found['paper']['mrae']:.3f}",
            f"{found['standard']['mrae']:.3f}",
        ]
        for scene, found in results["models"][name]["scenes"].items()
    ]
    head = (
        "scene, RMSE of the baseline, RMSE, PSNR dB (paper), PSNR dB (standard), SAM ° (paper), "
        "SAM ° (standard), MRAE (paper), MRAE (standard)"
    )
    return table(head.split(", "), rows)


def cpu_engine() -> str:
    """Time and memory of the CPU engine."""
    results = read("cpu_engine")
    measured = [
        (one.get("network", "GMSR-Net"), one)
        for size in results["sizes"]
        for one in (size, *([size["against"]] if "against" in size else []))
    ]
    rows = [
        [
            f"{size['height']} x {size['width']}",
            {"mstpp": "MST++"}.get(network, network),
            f"{size['wall_s']['median']:.2f} s",
            f"{size['processor_s']['median']:.2f} s",
            f"{size['wall_ns_per_pixel'] / 1000:.2f} µs",
            f"{size['memory_growth_gib']:.2f} GiB",
        ]
        for network, size in measured
    ]
    head = ["picture", "network", "time (median)", "processor time", "time a pixel", "memory"]
    device = f"{results['processor']}, {results['cores']} cores"
    return table(head, rows) + source("cpu_engine", device, results)


# Work: the reference implementation's figure, the bar, the goal, the floor.
GPU_AIMS = {
    "512x482": ("54.2 ms, 1.55 GiB", "3.5 ms, 0.40 GiB", "2.4 ms, 0.28 GiB", "1.1 ms"),
    "2048x2048": ("1058 ms, 25.9 GiB", "50 ms, 5 GiB", "36 ms, 3.5 GiB", "18.6 ms"),
    "4096x4096": ("out of memory", "200 ms, 20 GiB", "145 ms, 14 GiB", "74 ms"),
    "training, 20 of 128x128": ("125.8 ms, 5.57 GiB", "22 ms, 2 GiB", "14 ms, 1.4 GiB", "4 ms"),
}


def gpu_engine() -> str:
    """Time and memory of the fused engine on a GPU."""
    results = read("gpu_engine")
    rows = []
    for one in (*results["evaluation"], *results["training_step"]):
        if "height" in one:
            work, captured = f"{one['height']}x{one['width']}", ""
        else:
            work = f"training, {one['patches']} of {one['side']}x{one['side']}"
            captured = ", in a CUDA graph" if one["captured"] else ""
        memory = f", {one['peak_gib']:.2f} GiB" if "peak_gib" in one else ""
        found = f"{one['median_ms']:.2f} ms{memory}"
        rows.append([work + captured, found, *GPU_AIMS.get(work, ("",) * 4)])
    head = ["work", "measured", "reference", "bar", "goal", "floor"]
    origin = (
        f"\n*`benchmarks/results/gpu_engine.json`: {results['device']}, "
        f"PyTorch {results['torch']}, NVRTC {results['nvrtc']}"
    )
    # The first results were stored with the commit that they measured, and do not name it.
    commit = f", commit {results['commit']}" if "commit" in results else ""
    return table(head, rows) + f"{origin}{commit}.*\n"


def gpu_profile() -> str:
    """Each of the fused engine's kernels: time and launches in a picture and in a training step."""
    found = read("gpu_engine")["profiles"]
    works = ("512x482", "2048x2048", "training")
    rows: dict[str, dict[str, list[float]]] = {}
    for work in works:
        for one in found[work]:
            own = re.fullmatch("[a-z_]+", one["kernel"])  # PyTorch's are templates or cuBLAS's
            row = rows.setdefault(f"`{one['kernel']}`" if own else "PyTorch's", {})
            for total in (row, rows.setdefault("**sum**", {})):
                before = total.get(work, [0.0, 0.0])
                total[work] = [before[0] + one["ms"], before[1] + one["launches"]]
    last = ("PyTorch's", "**sum**")

    def order(name: str) -> tuple[bool, bool, float]:
        return name == last[1], name == last[0], -sum(ms for ms, _ in rows[name].values())

    cells = (
        [name, *(f"{row[w][0]:.2f} ms in {row[w][1]:.0f}" if w in row else "" for w in works)]
        for name, row in sorted(rows.items(), key=lambda item: order(item[0]))
    )
    head = ["kernel", "512x482", "2048x2048", "training, 20 of 128x128"]
    return table(head, cells) + "\n*`benchmarks/results/gpu_engine.json`, its `profiles`.*\n"


def engines() -> str:
    """Time and memory of every engine on a GPU, and of MST++."""
    results = read("engines")
    networks = {
        name: row["network"] | {"run": row["run"]} for name, row in results["engines"].items()
    }
    rows = []
    for name, row in (networks | results["networks"]).items():
        found = {}
        for one in row["evaluation"]:
            size = f"{one['height']}x{one['width']}"
            found[size] = f"{one['median_ms']:.1f} ms, {one['peak_gib']:.2f} GiB"
        step, run = row["training_step"], row["run"]
        cells = [found.get(size, "") for size in ("512x482", "1392x1040", "2048x2048")]
        training = f"{step['median_ms']:.0f} ms, {step['peak_gib']:.2f} GiB"
        rows.append([f"`{name}`", *cells, training, run["commit"]])
    head = "engine or network, 512x482, 1392x1040, 2048x2048, training (20 of 128x128), commit"
    run = results["engines"]["fused"]["run"]
    origin = f"{run['device']}, PyTorch {run['versions']['torch']}"
    return table(head.split(", "), rows) + f"\n*`benchmarks/results/engines.json`: {origin}.*\n"


def looking() -> str:
    """Write the times from a person's events to what the window has painted."""
    results = read("looking")
    wanted = results["previews_a_second_wanted"]
    rates = [f"{rate:.0f} a second" for rate in results["previews_a_second"].values()]
    previews = (
        f"\nPreviews under a mouse that never rests: {rates[0]} of one cube, {rates[1]} of four; "
        f"aim {wanted}.\n"
    )
    return window_times(results) + previews + window_source("looking", results)


def maps() -> str:
    """Write the times from a hand's move to the pictures that follow it."""
    results = read("maps")
    return window_times(results) + window_source("maps", results)


def band_step() -> str:
    """Write what a training in its process costs a step to the next band."""
    results = read("band_step")
    median, p90 = results["median_ms"], results["p90_ms"]
    rows = [[what, f"{median[what]:.0f} ms", f"{p90[what]:.0f} ms"] for what in median]
    ratio = f"\nThe medians' ratio is {results['ratio']:.2f}; bar {results['limit_ratio']:g}.\n"
    head = ["beside the window", "median", "90 % within"]
    return table(head, rows) + ratio + window_source("band_step", results)


def window_times(results: dict[str, Any]) -> str:
    """Write the times in a window."""
    head = ["from", "median", "95 % within", "slowest", "aim"]
    keys = ("median", "percentile_95", "slowest", "limit")
    rows = (
        [what, *(f"{row[key]:.0f} ms" for key in keys)] for what, row in results["times_ms"].items()
    )
    return table(head, rows)


def window_source(name: str, results: dict[str, Any]) -> str:
    """Write where times in a window come from."""
    load = f"load average {results['load_average']} on {results['cpus']} processors"
    return source(name, f"{results['device']}, {load}", results)


# What Tables I and III print: parameters in M, "FLOPs" in G.
PRINTED = {
    "gmsr": ("0.0450", "3.9910"),
    "mscnn": ("26.6866", "155.4068"),
    "hrnet": ("3.1705", "624.5023"),
    "hsrnet": ("0.6826", "160.5390"),
    "agdnet": ("0.3861", "387.2278"),
    "mstpp": ("1.6196", "88.8684"),
    "repcpsi": ("2.0778", "511.6173"),
    "n=1": ("0.0251", "2.4187"),
    "n=2": ("0.0346", "3.1603"),
    "n=3": ("0.0450", "3.9910"),
    "n=4": ("0.0578", "5.1415"),
    "n=5": ("0.0657", "5.7161"),
}


def cost(ablations: bool) -> str:
    """Parameters and multiply-accumulates of the networks, or of GMSR-Net's configurations."""
    results = read("cost")
    rows = []
    for row in results["rows"]:
        if (row["network"] == "gmsr") != ablations and row["row"] != "gmsr":
            continue
        parameters, macs = PRINTED.get(row["row"], ("", ""))
        published = row["parameters_paper"]
        cells = [f"`{row['row']}`", f"{row['parameters']:,}", f"{published:,}", parameters]
        cells += [f"{row['macs_paper'] / 1e9:.4f}", macs, f"{row['macs'] / 1e9:.4f}"]
        rows.append([*cells, f"{row['states'] / 1e9:.3f}"])
    head = (
        "network, parameters, as published, printed (M), GMAC by the paper's counter, "
        "printed (G), GMAC in all, G states"
    )
    size = f"{results['height']}x{results['width']}"
    return (
        table(head.split(", "), rows) + f"\n*One {size} picture; `benchmarks/results/cost.json`.*\n"
    )


def corrections() -> str:
    """Effect of the exact correction on the error, by checkpoint and scene."""
    results = read("trust")
    rows = [
        [
            f"`{name}`: {scene.replace('_', ' ')}",
            f"{found['rmse']:.4f}",
            f"{100 * found['clipped']:.1f} %",
            *(f"{found[k]['rmse']:.4f}" for k in ("as_it_is", "smallest", "smoothest")),
            *(f"{found[k]['sam_deg']:.2f}" for k in ("as_it_is", "smallest", "smoothest")),
        ]
        for name, model in results["models"].items()
        for scene, found in model["re_projection"].items()
    ]
    head = (
        "checkpoint and scene, RMSE of the re-projection, clipped pixels, RMSE of the cube, "
        "smallest change, smoothest change, SAM ° of the cube, smallest, smoothest"
    )
    return table(head.split(", "), rows) + source("trust", results["device"], results)


def spreads() -> str:
    """How often the truth lies within the spread, as it is and widened, by scene."""
    results = read("trust")
    sets = {f"`{name}`": model["turns"] for name, model in results["models"].items()}
    sets["both, 16 members"] = results["both_checkpoints"]
    rows = [
        [
            f"{name}: {scene.replace('_', ' ')}",
            f"{found['spread']:.4f}",
            f"{found['error']:.4f}",
            *(f"{100 * found['within'][k]:.0f} %" for k in "123"),
            f"{found['scale']:.1f}",
            *(f"{100 * found['within_scaled'][k]:.0f} %" for k in "123"),
            f"{found['rank_correlation']:.2f}",
        ]
        for name, measured in sets.items()
        for scene, found in measured["scenes"].items()
    ]
    head = (
        "checkpoint and scene, spread, error, within 1 σ, 2 σ, 3 σ, factor for 68.3 %, "
        "widened: within 1 σ, 2 σ, 3 σ, rank correlation"
    )
    return table(head.split(", "), rows) + source("trust", results["device"], results)


TABLES: dict[str, Callable[[], str]] = {
    "trust-corrections": corrections,
    "trust-spreads": spreads,
    "ratios": ratios,
    "exposures": exposures,
    "scenes-photo": lambda: scenes("photo", "srgb/D65"),
    "scenes-ntire2020-clean": lambda: scenes("ntire2020-clean", "cie_1964"),
    "cpu-engine": cpu_engine,
    "gpu-engine": gpu_engine,
    "engines": engines,
    "gpu-profile": gpu_profile,
    "looking": looking,
    "maps": maps,
    "band-step": band_step,
    "cost": lambda: cost(ablations=False),
    "cost-of-configurations": lambda: cost(ablations=True),
}


def main() -> None:
    """Write, or check, every marked table of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        fresh = MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)
        if fresh != text:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(fresh, encoding="utf-8")
    if check and stale:
        sys.exit(f"not what the results say: {', '.join(map(str, stale))}; run {sys.argv[0]}")


if __name__ == "__main__":
    main()
