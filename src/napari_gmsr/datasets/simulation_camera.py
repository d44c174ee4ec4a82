"""What a real camera does to the light it sees: shot and read noise, a colour mosaic, JPEG."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmsr.errors import InputError

__all__ = ["Capture", "demosaic", "jpeg"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Capture:
    """How a camera takes a linear picture. By default ideally: what it sees is what it gives.

    Parameters
    ----------
    electrons
        That a pixel holds at full scale. With n of them shot noise has the variance n (of a Poisson
        distribution, here as a normal one); 0 is no noise. Phones hold some 5,000 at their base
        sensitivity, large sensors 50,000.
    read_noise
        Standard deviation of what reading a pixel adds, in electrons.
    mosaic
        Whether each pixel sees one colour, of a Bayer pattern (red at the top left), and the others
        are interpolated linearly.
    jpeg
        Range of JPEG's quality, 1 to 100, drawn for each picture; ``None``: not compressed.

    Raises
    ------
    InputError
        Where a number is negative, or a quality outside 1 to 100.
    """

    electrons: float = 0.0
    read_noise: float = 0.0
    mosaic: bool = False
    jpeg: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.electrons < float("inf") and 0 <= self.read_noise < float("inf")):
            raise InputError(
                f"{self.electrons:g} electrons with a read noise of {self.read_noise:g}",
                fix="Give numbers of 0 or more.",
            )
        if self.read_noise and not self.electrons:
            raise InputError(
                "a read noise in electrons, but not how many are full scale",
                fix="Give the electrons too.",
            )
        if self.jpeg is not None and not 1 <= self.jpeg[0] <= self.jpeg[1] <= 100:
            raise InputError(
                f"JPEG's quality from {self.jpeg[0]} to {self.jpeg[1]}",
                fix="Give qualities from 1 to 100.",
            )

    def expose(self, linear: Tensor, generator: torch.Generator) -> Tensor:
        """Return linear pictures (n, 3, y, x) within [0, 1] as the sensor gives them.

        The order is the sensor's: light falls through the mosaic, is counted, and interpolated
        last. Without a mosaic three sensors see a pixel.
        """
        if self.electrons:
            normal = torch.randn(linear.shape, generator=generator, device=linear.device)
            variance = linear / self.electrons + (self.read_noise / self.electrons) ** 2
            linear = (linear + variance.sqrt() * normal).clamp(0, 1)
        return demosaic(linear) if self.mosaic else linear


def demosaic(linear: Tensor) -> Tensor:
    """Return pictures as seen through a Bayer pattern, interpolated linearly.

    Parameters
    ----------
    linear
        Pictures (n, 3, y, x); rows of the pattern begin red, green and green, blue.

    Returns
    -------
    Tensor
        Of the same shape. A pixel keeps the colour that it saw; of the others it gets the mean of
        the nearest neighbours that saw them, weighted by 1/4 at the corners and 1/2 at the sides.
    """
    rows = torch.arange(linear.shape[2], device=linear.device)[:, None] % 2
    columns = torch.arange(linear.shape[3], device=linear.device) % 2
    seen = torch.stack([(rows + columns) == 0, (rows + columns) == 1, (rows + columns) == 2])
    mask = seen.to(linear.dtype)[None]
    weights = torch.tensor([0.5, 1.0, 0.5], device=linear.device, dtype=linear.dtype)
    kernel = (weights[:, None] * weights).expand(3, 1, 3, 3)
    total = F.conv2d(linear * mask, kernel, padding=1, groups=3)
    # Dividing by the weights that were met is right at the borders too.
    count = F.conv2d(mask, kernel, padding=1, groups=3)
    return torch.where(seen, linear, total / count.clamp_min(0.25))


def jpeg(pictures: Tensor, qualities: list[int]) -> Tensor:
    """Return pictures (n, 3, y, x) within [0, 1] of 8 bits, compressed and decoded by Pillow.

    It runs on the CPU, a thread a picture, with the subsampled chroma that cameras write.
    """
    from PIL import Image

    def through(pair: tuple[Bytes, int]) -> Bytes:
        file = io.BytesIO()
        Image.fromarray(pair[0]).save(file, "JPEG", quality=pair[1])
        return np.asarray(Image.open(file))

    samples = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    with ThreadPoolExecutor() as pool:
        decoded = np.stack(list(pool.map(through, zip(samples, qualities, strict=True))))
    return torch.from_numpy(decoded).to(pictures.device).permute(0, 3, 1, 2).float() / 255
