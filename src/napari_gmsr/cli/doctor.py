"""`napari-gmsr doctor`: what is installed and what will be used, to copy into an issue."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from napari_gmsr.cli.console import Verbose, one_line

__all__ = ["doctor", "examine"]

_PACKAGES = (
    "napari-gmsr", "napari", "npe2", "torch", "triton", "mamba-ssm", "numba", "numpy", "scipy",
    "scikit-image", "colour-science", "tifffile", "zarr", "h5py", "spectral",
)  # fmt: skip
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_DEVICES = ("cpu", "cuda", "mps")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Report versions, devices, scan engines with their reasons, and memory."""
    report = examine()
    if as_json:
        print(json.dumps(report, indent=2))
        return
    for section, entries in report.items():
        print(section)
        width = max(map(len, entries), default=0)
        for name, value in entries.items():
            print(f"  {name:{width}}  {value}")


def examine() -> dict[str, dict[str, str]]:
    """Return what a report of a problem needs.

    Returns
    -------
    dict
        Sections ``system``, ``packages``, ``qt``, ``devices``, ``engines`` and
        ``kernel cache``, each from names to text.
    """
    devices = _devices()
    return {
        "system": _system(),
        "packages": _versions(_PACKAGES),
        "qt": _versions(_QT_BINDINGS) or {"none": "install one: pip install 'napari[all]'"},
        "devices": devices,
        "engines": _engines([name for name in devices if name.partition(":")[0] in _DEVICES]),
        "kernel cache": _kernel_cache(),
    }


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    # From the metadata: importing napari or Qt is the window's business.
    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _system() -> dict[str, str]:
    import psutil

    memory = psutil.virtual_memory()
    return {
        "platform": platform.platform(),
        "python": f"{platform.python_version()}, {sys.executable}",
        "processors": f"{os.cpu_count()} ({platform.machine()})",
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB available",
        "display": os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or "none",
    }


def _devices() -> dict[str, str]:
    try:
        import torch
    except (ImportError, OSError) as error:  # a broken installation is what a doctor is for
        return {"none": f"PyTorch cannot be imported: {one_line(str(error))}"}

    devices = {"cpu": f"{torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = (
            f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, "
            f"compute capability {properties.major}.{properties.minor}"
        )
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple's GPU"
    devices["CUDA of PyTorch"] = torch.version.cuda or "none: this is a build without CUDA"
    devices["NVIDIA driver"] = _nvidia_driver()
    return devices


def _nvidia_driver() -> str:
    command = shutil.which("nvidia-smi")
    if command is None:
        return "none: there is no nvidia-smi"
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi fails: {one_line(str(error))}"
    return ", ".join(sorted(set(answer.stdout.split())))


def _engines(devices: list[str]) -> dict[str, str]:
    from napari_gmsr.scan import list_engines
    from napari_gmsr.scan.mamba_ssm import BUILD_COMMAND

    found = {}
    for device in devices:
        for engine in list_engines(device):
            text = f"{'yes' if engine.available else 'no'}: {engine.reason}"
            if device.startswith("cuda") and engine.name == "mamba_ssm" and not engine.available:
                text += f"; optional, to build it: {BUILD_COMMAND}"
            found[f"{engine.name} on {device}"] = text
    return found


def _kernel_cache() -> dict[str, str]:
    """Say whether compiled kernels can be kept: where not, every start compiles anew."""
    import platformdirs

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen or platformdirs.user_cache_path("napari-gmsr", appauthor=False))
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        return {"folder": f"{folder} cannot be written: set NUMBA_CACHE_DIR to a folder of yours"}
    return {"folder": f"{folder}, {len(list(folder.rglob('*.nbc')))} kernels"}
