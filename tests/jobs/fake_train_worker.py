"""A stand-in for the training's process: it writes what a run writes, and computes nothing.

What it does beside is the run's name: ``crash``, ``raise``, ``half-line``, ``silent``, ``long``.
"""

import os
import sys
import time
from pathlib import Path

from napari_gmsr.training.events import Finished, Paused, Resumed, Started, Step, to_line
from napari_gmsr.training.run_folder import RunFolder


def at(step):
    return {"time": time.time(), "step": step}


def started(step, config):
    return Started(
        name=config.title,
        dataset=config.dataset.name,
        network=config.network,
        device="cpu",
        device_reason="",
        engine="reference",
        engine_reason="",
        world=1,
        parameters=1,
        patches_per_epoch=0,
        total_steps=config.steps or 0,
        **at(step),
    )


def main(folder):
    config = folder.config()
    status = folder.status()
    step = first = status.step if status else 0
    with folder.locked():
        folder.append(started(step, config))
        if first:
            folder.append(Resumed(**at(first)))
        folder.write_status("running", step)
        sys.stderr.write("this goes to the log\n")
        while step < (config.steps or 0) and not folder.requested("stop"):
            if folder.requested("pause"):
                folder.append(Paused(**at(step)))
                folder.write_status("paused", step)
                while folder.requested("pause") and not folder.requested("stop"):
                    time.sleep(0.01)
                folder.append(Resumed(**at(step)))
                folder.write_status("running", step)
                continue
            step += 1
            event = Step(
                done=step / config.steps,
                loss=1 / step,
                learning_rate=1e-3,
                patches_per_s=1.0,
                seconds=1.0,
                loader_share=0.0,
                **at(step),
            )
            if config.name == "half-line":
                half_line(folder, event)
            folder.append(event)
            folder.write_status("running", step)
            if config.name == "crash" and step == 3 and not first:
                sys.stderr.write("the end is near\n")
                os.abort()
            if config.name == "raise":
                raise ValueError("something that nobody thought of")
            if config.name in ("long", "half-line"):
                time.sleep(0.01)
        stopped = folder.requested("stop")
        if config.name != "silent":
            reason = "stopped" if stopped else "done"
            folder.append(Finished(reason=reason, seconds=1.0, best=0.5, best_step=1, **at(step)))
            folder.write_status(reason, step, 1.0)


def half_line(folder, event):
    """Leave a line half written for a while."""
    line = to_line(event).encode()
    with folder.events_file.open("ab", buffering=0) as file:
        file.write(line[:20])
        time.sleep(0.02)
        file.write(line[20:] + b"\n")


if __name__ == "__main__":
    main(RunFolder.open(Path(sys.argv[1])))
