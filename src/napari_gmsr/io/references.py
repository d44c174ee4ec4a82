"""Files that another file speaks of: where they are, and whether they are still what they were."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage

__all__ = ["FileReference", "fingerprint"]


class FileReference(BaseModel):
    """A file or folder, as a record beside it names it.

    Parameters
    ----------
    path
        Absolute, as it was when the record was written.
    relative
        From the record's folder, so that both may move together; ``None`` on another drive.
    sha256
        `fingerprint` of what was read from it.
    reading
        How it was read, where its name does not say it all: arguments of `read_cube`, or for a
        picture its encoding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    relative: str | None = None
    sha256: Annotated[str, Field(pattern=r"[0-9a-f]{64}")]
    reading: dict[str, str | float | list[float]] = {}

    @field_validator("reading")
    @classmethod
    def _is_known(cls, reading: dict[str, object]) -> dict[str, object]:
        unknown = reading.keys() - {"variable", "wavelengths_nm", "scale", "encoding"}
        if unknown:
            raise ValueError(f"no way to read: {', '.join(sorted(unknown))}")
        return reading

    @classmethod
    def to(
        cls, path: str | Path, folder: Path, sha256: str, reading: dict[str, Any] | None = None
    ) -> FileReference:
        """Return a reference to a path for a record that will lie in a folder."""
        absolute = Path(path).absolute()
        try:
            relative = Path(os.path.relpath(absolute, folder.absolute())).as_posix()
        except ValueError:  # on another drive
            relative = None
        given = {key: value for key, value in (reading or {}).items() if value is not None}
        return cls(path=str(absolute), relative=relative, sha256=sha256, reading=given)

    def find(self, folder: Path) -> Path:
        """Return where the file is now, for a record that lies in a folder.

        Raises
        ------
        InputError
            Where it is in neither place.
        """
        # Beside the record first: a copy of both is to speak of the copy.
        places = [] if self.relative is None else [folder / self.relative]
        for place in (*places, Path(self.path)):
            if place.exists():
                return place
        raise InputError(
            "this file is not there any more",
            where=self.path,
            fix=f"Put it back, or into {folder}.",
        )

    def check(self, read: SpectralCube | RGBImage) -> None:
        """Raise where what was read is not what it was.

        Raises
        ------
        InputError
            Where the numbers differ.
        """
        if fingerprint(read) != self.sha256:
            raise InputError(
                "its numbers have changed since",
                where=self.path,
                fix="Restore the file as it was, or start anew with the file as it is.",
            )


def fingerprint(content: SpectralCube | RGBImage | npt.NDArray[Any]) -> str:
    """Return a hash of the numbers, whatever format and place they were read from.

    Parameters
    ----------
    content
        A cube (its float32 data and its wavelengths count), a picture (its float32 data and its
        encoding), or an array (its type, its shape and its bytes).

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    if isinstance(content, SpectralCube):
        array, more = content.data, np.ascontiguousarray(content.wavelengths_nm).tobytes()
    elif isinstance(content, RGBImage):
        array, more = content.data, content.encoding.encode()
    else:
        array, more = np.atleast_1d(content), b""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode() + more)
    for plane in array:  # one at a time, so that no second copy of a mapped cube exists
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
