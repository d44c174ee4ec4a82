"""Root-polynomial regression, the classical baseline: linear in exposure-invariant features of RGB.

Finlayson, Mackiewicz and Hurlbert, "Color correction using root-polynomial regression", IEEE Trans.
Image Processing 24(5), 2015; for spectra: Lin and Finlayson, "Exposure invariance in spectral
reconstruction from RGB images", CIC 27, 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_gmsr.errors import InputError

__all__ = ["RootPolynomialRegression", "root_polynomial"]

N_FEATURES = 13


def root_polynomial(rgb: Tensor) -> Tensor:
    """Return the root-polynomial features of degree 3 of a colour.

    Each feature is homogeneous of degree one, so that twice the light gives twice the features.

    Parameters
    ----------
    rgb
        Linear red, green, blue, at least 0, in the last axis (..., 3).

    Returns
    -------
    Tensor
        (..., 13): r, g, b, the square roots of rg, gb, rb, and the cube roots of rg², gb², rb²,
        gr², bg², br², rgb.
    """
    r, g, b = rgb.unbind(-1)
    r2, g2, b2 = (channel.sqrt() for channel in (r, g, b))
    r3, g3, b3 = (channel.pow(1 / 3) for channel in (r, g, b))
    return torch.stack(
        [
            *(r, g, b),
            *(r2 * g2, g2 * b2, r2 * b2),
            *(r3 * g3 * g3, g3 * b3 * b3, r3 * b3 * b3, g3 * r3 * r3, b3 * g3 * g3, b3 * r3 * r3),
            r3 * g3 * b3,
        ],
        dim=-1,
    )


class RootPolynomialRegression(nn.Module):
    """Spectra as a linear map of the root-polynomial features of a pixel's linear RGB.

    It is exposure invariant, f(kx) = k f(x), knows nothing of a pixel's surroundings, and takes
    milliseconds to fit. The features are nearly collinear where a scene holds few colours:
    coefficients reach 1e6 and cancel, so that everything is computed in float64, whatever the
    picture's type.

    Parameters
    ----------
    bands
        Number of bands of the spectra.

    Attributes
    ----------
    coefficients
        Buffer float64 (band, 13); all zeros until :meth:`fit`.
    """

    coefficients: Tensor

    def __init__(self, bands: int = 31) -> None:
        super().__init__()
        self.bands = bands
        self.register_buffer("coefficients", torch.zeros(bands, N_FEATURES, dtype=torch.float64))

    def fit(self, rgb: Tensor, spectra: Tensor, ridge: float = 0.0) -> RootPolynomialRegression:
        """Fit the coefficients by least squares, in float64.

        Parameters
        ----------
        rgb
            Linear colours (n, 3); negative values count as 0.
        spectra
            Their spectra (n, band).
        ridge
            Weight of the sum of squared coefficients beside the mean squared error. A little (1e-9)
            tames nearly collinear features where the spectra are not those of the scenes to come.

        Returns
        -------
        RootPolynomialRegression
            Itself.

        Raises
        ------
        InputError
            Where the shapes do not fit together, there are fewer than 13 samples, or a number is
            not finite.
        """
        bands = self.coefficients.shape[0]
        if rgb.ndim != 2 or rgb.shape[1] != 3 or spectra.shape != (rgb.shape[0], bands):
            raise InputError(
                f"colours {tuple(rgb.shape)}, spectra {tuple(spectra.shape)} do not fit together",
                fix=f"Give (n, 3) and (n, {bands}).",
            )
        if rgb.shape[0] < N_FEATURES:
            raise InputError(
                f"{rgb.shape[0]} samples cannot determine {N_FEATURES} coefficients a band",
                fix="Give more spectra.",
            )
        if not (rgb.isfinite().all() and spectra.isfinite().all()):
            raise InputError("colours or spectra hold NaN or infinity", fix="Remove those samples.")
        features = root_polynomial(rgb.double().clamp_min(0)).cpu()
        spectra = spectra.double().cpu()
        if ridge > 0:
            penalty = (ridge * len(features)) ** 0.5 * torch.eye(N_FEATURES, dtype=torch.float64)
            features = torch.cat([features, penalty])
            spectra = torch.cat([spectra, spectra.new_zeros(N_FEATURES, bands)])
        # An orthogonal decomposition that copes with missing rank: a scene of one colour still has
        # a least-squares answer.
        solution = torch.linalg.lstsq(features, spectra, driver="gelsd").solution
        self.coefficients.copy_(solution.mT)
        return self

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the spectra (N, band, H, W) of linear colours (N, 3, H, W), in their type.

        Negative values count as 0.
        """
        features = root_polynomial(rgb.to(self.coefficients.dtype).clamp_min(0).movedim(1, -1))
        return (features @ self.coefficients.mT).movedim(-1, 1).to(rgb.dtype)
