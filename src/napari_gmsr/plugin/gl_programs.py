"""A guard against a crash of napari's canvas."""

from __future__ import annotations

from typing import Any

__all__ = ["keep_programs"]


def keep_programs() -> None:
    """Have vispy never delete an OpenGL program.

    Where a layer with a colour bar is removed and another image is added, napari 0.9.2 on vispy
    0.17 ends in a segmentation fault, in the driver's next draw, and takes along all that is open.
    Buffers and textures may be deleted then, shaders too; with the programs kept, it goes on
    drawing. A program is some kilobytes, and a colour bar has four. Calling this again does
    nothing more.
    """
    from vispy.gloo.glir import GlirProgram  # type: ignore[import-untyped]

    GlirProgram.delete = _keep


def _keep(program: Any) -> None:
    """Leave a program to the end of its context, which deletes all that is its own."""
