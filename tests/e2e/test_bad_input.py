"""What hostile and unlucky users give: one clear line and exit code 2, or a finite cube.

The outputs that cannot be written are in `test_bad_output.py`.
"""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import save_file
from scipy.io import savemat

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.io import read_cube, read_rgb, write_cube
from napari_gmsr.networks import create
from napari_gmsr.plugin.reader import read_cubes
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.weights import load_model

RNG = np.random.default_rng(5)


# Pictures


def tiff(path: Path, array: np.ndarray) -> None:
    tifffile.imwrite(path, array, photometric="rgb" if array.ndim > 2 else "minisblack")


def integers(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


FINITE = {
    "rgba.tif": (integers(5, 6, 4), "laid over black"),
    "16 bit.tif": (integers(5, 6, 3, dtype=np.uint16), ""),
    "beyond.tif": (RNG.uniform(-1, 2, (5, 6, 3)).astype(np.float32), "were clipped"),
    "flat.tif": (np.full((9, 9, 3), 77, np.uint8), ""),
    "black.tif": (np.zeros((9, 9, 3), np.uint8), ""),
    "white.tif": (np.full((9, 9, 3), 65535, np.uint16), ""),
    "one pixel.tif": (integers(1, 1, 3), ""),
    "one line.tif": (integers(1, 5000, 3), ""),
    "one column.tif": (integers(5000, 1, 3), ""),
    "ü 漢字 🎈 e\u0301.tif": (integers(5, 6, 3), ""),
    f"{'long' * 62}.tif": (integers(5, 6, 3), ""),  # 252 characters, of 255 that a name may have
}


@pytest.mark.parametrize("name", FINITE)
def test_an_odd_picture_becomes_a_finite_cube(name, works, quick, tmp_path):
    array, note = FINITE[name]
    tiff(tmp_path / name, array)
    printed = works(
        "reconstruct", tmp_path / name, "-o", tmp_path / "out", "--format", "tif", *quick
    )
    assert note in printed
    written = read_cube(tmp_path / "out" / name)
    assert written.shape == (31, *array.shape[:2])
    assert np.isfinite(written.data).all()
    assert written.data.min() >= 0
    assert written.data.max() <= 1


def nan_picture() -> np.ndarray:
    picture = RNG.random((5, 6, 3), dtype=np.float32)
    picture[2, 3, 1] = np.nan
    return picture


REFUSED = {
    "grey.tif": (integers(5, 6), "grey"),
    "two pages.tif": (integers(2, 5, 6, 3), "2 pages"),
    "nan.tif": (nan_picture(), "y=2, x=3"),
    "empty.png": (b"", "0 bytes"),
    "words.jpg": (b"no picture\n" * 20, "cannot be read"),
    "words.csv": (b"a,b\n1,2\n", ".png"),
    "cut.tif": (b"II*\0\x08\0\0\0", "cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_is_none_is_refused_by_its_name(name, refused, checkpoint, quick, tmp_path):
    content, words = REFUSED[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        tiff(tmp_path / name, content)
    before = (tmp_path / name).read_bytes()
    out = tmp_path / "out"
    message = refused("reconstruct", tmp_path / name, "-o", out, *quick)
    assert str(tmp_path / name) in message
    assert words in message
    assert (tmp_path / name).read_bytes() == before
    assert not out.exists()
    with pytest.raises(InputError, match=words):
        reconstruct(read_rgb(tmp_path / name), checkpoint)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_loaded_model_refuses_a_broken_array(value, checkpoint):
    picture = np.full((4, 5, 3), value)
    with pytest.raises(InputError, match="NaN"):
        reconstruct(picture, load_model(checkpoint), device="cpu", engine="reference")


# Cubes


def band_last(cube: SpectralCube) -> np.ndarray:
    return np.moveaxis(cube.data, 0, -1).astype(np.float64)


def three_cubes(path: Path, cube: SpectralCube) -> None:
    savemat(path, {name: band_last(cube) for name in ("first", "second", "third")})


def cut_short(path: Path, cube: SpectralCube) -> None:
    savemat(path, {"cube": band_last(cube)})
    path.write_bytes(path.read_bytes()[:3000])


NO_CUBE = {
    "without.mat": (lambda path, _: savemat(path, {"flat": np.eye(3)}), "no 3-D numeric array"),
    "three.mat": (three_cubes, "first, second, third"),
    "string.mat": (lambda path, _: savemat(path, {"cube": "a string"}), "no 3-D numeric array"),
    "cut.mat": (cut_short, "cannot be read"),
    "empty.mat": (lambda path, _: path.touch(), "0 bytes"),
    "missing.mat": (lambda path, _: None, "no such file"),
    f"{'long' * 70}.mat": (lambda path, _: None, "too long"),
    "folder": (lambda path, _: path.mkdir(), "this folder is no cube"),
    "picture.png": (lambda path, _: iio.imwrite(path, integers(4, 5, 3)), "no cube format"),
    "five.npy": (lambda path, _: np.save(path, np.ones((5, 6, 7))), "wavelengths"),
}


@pytest.mark.parametrize("name", NO_CUBE)
def test_a_truth_that_is_no_cube_is_refused_by_its_name(name, refused, cube, tmp_path):
    make, words = NO_CUBE[name]
    make(tmp_path / name, cube)
    near = write_cube(cube, tmp_path / "near.npz")
    for pair in ((near, tmp_path / name), (tmp_path / name, near)):
        message = refused("evaluate", *pair)
        assert str(tmp_path / name) in message
        assert words in message


@pytest.mark.parametrize("name", NO_CUBE)
def test_a_dropped_file_that_is_no_cube_gives_no_layer(name, cube, tmp_path):
    make, words = NO_CUBE[name]
    make(tmp_path / name, cube)
    good = write_cube(cube, tmp_path / "good.npz")
    with pytest.raises(InputError, match=words) as caught:
        read_cubes([str(good), str(tmp_path / name)])
    assert caught.value.where == str(tmp_path / name)


def test_only_files_with_variables_have_one(refused, works, cube, tmp_path):
    near = write_cube(cube, tmp_path / "near.npz")
    assert "RMSE" in works("evaluate", near, near, "--variable", "cube")
    np.save(tmp_path / "scene.npy", cube.data)
    for name in ("scene.npy", "scene.zarr", "scene.hdr", "scene.tif"):
        if name != "scene.npy":
            write_cube(cube, tmp_path / name)
        message = refused("evaluate", near, tmp_path / name, "--variable", "cube")
        assert str(tmp_path / name) in message
        assert "Leave the variable out" in message


def test_a_truth_of_another_size_or_with_holes(refused, cube, tmp_path):
    near = write_cube(cube, tmp_path / "near.npz")
    small = write_cube(SpectralCube(cube.data[:, :5]), tmp_path / "small.npz")
    message = refused("evaluate", near, small)
    assert all(words in message for words in (str(near), str(small), "12 x 14", "5 x 14"))
    holes = cube.data.copy()
    holes[3, 4, 5] = np.nan
    broken = write_cube(SpectralCube(holes), tmp_path / "broken.npz")
    for pair in ((near, broken), (broken, near)):
        message = refused("evaluate", *pair, "--figure", tmp_path / "figure.png")
        assert message.startswith(f"napari-gmsr: {broken}: 1 of 5208 values")
    assert not (tmp_path / "figure.png").exists()


def test_a_truth_of_other_wavelengths(refused, works, cube, tmp_path):
    near = write_cube(cube, tmp_path / "near.npz")
    later = SpectralCube(cube.data, WAVELENGTHS_NM + 20)
    truth = write_cube(later, tmp_path / "later.npz")
    message = refused("evaluate", near, truth)
    assert all(
        words in message for words in (str(near), str(truth), "420 to 720", "--common-bands")
    )
    options = ("--common-bands", "--json", "--figure", tmp_path / "figure.png")
    compared = json.loads(works("evaluate", near, truth, *options))
    assert compared["wavelengths_nm"] == list(range(420, 701, 10))
    expected = np.sqrt(np.mean((cube.data[2:] - later.data[:-2]) ** 2))
    assert compared["standard"]["rmse"] == pytest.approx(expected, rel=1e-5)
    infrared = SpectralCube(cube.data, WAVELENGTHS_NM + 600)
    truth = write_cube(infrared, tmp_path / "infrared.npz")
    for more in ((), ("--common-bands",)):
        assert str(truth) in refused("evaluate", near, truth, *more)


def test_a_black_truth_has_finite_or_named_metrics(works, cube, tmp_path):
    near = write_cube(cube, tmp_path / "near.npz")
    black = write_cube(SpectralCube(np.zeros_like(cube.data)), tmp_path / "black.npz")
    compared = json.loads(works("evaluate", near, black, "--json"))
    assert compared["standard"]["sam_deg"] == 90
    assert compared["notes"]


# Checkpoints

CARD = {
    "name": "tiny",
    "network": "gmsr",
    "arguments": {"widths": [31]},
    "wavelengths_nm": WAVELENGTHS_NM.tolist(),
    "encoding": "srgb",
}


def tiny_network() -> torch.nn.Module:
    return create("gmsr", widths=[31])


def weights(path: Path, weights_of: torch.nn.Module, /, **changes: object) -> None:
    """Write a checkpoint whose card says something else than the network is."""
    described = CARD | changes
    save_file(weights_of.state_dict(), path, metadata={"card": json.dumps(described)})


def diverged() -> torch.nn.Module:
    network = tiny_network()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    return network


NO_MODEL = {
    "words.safetensors": (lambda path: path.write_text("words"), "no safetensors file"),
    "empty.safetensors": (lambda path: path.touch(), "no safetensors file"),
    "words.pth": (lambda path: path.write_text("hello"), "no PyTorch checkpoint"),
    "empty.pth": (lambda path: path.touch(), "no PyTorch checkpoint"),
    "tensor.pth": (lambda path: torch.save(torch.zeros(3), path), "not the weights"),
    "numbers.pth": (
        lambda path: torch.save({"output1.weight": torch.ones(1), 3: torch.ones(1)}, path),
        "not the weights",
    ),
    "module.pth": (lambda path: torch.save(tiny_network(), path), "could run code"),
    "other.safetensors": (lambda path: weights(path, tiny_network(), network="resnet"), "gmsr"),
    "width.safetensors": (
        lambda path: weights(path, tiny_network(), arguments={"widths": [8, 31]}),
        "do not fit",
    ),
    "bands.safetensors": (
        lambda path: weights(path, tiny_network(), wavelengths_nm=[450, 550, 650]),
        "3 wavelengths",
    ),
    "twice.safetensors": (
        lambda path: weights(path, tiny_network(), wavelengths_nm=[500] * 31),
        "strictly rising",
    ),
    "folder": (lambda path: path.mkdir(), "a folder"),
    "missing.safetensors": (lambda path: None, "no such file"),
    "long" * 70: (lambda path: None, "no such file"),
    "photo.png": (lambda path: None, "no safetensors file"),
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_a_checkpoint_that_is_none_is_refused_by_its_name(name, refused, photo, tmp_path):
    make, words = NO_MODEL[name]
    make(tmp_path / name)
    before = photo.read_bytes()
    for arguments in (
        ("models", tmp_path / name),
        ("reconstruct", photo, "-o", tmp_path / "out", "--model", tmp_path / name),
    ):
        message = refused(*arguments)
        assert str(tmp_path / name) in message
        assert words in message
    assert photo.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_a_checkpoint_whose_training_diverged_writes_no_cube(engine, refused, photo, tmp_path):
    weights(tmp_path / "diverged.safetensors", diverged())
    out = tmp_path / "cube.npz"
    options = ("--model", tmp_path / "diverged.safetensors", "--engine", engine, "--device", "cpu")
    message = refused("reconstruct", photo, "-o", out, *options)
    assert str(tmp_path / "diverged.safetensors") in message
    assert not out.exists()


# Devices and engines


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--device", "cuda"),
        ("--device", "cuda:7"),
        ("--device", "cuda:\u00b2"),  # a digit, but no number
        ("--device", "cpu:"),
        ("--device", "abacus"),
        ("--engine", "fused"),
        ("--engine", "steam"),
        ("--tile", "-1"),
        ("--overlap", "900"),
    ],
)
def test_what_is_not_here_is_refused(
    option, value, refused, checkpoint, photo, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = tmp_path / "cube.npz"
    arguments = ("--model", checkpoint, "--mode", "tiled", option, value)
    message = refused("reconstruct", photo, "-o", out, *arguments)
    assert value in message
    assert not out.exists()
