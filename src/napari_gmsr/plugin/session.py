"""Saving and opening sessions: layers, pins, view, and the widgets' settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils import progress

from napari_gmsr.errors import GMSRError, InputError, OutputError
from napari_gmsr.io.atomic import atomic_outputs, check_outputs
from napari_gmsr.plugin.session_file import (
    SUFFIX,
    CameraRecord,
    DimsRecord,
    GridRecord,
    SessionRecord,
    WidgetRecord,
    data_folder,
    read_session,
)
from napari_gmsr.plugin.session_layers import add_layer, can_be_kept, record_of
from napari_gmsr.plugin.settings import KeepsSettings

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["open_session", "save_session"]

_PLUGIN = "napari-gmsr"
_OF_PLUGIN = f" ({_PLUGIN})"


def save_session(
    viewer: ViewerModel, path: str | Path, *, overwrite: bool = False
) -> tuple[Path, list[str]]:
    """Save what is in a window.

    Layers that were opened from a file, and are still what the file holds, are kept as a reference
    to it. Others are written into a folder beside the session's file (``a.gmsr-session`` for
    ``a.gmsr-session.json``): cubes as Zarr, other arrays as npy. Pins and regions, the sliders,
    camera and grid, and the settings of open widgets are in the file itself.

    Parameters
    ----------
    viewer
        The viewer.
    path
        Ending in ``.gmsr-session.json``, which is added where it is missing.
    overwrite
        Replace an existing session.

    Returns
    -------
    path, remarks
        What was written, and one sentence for each thing that was left out.

    Raises
    ------
    OutputError
        Where it cannot be written; what was there stays.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        path = path.with_name(path.name + SUFFIX)
    folder = data_folder(path)
    check_outputs([folder, path], overwrite=overwrite)
    if overwrite and folder.exists() and not _is_ours(folder):
        raise OutputError(
            "this folder is no session's", where=folder, fix="Give the session another name."
        )
    remarks = [
        f"'{layer.name}' was left out: {type(layer).__name__} layers are not kept."
        for layer in viewer.layers
        if not can_be_kept(layer)
    ]
    kept = [layer for layer in viewer.layers if can_be_kept(layer)]
    with atomic_outputs([folder, path], overwrite=overwrite) as (new_folder, new_file):
        new_folder.mkdir()
        layers = [
            record_of(layer, number, path, new_folder, folder)
            for number, layer in enumerate(progress(kept, desc="Saving the session"))
        ]
        text = _record(viewer, layers).model_dump_json(indent=1, exclude_none=True)
        new_file.write_text(f"{text}\n", encoding="utf-8")
    with contextlib.suppress(OSError):  # nothing had to be stored
        folder.rmdir()
    return path, remarks


def open_session(viewer: ViewerModel, path: str | Path) -> list[str]:
    """Bring back what `save_session` saved; layers that are there already stay below.

    Parameters
    ----------
    viewer
        The viewer; without a window, widgets are left out.
    path
        The ``.gmsr-session.json``.

    Returns
    -------
    list of str
        One sentence for each thing that could not be brought back, or has changed.

    Raises
    ------
    InputError
        Where the file is no session, of another version, or names paths that leave its folder.
    """
    path = Path(path).absolute()
    record = read_session(path)
    folder = data_folder(path)
    remarks = []
    active: Layer | None = None
    for one in progress(record.layers, desc="Opening the session"):
        try:
            layer, remark = add_layer(viewer, one, path, folder)
        except GMSRError as error:
            remarks.append(str(error))
            continue
        if remark:
            remarks.append(remark)
        if one.attributes.get("name") == record.active:
            active = layer
    if active is not None:
        viewer.layers.selection.active = active
    remarks += _open_widgets(viewer, record.widgets)
    _set_view(viewer, record)
    return remarks


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and all(
        entry.name.startswith("layer-") and entry.suffix in (".npy", ".zarr")
        for entry in folder.iterdir()
    )


def _record(viewer: ViewerModel, layers: list[Any]) -> SessionRecord:
    dims, camera, grid = viewer.dims, viewer.scene.camera, viewer.canvas.grid
    active = viewer.layers.selection.active
    return SessionRecord(
        versions={name: version(name) for name in (_PLUGIN, "napari", "numpy")},
        layers=layers,
        active=None if active is None else active.name,
        dims=DimsRecord(
            point=[float(value) for value in dims.point],
            order=list(dims.order),
            ndisplay=dims.ndisplay,
        ),
        camera=CameraRecord(
            center=_three(camera.center),
            zoom=float(camera.zoom),
            angles=_three(camera.angles),
        ),
        grid=GridRecord(enabled=grid.enabled, stride=grid.stride, shape=tuple(grid.shape)),
        widgets=[
            WidgetRecord(
                name=name,
                settings=widget.saved_settings() if isinstance(widget, KeepsSettings) else None,
            )
            for name, widget in _widgets(viewer).items()
        ],
    )


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _widgets(viewer: ViewerModel) -> dict[str, Any]:
    """Return the plugin's open widgets by the names that its menu gives them."""
    window = getattr(viewer, "window", None)
    if window is None:
        return {}
    return {
        title.removesuffix(_OF_PLUGIN): widget
        for title, widget in window.dock_widgets.items()
        if title.endswith(_OF_PLUGIN)
    }


def _open_widgets(viewer: ViewerModel, records: list[WidgetRecord]) -> list[str]:
    window = getattr(viewer, "window", None)
    remarks = []
    for one in records if window is not None else []:
        assert window is not None
        try:
            _, widget = window.add_plugin_dock_widget(_PLUGIN, one.name)
        except (KeyError, ValueError):
            remarks.append(f"There is no widget '{one.name}' in this version.")
            continue
        if one.settings is not None and isinstance(widget, KeepsSettings):
            try:
                widget.restore_settings(one.settings)
            except (InputError, TypeError, ValueError) as error:
                remarks.append(f"Not all settings of '{one.name}' could be set: {error}")
    return remarks


def _set_view(viewer: ViewerModel, record: SessionRecord) -> None:
    """Set sliders, camera and grid, as far as the layers that are there allow."""
    dims = viewer.dims
    if len(record.dims.order) == dims.ndim and sorted(record.dims.order) == [*range(dims.ndim)]:
        dims.ndisplay = record.dims.ndisplay
        dims.order = tuple(record.dims.order)
        dims.set_point([*range(dims.ndim)], record.dims.point[: dims.ndim])
    viewer.canvas.grid.stride = record.grid.stride
    viewer.canvas.grid.shape = record.grid.shape
    viewer.canvas.grid.enabled = record.grid.enabled
    viewer.scene.camera.center = record.camera.center
    viewer.scene.camera.zoom = record.camera.zoom
    viewer.scene.camera.angles = record.camera.angles
