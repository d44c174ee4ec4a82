"""What one run of a network takes: formulas whose constants were measured.

``benchmarks/memory.py`` compares the memory with measurements on the CPU, ``benchmarks/results``
holds the figures of the GPU.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_gmsr.networks.gmsr import WIDTHS

__all__ = ["has_engines", "run_bytes", "run_seconds"]

# Compiled CPU engine: beside its features, packed weights and each thread's scratch.
_CPU_LEAST = 14e6
# Features that are alive at once, each row of a pixel padded to whole vectors of 16 floats.
_CPU_LANES = 16

# The rest was measured with the paper's widths, the broadest of 31 channels, and grows with it.
_CHANNELS = 31
# On a GPU: bytes at least, and bytes for each pixel.
_GPU_BYTES = {"fused": (55e6, 673), "mamba_ssm": (68e6, 6125)}
# The plain engine works through its scan in segments, whose size depends on the device: bytes for
# each pixel of a segment, a segment's pixels, and bytes for every pixel around it.
_REFERENCE_BYTES = {"cuda": (9300, 1 << 16, 1836), "cpu": (9300, 13_000, 1869)}
# Without a scan: a network of single pixels in float64 (root-polynomial regression), 31 bands, and
_PIXELWISE = 640
# the compared networks, bytes at least and for each pixel: benchmarks/network_memory.py, on a CPU.
_COMPARED_BYTES = {
    "MSCNN": (34e6, 1810),
    "HRNet": (80e6, 2660),
    "HSRNet": (0e6, 2370),
    "AGDNet": (43e6, 3260),
    "MSTPlusPlus": (57e6, 2390),
    "RepCPSI": (49e6, 1410),
}

# GMSR-Net's ablations by their branch, PyTorch around the scan that the CPU engine runs: likewise.
_ABLATED_BYTES = {
    "mamba": (31e6, 1840),
    "transformer": (120e6, 2040),
    "cnn": (11e6, 1260),
    "none": (25e6, 1000),
}

# Nanoseconds for a pixel with the paper's widths, whose channels sum to 61: by two threads of an
# AMD EPYC, and by the 132 multiprocessors of an H100.
_CHANNELS_IN_ALL = 61
_CPU_NS, _CPU_THREADS = 4000, 2
_REFERENCE_CPU_NS = 11_000
_GPU_NS, _MULTIPROCESSORS = {"fused": 10, "mamba_ssm": 87, "reference": 180}, 132
_PIXELWISE_CPU_NS = 500


def has_engines(network: nn.Module | None) -> bool:
    """Say whether a network holds a scan, which an engine runs; None stands for the paper's."""
    return network is None or hasattr(network, "engine")


def run_bytes(
    pixels: int, engine: str, network: nn.Module | None = None, device: str = "cuda"
) -> int:
    """Estimate the memory that one run of a network takes on its device.

    Parameters
    ----------
    pixels
        Of the picture or tile.
    engine
        Name of the scan engine.
    network
        None for GMSR-Net with the paper's widths.
    device
        Kind of device that the plain engine runs on.

    Returns
    -------
    int
        Bytes at the peak, picture and cube included.
    """
    if _is_ablated(network):
        if engine == "fused":  # of which it runs the scan alone, as mamba_ssm does
            engine = "mamba_ssm"
        elif engine in ("cpu", "none"):
            least, per_pixel = _ABLATED_BYTES[str(getattr(network, "branch", ""))]
            return int(least + per_pixel * max(_widths(network)) / _CHANNELS * pixels)
    elif not has_engines(network):
        least, per_pixel = _COMPARED_BYTES.get(type(network).__name__, (0, _PIXELWISE))
        return int(least + per_pixel * pixels)
    widths = _widths(network)
    breadth = max(widths) / _CHANNELS
    if engine == "cpu":
        # While a block scans: its expanded features, and the scan's input and output.
        alive = max(_padded(c) + 2 * _padded(2 * c) for c in widths)
        return int(_CPU_LEAST + 4 * (alive + 3) * pixels)
    if engine in _GPU_BYTES:
        least, each = _GPU_BYTES[engine]
        return int(least + each * breadth * pixels)
    each, segment, around = _REFERENCE_BYTES.get(device, _REFERENCE_BYTES["cuda"])
    return int(breadth * (each * min(pixels, segment) + around * pixels))


def run_seconds(
    pixels: int, engine: str, device: torch.device, network: nn.Module | None = None
) -> float | None:
    """Estimate how long a network takes for so many pixels, roughly.

    Parameters
    ----------
    pixels
        Of all runs together.
    engine, network
        See `run_bytes`.
    device
        Where it runs.

    Returns
    -------
    float or None
        Seconds; None where nothing was measured on such a device.
    """
    if _is_ablated(network):
        return None
    if not has_engines(network):
        known = device.type == "cpu" and type(network).__name__ not in _COMPARED_BYTES
        return 1e-9 * _PIXELWISE_CPU_NS * pixels if known else None
    work = 1e-9 * pixels * sum(_widths(network)) / _CHANNELS_IN_ALL
    if engine == "cpu":
        return work * _CPU_NS * _CPU_THREADS / torch.get_num_threads()
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).multi_processor_count
        return work * _GPU_NS[engine] * _MULTIPROCESSORS / there
    return work * _REFERENCE_CPU_NS if device.type == "cpu" else None


def _is_ablated(network: nn.Module | None) -> bool:
    return not getattr(network, "complete", True)


def _widths(network: nn.Module | None) -> tuple[int, ...]:
    widths: tuple[int, ...] = getattr(network, "widths", WIDTHS[3])
    return widths


def _padded(channels: int) -> int:
    return -(-channels // _CPU_LANES) * _CPU_LANES
