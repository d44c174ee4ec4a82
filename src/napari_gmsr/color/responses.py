"""Camera responses: what each channel of a camera makes of each wavelength."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from napari_gmsr.color.encoding import XYZ_TO_SRGB
from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import InputError

__all__ = ["WHITE_LEVEL", "CameraResponse", "camera_response", "list_cameras"]

WHITE_LEVEL = 255 / 256
"""The linear RGB of a perfect white in NTIRE2020: channels that sum to 255, divided by 256."""

_COLOUR_SCIENCE_CAMERAS = {
    "nikon_5100": "Nikon 5100 (NPL)",
    "sigma_sdmerrill": "Sigma SDMerill (NPL)",
}


@dataclass(frozen=True, eq=False)
class CameraResponse:
    """The spectral response of a camera's three channels.

    Parameters
    ----------
    name
        Short name.
    wavelengths_nm
        float64 (band,), strictly rising, in nanometres.
    sensitivity
        float64 (band, 3), red, green, blue. Only the channels' proportions matter: rendering sets
        the exposure.
    source
        Where it comes from.
    colorimetric
        Whether the channels are the linear sRGB primaries of an observer rather than a sensor's
        filters; then the sensitivities may be negative, and the exposure follows the luminance.

    Raises
    ------
    InputError
        Where shapes and numbers make no response.
    """

    name: str
    wavelengths_nm: npt.NDArray[np.float64]
    sensitivity: npt.NDArray[np.float64]
    source: str = ""
    colorimetric: bool = False

    def __post_init__(self) -> None:
        nm = np.array(self.wavelengths_nm, dtype=np.float64)
        sensitivity = np.array(self.sensitivity, dtype=np.float64)
        if nm.ndim != 1 or nm.size < 2 or sensitivity.shape != (nm.size, 3):
            raise InputError(
                f"a response has a sensitivity (band, 3) for wavelengths (band,), "
                f"this has {sensitivity.shape} for {nm.shape}",
                where=self.name,
                fix="Give red, green and blue for at least two wavelengths.",
            )
        if not np.isfinite(nm).all() or not (np.diff(nm) > 0).all():
            raise InputError(
                "the wavelengths are not strictly rising",
                where=self.name,
                fix="Sort the rows by wavelength in nm, and leave no two the same.",
            )
        if not np.isfinite(sensitivity).all():
            raise InputError(
                "the sensitivity holds NaN or infinite values",
                where=self.name,
                fix="Give a finite number for every wavelength and channel.",
            )
        nm.setflags(write=False)
        sensitivity.setflags(write=False)
        object.__setattr__(self, "wavelengths_nm", nm)
        object.__setattr__(self, "sensitivity", sensitivity)

    def at(self, wavelengths_nm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the sensitivity at other wavelengths.

        Parameters
        ----------
        wavelengths_nm
            Where to take it, in nanometres. Between the response's own wavelengths it is
            interpolated linearly; outside them it is zero: a camera's filters block what was not
            measured.

        Returns
        -------
        ndarray
            float64 (band, 3).
        """
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
        channels = [
            np.interp(nm, self.wavelengths_nm, channel, left=0.0, right=0.0)
            for channel in self.sensitivity.T
        ]
        return np.stack(channels, axis=-1)


def list_cameras() -> list[str]:
    """Return the names of the shipped responses; `camera_response` says what they are."""
    return ["cie_1964", "srgb", *_COLOUR_SCIENCE_CAMERAS]


def camera_response(name_or_path: str | Path) -> CameraResponse:
    """Return a camera's response, shipped or from a file.

    Parameters
    ----------
    name_or_path
        One of

        - ``"cie_1964"``: the CIE 1964 (10 degree) colour-matching functions x, y, z as red, green
          and blue, each channel scaled so that its samples at 400, 410, ... 700 nm sum to 255/256.
          At these bands it is the response with gain of NTIRE2020's "Clean" track, divided by 256
          [1]_.
        - ``"srgb"``: the same observer, taken to linear sRGB by the matrix of IEC 61966-2-1: an
          ideal photograph.
        - ``"nikon_5100"``, ``"sigma_sdmerrill"``: cameras measured by the National Physical
          Laboratory, as colour-science ships them.
        - the path of a CSV file with the header ``wavelength,r,g,b`` (nm), or of an npz file with
          ``wavelengths_nm`` (or ``wavelengths``, ``bands``) of (band,) and ``sensitivity`` (or
          ``filters``) of (band, 3).

    Raises
    ------
    InputError
        Where the name is unknown, or the file holds no response.

    References
    ----------
    .. [1] B. Arad et al., "NTIRE 2020 Challenge on Spectral Reconstruction from an RGB Image", CVPR
           Workshops, 2020.
    """
    path = Path(name_or_path)
    if path.suffix.lower() in (".csv", ".npz"):
        return _read_response(path)
    name = str(name_or_path)
    if name not in list_cameras():
        raise InputError(
            f"unknown camera '{name}'",
            fix=f"Use one of {', '.join(list_cameras())}, or the path of a .csv or .npz file.",
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> CameraResponse:
    import colour

    if name in _COLOUR_SCIENCE_CAMERAS:
        table = colour.MSDS_CAMERA_SENSITIVITIES[_COLOUR_SCIENCE_CAMERAS[name]]
        return CameraResponse(
            name, table.wavelengths, table.values, f"colour-science, {table.name}"
        )
    observer = colour.MSDS_CMFS["CIE 1964 10 Degree Standard Observer"]
    nm, xyz = observer.wavelengths, observer.values
    if name == "srgb":
        source = "CIE 1964 standard observer, IEC 61966-2-1 matrix (colour-science)"
        return CameraResponse(name, nm, xyz @ XYZ_TO_SRGB.T, source, colorimetric=True)
    gain = WHITE_LEVEL / xyz[np.isin(nm, WAVELENGTHS_NM)].sum(axis=0)
    source = "CIE 1964 standard observer (colour-science) with the gain of NTIRE2020"
    return CameraResponse(name, nm, xyz * gain, source)


def _read_response(path: Path) -> CameraResponse:
    try:
        nm, sensitivity = _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path)
    except FileNotFoundError:
        raise InputError("there is no such file", where=path, fix="Check the path.") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=path) from error
    except (ValueError, BadZipFile, EOFError) as error:
        raise InputError(
            "is no camera response",
            where=path,
            fix="Give a CSV with the header wavelength,r,g,b (nm) and numbers in every row, "
            "or an npz file with wavelengths_nm (band,) and sensitivity (band, 3).",
        ) from error
    try:
        return CameraResponse(path.stem, nm, sensitivity, source=str(path))
    except InputError as error:
        raise InputError(error.what, where=path, fix=error.fix) from None


def _read_csv(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    with path.open(encoding="utf-8-sig") as lines:
        header = [column.strip().lower() for column in lines.readline().split(",")]
        if header != ["wavelength", "r", "g", "b"]:
            raise ValueError(f"the header is {header}")
        rows = [[float(cell) for cell in line.split(",")] for line in lines if line.strip()]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return table[:, 0], table[:, 1:]


def _read_npz(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    with np.load(path, allow_pickle=False) as arrays:
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("one array, not an npz archive")
        nm = next(
            (arrays[k] for k in ("wavelengths_nm", "wavelengths", "bands") if k in arrays), None
        )
        sensitivity = next((arrays[k] for k in ("sensitivity", "filters") if k in arrays), None)
    if nm is None or sensitivity is None:
        raise ValueError("wavelengths or sensitivity are missing")
    return np.asarray(nm, dtype=np.float64).ravel(), np.asarray(sensitivity, dtype=np.float64)
