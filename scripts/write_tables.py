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
    rows = [
        [
            f"{size['height']} x {size['width']}",
            f"{size['wall_s']['median']:.2f} s",
            f"{size['processor_s']['median']:.2f} s",
            f"{size['wall_ns_per_pixel'] / 1000:.2f} µs",
            f"{size['memory_growth_gib']:.2f} GiB",
        ]
        for size in results["sizes"]
    ]
    head = ["picture", "time (median)", "processor time", "time a pixel", "memory"]
    device = f"{results['processor']}, {results['cores']} cores"
    return table(head, rows) + source("cpu_engine", device, results)


def click_to_curve() -> str:
    """Time from a click to the drawn curve."""
    results = read("click_to_curve")
    rows = [[f"{results[key]:.0f} ms" for key in ("median_ms", "max_ms", "first_ms", "limit_ms")]]
    head = [f"median of {results['clicks']} clicks", "slowest after the first", "first", "aim"]
    return table(head, rows) + source("click_to_curve", results["device"], results)


TABLES: dict[str, Callable[[], str]] = {
    "ratios": ratios,
    "scenes-photo": lambda: scenes("photo", "srgb/D65"),
    "scenes-ntire2020-clean": lambda: scenes("ntire2020-clean", "cie_1964"),
    "cpu-engine": cpu_engine,
    "click-to-curve": click_to_curve,
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
