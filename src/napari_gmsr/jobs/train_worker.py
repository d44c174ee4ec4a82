"""The process of a training job: ``python -m napari_gmsr.jobs.train_worker RUN``.

It trains what the run's configuration says, from the run's last state where there is one. What it
prints goes to the run's log; it is spoken to through the files of the run's folder alone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs.event_log import last_event
from napari_gmsr.jobs.executor import as_gmsr_error
from napari_gmsr.training.events import Failed
from napari_gmsr.training.run_folder import RunFolder

__all__ = ["main"]

_NICENESS = 5
"""The window and whatever else the user works with go first; training has the time they leave."""


def main(run: Path) -> int:
    """Train, and return the process's exit code.

    Parameters
    ----------
    run
        The run's folder, with its configuration.

    Returns
    -------
    int
        0: done, or stopped. 1: failed, as the last event says.
    """
    faulthandler.enable()
    _give_way()
    folder = RunFolder.open(run)
    # The machine is shut down, or somebody asks politely: as if stop were pressed.
    signal.signal(signal.SIGTERM, lambda *_: folder.request("stop"))
    folder.write_status("starting", _step(folder))
    try:
        from napari_gmsr.training import train

        train(folder.config(), run=run, resume=folder.last_file.exists())
    except Exception as error:  # whatever it is, it must reach the user
        last = last_event(folder.events_file)
        if last is None or not last.ends:
            known = as_gmsr_error(error)
            folder.append(
                Failed(
                    time=time.time(),
                    step=last.step if last else 0,
                    error=type(known).__name__,
                    what=known.what,
                    where=known.where,
                    fix=known.fix,
                )
            )
        folder.write_status("failed", _step(folder))
        if isinstance(error, GMSRError):
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return 1
        raise
    return 0


def _give_way() -> None:
    """Take the niceness."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # Linux may share the processor among sessions first, and among their processes then; this
    # process has a session of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def _step(folder: RunFolder) -> int:
    """Return the step at which the run stands by its status."""
    status = folder.status()
    return status.step if status else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
