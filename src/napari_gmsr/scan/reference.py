r"""The scan in plain PyTorch: any device, differentiable, bounded memory; the other engines' truth.

For a sequence :math:`s_l` of pixels (Gu and Dao, arXiv 2312.00752, in VMamba's four directions,
arXiv 2401.10166):

.. math::
    [r; B; C]_l &= X s_l, \qquad \Delta_l = \mathrm{softplus}(W r_l + \beta) \\
    h_l &= e^{\Delta_l A} h_{l-1} + \Delta_l B_l s_l, \qquad y_l = C_l h_l + D s_l

A loop over every pixel would take as many kernel launches as pixels. All four directions are
scanned at once, in segments of bounded size; a segment is cut into chunks that run side by side
(`napari_gmsr.scan.recurrence`). For the gradient the states that enter chunks are kept, and the
rest is computed again, segment by segment.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_gmsr.scan.parameters import STATE_SIZE, ScanParameters
from napari_gmsr.scan.recurrence import Inputs, scan_chunks, scan_chunks_backward

__all__ = ["selective_scan_2d"]

# States that one step of the loop over chunks updates: enough to fill a GPU, few enough to stay in
# a CPU's cache. Steps of a chunk: more of them make joining chunks cheaper and take more memory.
_STATES_AND_STEPS = {"cuda": (1 << 23, 32), "cpu": (1 << 19, 64)}
_FEWEST_STEPS = 16


def selective_scan_2d(x: Tensor, parameters: ScanParameters) -> Tensor:
    """Scan every picture in four directions and add the four results.

    Parameters
    ----------
    x
        (N, H, W, e), floating point; computed in its own dtype.
    parameters
        Weights of the scan, on the same device.

    Returns
    -------
    Tensor
        (N, H, W, e): y of rows + rows reversed, and of columns + columns reversed, added.
        Differentiable once.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters)):
        return cast("Tensor", _Scan.apply(x, *parameters))  # type: ignore[no-untyped-call]
    return _scan(x, parameters)


class _Scan(torch.autograd.Function):
    """The scan with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        entering: list[Tensor] = []
        y = _scan(x, ScanParameters(*weights), entering)
        ctx.save_for_backward(x, *weights, *entering)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor, ...]:
        x, *saved = ctx.saved_tensors
        count = len(ScanParameters._fields)
        return _gradients(x, ScanParameters(*saved[:count]), saved[count:], gy)


def _scan(x: Tensor, p: ScanParameters, entering: list[Tensor] | None = None) -> Tensor:
    """Scan; append to `entering`, where given, the states that enter each segment's chunks."""
    A, D = _decay_rates(p), p.D[:, None]
    lines, out = _Lines.of(x), _Lines.like(x)
    state = x.new_zeros(4, len(x), STATE_SIZE, x.shape[-1])
    for segment in _segments(x):
        s = lines.gather(segment)
        inputs = _project(s, segment, p.x_proj, p.dt_proj, p.dt_bias)
        y, chunks, state = scan_chunks(inputs, A, state)
        if entering is not None:
            entering.append(chunks)
        out.add(y.addcmul_(D, s), segment)
    return out.joined(x.shape)


def _gradients(
    x: Tensor, p: ScanParameters, entering: list[Tensor], gy: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of x and of every parameter, from that of y and the chunks' entering states."""
    A, D = _decay_rates(p), p.D[:, None]
    lines, upstream, out = _Lines.of(x), _Lines.of(gy), _Lines.like(x)
    projections = [w.detach().requires_grad_() for w in p[:3]]
    gradients = ScanParameters(*(torch.zeros_like(w) for w in p))
    adjoint = x.new_zeros(4, len(x), STATE_SIZE, x.shape[-1])
    for segment, states in zip(reversed(_segments(x)), reversed(entering), strict=True):
        s, gy_s = lines.gather(segment).requires_grad_(), upstream.gather(segment)
        with torch.enable_grad():
            inputs = _project(s, segment, *projections)
        known = Inputs(*(t.detach() for t in inputs))
        ginputs, gA_log, adjoint = scan_chunks_backward(known, A, states, gy_s, adjoint)
        gs, *gprojections = torch.autograd.grad(inputs, [s, *projections], ginputs)
        out.add(gs.addcmul_(D, gy_s), segment)
        gD = (gy_s * s.detach()).sum((0, 2))
        for total, g in zip(gradients, (*gprojections, gA_log.mT, gD), strict=True):
            total += g
    return out.joined(x.shape), *gradients


def _decay_rates(p: ScanParameters) -> Tensor:
    """Arrange A as the states lie: (4, 1, 16, e)."""
    return -torch.exp(p.A_log).mT[:, None].contiguous()


class _Segment(NamedTuple):
    """A part of each sequence, cut into chunks; the last chunk is padded."""

    start: int
    stop: int
    chunks: int
    steps: int

    @property
    def padding(self) -> int:
        """Steps after the end, fewer than a chunk's."""
        return self.chunks * self.steps - (self.stop - self.start)


def _segments(x: Tensor) -> list[_Segment]:
    """Cut sequences so that a step of all chunks updates as many states as the device likes."""
    pictures, height, width, channels = x.shape
    length = height * width
    states, most = _STATES_AND_STEPS.get(x.device.type, _STATES_AND_STEPS["cuda"])
    chunks = max(1, states // max(1, 4 * pictures * STATE_SIZE * channels))
    steps = min(most, max(_FEWEST_STEPS, -(-length // chunks)))
    starts = range(0, length, chunks * steps)
    stops = [*starts[1:], length]
    return [
        _Segment(start, stop, -(-(stop - start) // steps), steps)
        for start, stop in zip(starts, stops, strict=True)
    ]


class _Lines(NamedTuple):
    """Pictures as sequences, (N, H W, e): row after row, and column after column."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, x: Tensor) -> _Lines:
        """Arrange pictures (N, H, W, e); the columns are a copy."""
        return cls(x.flatten(1, 2), x.transpose(1, 2).flatten(1, 2))

    @classmethod
    def like(cls, x: Tensor) -> _Lines:
        """Zeros for pictures (N, H, W, e)."""
        return cls(*(torch.zeros_like(x).flatten(1, 2) for _ in range(2)))

    def gather(self, segment: _Segment) -> Tensor:
        """Take a part of the four sequences: (steps, 4, N chunks, e), contiguous, zeros at the end.

        Directions: rows, columns, rows reversed, columns reversed.
        """
        forwards, mirrored = self._slices(segment)
        parts = [line[:, forwards] for line in self]
        parts += [line[:, mirrored].flip(1) for line in self]
        s = F.pad(torch.stack(parts), (0, 0, 0, segment.padding))
        pictures, channels = len(self.rows), s.shape[-1]
        s = s.view(4, pictures * segment.chunks, segment.steps, channels)
        return s.movedim(2, 0).contiguous()

    def add(self, part: Tensor, segment: _Segment) -> None:
        """Add what `gather` would take."""
        forwards, mirrored = self._slices(segment)
        pictures, channels = len(self.rows), part.shape[-1]
        part = part.movedim(0, 2).reshape(4, pictures, -1, channels)
        part = part[:, :, : segment.stop - segment.start]
        for line, ahead, back in zip(self, part[:2], part[2:], strict=True):
            line[:, forwards] += ahead
            line[:, mirrored] += back.flip(1)

    def _slices(self, segment: _Segment) -> tuple[slice, slice]:
        length = self.rows.shape[1]
        mirrored = slice(length - segment.stop, length - segment.start)
        return slice(segment.start, segment.stop), mirrored

    def joined(self, shape: torch.Size) -> Tensor:
        """Add both as pictures of a shape (N, H, W, e)."""
        pictures, height, width, channels = shape
        columns = self.columns.view(pictures, width, height, channels).transpose(1, 2)
        return self.rows.view(shape).add_(columns)


def _project(
    s: Tensor, segment: _Segment, x_proj: Tensor, dt_proj: Tensor, dt_bias: Tensor
) -> Inputs:
    """Project pixels (steps, 4, N chunks, e) to steps, what they drive, B and C."""
    r, B, C = torch.split(s @ x_proj.mT, [dt_proj.shape[-1], STATE_SIZE, STATE_SIZE], dim=-1)
    dt = F.softplus(r @ dt_proj.mT + dt_bias[:, None])
    if segment.padding:  # a step of zero does nothing
        dt[-segment.padding :, :, segment.chunks - 1 :: segment.chunks] = 0
    return Inputs(dt, dt * s, B, C)
