"""napari-gmsr reconstruct."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_gmsr.cli.console import progress
from napari_gmsr.io import read_cube, read_rgb
from napari_gmsr.reconstruct import Progress, reconstruct


@pytest.fixture
def options(checkpoint):
    """What every run here has: the quick checkpoint, the engine that compiles nothing."""
    return ("--model", checkpoint, "--engine", "reference", "--device", "cpu")


def test_a_file_is_what_the_python_api_gives(command, options, checkpoint, photo, tmp_path):
    out = tmp_path / "cube.npz"
    code, printed, _ = command("reconstruct", photo, "-o", out, *options)
    assert code == 0
    assert f"{photo} -> {out}: 31 bands of 12 x 17 pixels" in printed
    expected = reconstruct(read_rgb(photo), checkpoint, device="cpu", engine="reference")
    cube = read_cube(out)
    np.testing.assert_array_equal(cube.data, expected.data)
    assert cube.provenance["mode"] == "whole"


def test_a_compilation_is_told_once(capsys):
    with progress("photo") as show:
        show(Progress(0, 1, "0 of 1 tile"))
        for _ in range(2):
            show(Progress(0, 1, "Compiling kernels for this card, once…"))
        show(Progress(1, 1, "1 of 1 tile"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["photo: Compiling kernels for this card, once…", "photo: 1 of 1 tile"]


def test_an_engine_that_is_not_there_is_named_with_the_others(command, checkpoint, photo, tmp_path):
    out = tmp_path / "cube.npz"
    more = ("--model", checkpoint, "--engine", "fused", "--device", "cpu")
    code, _, err = command("reconstruct", photo, "-o", out, *more)
    assert code == 2
    assert "'fused'" in err
    assert "reference: yes" in err
    assert not out.exists()


@pytest.mark.parametrize("suffix", ["zarr", "tif", "hdr", "mat", "npz"])
def test_a_folder_takes_every_format(command, options, photo, tmp_path, suffix):
    code, _, _ = command(
        "reconstruct", photo, "-o", tmp_path / "new" / "out", *options, "--format", suffix
    )
    assert code == 0
    assert read_cube(tmp_path / "new" / "out" / f"photo.{suffix}").shape == (31, 12, 17)


def test_mode_tile_and_ensemble_reach_the_run(command, options, photo, tmp_path):
    out = tmp_path / "cube.npz"
    more = ("--mode", "tiled", "--tile", 16, "--overlap", 4, "--ensemble")
    code, _, err = command("reconstruct", photo, "-o", out, *options, *more)
    assert code == 0
    cube = read_cube(out)
    assert cube.provenance["mode"] == "tiled"
    assert cube.provenance["tile"] == 16
    assert cube.provenance["overlap"] == 4
    assert cube.spread is not None
    assert "photo.png: 16 of 16 tiles" in err  # plain lines of progress where there is no terminal


def test_the_encoding_can_be_told(command, options, photo, tmp_path):
    cubes = []
    for encoding in ("srgb", "linear"):
        out = tmp_path / f"{encoding}.npz"
        code, printed, _ = command(
            "reconstruct", photo, "-o", out, *options, "--encoding", encoding
        )
        assert code == 0
        cubes.append(read_cube(out))
    assert not np.array_equal(cubes[0].data, cubes[1].data)
    assert cubes[1].provenance["notes"][-1] in printed


def test_several_pictures_go_on_after_an_error(command, options, photo, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    second = Path(shutil.copy(photo, tmp_path / "second.png"))
    out = tmp_path / "out"
    code, printed, err = command("reconstruct", photo, broken, second, "-o", out, *options)
    assert code == 2
    assert sorted(path.name for path in out.iterdir()) == ["photo.zarr", "second.zarr"]
    assert printed.count(" -> ") == 2
    errors = [line for line in err.splitlines() if line.startswith("napari-gmsr: ")]
    assert len(errors) == 2
    assert str(broken) in errors[0]
    assert "1 of 3 pictures failed" in errors[1]


def test_nothing_is_overwritten_unless_asked(command, refused, options, photo, tmp_path):
    out = tmp_path / "cube.npz"
    out.write_text("precious")
    assert "--overwrite" in refused("reconstruct", photo, "-o", out, *options)
    assert out.read_text() == "precious"
    assert command("reconstruct", photo, "-o", out, *options, "--overwrite")[0] == 0
    assert read_cube(out).shape == (31, 12, 17)


def test_the_picture_itself_is_never_replaced(refused, options, photo, tmp_path):
    tif = tmp_path / "picture.tif"
    shutil.copy(photo, tif)
    before = tif.read_bytes()
    message = refused(
        "reconstruct", tif, "-o", tmp_path, "--format", "tif", "--overwrite", *options
    )
    assert str(tif) in message
    assert tif.read_bytes() == before


def test_pictures_of_one_name_do_not_replace_each_other(refused, options, photo, tmp_path):
    (tmp_path / "a").mkdir()
    twin = shutil.copy(photo, tmp_path / "a" / photo.name)
    message = refused("reconstruct", photo, twin, "-o", tmp_path / "out", *options)
    assert str(twin) in message
    assert not (tmp_path / "out").exists()


def test_several_pictures_need_a_folder(refused, options, photo, tmp_path):
    message = refused(
        "reconstruct", photo, photo.with_name("b.png"), "-o", tmp_path / "a.npz", *options
    )
    assert "folder" in message


def test_a_format_that_contradicts_the_name(refused, options, photo, tmp_path):
    out = tmp_path / "a.npz"
    assert str(out) in refused("reconstruct", photo, "-o", out, "--format", "mat", *options)


def test_a_picture_that_is_missing(refused, options, tmp_path):
    missing = tmp_path / "missing.png"
    assert str(missing) in refused("reconstruct", missing, "-o", tmp_path / "out", *options)


def test_a_model_that_is_missing(refused, photo, tmp_path):
    message = refused("reconstruct", photo, "-o", tmp_path / "out", "--model", "no-such-model")
    assert "no-such-model" in message


@pytest.mark.parametrize(
    ("option", "value"), [("--device", "abacus"), ("--engine", "steam"), ("--tile", "3")]
)
def test_an_argument_that_cannot_be(refused, checkpoint, photo, tmp_path, option, value):
    mode = ("--mode", "tiled") if option == "--tile" else ()
    arguments = ("--model", checkpoint, option, value, *mode)
    assert value in refused("reconstruct", photo, "-o", tmp_path / "out", *arguments)


def test_a_folder_without_permission(refused, options, photo, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("a file, so that no folder can be made below it")
    message = refused("reconstruct", photo, "-o", in_the_way / "out", *options)
    assert str(in_the_way / "out") in message
    if os.getuid() == 0:
        return  # root may write anywhere
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert str(locked) in refused("reconstruct", photo, "-o", locked / "out", *options)
