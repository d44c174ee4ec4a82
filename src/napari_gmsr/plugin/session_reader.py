"""Sessions by drag and drop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_gmsr.plugin.reader import PathOrPaths
from napari_gmsr.plugin.session_file import SUFFIX

__all__ = ["get_session_reader"]


def get_session_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[Any]] | None:
    """Return what opens sessions where the name is a session's, else ``None``; opens no file."""
    paths = [path] if isinstance(path, str) else path
    return _open if paths and all(str(one).endswith(SUFFIX) for one in paths) else None


def _open(path: PathOrPaths) -> list[Any]:
    """Open sessions in the current window; give napari its sign for "no further layer"."""
    from napari import current_viewer

    from napari_gmsr.plugin.session_widget import open_and_tell

    viewer = current_viewer()
    for one in [path] if isinstance(path, str) else path:
        if viewer is not None:
            open_and_tell(viewer, str(one))
    return [(None,)]
