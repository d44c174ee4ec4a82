"""Outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_gmsr.errors import OutputError

__all__ = ["atomic_output", "atomic_outputs", "check_outputs"]

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_EFFECTIVE_IDS = os.access in os.supports_effective_ids
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}
# numpy's tofile, which tifffile writes with, reports a full disk in words and without an errno.
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
# A name has at most 255 bytes: 59 characters of up to four, and 19 for what makes it another.
_KEPT_OF_NAME = 59


@contextmanager
def atomic_output(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary sibling to write to, and rename it on success.

    Inside the ``with`` block write a file, or make a folder, at the path that is given. At the end
    of the block its bytes are flushed to the disk and it takes its name in one step; when the block
    raises it is removed, and what was there before stays as it was.

    Parameters
    ----------
    path
        The name that the output shall have. Its folder must be there.
    overwrite
        Replace an existing file by a file, or an existing folder by a folder; otherwise an existing
        name is an error.

    Yields
    ------
    Path
        A name in the same folder, with the same suffix, at which nothing is yet.

    Raises
    ------
    OutputError
        Where the name is taken, the folder is missing, the disk is full or there is no permission:
        any ``OSError`` of the block becomes one.
    """
    with atomic_outputs([path], overwrite=overwrite) as (temporary,):
        yield temporary


@contextmanager
def atomic_outputs(
    paths: Sequence[str | Path], *, overwrite: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Do as `atomic_output` for several siblings that belong together, as ENVI's header and data.

    Parameters
    ----------
    paths
        Names in one folder. The last one is what a reader opens: it appears last and goes first.
    overwrite
        Replace what exists; otherwise any existing name is an error.

    Yields
    ------
    tuple of Path
        One temporary name for each; names that share a stem go on sharing it.
    """
    targets = [Path(path) for path in paths]
    check_outputs(targets, overwrite=overwrite)
    token = secrets.token_hex(4)
    temporaries = [_beside(target, f".{token}.partial-") for target in targets]
    try:
        with _writing(targets[-1]):
            yield tuple(temporaries)
            for temporary in temporaries:
                _flush(temporary)
            _publish(list(zip(temporaries, targets, strict=True)), token, overwrite)
    finally:
        for temporary in temporaries:
            _remove(temporary)


def check_outputs(paths: Sequence[str | Path], *, overwrite: bool = False) -> None:
    """Raise what `atomic_outputs` would raise before its block; writes nothing.

    Of a folder that may not be written to, the last name is told: it is the one that was asked for.

    Raises
    ------
    OutputError
        Where a name is taken, the folder is missing or may not be written to.
    """
    targets = [Path(path) for path in paths]
    with _writing(targets[-1]):
        for target in targets:
            if not target.parent.is_dir():
                raise OutputError(
                    f"the folder {target.parent} does not exist",
                    where=target,
                    fix="Make it, or choose another.",
                )
            if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE_IDS):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            with contextlib.suppress(FileNotFoundError):
                target.lstat()  # raises where the name itself cannot be, as one too long
            if not overwrite:
                _refuse_existing(target)


def _beside(target: Path, prefix: str) -> Path:
    """Return a sibling's name; of a long name the end is kept, with the suffix."""
    return target.with_name(f"{prefix}{target.name[-_KEPT_OF_NAME:]}")


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise OutputError(
            "the name is taken", where=target, fix="Choose another name, or allow overwriting."
        )


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE or _SHORT_WRITE.search(str(error)):
            what, fix = "the disk is full", "Free some space, or choose another folder."
        elif error.errno in _NO_PERMISSION:
            what, fix = "no permission to write here", "Choose a folder of your own."
        else:
            reason = error.strerror or str(error)
            what, fix = f"it cannot be written: {reason}", "Choose another name or folder."
        raise OutputError(what, where=target, fix=f"{fix} Nothing was written.") from error


def _flush(path: Path) -> None:
    """Bring a file, or every file of a folder, to the disk."""
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _publish(pairs: list[tuple[Path, Path]], token: str, overwrite: bool) -> None:
    if len(pairs) == 1 and pairs[0][0].is_file():
        _publish_file(*pairs[0], overwrite)
    else:
        _publish_together(pairs, token, overwrite)
    if os.name == "posix":
        # The new name itself lives in the folder. Some network file systems cannot flush one, and
        # one that may be written to need not be readable.
        with contextlib.suppress(OSError):
            _flush_folder(pairs[0][1].parent)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _publish_file(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        _refuse_other_kind(temporary, target)
        temporary.replace(target)
        return
    try:
        # Unlike a rename, a link never replaces a file that came into being meanwhile.
        target.hardlink_to(temporary)
    except OSError:
        _refuse_existing(target)
        temporary.rename(target)


def _publish_together(pairs: list[tuple[Path, Path]], token: str, overwrite: bool) -> None:
    """Move what is there aside, the new in, and back again where that fails."""
    undo: list[tuple[Path, Path]] = []
    aside: list[Path] = []
    try:
        for temporary, target in reversed(pairs):
            if not overwrite:
                _refuse_existing(target)
            elif os.path.lexists(target):
                _refuse_other_kind(temporary, target)
                old = _beside(target, f".{token}.replaced-")
                target.rename(old)
                undo.append((old, target))
                aside.append(old)
        for temporary, target in pairs:
            temporary.rename(target)
            undo.append((target, temporary))
    except BaseException:
        for moved, original in reversed(undo):
            moved.rename(original)
        raise
    for old in aside:
        _remove(old)


def _refuse_other_kind(temporary: Path, target: Path) -> None:
    if os.path.lexists(target) and temporary.is_dir() != target.is_dir():
        kind = "a folder" if target.is_dir() else "a file"
        raise OutputError(
            f"the name is taken by {kind}, which is not replaced",
            where=target,
            fix="Choose another name.",
        )


def _remove(path: Path) -> None:
    # What remains has a hidden name of its own; the output stands or falls without it.
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
