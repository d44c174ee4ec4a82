"""The fused scan's CUDA kernels, compiled for the CPU: what they compute, without a GPU."""

import ctypes
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from napari_gmsr.scan.cuda.kernels import Layout, Walk, source

HEADER = Path(__file__).with_name("emulator.hpp")


class EmulatedKernels:
    """Runs the kernels of a layout on CPU tensors, one thread at a time."""

    def __init__(self, layout: Layout, compiler: str, folder: Path) -> None:
        self.layout = layout
        program = source(primitives=False)
        program = program.replace("extern __shared__", "extern").replace("__shared__", "static")
        names = re.findall(r"__global__ void (?:__launch_bounds__\(.*?\)+ )?(\w+)\(", program)
        lines = [f'#include "{HEADER}"', program, *(f"KERNEL({name})" for name in names)]
        path = folder / f"scan_{layout.channels}_{layout.rank}.cpp"
        path.write_text("\n".join(lines), encoding="utf-8")
        macros = [f"-D{name}={value}" for name, value in layout.macros.items()]
        library = path.with_suffix(".so")
        subprocess.run(
            [compiler, "-std=c++17", "-O1", "-w", "-fPIC", "-shared", *macros, path, "-o", library],
            check=True,
        )
        self._library = ctypes.CDLL(str(library))

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        shared_bytes: int,
        arguments: Sequence[Tensor | int | Walk],
    ) -> None:
        packed = [
            ctypes.c_void_p(a.data_ptr())
            if isinstance(a, Tensor)
            else ctypes.c_int(a)
            if isinstance(a, int)
            else a
            for a in arguments
        ]
        pointers = (ctypes.c_void_p * len(packed))(*(ctypes.addressof(a) for a in packed))
        result = getattr(self._library, f"emulate_{name}")(
            (ctypes.c_uint * 3)(*grid), threads, shared_bytes, pointers
        )
        assert result == 0, f"{name}: emulation ended with {result}"
