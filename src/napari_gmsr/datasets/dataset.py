"""A dataset: scenes of a picture and its cube, each in one split, read on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import CameraResponse, camera_response, illuminant, list_cameras, render_rgb
from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import DatasetError, InputError
from napari_gmsr.image import Encoding, RGBImage
from napari_gmsr.io import read_cube, read_rgb

__all__ = [
    "UNKNOWN",
    "Dataset",
    "DatasetInfo",
    "Finding",
    "Options",
    "Rendering",
    "Scene",
    "Split",
    "SplitRule",
]

Split = Literal["train", "validation", "test"]
SplitRule = Literal["recommended", "paper"]
"""``recommended`` holds some training scenes out for validation; ``paper`` trains on them too."""
UNKNOWN = "unknown"
"""The camera or illuminant of pictures of which nobody says it."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a user should know before choosing a dataset.

    Parameters
    ----------
    name
        For `open_dataset`.
    title
        For people.
    licence
        On what terms its makers give it.
    source
        Where to get it.
    layout
        What the folder holds, in a sentence or two.
    picture
        How its RGB pictures come about.
    split
        Which scenes are for training, validation and test.
    needs_camera
        Whether a camera response must be given.
    """

    name: str
    title: str
    licence: str
    source: str
    layout: str
    picture: str
    split: str
    needs_camera: bool = False


@dataclass(frozen=True)
class Finding:
    """Something about a dataset that a user should know.

    Parameters
    ----------
    severity
        ``error``: training cannot use it; ``warning``: results may suffer; ``note``: good to know.
    scene
        The scene it is about; empty for the whole dataset.
    what
        What is wrong, in a sentence without its full stop.
    fix
        What to do about it, in a sentence.
    """

    severity: Literal["error", "warning", "note"]
    scene: str
    what: str
    fix: str


@dataclass(frozen=True)
class Options:
    """What a user says about a folder; ``None`` leaves it to the layout.

    Parameters
    ----------
    split, camera, illuminant, encoding, wavelengths_nm, variable, scale
        As for `open_dataset`.
    """

    split: SplitRule = "recommended"
    camera: str | Path | None = None
    illuminant: str | None = None
    encoding: Encoding | None = None
    wavelengths_nm: Sequence[float] | npt.NDArray[np.float64] | None = None
    variable: str | None = None
    scale: float | None = None

    def rendering(
        self, default: Rendering | None = None, encoding: Encoding = "linear"
    ) -> Rendering | None:
        """Return how pictures are made of cubes: with the camera that was asked for, if any.

        Raises
        ------
        InputError
            Where the camera or the illuminant is unknown, or the camera's file is no response.
        """
        if self.illuminant is not None:
            illuminant(self.illuminant, WAVELENGTHS_NM)
        if self.camera is None:
            return default
        name = str(self.camera)
        if name not in list_cameras():
            camera_response(name)  # a file is read now, for its mistakes
        return Rendering(name, self.illuminant, encoding)


@dataclass(frozen=True)
class Rendering:
    """How a picture is made of a cube.

    Parameters
    ----------
    camera
        A shipped response or a file, as for `napari_gmsr.color.camera_response`.
    illuminant
        The light on a reflectance cube; ``None`` where the cube holds the light.
    encoding
        Of the picture.
    eight_bit
        Whether values are truncated to multiples of 1/255, as a file of 8 bits holds them.
    stretched
        Whether the cube is divided by its maximum first, and the picture's range then stretched to
        [0, 1]. The exposure is lost.
    tolerance
        How far a published picture may lie from the rendered one, as `check_dataset` measures it.
    """

    camera: str
    illuminant: str | None = None
    encoding: Encoding = "linear"
    eight_bit: bool = False
    stretched: bool = False
    tolerance: float = 0.05

    def render(self, cube: SpectralCube, response: CameraResponse | None = None) -> RGBImage:
        """Return the picture of a cube, float32 (y, x, 3) within [0, 1]."""
        if self.stretched:
            peak = float(cube.data.max())
            if peak > 0:
                cube = replace(cube, data=cube.data / np.float32(peak), spread=None)
        picture = render_rgb(cube, response or self.camera, self.illuminant, self.encoding)
        data = picture.data
        if self.stretched:
            low, high = data.min(), data.max()
            data = (data - low) / (high - low) if high > low else np.zeros_like(data)
        if self.eight_bit:
            data = np.floor(data * np.float32(255)) / np.float32(255)
        return replace(picture, data=data, bit_depth=8 if self.eight_bit else 32)


@dataclass(frozen=True)
class Scene:
    """A picture and its cube on disk.

    Parameters
    ----------
    name
        Unique in its dataset.
    split
        What it is for.
    cube
        File or folder that `napari_gmsr.io.read_cube` reads.
    rgb
        The picture's file; ``None`` where it is rendered from the cube.
    """

    name: str
    split: Split
    cube: Path
    rgb: Path | None = None


@dataclass(frozen=True)
class Dataset:
    """Scenes of one kind: the same bands, camera and encoding.

    Parameters
    ----------
    name
        Of its layout, as `list_datasets` has it.
    folder
        Where it lies.
    scenes
        All of them, by name.
    wavelengths_nm
        float64 (band,): the bands of every cube.
    encoding
        Of every picture.
    camera, illuminant
        What the pictures were taken or rendered with; ``"unknown"`` where nobody says it. An
        illuminant of ``"none"``: the cubes hold light, not reflectance.
    licence
        On what terms its makers give it.
    rendering
        How a picture is made of a cube; ``None`` where no camera response is known.
    problems
        What was found while the folder was listed; nothing was read for it.
    cube_arguments
        How its cubes are read: keyword arguments of `napari_gmsr.io.read_cube`.
    resampled
        Whether cubes of other bands are averaged down to ``wavelengths_nm``.
    """

    name: str
    folder: Path
    scenes: tuple[Scene, ...]
    encoding: Encoding
    camera: str
    illuminant: str
    licence: str
    wavelengths_nm: npt.NDArray[np.float64] = field(default_factory=lambda: WAVELENGTHS_NM)
    rendering: Rendering | None = None
    problems: tuple[Finding, ...] = ()
    cube_arguments: Mapping[str, Any] = field(default_factory=dict)
    resampled: bool = False

    def select(self, split: Split) -> tuple[Scene, ...]:
        """Return the scenes of a split, in the order of their names."""
        return tuple(scene for scene in self.scenes if scene.split == split)

    def read(self, scene: Scene) -> tuple[RGBImage, SpectralCube]:
        """Read a scene.

        Returns
        -------
        RGBImage
            float32 (y, x, 3), in the dataset's encoding.
        SpectralCube
            float32 (band, y, x), as the files hold it: outliers beyond [0, 1] are kept.

        Raises
        ------
        DatasetError
            Where the cube has other bands than the dataset, or the picture another size.
        InputError
            Where a file is missing or damaged.
        """
        cube = self.read_cube(scene)
        picture = self.read_picture(scene, cube)
        if picture.shape != cube.shape[1:]:
            raise DatasetError(
                f"the picture has {picture.shape[0]} x {picture.shape[1]} pixels, "
                f"its cube {cube.shape[1]} x {cube.shape[2]}",
                where=scene.rgb or scene.cube,
                fix="Give a picture and a cube of one size, or leave the scene out.",
            )
        return picture, cube

    def read_cube(self, scene: Scene) -> SpectralCube:
        """Read a scene's cube alone; as for `read`."""
        cube = replace(read_cube(scene.cube, **self.cube_arguments), name=scene.name)
        if self.resampled:
            cube = _averaged(cube, self.wavelengths_nm, scene.cube)
        found, expected = cube.wavelengths_nm, self.wavelengths_nm
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=0.5):
            raise DatasetError(
                f"the cube has {_bands(found)}, the dataset {_bands(expected)}",
                where=scene.cube,
                fix="Keep cubes of different bands in different datasets.",
            )
        return cube

    def read_picture(self, scene: Scene, cube: SpectralCube) -> RGBImage:
        """Read a scene's picture, or render it from its cube where it has none."""
        if scene.rgb is not None:
            return replace(read_rgb(scene.rgb), encoding=self.encoding, name=scene.name)
        if self.rendering is None:
            raise InputError(
                "there is no picture, and no camera response to render it with",
                where=scene.cube,
                fix="Add the picture, or give a camera.",
            )
        return self.rendering.render(cube)

    def split_hash(self) -> str:
        """Return a SHA-256 over which scene is in which split; the same on every machine."""
        lines = sorted(f"{scene.split}\t{scene.name}\n" for scene in self.scenes)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _bands(nm: npt.NDArray[np.float64]) -> str:
    return f"{nm.size} bands ({nm[0]:g} to {nm[-1]:g} nm)"


def _averaged(cube: SpectralCube, nm: npt.NDArray[np.float64], where: Path) -> SpectralCube:
    """Return the cube with each band the mean of those nearer to it than half a step."""
    if cube.shape[0] == nm.size and np.allclose(cube.wavelengths_nm, nm, rtol=0, atol=0.5):
        return cube
    half = np.abs(np.gradient(nm)) / 2
    near = np.abs(cube.wavelengths_nm - nm[:, None]) <= half[:, None]
    if not near.any(axis=1).all():
        raise DatasetError(
            f"the cube has {_bands(cube.wavelengths_nm)}: none near "
            f"{nm[~near.any(axis=1)][0]:g} nm",
            where=where,
            fix="Give cubes that cover 400 to 700 nm.",
        )
    data = np.stack([cube.data[chosen].mean(axis=0) for chosen in near])
    return SpectralCube(data, nm, cube.name, cube.provenance)
