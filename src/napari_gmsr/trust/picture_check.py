"""A look at a picture before it is reconstructed: what would make its spectra wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_gmsr.color import linear_to_srgb, rendering_matrix, srgb_to_linear
from napari_gmsr.color.encoding import percent
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage, as_rgb_image
from napari_gmsr.trust.picture_signs import (
    block_edges,
    colour_cast_deg,
    empty_levels,
    noise_level,
)
from napari_gmsr.trust.training_colours import share_of_strange_colours
from napari_gmsr.weights import ModelCard

__all__ = ["Finding", "check_picture"]

Floats = npt.NDArray[np.float32]

# Chosen on clean pictures and such with each defect: docs/trust.md tells the false alarms.
_CLIPPED_LIGHTS = 0.01
_CLIPPED_SHADOWS = 0.02
_DARK = 0.15
_BRIGHT_LINEAR = 0.5
_NOISE = 0.008
_BLOCKS = 0.12 / 255
_CAST_DEG = 11.0
_EMPTY = 0.4
_STRANGE = 0.05
_FEW_BITS = (10, 12, 14)
_MOST_PIXELS = 4_000_000
"""Of a larger picture the middle is looked at."""


@dataclass(frozen=True)
class Finding:
    """Something about a picture that its spectra will suffer from.

    Parameters
    ----------
    kind
        ``range``, ``encoding``, ``depth``, ``clipping``, ``white balance``, ``jpeg``, ``noise`` or
        ``colours``.
    what
        What was found, in a clause without a full stop.
    fix
        What to do about it, in a clause.
    """

    kind: str
    what: str
    fix: str

    def __str__(self) -> str:
        """Return one sentence."""
        return f"{self.what}: {self.fix}."


def check_picture(
    rgb: RGBImage | npt.ArrayLike, card: ModelCard | None = None
) -> tuple[Finding, ...]:
    """Look for what would make a picture's spectra wrong.

    A finding is a suspicion from the picture alone. Some defects cannot be seen: linear light that
    was taken for sRGB shows only where the picture is dark for it.

    Parameters
    ----------
    rgb
        The picture; an array as for `napari_gmsr.image.as_rgb_image`.
    card
        Of the checkpoint that it is for: its camera says what is white, and of a shipped checkpoint
        the colours of the training are known. ``None`` takes an sRGB camera under D65 for sRGB
        pictures, and the CIE 1964 response for linear ones.

    Returns
    -------
    tuple of Finding
        Empty where nothing was found.

    Raises
    ------
    InputError
        Where the picture holds NaN or infinite values.
    """
    picture = as_rgb_image(rgb, float_encoding=card.encoding if card else "linear")
    if not np.isfinite(picture.data).all():
        raise InputError(
            "the picture holds NaN or infinite values",
            where=picture.name,
            fix="Replace them first, for example with numpy.nan_to_num.",
        )
    look = _Look(picture, card)
    return tuple(finding for check in _CHECKS for finding in check(look))


class _Look:
    """A picture with what several checks need of it."""

    def __init__(self, picture: RGBImage, card: ModelCard | None) -> None:
        self.picture, self.card = picture, card
        self.data = _middle(picture.data)

    @property
    def is_linear(self) -> bool:
        return self.picture.encoding == "linear"

    @cached_property
    def within(self) -> Floats:
        return self.data.clip(0, 1)

    @cached_property
    def linear(self) -> Floats:
        return self.within if self.is_linear else srgb_to_linear(self.within)

    @cached_property
    def encoded(self) -> Floats:
        return linear_to_srgb(self.within) if self.is_linear else self.within

    @cached_property
    def white(self) -> npt.NDArray[np.float64]:
        camera, light = ("cie_1964", "") if self.is_linear else ("srgb", "D65")
        if self.card is not None and self.card.camera:
            camera, light = self.card.camera, self.card.illuminant
        try:
            return np.asarray(rendering_matrix(camera, light or None).sum(axis=0))
        except InputError:  # the card names a file that lies elsewhere
            return np.ones(3)


def _middle(data: Floats) -> Floats:
    height, width = data.shape[:2]
    excess = np.sqrt(height * width / _MOST_PIXELS)
    if excess <= 1:
        return data
    rows, columns = int(height / excess), int(width / excess)
    # From a multiple of 8, so that JPEG's blocks stay where they are.
    top, left = (height - rows) // 16 * 8, (width - columns) // 16 * 8
    return data[top : top + rows, left : left + columns]


def _range(look: _Look) -> Iterator[Finding]:
    low, high = float(look.data.min()), float(look.data.max())
    if low < 0 or high > 1:
        share = float(np.mean((look.data < 0) | (look.data > 1)))
        yield Finding(
            "range",
            f"{percent(share)} of the samples lie outside [0, 1], from {low:.4g} to {high:.4g}",
            "divide the picture by its full scale, else they are clipped",
        )


def _encoding(look: _Look) -> Iterator[Finding]:
    mean = float(look.within.mean())
    if look.is_linear and look.picture.bit_depth == 32 and _is_of_8_bits(look.data):
        yield Finding(
            "encoding",
            "every sample is a multiple of 1/255, as of a photograph divided by 255, "
            "but the picture is taken for linear light",
            "if it is a photograph, say that it is sRGB (encoding 'srgb', or give the integers)",
        )
    elif look.is_linear and mean > _BRIGHT_LINEAR:
        yield Finding(
            "encoding",
            f"the mean is {mean:.2f}, bright for linear light",
            "if the picture is encoded as cameras and programs do, say that it is sRGB",
        )
    elif not look.is_linear and mean < _DARK and not _unscaled_bits(look):
        yield Finding(
            "encoding",
            f"the mean is {mean:.2f}, dark for sRGB",
            "if the picture holds linear light, say so (encoding 'linear'); else expose it longer",
        )


def _depth(look: _Look) -> Iterator[Finding]:
    bits = _unscaled_bits(look)
    if bits:
        yield Finding(
            "depth",
            f"the largest sample is {round(float(look.data.max()) * 65535)} of 65535, as if "
            f"{bits} bits lay in a file of 16",
            f"if so, multiply the picture by {2 ** (16 - bits)}",
        )
    share = empty_levels(np.rint(look.within * 255).astype(np.int64))
    if share > _EMPTY:
        yield Finding(
            "depth",
            f"{100 * share:.0f} % of the 8-bit levels between dark and bright are unused, as of a "
            "picture that was stretched or reduced to few levels",
            "take it before that step, or with more bits",
        )


def _clipping(look: _Look) -> Iterator[Finding]:
    # A level of 8 bits below full scale is full scale.
    lights = float((look.within >= 1 - 0.5 / 255).any(axis=2).mean())
    if lights > _CLIPPED_LIGHTS:
        yield Finding(
            "clipping",
            f"{percent(lights)} of the pixels have a channel at full scale",
            "expose less or develop the raw file darker; there the spectrum is a guess",
        )
    shadows = float((look.within <= 0).any(axis=2).mean())
    if shadows > _CLIPPED_SHADOWS:
        yield Finding(
            "clipping",
            f"{percent(shadows)} of the pixels have a channel at 0, in crushed shadows or "
            "colours outside the picture's gamut",
            "lift the shadows or develop with a wider gamut; there the spectrum is a guess",
        )


def _white_balance(look: _Look) -> Iterator[Finding]:
    angle = colour_cast_deg(look.linear, look.white)
    if angle > _CAST_DEG:
        yield Finding(
            "white balance",
            f"the light seems coloured, by {angle:.0f}° from white",
            "set the white balance on something grey, unless the scene itself is of one colour",
        )


def _jpeg(look: _Look) -> Iterator[Finding]:
    edges = block_edges(look.encoded)
    if edges > _BLOCKS:
        yield Finding(
            "jpeg",
            f"blocks of 8 x 8 pixels stand out by {255 * edges:.2f} of 255, as of a JPEG",
            "use the raw file, or a JPEG of a higher quality",
        )


def _noise(look: _Look) -> Iterator[Finding]:
    level = noise_level(look.encoded)
    if level > _NOISE:
        yield Finding(
            "noise",
            f"the noise is about {255 * level:.1f} of 255",
            "use a lower sensitivity and more light, or average several pictures",
        )


def _colours(look: _Look) -> Iterator[Finding]:
    if look.card is None:
        return
    share = share_of_strange_colours(look.linear, look.card.name)
    if share is not None and share > _STRANGE:
        yield Finding(
            "colours",
            f"{100 * share:.0f} % of the pixels have colours that '{look.card.name}' did not see "
            "in training",
            "check that the picture is of the camera and encoding that this checkpoint is for",
        )


_CHECKS: tuple[Callable[[_Look], Iterator[Finding]], ...] = (
    _range,
    _encoding,
    _depth,
    _clipping,
    _white_balance,
    _jpeg,
    _noise,
    _colours,
)


def _is_of_8_bits(data: Floats) -> bool:
    """Say whether floats are an 8-bit picture's, of at least a few levels."""
    levels = data * 255
    return bool(np.abs(levels - np.rint(levels)).max() < 1e-3) and np.unique(levels).size > 16


def _unscaled_bits(look: _Look) -> int | None:
    """Return how many bits a picture of 16 seems to use, where it uses the lowest alone."""
    if look.picture.bit_depth != 16:
        return None
    largest = round(float(look.picture.data.max()) * 65535)
    fits = (bits for bits in _FEW_BITS if 2 ** (bits - 1) <= largest < 2**bits)
    return next(fits, None)
