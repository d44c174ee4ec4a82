"""What every reader does alike: look at the path, and turn a parser's failure into a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_gmsr.errors import GMSRError, InputError

__all__ = ["existing", "existing_file", "reading"]


def existing(path: str | Path) -> Path:
    """Return the path of a file or folder that is there.

    Raises
    ------
    InputError
        Where nothing has that name, or the folder it lies in may not be looked into.
    """
    found = Path(path)
    with reading(found, "a file"):
        found.stat()
    return found


def existing_file(path: str | Path) -> Path:
    """Return the path of a file that is there and holds at least one byte.

    Raises
    ------
    InputError
        Where there is no such file, it is a folder, or it is empty.
    """
    found = existing(path)
    if found.is_dir():
        raise InputError("this is a folder, not a file", where=found, fix="Choose a file in it.")
    if found.stat().st_size == 0:
        raise InputError(
            "the file is empty (0 bytes)", where=found, fix="Copy or download it again."
        )
    return found


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a format's library raises over a file into an `InputError` that names it.

    Parameters
    ----------
    path
        The file or folder that is read inside the ``with`` block.
    what
        What it should be, with its article: "a MAT file".
    """
    try:
        yield
    except GMSRError:
        raise
    except FileNotFoundError as error:
        missing = Path(error.filename) if error.filename else path
        raise InputError(
            "there is no such file or folder", where=missing, fix="Check the name."
        ) from error
    except PermissionError as error:
        raise InputError(
            "no permission to read it",
            where=path,
            fix="Change its permissions, or copy it to a folder of your own.",
        ) from error
    except MemoryError as error:
        raise InputError(
            "it needs more memory than there is", where=path, fix="Cut it into smaller pieces."
        ) from error
    except Exception as error:
        # Over a damaged file the parsers raise nearly anything (SyntaxError, struct.error,
        # RuntimeError, ...); the cause stays chained for whoever asks for the traceback.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"it cannot be read as {what}: {reason}",
            where=path,
            fix="It is damaged, cut short or of another format: copy, download or export it again.",
        ) from error
