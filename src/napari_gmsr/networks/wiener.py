"""Wiener estimation, the plainest baseline: the linear map of least expected error.

Pratt and Mancill, "Spectral estimation techniques for the spectral calibration of a color image
scanner", Applied Optics 15(1), 1976.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_gmsr.errors import InputError

__all__ = ["WienerEstimation"]


class WienerEstimation(nn.Module):
    """Spectra as a linear map of a pixel's linear RGB.

    With the second moments of spectra s and colours r and the noise's variance v,
    s = E[s r'] (E[r r'] + v I)^-1 r. It is exposure invariant and knows nothing of a pixel's
    surroundings.

    Parameters
    ----------
    bands
        Number of bands of the spectra.

    Attributes
    ----------
    coefficients
        Buffer float64 (band, 3); all zeros until :meth:`fit`.
    """

    coefficients: Tensor

    def __init__(self, bands: int = 31) -> None:
        super().__init__()
        self.bands = bands
        self.register_buffer("coefficients", torch.zeros(bands, 3, dtype=torch.float64))

    def fit(self, rgb: Tensor, spectra: Tensor, noise: float = 0.0) -> WienerEstimation:
        """Take the moments from samples, in float64.

        Parameters
        ----------
        rgb
            Linear colours (n, 3), without noise.
        spectra
            Their spectra (n, band).
        noise
            Standard deviation of the camera's noise in each channel, in the unit of the colours.

        Returns
        -------
        WienerEstimation
            Itself.

        Raises
        ------
        InputError
            Where the shapes do not fit together, the colours leave the map open, or a number is
            not finite.
        """
        if rgb.ndim != 2 or rgb.shape[1] != 3 or spectra.shape != (rgb.shape[0], self.bands):
            raise InputError(
                f"colours {tuple(rgb.shape)}, spectra {tuple(spectra.shape)} do not fit together",
                fix=f"Give (n, 3) and (n, {self.bands}).",
            )
        if not (rgb.isfinite().all() and spectra.isfinite().all()):
            raise InputError("colours or spectra hold NaN or infinity", fix="Remove those samples.")
        rgb, spectra = rgb.double().cpu(), spectra.double().cpu()
        moments = rgb.mT @ rgb / max(1, len(rgb)) + noise**2 * torch.eye(3, dtype=torch.float64)
        if torch.linalg.matrix_rank(moments, hermitian=True) < 3:
            raise InputError(
                f"{len(rgb)} colours do not span red, green and blue",
                fix="Give more colours, or a noise above 0.",
            )
        shared = spectra.mT @ rgb / len(rgb)
        self.coefficients.copy_(torch.linalg.solve(moments, shared, left=False))
        return self

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the spectra (N, band, H, W) of linear colours (N, 3, H, W), in their type."""
        linear = rgb.to(self.coefficients.dtype).movedim(1, -1) @ self.coefficients.mT
        return linear.movedim(-1, 1).to(rgb.dtype)
