"""Outputs that cannot be written, and what a shell does to a run: nothing is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_gmsr.cli.app import run
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import OutputError
from napari_gmsr.io import read_cube, write_cube
from napari_gmsr.plugin.layers import add_cube

PROGRAM = Path(sys.executable).with_name("napari-gmsr")
PICTURE = np.random.default_rng(5).integers(0, 256, (4, 5, 3), dtype=np.uint8)


def hard_link(photo: Path, out: Path) -> None:
    out.hardlink_to(photo)


def symbolic_link(photo: Path, out: Path) -> None:
    out.symlink_to(photo)


@pytest.mark.parametrize("make", [hard_link, symbolic_link, Path.rename])
def test_a_cube_never_replaces_its_picture(make, refused, quick, tmp_path):
    picture, out = tmp_path / "picture.tiff", tmp_path / "out.tif"
    tifffile.imwrite(picture, PICTURE, photometric="rgb")
    before = picture.read_bytes()
    make(picture, out)
    if make is Path.rename:
        picture = out
    arguments = ("reconstruct", picture, "-o", out, "--overwrite", *quick)
    assert str(out) in refused(*arguments)
    assert picture.read_bytes() == out.read_bytes() == before


NO_OUTPUT = {
    "file": "cannot be made",
    "file/folder": "cannot be made",
    "file/cube.npz": "cannot be made",
    "photo.png": "no cube can be written as '.png'",
    "new.npy": "no cube can be written as '.npy'",
    "folder.npz": "a folder",
    "folder.zarr": "no Zarr",
    "loop.npz": "exists",
    "dangling.npz": "exists",
    "long" * 70: "too long",
    f"{'long' * 70}.npz": "too long",
}


@pytest.mark.parametrize("name", NO_OUTPUT)
def test_an_output_that_cannot_be_is_refused_before_the_work(name, refused, quick, photo, tmp_path):
    (tmp_path / "file").write_text("precious")
    for folder in ("folder.npz", "folder.zarr"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("precious")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    (tmp_path / "dangling.npz").symlink_to("nowhere.npz")
    before = what_is_in(tmp_path)
    more = () if name.startswith(("loop", "dangling")) else ("--overwrite",)
    message = refused("reconstruct", photo, "-o", tmp_path / name, *more, *quick)
    assert str(tmp_path / name.split("/")[0]) in message
    assert NO_OUTPUT[name] in message
    assert what_is_in(tmp_path) == before


def what_is_in(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Return what tells whether anything in a folder was written anew; to read it is no matter."""
    return {
        path: (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        for status in [path.lstat()]
    }


@contextmanager
def mode_of(folder: Path, mode: int) -> Iterator[None]:
    """Give a folder this mode for a while."""
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(0o700)


@pytest.fixture(scope="module")
def loaded_checkpoint(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> bytes:
    """A checkpoint, when all that a run needs is imported.

    The plain user may not be allowed to read the interpreter's files.
    """
    folder = tmp_path_factory.mktemp("loaded")
    iio.imwrite(folder / "photo.png", PICTURE)
    for suffix in ("zarr", "tif", "hdr", "mat", "npz"):
        out = str(folder / f"cube.{suffix}")
        options = ("--model", str(checkpoint), "--engine", "reference", "--device", "cpu")
        assert run(["reconstruct", str(folder / "photo.png"), "-o", out, *options]) == 0
        assert run(["evaluate", out, out, "--figure", str(folder / f"{suffix}.png")]) == 0
    return checkpoint.read_bytes()


@pytest.fixture
def locked(loaded_checkpoint: bytes, plain_user_folder: Path) -> Path:
    """A folder with a picture, a cube and a checkpoint, which the tests lock."""
    folder = plain_user_folder / "locked"
    folder.mkdir()
    iio.imwrite(folder / "photo.png", PICTURE)
    write_cube(SpectralCube(np.ones((31, 4, 5))), folder / "cube.npz")
    (folder / "tiny.safetensors").write_bytes(loaded_checkpoint)
    return folder


@pytest.fixture
def outside(locked: Path, loaded_checkpoint: bytes) -> tuple[object, ...]:
    """A picture beside the locked folder, and the options of a quick run."""
    iio.imwrite(locked.parent / "photo.png", PICTURE)
    model = locked.parent / "tiny.safetensors"
    model.write_bytes(loaded_checkpoint)
    options = ("--model", model, "--engine", "reference", "--device", "cpu")
    return (locked.parent / "photo.png", *options)


@pytest.mark.parametrize("suffix", ["zarr", "tif", "hdr", "mat", "npz"])
def test_a_folder_that_may_not_be_written_to(locked, outside, refused, suffix):
    new, cube, before = locked / f"new.{suffix}", locked / "cube.npz", sorted(locked.iterdir())
    with mode_of(locked, 0o500):
        message = refused("reconstruct", *outside, "-o", new)
        assert f"{new}: no permission" in message
        message = refused("evaluate", cube, cube, "--figure", locked / "figure.png")
        assert f"{locked / 'figure.png'}: no permission" in message
    assert sorted(locked.iterdir()) == before


def test_a_folder_that_may_not_be_looked_into(locked, outside, refused):
    picture, *options = outside
    with mode_of(locked, 0):
        for arguments in (
            ("reconstruct", locked / "photo.png", "-o", locked.parent / "out.npz", *options),
            ("reconstruct", picture, "-o", locked / "new.npz", *options),
            ("reconstruct", picture, "-o", locked / "new" / "new.npz", *options),
            ("reconstruct", picture, "-o", locked, *options),
            ("evaluate", locked / "cube.npz", locked / "cube.npz"),
            ("models", locked / "tiny.safetensors"),
        ):
            message = refused(*arguments)
            assert "permission" in message.lower()
            assert str(locked) in message


def test_a_checkpoint_that_may_not_be_read(locked, refused):
    (locked / "tiny.safetensors").chmod(0)
    message = refused("models", locked / "tiny.safetensors")
    assert f"{locked / 'tiny.safetensors'}: it cannot be opened: Permission denied" in message


def test_a_folder_that_may_be_written_to_but_not_read_takes_a_cube(locked, outside, works):
    with mode_of(locked, 0o300):
        works("reconstruct", *outside, "-o", locked / "new.npz")
        assert read_cube(locked / "new.npz").shape == (31, 4, 5)


def test_a_layer_is_not_saved_over_what_is_no_cube(cube, tmp_path):
    PluginManager.instance().discover()
    viewer = ViewerModel()
    add_cube(viewer, cube)
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "file").write_text("precious")
    with pytest.raises(OutputError, match="no Zarr"):
        viewer.layers.save(str(tmp_path / "mine.zarr"), plugin="napari-gmsr")
    with pytest.raises(OutputError, match="does not exist"):
        viewer.layers.save(str(tmp_path / "missing" / "cube.mat"), plugin="napari-gmsr")
    assert (tmp_path / "mine.zarr" / "file").read_text() == "precious"
    assert [path.name for path in tmp_path.rglob("*")] == ["mine.zarr", "file"]


# A process of its own: what only a shell does to it


def start(*arguments: object, limit_kb: int | None = None, **options: object) -> subprocess.Popen:
    command = [str(argument) for argument in (PROGRAM, *arguments)]
    if limit_kb is not None:  # the system cuts every write there, as a full disk does
        command = ["sh", "-c", f'ulimit -f {limit_kb}; exec "$@"', "sh", *command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(command, **pipes)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to set")
def test_a_full_disk(quick, photo, tmp_path):
    out = tmp_path / "cube.npz"
    out.write_text("precious")
    process = start("reconstruct", photo, "-o", out, "--overwrite", *quick, limit_kb=4)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith(f"napari-gmsr: {out}: the disk is full. Free some space")
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cube.npz", "photo.png"]
    assert out.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is sent in another way")
def test_an_interruption_leaves_what_was_there(quick, tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "cube.npz"
    iio.imwrite(photo, np.tile(PICTURE, (70, 50, 1)))
    out.write_text("precious")
    # A thousand tiles: it is never done before the signal comes.
    options = ("--overwrite", "--mode", "tiled", "--tile", "16", *quick)
    with start("reconstruct", photo, "-o", out, *options, "--overlap", "8") as process:
        assert process.stderr is not None
        assert "tiles" in process.stderr.readline()  # it is at work
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("napari-gmsr: interrupted")
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cube.npz", "photo.png"]
    assert out.read_text() == "precious"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_printing_to_a_full_disk():
    with Path("/dev/full").open("w") as full, start("models", stdout=full) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err == "napari-gmsr: standard output: the disk is full. Free some space\n"


def test_a_reader_that_goes_away():
    """As ``napari-gmsr models photo | true``."""
    read, write = os.pipe()
    os.close(read)
    with start("models", "photo", stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err == ""


def test_no_gpu_to_be_seen_and_a_name_that_cannot_be_printed(checkpoint, tmp_path):
    picture, out = tmp_path / "漢字.png", tmp_path / "out"
    iio.imwrite(picture, PICTURE)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONIOENCODING": "ascii"}
    options = ("--model", checkpoint, "--engine", "reference", "--format", "npz")
    process = start("reconstruct", picture, "-o", out, *options, env=environment)
    printed, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "\\u6f22\\u5b57.npz: 31 bands" in printed
    assert read_cube(out / "漢字.npz").provenance["device"].startswith("cpu")
