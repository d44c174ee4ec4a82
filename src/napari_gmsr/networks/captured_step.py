"""One step of training, launched as one piece where the device is a CUDA card.

A step of GMSR-Net is some hundreds of short kernels, and the processor takes longer to launch them
than the card to run them. A CUDA graph records the launches once and repeats them all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version

from napari_gmsr.errors import EngineError, InputError
from napari_gmsr.scan.engines import choose_engine

__all__ = ["CapturedStep"]


class CapturedStep:
    """A training step: gradients to zero, forward, backward, clipping, optimiser.

    The first step with batches of a shape runs as PyTorch runs it, the second is recorded, and from
    then on the recording is repeated; each call is one step. Recordings are made again when
    the network's tensors or mode or the optimiser's state have been replaced. Where nothing can be
    recorded (no CUDA device, another engine than ``fused``, a network wrapped for several devices),
    every step runs as PyTorch runs it.

    Learning rates become tensors on the network's device. Between steps they may be
    changed by a scheduler or by assigning a number to ``optimiser.param_groups[i]["lr"]``; any
    other setting of the optimiser is fixed with the recording.

    Parameters
    ----------
    network
        On its device, in training mode.
    optimiser
        Of the network's parameters, one that knows ``capturable`` (Adam and its like); it is set.
    loss
        loss(prediction, cube, rgb) -> scalar. It must not look at values on the processor
        (``item``, ``if`` on a tensor).
    clip_norm
        Largest norm of all gradients together, or None.
    capture
        False to record nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        loss: Callable[[Tensor, Tensor, Tensor], Tensor],
        clip_norm: float | None = None,
        *,
        capture: bool = True,
    ) -> None:
        self.network = network
        self.optimiser = optimiser
        self.loss = loss
        self.clip_norm = clip_norm
        self._capture = capture
        self._parameters = [p for group in optimiser.param_groups for p in group["params"]]
        self._rates: list[Tensor] = []
        self._recordings: dict[Hashable, _Recording | None] = {}  # None: run once
        self._recorded_for: Hashable = None
        self._pool: Any = None
        optimiser.register_load_state_dict_post_hook(lambda _: self._adopt_state())
        self._adopt_state()

    def __call__(self, rgb: Tensor, cube: Tensor) -> Tensor:
        """Take one step.

        Parameters
        ----------
        rgb
            (N, 3, H, W) in [0, 1], on the network's device.
        cube
            (N, bands, H, W), likewise.

        Returns
        -------
        Tensor
            The batch's loss before the step, a scalar on the network's device, detached.

        Raises
        ------
        InputError
            Where the optimiser cannot be recorded.
        EngineError
            Where the recording failed.
        """
        if not self.captures:
            return self._step(rgb, cube)
        state = self.network.training, *(p.data_ptr() for p in self.network.parameters())
        if state != self._recorded_for:
            self._forget()
            self._recorded_for = state
        self._prepare_optimiser(rgb.device)
        shape = rgb.shape, rgb.dtype, cube.shape, cube.dtype
        if shape not in self._recordings:
            self._recordings[shape] = None
            with _side_stream():
                return self._step(rgb, cube)
        recording = self._recordings[shape]
        if recording is None:
            recording = self._recordings[shape] = self._record(rgb, cube)
        loss = recording.replay(rgb, cube)
        increment_version(self._parameters)  # so that it is noticed that they have changed
        return loss

    @property
    def captures(self) -> bool:
        """Whether steps are recorded, as things are."""
        parameter = self._parameters[0]
        if not self._capture or not parameter.is_cuda:
            return False
        asked = getattr(self.network, "engine", None)
        if asked is not None:
            return choose_engine(parameter.device, asked, gradients=True).name == "fused"
        return not isinstance(self.network, nn.parallel.DistributedDataParallel | nn.DataParallel)

    def _step(self, rgb: Tensor, cube: Tensor) -> Tensor:
        self.optimiser.zero_grad()
        loss = self.loss(self.network(rgb), cube, rgb)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self.clip_norm)
        self.optimiser.step()
        return loss.detach()

    def _record(self, rgb: Tensor, cube: Tensor) -> _Recording:
        """Record a step; nothing is computed yet."""
        self.optimiser.zero_grad()
        torch.cuda.empty_cache()  # what the first step has used is needed for the recording
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        rgb, cube = torch.empty_like(rgb), torch.empty_like(cube)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                loss = self._step(rgb, cube)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise EngineError(
                f"the training step could not be recorded as a CUDA graph: {error}",
                where="training step",
                fix="Start again and record nothing (capture=False), or with a loss that does not "
                "look at values.",
            ) from error
        return _Recording(graph, rgb, cube, loss)

    def _adopt_state(self) -> None:
        """Begin anew with the optimiser's state, which may come from another kind of device."""
        self._forget()
        if not self._parameters[0].is_cuda:
            for group in self.optimiser.param_groups:
                if "capturable" in group:
                    group["capturable"] = False

    def _forget(self) -> None:
        self._recordings.clear()
        self._rates = []
        self._pool = None

    def _prepare_optimiser(self, device: torch.device) -> None:
        """Keep everything that changes between steps in tensors on the device."""
        groups = self.optimiser.param_groups
        if not self._rates:
            for group in groups:
                if "capturable" not in group:
                    raise InputError(
                        f"{type(self.optimiser).__name__} cannot be recorded in a CUDA graph",
                        where="optimiser",
                        fix="Use Adam or AdamW, or record nothing (capture=False).",
                    )
                group["capturable"] = True
            for state in self.optimiser.state.values():
                if "step" in state:
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32).to(device)
            self._rates = [torch.zeros((), device=device) for _ in groups]
        for group, rate in zip(groups, self._rates, strict=True):
            if group["lr"] is not rate:
                rate.copy_(torch.as_tensor(group["lr"]))
                group["lr"] = rate


@dataclass(frozen=True)
class _Recording:
    """A recorded step and the tensors it reads and writes."""

    graph: torch.cuda.CUDAGraph
    rgb: Tensor
    cube: Tensor
    loss: Tensor

    def replay(self, rgb: Tensor, cube: Tensor) -> Tensor:
        self.rgb.copy_(rgb, non_blocking=True)
        self.cube.copy_(cube, non_blocking=True)
        self.graph.replay()
        return self.loss.clone()


@contextmanager
def _side_stream() -> Iterator[None]:
    """Run on a stream of one's own, as what is to be recorded must have run before."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)
