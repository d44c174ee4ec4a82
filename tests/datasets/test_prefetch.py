"""Reading ahead changes when batches are made, and nothing else."""

from __future__ import annotations

import threading

import pytest
import torch

from napari_gmsr.datasets import prefetch
from napari_gmsr.errors import DatasetError


class Source:
    """Batches that tell where they come from; step ``broken`` fails, ``slow`` is held back."""

    device = torch.device("cpu")

    def __init__(self, broken: int | None = None, slow: int | None = None) -> None:
        self.broken, self.slow = broken, slow
        self.asked: list[int] = []
        self.released = threading.Event()

    def batch(self, step, *, rank=0, world=1):
        self.asked.append(step)
        if step == self.broken:
            raise DatasetError("a scene is gone", where="s3")
        if step == self.slow:
            self.released.wait(10)
        else:
            self.released.set()  # a later one overtakes it
        return torch.full((1, 3, 2, 2), step), torch.full((1, 4, 2, 2), 10 * rank + world)


def test_the_order_is_that_of_steps_even_where_a_batch_overtakes():
    with prefetch(Source(slow=7), 7, rank=2, world=4, depth=3) as batches:
        taken = [next(batches) for _ in range(8)]
    assert [int(rgb[0, 0, 0, 0]) for rgb, _ in taken] == list(range(7, 15))
    assert all((cube == 24).all() for _, cube in taken)
    assert batches.waited_s > 0


def test_no_more_than_depth_batches_are_made_ahead():
    source = Source()
    with prefetch(source, 0, depth=2) as batches:
        for _ in range(3):
            next(batches)
    assert max(source.asked) <= 4


def test_what_goes_wrong_in_a_thread_reaches_the_consumer_at_its_step():
    batches = prefetch(Source(broken=2), 0)
    assert int(next(batches)[0][0, 0, 0, 0]) == 0
    next(batches)
    with pytest.raises(DatasetError, match="s3: a scene is gone"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)


def test_close_ends_the_threads_and_may_be_repeated():
    batches = prefetch(Source(), 0)
    next(batches)
    batches.close()
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)
    assert not [t for t in threading.enumerate() if t.name.startswith("patches")]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_consumer_sees_finished_batches():
    class OnGPU(Source):
        device = torch.device("cuda")

        def batch(self, step, *, rank=0, world=1):
            host = torch.full((20, 34, 128, 128), float(step), pin_memory=True)
            values = host.to(self.device, non_blocking=True)
            return values[:, :3].contiguous(), values[:, 3:].contiguous()

    with prefetch(OnGPU(), 0) as batches:
        for step in range(20):
            rgb, cube = next(batches)
            assert (rgb == step).all()
            assert (cube == step).all()
