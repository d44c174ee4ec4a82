"""The two metric sets: the paper's, as its test script computes them, and the standard ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from napari_gmsr.color import rendering_matrix
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.evaluate.evaluation import Evaluation, PaperMetrics, StandardMetrics
from napari_gmsr.evaluate.pairs import as_pair, require_finite

__all__ = ["MRAE_EPSILON", "evaluate", "spectral_angles_deg"]

MRAE_EPSILON = 0.001
"""Added to the denominator of the relative error, so that black pixels do not decide it."""

SSIM_WINDOW = 7
"""Side in pixels of the uniform window of the structural similarity (scikit-image's default)."""

Values = npt.NDArray[np.float64]


def evaluate(cube: SpectralCube | npt.ArrayLike, truth: SpectralCube | npt.ArrayLike) -> Evaluation:
    """Return how far a cube is from the truth.

    The values are compared as they are: clip a prediction to [0, 1] first where the protocol asks
    for it. Metrics that are not defined are NaN, and a note says why:

    - structural similarity, where the picture is smaller than 7 x 7 pixels, and the paper's also
      where the truth is flat;
    - the paper's PSNR of a band in which the truth has no positive value (its peak), and ERGAS of a
      band in which the truth's mean is 0: such bands are left out of the mean over bands;
    - the back-projection, where the bands miss a channel of the CIE 1964 observer.

    PSNR is infinite where a band (paper) or the cube (standard) is identical. The angle between
    two black spectra or bands is 0, between a black and another one 90 degrees.

    Parameters
    ----------
    cube, truth
        Cubes, or arrays (band, y, x), of the same size and bands (to 0.5 nm). An array has the
        bands of the cube that it is compared with; two arrays have 31 from 400 to 700 nm.

    Returns
    -------
    Evaluation
        Both metric sets, for the picture and for each band.

    Raises
    ------
    InputError
        Where the two differ in size or bands, or hold NaN or infinite values.

    References
    ----------
    Structural similarity: Wang et al. (2004), IEEE TIP 13(4). Spectral angle: Kruse et al. (1993),
    Remote Sens. Environ. 44. ERGAS: Wald (2000), Fusion of Earth Data. Relative error: Arad et al.
    (2020), CVPR Workshops.
    """
    cube, truth = as_pair(cube, truth)
    require_finite(cube, truth)
    low, high = float(truth.data.min()), float(truth.data.max())
    # Two threads: the filters of SSIM and NumPy's loops release the interpreter's lock.
    with ThreadPoolExecutor(2) as threads:
        measure = partial(_measure_band, truth_range=high - low)
        bands = list(threads.map(measure, cube.data, truth.data))
    notes: list[str] = []
    return Evaluation(
        _paper(bands, notes),
        _standard(bands, cube, truth, notes),
        truth.wavelengths_nm,
        cube=cube.name,
        truth=truth.name,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Band:
    """What one band contributes: mean squared error, structural similarities, products, ..."""

    mse: float
    peak: float
    mean: float
    ssim_of_range: float
    ssim_of_one: float
    angle_deg: float
    mrae_of_cube: float
    mrae_of_truth: float
    size: tuple[int, ...]


def _measure_band(
    cube: npt.NDArray[np.float32], truth: npt.NDArray[np.float32], *, truth_range: float
) -> _Band:
    # In double precision, as float32 loses the small variances of SSIM and the small angles.
    ours, true = cube.astype(np.float64), truth.astype(np.float64)
    error = np.abs(true - ours)
    return _Band(
        mse=float(np.mean(error**2)),
        peak=float(true.max()),
        mean=float(true.mean()),
        ssim_of_range=_ssim(ours, true, truth_range),
        ssim_of_one=_ssim(ours, true, 1.0),
        angle_deg=float(angle_deg(np.vdot(true, ours), np.vdot(true, true), np.vdot(ours, ours))),
        mrae_of_cube=float(np.mean(error / (ours + MRAE_EPSILON))),
        mrae_of_truth=float(np.mean(error / (true + MRAE_EPSILON))),
        size=true.shape,
    )


def angle_deg(dot: npt.ArrayLike, square: npt.ArrayLike, other_square: npt.ArrayLike) -> Values:
    """Return the angle between vectors from their products, in degrees.

    Parameters
    ----------
    dot, square, other_square
        Products a.b, a.a and b.b, of one shape.

    Returns
    -------
    ndarray
        float64 in [0, 180]; 0 between two null vectors, 90 between a null vector and another.
    """
    norms = np.sqrt(np.asarray(square, np.float64)) * np.sqrt(np.asarray(other_square, np.float64))
    both_null = (np.asarray(square) == 0) & (np.asarray(other_square) == 0)
    cosine = np.where(norms > 0, dot / np.where(norms > 0, norms, 1.0), both_null)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def spectral_angles_deg(cube: SpectralCube, truth: SpectralCube) -> Values:
    """Return the angle between the two spectra at each pixel, float64 (y, x), in degrees."""
    dot, square, true_square = np.zeros((3, *cube.shape[1:]))
    for ours, true in zip(cube.data, truth.data, strict=True):
        ours, true = ours.astype(np.float64), true.astype(np.float64)
        dot += ours * true
        square += ours**2
        true_square += true**2
    return angle_deg(dot, square, true_square)


def _ssim(cube: Values, truth: Values, data_range: float) -> float:
    if min(truth.shape) < SSIM_WINDOW or data_range == 0:
        return np.nan
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        truth, cube, win_size=SSIM_WINDOW, data_range=data_range
    )
    return float(similarity)


def _psnr_db(mse: npt.ArrayLike, peak: npt.ArrayLike) -> Values:
    """Return 10 log10(peak^2 / mse): infinite for no error, NaN where there is no positive peak."""
    mse, peak = np.asarray(mse, np.float64), np.asarray(peak, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(peak > 0, 20 * np.log10(peak) - 10 * np.log10(mse), np.nan)


def _paper(bands: list[_Band], notes: list[str]) -> PaperMetrics:
    mse = np.array([band.mse for band in bands])
    psnr = _psnr_db(mse, [band.peak for band in bands])
    assim = np.array([band.ssim_of_range for band in bands])
    sam = np.array([band.angle_deg for band in bands])
    mrae = np.array([band.mrae_of_cube for band in bands])
    dark = int(np.isnan(psnr).sum())
    if dark:
        notes.append(
            f"The truth has no positive value in {dark} of {len(bands)} bands: "
            "the paper's PSNR leaves them out."
        )
    if np.isinf(psnr).any():
        notes.append(
            f"PSNR is infinite: {int(np.isinf(psnr).sum())} of {len(bands)} bands are identical."
        )
    if min(bands[0].size) < SSIM_WINDOW:
        height, width = bands[0].size
        notes.append(
            f"SSIM needs {SSIM_WINDOW} x {SSIM_WINDOW} pixels: "
            f"it is not defined for {height} x {width}."
        )
    elif np.isnan(assim).any():
        notes.append("The truth has one value everywhere: the paper's SSIM is not defined.")
    return PaperMetrics(
        rmse=float(np.sqrt(mse.mean())),
        psnr_db=_mean_of_defined(psnr),
        assim=float(assim.mean()),
        sam_deg=float(sam.mean()),
        mrae=float(mrae.mean()),
        bands={
            "rmse": np.sqrt(mse),
            "psnr_db": psnr,
            "assim": assim,
            "sam_deg": sam,
            "mrae": mrae,
        },
    )


def _standard(
    bands: list[_Band], cube: SpectralCube, truth: SpectralCube, notes: list[str]
) -> StandardMetrics:
    mse = np.array([band.mse for band in bands])
    mean = np.array([band.mean for band in bands])
    ssim = np.array([band.ssim_of_one for band in bands])
    mrae = np.array([band.mrae_of_truth for band in bands])
    relative = np.full(len(bands), np.nan)
    np.divide(mse, mean**2, out=relative, where=mean != 0)
    if np.isnan(relative).any():
        notes.append(
            f"The truth's mean is 0 in {int(np.isnan(relative).sum())} of {len(bands)} bands: "
            "ERGAS leaves them out."
        )
    try:
        back_projection = _back_projection(cube, truth)
    except InputError as missed:
        back_projection = np.nan
        notes.append(f"There is no back-projection: {missed.what}.")
    return StandardMetrics(
        rmse=float(np.sqrt(mse.mean())),
        psnr_db=float(_psnr_db(mse.mean(), 1.0)),
        ssim=float(ssim.mean()),
        sam_deg=float(spectral_angles_deg(cube, truth).mean()),
        mrae=float(mrae.mean()),
        ergas=100 * float(np.sqrt(_mean_of_defined(relative))),
        back_projection=back_projection,
        bands={
            "rmse": np.sqrt(mse),
            "psnr_db": _psnr_db(mse, np.ones_like(mse)),
            "ssim": ssim,
            "mrae": mrae,
        },
    )


def _mean_of_defined(values: Values) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else np.nan


def _back_projection(cube: SpectralCube, truth: SpectralCube) -> float:
    matrix = rendering_matrix("cie_1964", None, truth.wavelengths_nm).astype(np.float32)
    error = (cube.data - truth.data).reshape(len(matrix), -1).T @ matrix
    return float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))
