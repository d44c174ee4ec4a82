"""The processes that train together: one, or several that torchrun has started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from napari_gmsr.errors import GMSRError
from napari_gmsr.reconstruct import choose_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Processes"]

T = TypeVar("T")
_PAUSE_AT_MOST = timedelta(days=365)  # the others wait in a collective while the first one pauses


class Processes:
    """One process among those that train together, and its device.

    Gradients are averaged in one flat all-reduce just before the optimiser's step: these networks
    are small, so that buckets of gradients on their way during the backward pass would gain nothing
    and could not be recorded in a CUDA graph together with the step.

    Parameters
    ----------
    device
        As in the configuration; each of several processes on a machine takes a GPU of its own.

    Raises
    ------
    GMSRError
        Where the device is not there, or there are several processes without Lightning Fabric.
    """

    def __init__(self, device: str) -> None:
        wanted, self.device_reason = choose_device(device)
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = 0
        self.device: torch.device = wanted
        self._words: distributed.ProcessGroup | None = None
        if self.world > 1:
            fabric = _launched(wanted.type, self.world)
            self.device, self.rank = fabric.device, fabric.global_rank
            # What is decided travels between processors, so that no device is waited for.
            self._words = distributed.new_group(backend="gloo", timeout=_PAUSE_AT_MOST)
        elif wanted.type == "cuda":
            self.device = torch.device("cuda", wanted.index or 0)
            torch.cuda.set_device(self.device)

    @property
    def is_first(self) -> bool:
        """Whether this one decides and writes."""
        return self.rank == 0

    def share(self, values: Sequence[float]) -> list[float]:
        """Return the first process's numbers, everywhere."""
        if self._words is None:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(tensor, 0, group=self._words)
        return [float(value) for value in tensor]

    def gather(self, value: T) -> list[T]:
        """Return every process's value, in the order of ranks."""
        if self._words is None:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value, group=self._words)
        return values

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Run the block in the first process, then in the others."""
        if not self.is_first:
            self.share([0.0])
        yield
        if self.is_first:
            self.share([0.0])

    def average_gradients(
        self, optimiser: torch.optim.Optimizer, clip_norm: float | None
    ) -> float | None:
        """Have gradients averaged over processes, then clipped, before each step.

        Returns
        -------
        float or None
            The norm that is still to be clipped to by whoever takes the step.
        """
        if self.world == 1:
            return clip_norm
        parameters = [p for group in optimiser.param_groups for p in group["params"]]

        def average(*_: Any) -> None:
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = torch.cat([g.reshape(-1) for g in gradients])
            distributed.all_reduce(flat)
            flat /= self.world
            parts: list[Tensor] = list(torch.split(flat, [g.numel() for g in gradients]))
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, clip_norm)

        optimiser.register_step_pre_hook(average)
        return None


def _launched(accelerator: str, world: int) -> Fabric:
    """Join the other processes; Fabric knows how they find each other, and which GPU is whose."""
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise GMSRError(
            "training in several processes needs the package lightning-fabric",
            where="training",
            fix="Install it: pip install 'napari-gmsr[train]'.",
        ) from error
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=accelerator, devices=local, num_nodes=world // local, strategy="ddp"
    )
    fabric.launch()
    return fabric
