"""The dataset doctor: what is wrong with a dataset, before hours of training tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import get_args

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import camera_response, srgb_to_linear
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets.dataset import Dataset, Finding, Scene, Split
from napari_gmsr.errors import Cancelled, GMSRError
from napari_gmsr.image import RGBImage

__all__ = ["DatasetReport", "check_dataset"]

SAME_SCENE = 0.95
"""From this likeness of their thumbnails on two scenes are taken for one."""
OTHER_SCENE = 0.5
"""Below this likeness a picture does not show what its cube shows."""
EXPOSURE = 1.1
"""From this factor on a picture's exposure is another than its cube's."""
_SIDE = 16
_ORDER = {"error": 0, "warning": 1, "note": 2}

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DatasetReport:
    """What `check_dataset` found.

    Parameters
    ----------
    dataset, folder
        Which.
    scenes
        How many in each split.
    split_hash
        Which scene is in which split, in one word.
    findings
        Errors first, then warnings, then notes.
    """

    dataset: str
    folder: str
    scenes: dict[Split, int]
    split_hash: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity != "error" for finding in self.findings)

    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return a table: severity, scene, what, fix."""
        return tuple((f.severity, f.scene, f.what, f.fix) for f in self.findings)

    def to_json(self) -> str:
        """Return the report as one JSON object, with ``ok``."""
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=1, ensure_ascii=False)


def check_dataset(
    dataset: Dataset,
    *,
    patch: int = 128,
    progress: Callable[[int, int, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> DatasetReport:
    """Read every scene, and tell what training would stumble over.

    - Errors: a file that is missing, damaged or half downloaded; a picture of another size than its
      cube; other bands than the rest; NaN; a training scene smaller than a patch; no scene for
      training.
    - Warnings: values outside [0, 1], a cube of one value; a picture that is not what the stated
      camera response makes of its cube; a picture that shows something else than its cube; scenes
      of two splits that look the same; pictures without a cube and cubes without a picture.

    *Picture and response*: both linear, values between 0.02 and 0.98, one common factor (the
    median ratio, as exposures differ). The measure is the median distance of the two, less 1.5
    steps of 8 bits, over the median of the picture, in the worst channel; the stated tolerance is
    0.05, and 0.25 for CAVE, whose rendering is not published in full.

    *Likeness*: the cosine between the differences of neighbours in thumbnails of 16 x 16 pixels
    (means over the bands). Scenes of two splits look the same from 0.95 on; a picture shows
    something else below 0.5.

    Parameters
    ----------
    dataset
        What `open_dataset` returns.
    patch
        Side in pixels of the patches that are to be cut.
    progress
        Called with scenes done, scenes in all, and the next scene's name.
    cancel
        Asked before each scene; true stops.

    Raises
    ------
    Cancelled
        Where ``cancel`` said so.
    """
    check = _Check(dataset, patch)
    total = len(dataset.scenes)
    for done, scene in enumerate(dataset.scenes):
        if cancel is not None and cancel():
            raise Cancelled(f"cancelled after {done} of {total} scenes", where=dataset.name)
        if progress is not None:
            progress(done, total, scene.name)
        check.scene(scene)
    if progress is not None:
        progress(total, total, "")
    findings = [*dataset.problems, *check.findings, *check.whole()]
    return DatasetReport(
        dataset=dataset.name,
        folder=str(dataset.folder),
        scenes={split: len(dataset.select(split)) for split in get_args(Split)},
        split_hash=dataset.split_hash(),
        findings=tuple(sorted(findings, key=lambda f: (_ORDER[f.severity], f.scene))),
    )


@dataclass
class _Check:
    """What is known so far; one scene's cube at a time."""

    dataset: Dataset
    patch: int
    findings: list[Finding] = field(default_factory=list)
    thumbnails: list[tuple[Scene, Floats]] = field(default_factory=list)
    exposures: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rendering = self.dataset.rendering
        self.response = None if rendering is None else camera_response(rendering.camera)

    def scene(self, scene: Scene) -> None:
        """Read a scene and note what is wrong with it."""
        try:
            cube = self.dataset.read_cube(scene)
            self.findings += _check_size(scene, cube, self.patch)
            values = list(_check_values(scene, cube))
            self.findings += values
            if any(finding.severity == "error" for finding in values):
                return
            thumbnail = _thumbnail(cube.data.mean(axis=0))
            if thumbnail.any():
                self.thumbnails.append((scene, thumbnail))
            if scene.rgb is not None:
                picture = self.dataset.read_picture(scene, cube)
                self.findings += self._check_picture(scene, cube, picture, thumbnail)
        except GMSRError as error:
            where = f"{error.where}: " if error.where else ""
            self.findings.append(Finding("error", scene.name, where + error.what, error.fix))

    def whole(self) -> Iterator[Finding]:
        """Yield what concerns several scenes."""
        if not self.dataset.select("train"):
            yield Finding("error", "", "there is no scene for training", "Add scenes to train.")
        if not self.dataset.select("validation"):
            yield Finding(
                "note",
                "",
                "there is no scene for validation, so that the best checkpoint cannot be chosen "
                "apart from the test set",
                "Use the recommended split, or name scenes for validation.",
            )
        if self.dataset.rendering is None:
            yield Finding(
                "note",
                "",
                "no camera response is known, so that pictures were compared with their cubes by "
                "what they show alone",
                "Give camera if the response is known.",
            )
        if self.exposures:
            low, high = min(self.exposures), max(self.exposures)
            yield Finding(
                "note",
                "",
                "some pictures have another exposure than the response gives them: "
                f"{len(self.exposures)}, by factors of {low:.2f} to {high:.2f}",
                "Scale the cubes, or leave it so if the exposures differ on purpose.",
            )
        yield from self._twins()

    def _twins(self) -> Iterator[Finding]:
        """Yield scenes of two splits that look the same."""
        if not self.thumbnails:
            return
        vectors = np.stack([thumbnail for _, thumbnail in self.thumbnails])
        likeness = vectors @ vectors.T
        for i, j in np.argwhere(np.triu(likeness >= SAME_SCENE, 1)):
            (first, _), (second, _) = self.thumbnails[i], self.thumbnails[j]
            if first.split != second.split:
                yield Finding(
                    "warning",
                    first.name,
                    f"it looks like {second.name} (likeness {likeness[i, j]:.2f}), but one is for "
                    f"{first.split} and one for {second.split}",
                    "Keep all takes of one scene in one split.",
                )

    def _check_picture(
        self, scene: Scene, cube: SpectralCube, picture: RGBImage, thumbnail: Floats
    ) -> Iterator[Finding]:
        if picture.shape != cube.shape[1:]:
            yield Finding(
                "error",
                scene.name,
                f"the picture has {picture.shape[0]} x {picture.shape[1]} pixels, its cube "
                f"{cube.shape[1]} x {cube.shape[2]}",
                "Give a picture and a cube of one size, or leave the scene out.",
            )
            return
        light = _linear(picture)
        rendering = self.dataset.rendering
        if rendering is not None and self.response is not None:
            rendered = rendering.render(cube, self.response)
            gain, distance = _compare(light, _linear(rendered))
            if distance > rendering.tolerance:
                yield Finding(
                    "warning",
                    scene.name,
                    f"the picture is not what the response '{rendering.camera}' makes of its cube "
                    f"(distance {distance:.2f}, tolerated {rendering.tolerance:g})",
                    "Check that they belong together, the encoding, the order of the channels, "
                    "and the camera.",
                )
                return
            if not 1 / EXPOSURE <= gain <= EXPOSURE:
                self.exposures.append(gain)
        likeness = float(_thumbnail(light.mean(axis=2)) @ thumbnail)
        if thumbnail.any() and likeness < OTHER_SCENE:
            yield Finding(
                "warning",
                scene.name,
                f"the picture does not show what its cube shows (likeness {likeness:.2f})",
                "Check that they belong together and are not turned or flipped.",
            )


def _check_size(scene: Scene, cube: SpectralCube, patch: int) -> Iterator[Finding]:
    _, height, width = cube.shape
    if scene.split == "train" and min(height, width) < patch:
        yield Finding(
            "error",
            scene.name,
            f"{height} x {width} pixels are less than a patch of {patch} x {patch}",
            "Choose smaller patches, or take the scene out of the training set.",
        )


def _check_values(scene: Scene, cube: SpectralCube) -> Iterator[Finding]:
    broken = cube.data.size - int(np.count_nonzero(np.isfinite(cube.data)))
    if broken:
        yield Finding(
            "error",
            scene.name,
            f"{broken} of {cube.data.size} values of the cube are NaN or infinite",
            "Replace them, cut them away, or leave the scene out.",
        )
        return
    low, high = float(cube.data.min()), float(cube.data.max())
    if low == high:
        yield Finding(
            "warning", scene.name, f"every value of the cube is {low:g}", "Leave the scene out."
        )
    elif low < 0 or high > 1:
        yield Finding(
            "warning",
            scene.name,
            f"the cube's values lie between {low:.3g} and {high:.3g}, beyond 0 to 1",
            "Training clips them; for pairs, give scale, the stored value that means 1.",
        )


def _linear(picture: RGBImage) -> Floats:
    return srgb_to_linear(picture.data) if picture.encoding == "srgb" else picture.data


def _compare(picture: Floats, rendered: Floats) -> tuple[float, float]:
    """Return how much brighter a picture is, and how far from the rendered one otherwise."""
    usable = (picture > 0.02) & (picture < 0.98) & (rendered > 0.02) & (rendered < 0.98)
    if np.count_nonzero(usable) < 100:
        return 1.0, 0.0
    gain = float(np.median(picture[usable] / rendered[usable]))
    distance = 0.0
    for channel in range(3):
        chosen = usable[..., channel]
        if np.count_nonzero(chosen) < 100:
            continue
        values = picture[..., channel][chosen]
        difference = np.abs(values - gain * rendered[..., channel][chosen])
        excess = np.maximum(difference - 1.5 / 255, 0)
        distance = max(distance, float(np.median(excess) / np.median(values)))
    return gain, distance


def _thumbnail(grey: Floats) -> Floats:
    """Return the differences of neighbours in a thumbnail, of length one; zeros where it is flat.

    In place of grey values, so that a bright middle on a dark ground makes no two scenes alike; of
    length one, so that exposure does not count.
    """
    from PIL import Image

    small = np.asarray(Image.fromarray(grey).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    edges = np.concatenate([np.diff(small, axis=0).ravel(), np.diff(small, axis=1).ravel()])
    length = np.linalg.norm(edges)
    if length <= 1e-6 * max(1e-6, float(np.abs(small).max())):
        return np.zeros_like(edges)
    return np.asarray(edges / length, dtype=np.float32)
