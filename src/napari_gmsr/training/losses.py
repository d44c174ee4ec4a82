"""Losses of training, all differentiable and free of looks at values on the processor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_gmsr.training.config import LossSettings

__all__ = ["Loss", "weighted_loss"]

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""loss(prediction, cube, rgb) -> scalar."""

MRAE_EPSILON = 1e-3
"""As in the standard metric set."""
_SHORT = 1e-3
"""Length under which a spectrum is black and has no direction."""


def weighted_loss(settings: LossSettings, matrix: Tensor | None = None) -> Loss:
    """Return the weighted sum of the losses that have a weight.

    Parameters
    ----------
    settings
        The weights.
    matrix
        Spectra to linear RGB, (bands, 3), for the back-projection.

    Returns
    -------
    callable
        loss(prediction, cube, rgb), with prediction and cube (N, bands, H, W), on one device.
    """
    parts: list[tuple[float, Loss]] = [(settings.l1, _l1), (settings.mrae, _mrae)]
    parts.append((settings.sam, _sam))
    if matrix is not None:
        parts.append((settings.back_projection, _back_projection(matrix)))
    parts = [(weight, loss) for weight, loss in parts if weight]

    def loss(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
        terms = [weight * term(prediction, cube, rgb) for weight, term in parts]
        return torch.stack(terms).sum() if len(terms) > 1 else terms[0]

    return loss


def _l1(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
    return (prediction - cube).abs().mean()


def _mrae(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
    return ((prediction - cube).abs() / (cube + MRAE_EPSILON)).mean()


def _sam(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
    # The angle by atan2 of the unit vectors' difference and sum (Kahan): acos has an infinite slope
    # where the angle is small, which is where training goes.
    one, other = (x / x.norm(dim=1, keepdim=True).clamp_min(_SHORT) for x in (prediction, cube))
    apart, together = (one - other).square().sum(1), (one + other).square().sum(1)
    tiny = 1e-12  # the root's slope at 0 is infinite too
    return (2 * torch.atan2((apart + tiny).sqrt(), (together + tiny).sqrt())).mean()


def _back_projection(matrix: Tensor) -> Loss:
    def loss(prediction: Tensor, cube: Tensor, rgb: Tensor) -> Tensor:
        error = torch.einsum("nbyx,bc->ncyx", prediction - cube, matrix)
        return error.abs().mean()

    return loss
