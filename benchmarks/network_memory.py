"""Memory that the compared networks and the ablations take on a CPU, for `reconstruct/costs.py`.

    python benchmarks/network_memory.py [ROW ...]

A row is a network's name or an ablation's; what the file holds of others stays. Each network and
size in a process of its own: what its largest resident size grows by, after a first picture of
64x64.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from napari_gmsr.networks import ABLATIONS

NETWORKS = ("mscnn", "hrnet", "hsrnet", "agdnet", "mstpp", "repcpsi")
ROWS = (*NETWORKS, *(name for name in ABLATIONS if name != "GMSR-Net"))
SIDES = (256, 512)
OUT = Path(__file__).parent / "results/network_memory.json"


def grown(name: str, side: int) -> int:
    """Return the bytes that one square picture takes; only meaningful in a fresh process."""
    import torch

    from napari_gmsr.networks import create

    torch.set_num_threads(2)
    network = create("gmsr", **ABLATIONS[name]) if name in ABLATIONS else create(name)
    network.eval()
    with torch.inference_mode():
        network(torch.rand(1, 3, 64, 64))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        network(torch.rand(1, 3, side, side))
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main() -> None:
    """Measure the rows asked for, or, with a row and a side, print one."""
    asked = sys.argv[1:]
    if asked[1:] and asked[1].isdigit():
        print(grown(asked[0], int(asked[1])))
        return
    git = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, cwd=OUT.parent)
    known = json.loads(OUT.read_text())["bytes"] if OUT.exists() else {}
    for name in asked or ROWS:
        known[name] = {}
        for side in SIDES:
            command = [sys.executable, __file__, name, str(side)]
            child = subprocess.run(command, capture_output=True, text=True, check=True)
            known[name][str(side)] = int(child.stdout)
        print(name, known[name], flush=True)
    result = {
        "device": f"{platform.machine()}, CPU, 2 threads",
        "commit": found.stdout.strip(),
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch")},
        "bytes": {name: known[name] for name in ROWS if name in known},
    }
    OUT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
