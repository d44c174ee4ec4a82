"""Batches made ahead of the step that takes them."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from napari_gmsr.datasets.patches import PatchSource

__all__ = ["Prefetch", "prefetch"]

THREADS = 2

_Batch = tuple[Tensor, Tensor, "torch.cuda.Event | None"]


class Prefetch(Iterator[tuple[Tensor, Tensor]]):
    """What `prefetch` returns: an endless iterator over batches, in the order of steps.

    Attributes
    ----------
    waited_s
        Time in seconds that ``next`` has waited for batches so far.
    """

    def __init__(
        self, source: PatchSource, first_step: int, rank: int, world: int, depth: int
    ) -> None:
        self.waited_s = 0.0
        self._source, self._step, self._rank, self._world = source, first_step, rank, world
        device = torch.device(getattr(source, "device", "cpu"))
        # One for all threads: the allocator keeps memory for each stream apart.
        self._stream = (
            torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="patches")
        self._ahead: deque[Future[_Batch]] = deque()
        self._closed = False
        for _ in range(depth):
            self._submit()

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Return the next batch; raise what making it raised, in the caller's thread."""
        if self._closed:
            raise StopIteration
        started = time.perf_counter()
        try:
            rgb, cube, made = self._ahead.popleft().result()
        except BaseException:
            self.close()
            raise
        finally:
            self.waited_s += time.perf_counter() - started
        if made is not None:
            stream = torch.cuda.current_stream(rgb.device)
            stream.wait_event(made)
            # The memory came from the side stream: it is not reused before this one is done.
            rgb.record_stream(stream)
            cube.record_stream(stream)
        self._submit()
        return rgb, cube

    def close(self) -> None:
        """Stop reading ahead and wait for the threads; may be called again."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def __enter__(self) -> Prefetch:
        """Return itself; the end of the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _submit(self) -> None:
        self._ahead.append(self._threads.submit(self._make, self._step))
        self._step += 1

    def _make(self, step: int) -> _Batch:
        side = torch.cuda.stream(self._stream) if self._stream else contextlib.nullcontext()
        with side:
            rgb, cube = self._source.batch(step, rank=self._rank, world=self._world)
            made = self._stream.record_event() if self._stream else None
        return rgb, cube, made


def prefetch(
    source: PatchSource, first_step: int, *, rank: int = 0, world: int = 1, depth: int = 4
) -> Prefetch:
    """Make batches ahead in threads; on CUDA on a stream of its own.

    Parameters
    ----------
    source
        Where batches come from.
    first_step
        The step of the first batch.
    rank, world
        This process's number, and how many there are.
    depth
        Batches ahead, at least 1.

    Returns
    -------
    Prefetch
        Gives exactly ``source.batch(first_step)``, ``source.batch(first_step + 1)``, ...
    """
    return Prefetch(source, first_step, rank, world, max(1, depth))
