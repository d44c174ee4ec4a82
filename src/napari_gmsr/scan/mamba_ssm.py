"""The scan by Mamba's official kernel, where the package ``mamba-ssm`` is built for the GPU.

Its documented function ``selective_scan_fn`` scans sequences (Gu and Dao, arXiv 2312.00752); the
four of a picture are given to it side by side, as four groups of channels. So four copies of the
features, of the steps and of the result exist at once. Its gradients are not the same to the last
bit in two runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from napari_gmsr.errors import EngineError
from napari_gmsr.scan.parameters import STATE_SIZE, ScanParameters

__all__ = ["BUILD_COMMAND", "scan", "selective_scan_2d", "status"]

BUILD_COMMAND = (
    "MAMBA_FORCE_BUILD=TRUE pip install --no-build-isolation --no-deps --no-binary mamba-ssm "
    "mamba-ssm"
)
"""Builds the package for the PyTorch that is installed, without the others that it declares."""

_EXTENSION = "selective_scan_cuda"
_INDICES = 1 << 31  # the kernel counts elements in 32 bits


def status(device: torch.device | str = "cuda") -> tuple[bool, str]:
    """Say whether the engine can run on a device, and why (not); imports ``mamba_ssm``."""
    kind = torch.device(device).type
    if kind != "cuda":
        return False, f"needs a CUDA device, and the device is {kind}"
    if not torch.cuda.is_available():
        return False, "PyTorch sees no CUDA device"
    kernel = _kernel()
    return (False, kernel) if isinstance(kernel, str) else (True, "mamba-ssm's official kernel")


def selective_scan_2d(x: Tensor, parameters: ScanParameters) -> Tensor:
    """Scan every picture in four directions and add the four results; differentiable.

    Parameters
    ----------
    x
        (N, H, W, e) float32 on a CUDA device, less than 2**29 elements.
    parameters
        Weights of the scan, on the same device.

    Returns
    -------
    Tensor
        (N, H, W, e) float32.

    Raises
    ------
    EngineError
        Where the tensors are not as described, or the package cannot be used.
    """
    kernel = _kernel()
    if isinstance(kernel, str):
        raise EngineError(
            kernel,
            where="engine 'mamba_ssm'",
            fix=f"Build it ({BUILD_COMMAND}), or choose another engine.",
        )
    if not x.is_cuda or x.dtype != torch.float32 or 4 * x.numel() >= _INDICES:
        raise EngineError(
            f"it scans float32 on a CUDA device, less than {_INDICES // 4} numbers at once, not "
            f"{x.numel()} of {x.dtype} on {x.device}",
            where="engine 'mamba_ssm'",
            fix="Choose another engine, or reconstruct in tiles.",
        )
    return scan(kernel, x, parameters)


def scan(kernel: Callable[..., Tensor], x: Tensor, p: ScanParameters) -> Tensor:
    """Scan x (N, H, W, e) with a function of the signature of ``selective_scan_fn``."""
    pictures, height, width, channels = x.shape
    rows = x.permute(0, 3, 1, 2).reshape(pictures, channels, -1)
    columns = x.permute(0, 3, 2, 1).reshape(pictures, channels, -1)
    lines = torch.stack([rows, columns], dim=1)
    s = torch.cat([lines, lines.flip(-1)], dim=1)  # (N, 4, e, L)
    r, B, C = torch.split(p.x_proj @ s, [p.rank, STATE_SIZE, STATE_SIZE], dim=2)
    y = kernel(
        s.flatten(1, 2),
        (p.dt_proj @ r).flatten(1, 2),
        -torch.exp(p.A_log).flatten(0, 1),
        B.contiguous(),
        C.contiguous(),
        p.D.flatten(),
        delta_bias=p.dt_bias.flatten(),
        delta_softplus=True,
    ).reshape(s.shape)
    y = y[:, :2] + y[:, 2:].flip(-1)
    by_row = y[:, 0].reshape(pictures, channels, height, width).permute(0, 2, 3, 1)
    by_column = y[:, 1].reshape(pictures, channels, width, height).permute(0, 3, 2, 1)
    return (by_row + by_column).contiguous()


@cache
def _kernel() -> Callable[..., Tensor] | str:
    """Import the kernel when it is first asked for, or say why that does not work."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = import_module("mamba_ssm.ops.selective_scan_interface")
            import_module(_EXTENSION)  # there may be no word of its absence before it is called
            kernel: Callable[..., Tensor] = module.selective_scan_fn
    except ModuleNotFoundError as error:
        if error.name == "mamba_ssm":
            return "the package mamba-ssm is not installed"
        if error.name == _EXTENSION:
            return "mamba-ssm is installed without its compiled extension"
        return f"mamba-ssm needs the module {error.name}, which is not installed"
    except Exception as error:  # what a package built for other versions raises is its own affair
        message = " ".join(str(error).split())[:200]
        return f"mamba-ssm cannot be imported; was it built for another PyTorch? ({message})"
    return kernel
