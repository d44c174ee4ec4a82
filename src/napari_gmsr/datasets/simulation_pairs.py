"""Pairs of picture and cube, simulated and written to a folder that training reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from napari_gmsr.color import linear_to_srgb, srgb_to_linear
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets.generator import SceneGenerator
from napari_gmsr.datasets.simulated import simulate_scene
from napari_gmsr.datasets.simulation import Target
from napari_gmsr.datasets.simulation_sources import SimulationSources
from napari_gmsr.errors import DatasetError, InputError, OutputError
from napari_gmsr.image import RGBImage
from napari_gmsr.io import atomic_output, read_rgb, write_cube

__all__ = ["simulate_pairs"]

Floats = npt.NDArray[np.float32]


def simulate_pairs(
    sources: SimulationSources,
    folder: str | Path,
    *,
    count: int,
    seed: int = 0,
    size: int = 512,
    target: Target | None = None,
    overwrite: bool = False,
    progress: Callable[[int, str], None] | None = None,
) -> list[Path]:
    """Write simulated pairs: ``rgb/NAME``, ``cube/NAME.npz``, ``pairs.json``, ``sources.json``.

    A scene has the structure of a random crop of a photograph, each photograph in turn, and spectra
    by `simulate_scene`; without photographs it is a random field of flat regions. Its cube is then
    photographed as the target says. Linear pictures are written as TIFF of floats, sRGB as PNG of 8
    bits, and JPEG where the target's capture asks for it. A scene depends on the seed and its
    number alone.

    Parameters
    ----------
    sources
        Photographs and reflectances.
    folder
        Is made; it must be empty otherwise, or ``overwrite`` allow to replace files of these names.
    count
        Scenes.
    seed
        Of everything random.
    size
        Side of the pictures in pixels.
    target
        Camera, light, encoding and capture; a photograph under D65 by default.
    overwrite
        Replace files in the folder.
    progress
        Called with the scenes that are done, and the name of the last.

    Returns
    -------
    list of Path
        The pictures.

    Raises
    ------
    InputError
        Where count or size are less than 1, or camera or illuminant are unknown.
    DatasetError
        Where a photograph cannot be read.
    OutputError
        Where the folder is not empty, or cannot be written to. Scenes that are done stay.
    """
    if count < 1 or size < 8:
        raise InputError(
            f"{count} scenes of {size} pixels", fix="Give at least one scene of 8 pixels."
        )
    target = target or Target("srgb", "D65", "srgb")
    matrix = target.matrix().float()
    root = _prepared(Path(folder), overwrite)
    settings = {
        "camera": str(target.camera),
        "illuminant": target.illuminant or None,
        "encoding": target.encoding,
        "licence": "; ".join(sorted({licence for _, licence in sources.licences})),
    }
    listed = {
        "seed": seed,
        "count": count,
        "size": size,
        "capture": asdict(target.recipe.capture),
        "sources": [{"name": name, "licence": licence} for name, licence in sources.licences],
    }
    for name, content in {"pairs.json": settings, "sources.json": listed}.items():
        with atomic_output(root / name, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    written = []
    for number in range(count):
        scene = f"scene_{number:05d}"
        cube = _cube(sources, number, [seed, number], size, target)
        cube = replace(cube, name=scene)
        write_cube(cube, root / "cube" / f"{scene}.npz", overwrite=overwrite)
        written.append(_write_picture(cube.data, matrix, target, seed, number, root, overwrite))
        if progress is not None:
            progress(number + 1, scene)
    return written


def _prepared(root: Path, overwrite: bool) -> Path:
    try:
        if root.exists() and any(root.iterdir()) and not overwrite:
            raise OutputError(
                "the folder is not empty", where=root, fix="Give another, or --overwrite."
            )
        for name in ("rgb", "cube"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made: {error.strerror}",
            where=root,
            fix="Give a folder that you may write to.",
        ) from error
    return root


def _cube(
    sources: SimulationSources, number: int, seed: list[int], size: int, target: Target
) -> SpectralCube:
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(2**31))
    if not sources.photographs:
        recipe = replace(target.recipe, photographs=0.0)
        generator = SceneGenerator(
            [],
            torch.from_numpy(sources.spectra),
            torch.from_numpy(sources.weights),
            target.matrix(),
            recipe=recipe,
            seed=drawn,
        )
        data = generator.batch(1, size)[1][0].numpy()
        return SpectralCube(data, provenance={"simulated": True, "structure": "flat regions"})
    path = sources.photographs[number % len(sources.photographs)]
    crop = _crop(path, size, rng)
    chances = sources.weights / sources.weights.sum()
    chosen = rng.choice(len(chances), min(512, int((chances > 0).sum())), replace=False, p=chances)
    _, cube = simulate_scene(crop, sources.spectra[chosen], drawn, regions=REGIONS)
    return cube


REGIONS = 12  # of a scene, each with its own metamers


def _crop(path: Path, size: int, rng: np.random.Generator) -> RGBImage:
    from PIL import Image

    try:
        picture = read_rgb(path)
    except InputError as error:
        raise DatasetError(error.what, where=error.where or path, fix=error.fix) from error
    data = picture.data.clip(0, 1)
    linear = srgb_to_linear(data) if picture.encoding == "srgb" else data
    short = min(linear.shape[:2])
    # Between the picture's own pixels and the whole of it; a small picture is enlarged.
    side = int(rng.integers(min(size, short), short + 1))
    top, left = (int(rng.integers(extent - side + 1)) for extent in linear.shape[:2])
    square = np.ascontiguousarray(np.moveaxis(linear[top : top + side, left : left + side], 2, 0))
    channels = [
        np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BILINEAR))
        for c in square.astype(np.float32)
    ]
    resized = np.stack(channels, axis=2).clip(0, 1)
    return RGBImage(resized, encoding="linear", name=path.stem)


def _write_picture(
    cube: Floats,
    matrix: torch.Tensor,
    target: Target,
    seed: int,
    number: int,
    root: Path,
    overwrite: bool,
) -> Path:
    import tifffile
    from PIL import Image

    capture = target.recipe.capture
    rng = np.random.default_rng([seed, number, 1])
    noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
    seen = torch.einsum("byx,bc->cyx", torch.from_numpy(cube), matrix).clamp(0, 1)
    rgb: Floats = capture.expose(seen[None], noise)[0].permute(1, 2, 0).numpy()
    if target.encoding == "srgb":
        rgb = linear_to_srgb(rgb)
    coded = target.encoding == "srgb" or capture.jpeg is not None
    suffix = ".jpg" if capture.jpeg is not None else ".png" if coded else ".tif"
    path = root / "rgb" / f"scene_{number:05d}{suffix}"
    with atomic_output(path, overwrite=overwrite) as temporary:
        if not coded:
            tifffile.imwrite(temporary, np.ascontiguousarray(rgb), photometric="rgb")
        else:
            image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
            if capture.jpeg is not None:
                low, high = capture.jpeg
                image.save(temporary, "JPEG", quality=int(rng.integers(low, high + 1)))
            else:
                image.save(temporary, "PNG")
    return path
