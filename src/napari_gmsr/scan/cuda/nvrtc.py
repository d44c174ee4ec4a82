"""CUDA C++ compiled at run time by NVRTC, which PyTorch's CUDA wheels carry.

The user's machine needs no compiler. Both libraries (NVRTC and the driver) are called through
ctypes; a compiled kernel is kept in the user's cache folder under a key of its source, options,
architecture and compiler version.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import site
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_void_p
from functools import cache
from pathlib import Path

from napari_gmsr.errors import EngineError
from napari_gmsr.scan.compilation import announce_compilation

__all__ = ["Module", "compile_cubin", "nvrtc_version", "supported_architectures"]

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


@cache
def nvrtc_version() -> tuple[int, int]:
    """Version of the NVRTC that will compile.

    Raises
    ------
    EngineError
        Where there is no NVRTC library.
    """
    major, minor = c_int(), c_int()
    _nvrtc_check(_nvrtc().nvrtcVersion(byref(major), byref(minor)))
    return major.value, minor.value


@cache
def supported_architectures() -> tuple[int, ...]:
    """Compute capabilities NVRTC can compile for, as 10 * major + minor, ascending."""
    count = c_int()
    _nvrtc_check(_nvrtc().nvrtcGetNumSupportedArchs(byref(count)))
    architectures = (c_int * count.value)()
    _nvrtc_check(_nvrtc().nvrtcGetSupportedArchs(architectures))
    return tuple(sorted(architectures))


def compile_cubin(source: str, options: Sequence[str], architecture: int) -> bytes:
    """Compile CUDA C++ to machine code, from the cache where it has been compiled before.

    Parameters
    ----------
    source
        The whole program.
    options
        Compiler options besides the architecture.
    architecture
        Compute capability, 10 * major + minor.

    Raises
    ------
    EngineError
        Where NVRTC is missing or refuses; the message holds its first line.
    """
    options = [*options, "--std=c++17", f"--gpu-architecture=sm_{architecture}"]
    key = hashlib.sha256(repr((source, options, nvrtc_version())).encode()).hexdigest()[:32]
    kept = _cache_folder() / f"{key}.cubin"
    if kept.is_file():
        return kept.read_bytes()
    announce_compilation("card")
    cubin = _compile(source, options)
    with suppress(OSError):  # a folder that cannot be written only costs the next compilation
        _write_atomically(kept, cubin)
    return cubin


class Module:
    """Kernels loaded on the current CUDA device.

    Parameters
    ----------
    cubin
        Machine code for this device.
    """

    def __init__(self, cubin: bytes) -> None:
        self._module = c_void_p()
        self._functions: dict[str, tuple[c_void_p, int]] = {}
        _driver_check(_driver().cuModuleLoadData(byref(self._module), cubin))

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        stream: int,
        arguments: Sequence[c_void_p | c_int | c_float | ctypes.Structure],
    ) -> None:
        """Start a kernel on a stream of the current device; returns before it has run."""
        function = self._function(name, shared_bytes)
        pointers = (c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
        _driver_check(
            _driver().cuLaunchKernel(
                function, *grid, threads, 1, 1, shared_bytes, stream, pointers, None
            )
        )

    def _function(self, name: str, shared_bytes: int) -> c_void_p:
        """Look a kernel up, allowed as much shared memory as it wants."""
        function, allowed = self._functions.get(name, (None, 48 * 1024))
        if function is None:
            function = c_void_p()
            _driver_check(
                _driver().cuModuleGetFunction(byref(function), self._module, name.encode())
            )
        if shared_bytes > allowed:
            allowed = shared_bytes
            _driver_check(
                _driver().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, c_int(allowed))
            )
        self._functions[name] = function, allowed
        return function


def _compile(source: str, options: Sequence[str]) -> bytes:
    nvrtc = _nvrtc()
    program = c_void_p()
    _nvrtc_check(
        nvrtc.nvrtcCreateProgram(byref(program), source.encode(), b"kernels.cu", 0, None, None)
    )
    try:
        array = (c_char_p * len(options))(*(o.encode() for o in options))
        result = nvrtc.nvrtcCompileProgram(program, len(options), array)
        if result:
            size = c_size_t()
            _nvrtc_check(nvrtc.nvrtcGetProgramLogSize(program, byref(size)))
            log = ctypes.create_string_buffer(size.value)
            _nvrtc_check(nvrtc.nvrtcGetProgramLog(program, log))
            raise EngineError(
                f"NVRTC could not compile the kernels: {log.value.decode(errors='replace')}",
                where="engine 'fused'",
                fix="Choose the reference engine, and report this.",
            )
        size = c_size_t()
        _nvrtc_check(nvrtc.nvrtcGetCUBINSize(program, byref(size)))
        cubin = ctypes.create_string_buffer(size.value)
        _nvrtc_check(nvrtc.nvrtcGetCUBIN(program, cubin))
        return cubin.raw
    finally:
        nvrtc.nvrtcDestroyProgram(byref(program))


def _cache_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("napari-gmsr", appauthor=False)) / "kernels"


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)


@cache
def _nvrtc() -> ctypes.CDLL:
    for name in _nvrtc_names():
        try:
            for builtins in Path(name).parent.glob("libnvrtc-builtins.so.*"):
                ctypes.CDLL(str(builtins))  # NVRTC asks for it by name; so it is found beside it
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = c_char_p
        library.nvrtcDestroyProgram.argtypes = [POINTER(c_void_p)]
        return library
    raise EngineError(
        "no NVRTC library was found",
        where="engine 'fused'",
        fix="Install PyTorch's CUDA build, which brings it, or choose the reference engine.",
    )


def _nvrtc_names() -> Iterator[str]:
    """Where NVRTC may lie: NVIDIA's wheels, PyTorch's own folder, then the system's search path."""
    windows = sys.platform == "win32"
    pattern = "nvrtc64_*_0.dll" if windows else "libnvrtc.so.*"
    for root in dict.fromkeys([sysconfig.get_path("purelib"), *site.getsitepackages(), *sys.path]):
        for folder in ("nvidia/*/lib", "nvidia/*/bin", "nvidia/*/bin/x86_64", "torch/lib"):
            for path in sorted(Path(root).glob(f"{folder}/{pattern}"), reverse=True):
                if "builtins" not in path.name and ".alt" not in path.name:
                    yield str(path)
    for version in ("13", "12", "11.2"):
        yield f"nvrtc64_{version}0_0.dll" if windows else f"libnvrtc.so.{version}"


@cache
def _driver() -> ctypes.CDLL:
    library = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    library.cuLaunchKernel.argtypes = [c_void_p, *[c_uint] * 7, c_void_p, c_void_p, c_void_p]
    return library


def _nvrtc_check(result: int) -> None:
    if result:
        raise EngineError(
            f"NVRTC failed: {_nvrtc().nvrtcGetErrorString(result).decode()}",
            where="engine 'fused'",
            fix="Choose the reference engine.",
        )


def _driver_check(result: int) -> None:
    if result:
        text = c_char_p()
        _driver().cuGetErrorString(result, byref(text))
        raise EngineError(
            f"the CUDA driver failed: {(text.value or b'unknown error').decode()} ({result})",
            where="engine 'fused'",
            fix="Choose the reference engine.",
        )
