"""Tasks that stand in for real work: what can happen in a child process, on purpose."""

import ctypes
import os
import sys
import time

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import DeviceError, InputError
from napari_gmsr.jobs import Progress


def echo(context, **values):
    return values


def process_id(context):
    return os.getpid()


def imported(context, module):
    return module in sys.modules


def count(context, parts, pause_s=0.0):
    for part in range(parts):
        if context.cancelled():
            from napari_gmsr.errors import Cancelled

            raise Cancelled()
        time.sleep(pause_s)
        context.report(Progress(part + 1, parts, f"part {part + 1}"))
    return parts


def deaf(context):
    """Never ask whether it was cancelled."""
    context.report(Progress(0, 0, "deaf"))
    time.sleep(3600)


def refuse(context):
    raise InputError("the picture is grey", where="grey.png", fix="Open an RGB picture.")


def lose_the_device(context):
    raise DeviceError("the GPU vanished", where="cuda:0", fix="Run again.")


def stumble(context):
    return 1 / 0


def print_and_return(context):
    sys.stdout.write("a library prints this\n")
    os.write(1, b"and another one from C\n")
    return "answer"


def crash(context):
    sys.stderr.write("last words\n")
    ctypes.string_at(0)


def killed(context):
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def leave(context, code):
    os._exit(code)


def picture_to_cube(context, rgb, **settings):
    context.report(Progress(1, 1, "whole picture"))
    grey = rgb.data.mean(axis=2)
    return SpectralCube(
        grey[None].repeat(31, axis=0),
        name=rgb.name,
        provenance={"notes": list(rgb.notes), **settings},
    )
