"""CUDA kernels compiled for the CPU: what they compute, without a GPU."""

import ctypes
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from napari_gmsr.scan.cuda.kernels import Argument, Program, by_value

HEADER = Path(__file__).with_name("emulator.hpp")


class EmulatedKernels:
    """Runs a program's kernels on CPU tensors, one thread at a time."""

    multiprocessors = 8

    def __init__(self, program: Program, compiler: str, folder: Path) -> None:
        source = program.source
        source = source.replace("extern __shared__", "extern").replace("__shared__", "static")
        names = re.findall(r"__global__ void (?:__launch_bounds__\(.*?\)+ )?(\w+)\(", source)
        lines = [f'#include "{HEADER}"', source, *(f"KERNEL({name})" for name in names)]
        path = folder / f"{abs(hash(program))}.cpp"
        path.write_text("\n".join(lines), encoding="utf-8")
        macros = [f"-D{name}={value}" for name, value in program.macros]
        library = path.with_suffix(".so")
        options = ["-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-U_FORTIFY_SOURCE"]
        subprocess.run([compiler, *options, *macros, path, "-o", library], check=True)
        self._library = ctypes.CDLL(str(library))

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Argument],
    ) -> None:
        packed = [by_value(a) for a in arguments]
        pointers = (ctypes.c_void_p * len(packed))(*(ctypes.addressof(a) for a in packed))
        result = getattr(self._library, f"emulate_{name}")(
            (ctypes.c_uint * 3)(*grid), threads, shared_bytes, pointers
        )
        assert result == 0, f"{name}: emulation ended with {result}"
