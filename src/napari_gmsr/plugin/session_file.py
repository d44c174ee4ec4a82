"""The file of a session: what stands in it, and what is refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_gmsr.errors import InputError
from napari_gmsr.io.references import FileReference

__all__ = [
    "SUFFIX",
    "CameraRecord",
    "DimsRecord",
    "GridRecord",
    "LayerRecord",
    "SessionRecord",
    "WidgetRecord",
    "data_folder",
    "read_session",
]

SUFFIX = ".gmsr-session.json"
_VERSION = 1
_MOST_BYTES = 64 * 2**20
_FIX = "Open a file that Save session has written, of this version of napari-gmsr."

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LayerRecord(_Record):
    """A layer: how it looks, and where its numbers are.

    Exactly one of ``file`` (opened by ``reader``), ``stored`` (in the session's folder) and
    ``inline`` is given.

    Parameters
    ----------
    kind
        Napari's name of its type.
    attributes
        Of napari, JSON types.
    file, reader
        A file of the user's, and the plugin that reads it.
    stored
        ``.npy`` or ``.zarr`` within the session's folder.
    inline
        Coordinates of points, or of the corners of shapes.
    """

    kind: Literal["image", "labels", "points", "shapes"]
    attributes: dict[str, Any]
    file: FileReference | None = None
    reader: Literal["napari", "napari-gmsr"] | None = None
    stored: str | None = None
    inline: list[Any] | None = None

    @field_validator("stored")
    @classmethod
    def _stays(cls, name: str | None) -> str | None:
        if name is not None:
            path = PurePosixPath(name)
            if len(path.parts) != 1 or name != path.name or set(name) & set('\\:*?"<>|'):
                raise ValueError(f"the path '{name}' leaves the session's folder")
            if path.suffix not in (".npy", ".zarr"):
                raise ValueError(f"'{name}' is neither .npy nor .zarr")
        return name


class DimsRecord(_Record):
    """Where the sliders stand."""

    point: list[_Finite] = Field(max_length=32)
    order: list[int] = Field(max_length=32)
    ndisplay: Literal[2, 3]


class CameraRecord(_Record):
    """What the canvas shows."""

    center: tuple[_Finite, _Finite, _Finite]
    zoom: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    angles: tuple[_Finite, _Finite, _Finite]


class GridRecord(_Record):
    """Napari's grid."""

    enabled: bool
    stride: int
    shape: tuple[int, int]


class WidgetRecord(_Record):
    """An open dock widget of the plugin, with its settings where it keeps them."""

    name: str
    settings: dict[str, Any] | None = None


class SessionRecord(_Record):
    """A session."""

    format: Literal["napari-gmsr session"] = "napari-gmsr session"
    version: Literal[1] = 1
    versions: dict[str, str]
    layers: list[LayerRecord] = Field(max_length=10_000)
    active: str | None
    dims: DimsRecord
    camera: CameraRecord
    grid: GridRecord
    widgets: list[WidgetRecord] = Field(max_length=100)


def data_folder(path: Path) -> Path:
    """Return the folder for what a session file stores itself: ``a.gmsr-session``."""
    return path.with_name(path.name.removesuffix(".json"))


def read_session(path: str | Path) -> SessionRecord:
    """Read a session's file; loads no layer yet.

    Raises
    ------
    InputError
        Where there is no such file, it is no session, of another version, or names a path that
        leaves its folder.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("it is too large for a session", where=path, fix=_FIX)
        return SessionRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", where=path, fix=_FIX) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = f"{place}: {first['msg']}" if place else first["msg"]
        if first["loc"] == ("version",):
            what = f"it is of version {first['input']}, this program reads {_VERSION}"
        raise InputError(f"it is no session: {what}", where=path, fix=_FIX) from error
