"""Compiling kernels for this processor, keeping them on disk, and running them on several threads.

Threads are Python's own, and the kernels release the interpreter lock. numba's parallel loops are
not used: their default layer aborts the process when two Python threads enter it at once, as dask's
scheduler and napari's workers do.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import numba
import platformdirs
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from napari_gmsr.scan.compilation import announce_compilation

__all__ = ["Workers", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call, and keep the machine code on disk.

    It runs without the interpreter lock. The code lies in ``NUMBA_CACHE_DIR`` or the user's cache
    folder, never beside the package, which may be read-only.
    """
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    # What cache=True does, with another cache.
    compiled._cache = _KernelCache(function)  # type: ignore[no-untyped-call]
    result: Callable[P, R] = compiled
    return result


class Workers:
    """Threads that run kernels side by side; a context manager.

    Parameters
    ----------
    threads
        How many; ``None`` for as many as PyTorch uses (``torch.set_num_threads``,
        ``OMP_NUM_THREADS``).
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is None:
            import torch

            threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(threads, "gmsr-cpu") if threads > 1 else None

    def run(self, jobs: Iterable[Callable[[], object]]) -> None:
        """Call all in any order, and return when all are done; each writes to its own place."""
        if self._pool is None:
            for job in jobs:
                job()
            return
        for future in [self._pool.submit(job) for job in jobs]:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@cache
def _digest(*folders: Path) -> str:
    """Hash of all sources that may be compiled into a kernel.

    numba itself looks only at the file of the outermost function.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for source in sorted(folder.glob("*cpu*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


class _Locator(_CacheLocator):
    """Where the machine code of a function lies, and what it was compiled from."""

    def __init__(self, line: int, file: Path) -> None:
        chosen = getattr(config, "CACHE_DIR", "")  # set by numba from NUMBA_CACHE_DIR
        root = chosen or platformdirs.user_cache_path("napari-gmsr", False)
        self._digest = _digest(Path(__file__).parent, file.parent)
        self._folder = Path(root) / f"kernels-{self._digest[:16]}"
        self._line = line

    @classmethod
    def from_function(cls, py_func: Callable[..., object], py_file: str) -> Self:
        return cls(py_func.__code__.co_firstlineno, Path(py_file))

    def get_cache_path(self) -> str:
        return os.fspath(self._folder)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return str(self._line)


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class _KernelCache(FunctionCache):
    """numba's cache; one that cannot be used costs time, never the result.

    numba's key holds the processor's name and features, so that code for another one is not found.
    """

    _impl_class = _KernelCacheImpl

    def load_overload(self, sig: object, target_context: object) -> object:
        kept = self._read(sig, target_context)
        if kept is None:
            announce_compilation("processor")
        return kept

    def _read(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except OSError:  # nothing is there to be read; saving says what is wrong with the folder
            return None
        except Exception as error:  # a damaged file may raise anything while it is unpickled
            _warn(f"Compiled kernels in {self.cache_path} cannot be read: {error!r}")
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:  # of the file system, or of reading a damaged index
            _warn(f"Compiled kernels cannot be kept in {self.cache_path}: {error!r}")


@cache
def _warn(message: str) -> None:
    """Say it once, not for each kernel."""
    _log.warning("%s. They are compiled again at each start.", message)
