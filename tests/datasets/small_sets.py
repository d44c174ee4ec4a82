"""Small datasets in each layout, as the published ones lie on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io
from PIL import Image

from napari_gmsr.color import render_rgb
from napari_gmsr.cube import SpectralCube

Version = Literal["5", "7.3"]
SIZE = (40, 48)


def spectra(seed: int, size: tuple[int, int] = SIZE, bands: int = 31) -> npt.NDArray[np.float64]:
    """A textured scene (y, x, band) within 0.02 to 0.9, to steps of 1/65535."""
    rng = np.random.default_rng(seed)
    height, width = size
    blocks = rng.random((-(-height // 8), -(-width // 8), 5))
    places = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width]
    centres = np.linspace(0, 1, 5)
    curves = np.exp(-(((np.linspace(0, 1, bands)[None] - centres[:, None]) / 0.2) ** 2))
    cube = places @ curves / 2.5
    return np.round(np.clip(0.02 + cube, 0, 0.9) * 65535) / 65535


def eight_bit(cube: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """NTIRE 2020's clean picture of a cube: linear, truncated to 8 bits."""
    linear = render_rgb(SpectralCube.from_band_last(cube)).data
    return np.floor(linear * np.float32(255)).astype(np.uint8)


def write_mat(path: Path, version: Version, **variables: Any) -> None:
    """Write arrays as MATLAB shows them; 7.3 stores them with their axes in reverse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if version == "5":
        scipy.io.savemat(path, variables)
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            stored = file.create_dataset(name, data=np.atleast_2d(array).T)
            stored.attrs["MATLAB_class"] = np.bytes_("double")


def write_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def ntire2020(
    root: Path, numbers: tuple[int, ...], version: Version = "5", *, clean: bool = True
) -> Path:
    """The challenge's training and validation archives, unpacked beside each other."""
    for number in numbers:
        part = "Train" if number <= 450 else "Validation"
        name, cube = f"ARAD_HS_{number:04}", spectra(number)
        write_mat(
            root / f"NTIRE2020_{part}_Spectral" / f"{name}.mat",
            version,
            cube=cube,
            bands=np.arange(400.0, 701.0, 10.0),
            norm_factor=1.7,
        )
        pixels = eight_bit(cube)
        write_picture(root / f"NTIRE2020_{part}_RealWorld" / f"{name}_RealWorld.jpg", pixels)
        if clean:
            write_picture(root / f"NTIRE2020_{part}_Clean" / f"{name}_clean.png", pixels)
    return root


def arad1k(root: Path, numbers: tuple[int, ...]) -> Path:
    for number in numbers:
        part = "Train" if number <= 900 else "Valid"
        name, cube = f"ARAD_1K_{number:04}", spectra(number)
        write_mat(root / f"{part}_Spec" / f"{name}.mat", "7.3", cube=cube, bands=np.arange(31.0))
        write_picture(root / f"{part}_RGB" / f"{name}.jpg", eight_bit(cube))
    return root


def cave(root: Path, scenes: tuple[str, ...], *, deeper: bool = True, bmp: bool = True) -> Path:
    for seed, scene in enumerate(scenes):
        folder = root / f"{scene}_ms" / (f"{scene}_ms" if deeper else "")
        folder.mkdir(parents=True)
        cube = spectra(seed)
        for band in range(31):
            stored = np.round(cube[..., band] * 65535).astype(np.uint16)
            Image.fromarray(stored).save(folder / f"{scene}_ms_{band + 1:02}.png")
        if bmp:
            picture = render_rgb(SpectralCube.from_band_last(cube), "srgb", "D65", "srgb")
            pixels = np.round(picture.data * 255).astype(np.uint8)
            write_picture(folder / f"{scene}_RGB.bmp", pixels)
        (folder / "Thumbs.db").write_bytes(b"")
    return root


def harvard(root: Path, scenes: tuple[str, ...], version: Version = "5") -> Path:
    for seed, scene in enumerate(scenes):
        cube = 0.3 * spectra(seed)
        write_mat(root / "CZ_hsdb" / f"{scene}.mat", version, ref=cube, lbl=np.ones(SIZE))
    write_mat(root / "CZ_hsdbi" / "imgi1.mat", version, ref=spectra(99), lbl=np.ones(SIZE))
    (root / "CZ_hsdb" / "calib.txt").write_text("1 2 3")
    return root


def icvl(root: Path, scenes: tuple[str, ...], nm: npt.NDArray[np.float64]) -> Path:
    for seed, scene in enumerate(scenes):
        cube = spectra(seed, bands=nm.size)
        write_mat(
            root / f"{scene}.mat", "7.3", rad=cube * 4095, rgb=cube[..., :3], bands=nm[:, None]
        )
    return root


def pairs(root: Path, names: tuple[str, ...]) -> Path:
    """One folder of linear pictures and cubes, by name."""
    for seed, name in enumerate(names):
        cube = spectra(seed)
        write_picture(root / f"{name}.png", eight_bit(cube))
        write_mat(root / f"{name}.mat", "5", cube=cube)
    return root
