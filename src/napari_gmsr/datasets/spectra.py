"""Measured reflectance spectra that come with colour-science."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_gmsr.cube import WAVELENGTHS_NM

if TYPE_CHECKING:
    from colour import SpectralDistribution

__all__ = ["ReflectanceSet", "color_checker", "measured_reflectances"]

Spectra = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ReflectanceSet:
    """Measured reflectances at 400, 410, ... 700 nm.

    Parameters
    ----------
    spectra
        float32 (n, 31), within [0, 1].
    sources
        The sets they come from, each with the number of its spectra.
    """

    spectra: Spectra
    sources: Mapping[str, int]


@cache
def color_checker() -> Spectra:
    """Return the reflectances of the 24 patches of a ColorChecker Classic.

    They are those that N. Ohta measured, in colour-science's table: float32 (24, 31), row by row
    from "dark skin" at the top left to "black" at the bottom right. The array is read-only.
    """
    from colour.characterisation import SDS_COLOURCHECKERS

    return _sampled(SDS_COLOURCHECKERS["ColorChecker N Ohta"].values())


@cache
def measured_reflectances() -> ReflectanceSet:
    """Return every set of measured reflectances that colour-science ships.

    The ColorChecker (three measurements), human skin (PMC), the 190 training spectra of RAW to ACES
    (without those that exceed 1: they fluoresce), and the test colours of the CIE 1995 and 2017 and
    of the NIST colour-rendering metrics. The arrays are read-only.
    """
    from colour.characterisation import SDS_COLOURCHECKERS, read_training_data_rawtoaces_v1
    from colour.quality import SDS_TCS, SDS_VS
    from colour.quality.cfi2017 import load_TCS_CIE2017

    rawtoaces = read_training_data_rawtoaces_v1()
    sets: dict[str, Iterable[SpectralDistribution]] = {
        name: SDS_COLOURCHECKERS[name].values()
        for name in ("ColorChecker N Ohta", "BabelColor Average", "ISO 17321-1", "PMC")
    }
    sets["RAW to ACES training data"] = rawtoaces.to_sds()
    sets["CIE 1995 test colours"] = SDS_TCS["CIE 1995"].values()
    sets["CIE 2017 test colours"] = load_TCS_CIE2017(rawtoaces.shape).to_sds()
    sets["NIST CQS 9.0 test colours"] = SDS_VS["NIST CQS 9.0"].values()
    sampled = {name: _sampled(spectra) for name, spectra in sets.items()}
    spectra = np.concatenate(list(sampled.values()))
    spectra.setflags(write=False)
    return ReflectanceSet(spectra, {name: len(part) for name, part in sampled.items()})


def _sampled(distributions: Iterable[SpectralDistribution]) -> Spectra:
    """Return the spectra at the 31 bands, without those that leave [0, 1]."""
    # Every table is sampled 5 or 10 nm apart, so that nothing is interpolated.
    rows = np.array([np.interp(WAVELENGTHS_NM, d.wavelengths, d.values) for d in distributions])
    rows = rows[(rows >= 0).all(axis=1) & (rows <= 1).all(axis=1)].astype(np.float32)
    rows.setflags(write=False)
    return rows
