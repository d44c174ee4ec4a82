"""What each of two processes does in ``test_processes.py``: three runs, one after another."""

import os
import sys
from pathlib import Path

import torch
from small_runs import TOGETHER, on_pairs
from torch import distributed

from napari_gmsr.training import RunFolder, loop, train
from napari_gmsr.training import events as ev


def main(pairs: Path, out: Path) -> None:
    """Train without a break; then stop after three steps, and go on."""
    torch.set_num_threads(1)
    loop._REPORT_S = 0.0
    networks = []

    class Watched(loop.CapturedStep):
        def __init__(self, network: torch.nn.Module, *args: object, **kwargs: object) -> None:
            super().__init__(network, *args, **kwargs)  # type: ignore[arg-type]
            networks.append(network)

    loop.CapturedStep = Watched  # type: ignore[misc]
    config = on_pairs(pairs, **TOGETHER, batch=2)
    told: list[ev.Event] = []
    # Each process has a folder of its own here, to see what the second one writes: nothing.
    rank = os.environ["RANK"]
    train(config, run=out / f"unbroken-{rank}", on_event=told.append)
    torch.save(networks[-1].state_dict(), out / f"weights-{rank}.pt")
    (out / f"told-{rank}").write_text(str(len(told)))

    path = out / "stopped"

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Step) and event.step == 3:
            RunFolder(path).request("stop")

    assert train(config, run=path, on_event=stop).reason == "stopped"
    distributed.barrier()
    assert train(config, run=path, resume=True).reason == "done"
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
