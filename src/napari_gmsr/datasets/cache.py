"""Scenes read once and kept on disk, in the layout that patches are cut from.

A scene is one ``.npy`` file (y, x, 3 + bands): a pixel's red, green and blue, then its spectrum. A
patch is then one run of bytes a row, and touches fewer pages than band after band would; RGB comes
with the same read. A file is mapped only while a patch is copied out of it, so that the resident
set does not grow with the set of scenes.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import math
import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import Cancelled, DatasetError, OutputError
from napari_gmsr.image import Encoding, RGBImage
from napari_gmsr.io.atomic import atomic_output

if TYPE_CHECKING:
    from napari_gmsr.datasets.dataset import Dataset, Scene, Split

__all__ = ["CubeCache", "cache_dataset"]

FORMAT = 1
FULL_SCALE = 65535
STALE_S = 86400.0  # a partial file of this age belongs to a build that was killed


@dataclass(frozen=True)
class _Stored:
    """One scene's file: where its numbers start, their shape (y, x, 3 + bands) and type."""

    path: Path
    offset: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class CubeCache:
    """Scenes on disk that patches are cut from; made by `cache_dataset`.

    Values within [0, 1] are stored as uint16 of full scale 65535: 8 and 16-bit RGB exactly, others
    rounded by at most 1/131070 (7.7e-6). A scene with other values is stored as float32.

    Parameters
    ----------
    names
        Of the scenes.
    wavelengths_nm
        Centre of each band in nm, (bands,).
    encoding, camera, illuminant
        How the RGB came about.
    licence
        Of the dataset.
    dataset
        The dataset's name.
    """

    names: tuple[str, ...]
    wavelengths_nm: npt.NDArray[np.float64]
    encoding: Encoding
    camera: str
    illuminant: str
    licence: str
    dataset: str
    _scenes: tuple[_Stored, ...]

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self.names)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each scene in pixels."""
        return tuple(scene.shape[:2] for scene in self._scenes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 where every scene is stored so, else float32."""
        return np.result_type(*{scene.dtype for scene in self._scenes})

    def rgb(self, i: int) -> RGBImage:
        """Return scene i's picture, (y, x, 3)."""
        return RGBImage(self._whole(i, slice(0, 3)), self.encoding, name=self.names[i])

    def cube(self, i: int) -> SpectralCube:
        """Return scene i's cube, (bands, y, x)."""
        bands = self._whole(i, slice(3, None))
        return SpectralCube.from_band_last(bands, self.wavelengths_nm, name=self.names[i])

    def read(self, i: int, y: int, x: int, out: npt.NDArray[Any]) -> None:
        """Copy the patch with its upper left corner at (y, x) of scene i.

        Parameters
        ----------
        i, y, x
            Scene, row and column.
        out
            (rows, columns, 3 + bands), of the cache's `dtype`: RGB, then bands. float32 holds
            values of scale 1, uint16 of scale 65535.

        Raises
        ------
        DatasetError
            Where the patch does not lie within the scene, or its file is gone.
        """
        stored = self._scenes[i]
        height, width, depth = stored.shape
        rows, columns = out.shape[:2]
        if not (0 <= y <= height - rows and 0 <= x <= width - columns):
            raise DatasetError(
                f"no patch of {rows} x {columns} pixels at (y={y}, x={x}) in {height} x {width}",
                where=self.names[i],
            )
        item = stored.dtype.itemsize
        strides = (width * depth * item, depth * item, item)
        first = stored.offset + y * strides[0] + x * strides[1]
        end = first + (rows - 1) * strides[0] + columns * strides[1]
        page = first - first % mmap.ALLOCATIONGRANULARITY
        try:
            with stored.path.open("rb") as stream:
                view = mmap.mmap(stream.fileno(), end - page, access=mmap.ACCESS_READ, offset=page)
        except (OSError, ValueError) as error:
            raise DatasetError(
                "the cached scene is gone or cut short",
                where=stored.path,
                fix="Start again: the cache is built anew where it is damaged.",
            ) from error
        with view:
            if hasattr(mmap, "MADV_WILLNEED"):
                # One read of all its rows instead of one for every few pages.
                view.madvise(mmap.MADV_WILLNEED)
            patch = np.ndarray(out.shape, stored.dtype, view, first - page, strides)
            np.copyto(out, patch)
            del patch  # a map with a view of it cannot be closed
        if out.dtype != np.uint16 and stored.dtype == np.uint16:
            out /= FULL_SCALE

    def _whole(self, i: int, channels: slice) -> npt.NDArray[np.float32]:
        scene = np.empty(self._scenes[i].shape, np.float32)
        self.read(i, 0, 0, scene)
        return np.ascontiguousarray(scene[..., channels])


def cache_dataset(
    dataset: Dataset,
    split: Split,
    *,
    folder: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> CubeCache:
    """Read every scene of a split once, and keep it on disk.

    A scene that is there already, whole and of the same files, is not read again. Each appears
    under its name only when it is complete and flushed, so that a build may be killed, go on later,
    or run in two processes at once.

    Parameters
    ----------
    dataset
        What `open_dataset` returns.
    split
        Which scenes.
    folder
        Where caches lie; by default the user's cache folder.
    progress
        Called with scenes done, scenes in all, and the next scene's name.
    cancel
        Asked before each scene; true stops.

    Returns
    -------
    CubeCache

    Raises
    ------
    DatasetError
        Where the split is empty, a value is NaN or infinite, or picture and cube do not fit.
    OutputError
        Where the disk is full or the folder cannot be written.
    Cancelled
        Where ``cancel`` said so; finished scenes stay.
    """
    scenes = dataset.select(split)
    if not scenes:
        raise DatasetError(
            f"no scenes in the split '{split}'", where=dataset.folder, fix="Check the folder."
        )
    place = _place(dataset, folder)
    stored = []
    for done, scene in enumerate(scenes):
        if cancel is not None and cancel():
            raise Cancelled("cancelled; scenes cached so far stay", where=dataset.name)
        if progress is not None:
            progress(done, len(scenes), scene.name)
        path = _scene_path(place, scene)
        found = _open(path, 3 + len(dataset.wavelengths_nm))
        if found is None:
            found = _store(dataset, scene, path)
        stored.append(found)
    if progress is not None:
        progress(len(scenes), len(scenes), "")
    return CubeCache(
        names=tuple(scene.name for scene in scenes),
        wavelengths_nm=np.asarray(dataset.wavelengths_nm, np.float64),
        encoding=dataset.encoding,
        camera=dataset.camera,
        illuminant=dataset.illuminant,
        licence=dataset.licence,
        dataset=dataset.name,
        _scenes=tuple(stored),
    )


def _place(dataset: Dataset, folder: Path | None) -> Path:
    """Return this dataset's folder, without what killed builds left there."""
    if folder is None:
        import platformdirs

        folder = platformdirs.user_cache_path("napari-gmsr", appauthor=False) / "scenes"
    camera = Path(dataset.camera)
    settings = [
        FORMAT,
        str(Path(dataset.folder).resolve()),
        dataset.wavelengths_nm,
        dataset.encoding,
        dataset.camera,
        _state(camera) if camera.is_file() else None,  # a response of the user's own
        dataset.illuminant,
        None if dataset.rendering is None else asdict(dataset.rendering),
        dict(dataset.cube_arguments),
        dataset.resampled,
    ]
    place = Path(folder) / f"{dataset.name}-{_digest(settings)}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the cache cannot be made: {error.strerror}", where=place, fix="Choose another folder."
        ) from error
    for partial in place.glob(".*.partial-*"):
        with contextlib.suppress(OSError):  # another process may have removed it
            if time.time() - partial.stat().st_mtime > STALE_S:
                partial.unlink()
    return place


def _scene_path(place: Path, scene: Scene) -> Path:
    """Return the name of a scene's file: who it is, then the state of its sources."""
    sources = [path for path in (scene.cube, scene.rgb) if path is not None]
    who = _digest([scene.name, *(str(source.resolve()) for source in sources)])
    return place / f"{who}-{_digest([_state(source) for source in sources])}.npy"


def _state(source: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a source's files: a folder's, an ENVI pair's."""
    try:
        if source.is_dir():
            files = sorted(path for path in source.rglob("*") if path.is_file())
        elif source.suffix.lower() == ".hdr":
            files = sorted(source.parent.glob(f"{glob.escape(source.stem)}*"))
        else:
            files = [source]
        found = [(path.name, path.stat()) for path in files or [source]]
    except OSError as error:
        raise DatasetError(
            f"the file cannot be read: {error.strerror}",
            where=source,
            fix="Download it again, or check the folder.",
        ) from error
    return [(name, state.st_size, state.st_mtime_ns) for name, state in found]


def _digest(what: Sequence[Any]) -> str:
    text = json.dumps(what, default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _open(path: Path, depth: int) -> _Stored | None:
    """Return what the file holds; nothing where it is missing or damaged."""
    try:
        with path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            offset = stream.tell()
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    expected = dtype in (np.dtype(np.uint16), np.dtype(np.float32)) and not fortran
    if not expected or len(shape) != 3 or shape[2] != depth:
        return None
    if size != offset + math.prod(shape) * dtype.itemsize:
        return None
    return _Stored(path, offset, (shape[0], shape[1], shape[2]), dtype)


def _store(dataset: Dataset, scene: Scene, path: Path) -> _Stored:
    rgb, cube = dataset.read(scene)
    bands, height, width = cube.shape
    if rgb.shape != (height, width) or bands != len(dataset.wavelengths_nm):
        raise DatasetError(
            f"a picture {rgb.shape} with a cube {cube.shape}, where "
            f"{len(dataset.wavelengths_nm)} bands are expected",
            where=scene.cube,
            fix="Remove the pair, or replace the file that is wrong.",
        )
    values = np.empty((height, width, 3 + bands), np.float32)
    values[..., :3] = rgb.data
    values[..., 3:] = np.moveaxis(cube.data, 0, -1)
    for part, source in ((values[..., :3], scene.rgb or scene.cube), (values[..., 3:], scene.cube)):
        broken = part.size - int(np.count_nonzero(np.isfinite(part)))
        if broken:
            raise DatasetError(
                f"{broken} of {part.size} values are NaN or infinite",
                where=source,
                fix="Remove the scene, or replace the file by a sound one.",
            )
    if values.min() >= 0 and values.max() <= 1:
        values *= FULL_SCALE
        values = np.rint(values, out=values).astype(np.uint16)
    with atomic_output(path, overwrite=True) as temporary:
        np.save(temporary, values)
    who = path.name.split("-")[0]
    for old in path.parent.glob(f"{who}-*.npy"):
        if old != path:
            old.unlink(missing_ok=True)  # of a former state of the sources
    stored = _open(path, 3 + bands)
    if stored is None:
        raise OutputError("what was written cannot be read back", where=path, fix="Check the disk.")
    return stored
