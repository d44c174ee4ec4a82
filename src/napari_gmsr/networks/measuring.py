"""What networks take on the device at hand: time and memory of an evaluation, measured."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psutil
import torch

from napari_gmsr.errors import DeviceError, EngineError, InputError, OutOfMemoryError
from napari_gmsr.networks.engines import network_engine
from napari_gmsr.networks.registry import create

__all__ = ["MeasuredCost", "measure_cost", "measure_work"]

_SMALL = 32
_PATIENCE_S = 20.0
_SAMPLED_EVERY_S = 0.0005


@dataclass(frozen=True)
class MeasuredCost:
    """What an evaluation of one picture took.

    Parameters
    ----------
    seconds
        Median of the runs.
    peak_bytes
        On a CUDA device the most that PyTorch held, weights and picture included; on a CPU what the
        process grew by during the run. None where that cannot be asked.
    runs
        That were timed.
    device, engine
        The device's name; the scan's engine, or ``none``.
    """

    seconds: float
    peak_bytes: int | None
    runs: int
    device: str
    engine: str


def measure_cost(
    name: str,
    height: int = 512,
    width: int = 482,
    device: str = "cpu",
    *,
    engine: str = "auto",
    repeats: int = 5,
    **arguments: Any,
) -> MeasuredCost:
    """Measure how long a network takes for a picture, and how much memory.

    In a process of its own, so that nothing before it counts and running out of memory ends nothing
    else. Random weights and a random picture, float32 without TF32, after a warm-up.

    Parameters
    ----------
    name, arguments
        See `napari_gmsr.networks.create`.
    height, width
        Of the picture, in pixels.
    device
        As PyTorch names it.
    engine
        Name of the scan's engine, or ``auto``.
    repeats
        Timed runs; after 20 seconds no other is begun.

    Returns
    -------
    MeasuredCost

    Raises
    ------
    InputError
        Where there is no such network, picture or device.
    EngineError
        Where the engine cannot run on the device.
    OutOfMemoryError
        Where the device's memory does not suffice.
    DeviceError
        Where the process died.
    """
    task = {
        "name": name,
        "size": (height, width),
        "device": device,
        "engine": engine,
        "repeats": repeats,
        "arguments": arguments,
    }
    # -P: the current folder, whatever lies in it, is not searched for modules.
    command = [sys.executable, "-P", "-m", __name__, json.dumps(task)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    where = f"{name}, {height}x{width} on {device}"
    if child.returncode:
        if child.returncode == -9:
            raise OutOfMemoryError(
                "the system ended the measuring process, as it does where memory runs out",
                where=where,
                fix="Take a smaller picture.",
            )
        last = (child.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DeviceError(
            f"the measuring process died: {last}", where=where, fix="Choose device 'cpu'."
        )
    answer = json.loads(child.stdout.splitlines()[-1])
    if "error" in answer:
        error = _ERRORS[answer["error"]]
        raise error(answer["what"], where=answer["where"] or where, fix=answer["fix"])
    return MeasuredCost(**answer)


def measure_work(
    work: Callable[[], object], device: torch.device, repeats: int = 5
) -> tuple[float, int | None, int]:
    """Measure a piece of work: once for the memory, then some times for the time.

    Parameters
    ----------
    work
        What to do; everything that it compiles should be compiled.
    device
        Where it is done.
    repeats
        Timed runs; after 20 seconds no other is begun.

    Returns
    -------
    seconds : float
        Median.
    peak_bytes : int or None
        See `MeasuredCost`.
    runs : int
        That were timed.
    """
    peak = _peak(work, device)
    times: list[float] = []
    while not times or (len(times) < repeats and sum(times) < _PATIENCE_S):
        start = time.perf_counter()
        work()
        _synchronise(device)
        times.append(time.perf_counter() - start)
    return median(times), peak, len(times)


def _peak(work: Callable[[], object], device: torch.device) -> int | None:
    if device.type == "cpu":
        return _growth(work)
    if device.type != "cuda":
        work()
        _synchronise(device)
        return None
    torch.cuda.reset_peak_memory_stats(device)
    work()
    _synchronise(device)
    return torch.cuda.max_memory_allocated(device)


def _growth(work: Callable[[], object]) -> int:
    """Return by how many bytes this process grows at most while work is done."""
    process, done = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not done.wait(_SAMPLED_EVERY_S):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
        highest = max(highest, process.memory_info().rss)
    finally:
        done.set()
        watcher.join()
    return highest - before


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize()


def _measure_here(
    name: str,
    size: tuple[int, int],
    device: str,
    engine: str,
    repeats: int,
    arguments: dict[str, Any],
) -> MeasuredCost:
    """Measure in this process, which has done nothing before."""
    if min(size) < 1:
        raise InputError(
            f"no picture of {size[0]}x{size[1]} pixels", fix="Give at least one pixel."
        )
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    network: Any = create(name, **arguments).eval()
    try:
        where = torch.device(device)
        torch.empty(0, device=where)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"PyTorch cannot use it: {reason}", where=f"device {device!r}", fix="Choose 'cpu'."
        ) from error
    chosen = network_engine(network, where, engine)
    if hasattr(network, "engine"):
        network.engine = chosen.name
    network.to(where)
    with torch.inference_mode():
        network(torch.rand(1, 3, _SMALL, _SMALL, device=where))  # compiles what is compiled
        rgb = torch.rand(1, 3, *size, device=where)
        seconds, peak, runs = measure_work(lambda: network(rgb), where, repeats)
    label = torch.cuda.get_device_name(where) if where.type == "cuda" else device
    if where.type == "cpu":
        label = f"cpu, {torch.get_num_threads()} threads"
    return MeasuredCost(seconds, peak, runs, label, chosen.name)


_ERRORS = {cls.__name__: cls for cls in (InputError, EngineError, OutOfMemoryError)}


def _main(task: str) -> None:
    try:
        answer = asdict(_measure_here(**json.loads(task)))
    except (InputError, EngineError) as error:
        answer = {"error": type(error).__name__, **vars(error)}
    except (MemoryError, RuntimeError) as error:
        # PyTorch names only the want of a CUDA device's memory; on a CPU it says so in words.
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and (
            "allocate memory" not in str(error)
        ):
            raise
        answer = {
            "error": "OutOfMemoryError",
            "what": "the device's memory ran out",
            "where": "",
            "fix": "Take a smaller picture.",
        }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1])
