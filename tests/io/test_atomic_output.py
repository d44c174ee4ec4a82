"""Outputs appear whole or not at all, and nothing that was there is lost."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_gmsr.errors import OutputError
from napari_gmsr.io import atomic_output, atomic_outputs


class Interrupted(BaseException):
    """As Ctrl+C."""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(target: Path, action: Callable[[Path], None], *, overwrite: bool = False) -> None:
    with atomic_output(target, overwrite=overwrite) as temporary:
        action(temporary)


def make_folder(path: Path, content: str) -> None:
    path.mkdir()
    (path / "inner").mkdir()
    (path / "inner" / "file").write_text(content)


def test_a_file_appears_at_the_end_only(tmp_path):
    target = tmp_path / "out.bin"
    with atomic_output(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".bin")
    assert target.read_bytes() == b"half"
    assert names(tmp_path) == ["out.bin"]


def test_a_folder_appears_at_the_end_only(tmp_path):
    target = tmp_path / "out.zarr"
    with atomic_output(target) as temporary:
        make_folder(temporary, "new")
        assert not target.exists()
    assert (target / "inner" / "file").read_text() == "new"
    assert names(tmp_path) == ["out.zarr"]


@pytest.mark.parametrize("error", [ValueError, Interrupted, OSError])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error, existing):
    target = tmp_path / "out.bin"
    if existing:
        target.write_bytes(b"old")

    def interrupted(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(OutputError if error is OSError else error):
        write(target, interrupted, overwrite=True)
    assert names(tmp_path) == (["out.bin"] if existing else [])
    assert not existing or target.read_bytes() == b"old"


def test_an_existing_name_is_refused_before_any_work(tmp_path):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"out\.bin: the name is taken"), atomic_output(target):
        pytest.fail("the block must not run")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("folder", [True, False])
def test_a_name_taken_meanwhile_is_refused(tmp_path, folder):
    target = tmp_path / "out"
    make = make_folder if folder else Path.write_text

    def raced(temporary: Path) -> None:
        make(temporary, "mine")
        make(target, "theirs")

    with pytest.raises(OutputError, match="the name is taken"):
        write(target, raced)
    assert (target / "inner" / "file" if folder else target).read_text() == "theirs"
    assert names(tmp_path) == ["out"]


def test_a_dangling_link_is_a_taken_name(tmp_path):
    (tmp_path / "out.bin").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="the name is taken"), atomic_output(tmp_path / "out.bin"):
        pytest.fail("the block must not run")


def test_overwriting_replaces_a_file(tmp_path):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with atomic_output(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["out.bin"]


def test_overwriting_replaces_a_folder(tmp_path):
    target = tmp_path / "out.zarr"
    make_folder(target, "old")
    (target / "more").write_text("old")
    with atomic_output(target, overwrite=True) as temporary:
        make_folder(temporary, "new")
    assert names(target) == ["inner"]
    assert (target / "inner" / "file").read_text() == "new"
    assert names(tmp_path) == ["out.zarr"]


@pytest.mark.parametrize("new_is_folder", [True, False])
def test_a_file_never_replaces_a_folder_nor_the_reverse(tmp_path, new_is_folder):
    target = tmp_path / "out"
    make_new, make_old = make_folder, Path.write_text
    if not new_is_folder:
        make_new, make_old = make_old, make_new
    make_old(target, "old")
    with pytest.raises(OutputError, match="not replaced"):
        write(target, lambda temporary: make_new(temporary, "new"), overwrite=True)
    assert (target if new_is_folder else target / "inner" / "file").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(OutputError, match=r"out\.bin: the folder .*missing does not exist"),
        atomic_output(tmp_path / "missing" / "out.bin"),
    ):
        pytest.fail("the block must not run")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_the_system_refuses_is_an_output_error(tmp_path, number, words):
    def failing(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError) as caught:
        write(tmp_path / "out.bin", failing)
    assert str(caught.value).startswith(f"{tmp_path / 'out.bin'}: ")
    assert words in caught.value.what
    assert "Nothing was written" in caught.value.fix
    assert names(tmp_path) == []


@pytest.mark.parametrize("inside", ["out.bin", "folder/out.bin"])
def test_a_folder_without_permission(plain_user_folder, inside):
    (plain_user_folder / "folder").mkdir()
    plain_user_folder.chmod(0o500 if inside == "out.bin" else 0)
    with pytest.raises(OutputError, match=r"out\.bin: no permission"):
        write(plain_user_folder / inside, lambda temporary: temporary.touch())


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk):
    (small_disk / "old").write_text("old")
    with pytest.raises(OutputError, match="the disk is full"):
        write(small_disk / "old", lambda new: new.write_bytes(bytes(100_000)), overwrite=True)
    assert names(small_disk) == ["old"]
    assert (small_disk / "old").read_text() == "old"


# Several files that belong together


def test_siblings_share_a_stem_and_appear_together(tmp_path):
    data, header = tmp_path / "a.img", tmp_path / "a.hdr"
    with atomic_outputs([data, header]) as temporaries:
        assert temporaries[0].stem == temporaries[1].stem
        for temporary in temporaries:
            temporary.write_text(temporary.suffix)
        assert names(tmp_path) == sorted(temporary.name for temporary in temporaries)
    assert (data.read_text(), header.read_text()) == (".img", ".hdr")
    assert names(tmp_path) == ["a.hdr", "a.img"]


@pytest.mark.parametrize("missing", [0, 1])
def test_one_missing_sibling_brings_back_what_was_there(tmp_path, missing):
    targets = [tmp_path / "a.img", tmp_path / "a.hdr"]
    for target in targets:
        target.write_text("old")
    with (
        pytest.raises(OutputError),
        atomic_outputs(targets, overwrite=True) as temporaries,
    ):
        temporaries[1 - missing].write_text("new")
    assert names(tmp_path) == ["a.hdr", "a.img"]
    assert [target.read_text() for target in targets] == ["old", "old"]


def write_all(targets: list[Path]) -> None:
    with atomic_outputs(targets, overwrite=True) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")


def test_a_failing_rename_brings_back_what_was_there(tmp_path, monkeypatch):
    targets = [tmp_path / "a.img", tmp_path / "a.hdr"]
    for target in targets:
        target.write_text("old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == targets[1] and "partial" in self.name:
            raise OSError(errno.EIO, "broken")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="broken"):
        write_all(targets)
    assert names(tmp_path) == ["a.hdr", "a.img"]
    assert [target.read_text() for target in targets] == ["old", "old"]


def test_every_file_is_flushed_before_it_gets_its_name(tmp_path, monkeypatch):
    flushed: list[tuple[int, bool]] = []
    target = tmp_path / "out.zarr"
    monkeypatch.setattr(
        os, "fsync", lambda number: flushed.append((os.fstat(number).st_ino, target.exists()))
    )
    with atomic_output(target) as temporary:
        make_folder(temporary, "new")
        (temporary / "other").write_text("new")
    files = {path.stat().st_ino for path in target.rglob("*") if path.is_file()}
    assert {number for number, published in flushed if not published} == files
