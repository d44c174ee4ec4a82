"""Memory that the compared networks take on a CPU, for `reconstruct/costs.py`.

    python benchmarks/network_memory.py

Each network and size in a process of its own: what its largest resident size grows by, after a
first picture of 64x64.
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

NETWORKS = ("mscnn", "hrnet", "hsrnet", "agdnet", "mstpp", "repcpsi")
SIDES = (256, 512)
OUT = Path(__file__).parent / "results/network_memory.json"


def grown(name: str, side: int) -> int:
    """Return the bytes that one square picture takes; only meaningful in a fresh process."""
    import torch

    from napari_gmsr.networks import create

    torch.set_num_threads(2)
    network = create(name).eval()
    with torch.inference_mode():
        network(torch.rand(1, 3, 64, 64))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        network(torch.rand(1, 3, side, side))
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main() -> None:
    """Measure all, or, with a name and a side, print one."""
    if len(sys.argv) == 3:
        print(grown(sys.argv[1], int(sys.argv[2])))
        return
    git = ["git", "rev-parse", "--short", "HEAD"]
    result = {
        "device": f"{platform.machine()}, CPU, 2 threads",
        "commit": subprocess.run(
            git, capture_output=True, text=True, cwd=OUT.parent
        ).stdout.strip(),
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("napari-gmsr", "torch")},
        "bytes": {
            name: {
                str(side): int(
                    subprocess.run(
                        [sys.executable, __file__, name, str(side)],
                        capture_output=True,
                        text=True,
                        check=True,
                    ).stdout
                )
                for side in SIDES
            }
            for name in NETWORKS
        },
    }
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["bytes"], indent=1))


if __name__ == "__main__":
    main()
