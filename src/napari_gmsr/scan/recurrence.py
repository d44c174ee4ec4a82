r"""The recurrence :math:`h_t = e^{\Delta_t A} h_{t-1} + u_t B_t, y_t = C_t h_t`, over chunks.

Chunks of a sequence run side by side: first from a zero state, which after joining gives the state
that truly enters each, then from there. Time is the slowest axis, so that a step of all chunks lies
together. What counts is how often states travel to memory (`napari_gmsr.scan.elementwise`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_gmsr.scan.elementwise import Elementwise, elementwise

__all__ = ["Inputs", "scan_chunks", "scan_chunks_backward"]


class Inputs(NamedTuple):
    """What drives the recurrence: T steps of M = N chunks sequences in each of 4 directions."""

    dt: Tensor
    """(T, 4, M, e): steps, not negative."""
    u: Tensor
    """(T, 4, M, e): step times input."""
    B: Tensor
    """(T, 4, M, 16)."""
    C: Tensor
    """(T, 4, M, 16)."""


def scan_chunks(inputs: Inputs, A: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scan chunks that follow each other.

    Parameters
    ----------
    inputs
        Of all chunks; M counts the chunks of the first of N sequences, then the second's.
    A
        (4, 1, 16, e): rates of decay, negative.
    state
        (4, N, 16, e): before the first chunk.

    Returns
    -------
    y : Tensor
        (T, 4, M, e).
    entering : Tensor
        (4, M, 16, e): state before each chunk.
    state : Tensor
        (4, N, 16, e): after the last chunk.
    """
    f = elementwise(A)
    rates, steps = f.pack(A), _steps(f, inputs)
    h = f.pack(A.new_zeros(*inputs.dt.shape[1:3], *A.shape[2:]))
    for dt, u, B in steps:
        h = f.advance(h, dt, rates, u, B)
    entering, state = _join(_decay(inputs, A), f.unpack(h), state)

    y = torch.empty_like(inputs.u)
    h = f.pack(entering)
    for (dt, u, B), C, out in zip(steps, _rows(inputs.C), _rows(y), strict=True):
        h = f.advance(h, dt, rates, u, B)
        torch.bmm(C, f.unpack(h).flatten(0, 1), out=out)
    return y, entering, state


def scan_chunks_backward(
    inputs: Inputs, A: Tensor, entering: Tensor, gy: Tensor, adjoint: Tensor
) -> tuple[Inputs, Tensor, Tensor]:
    """Gradients of `scan_chunks`.

    Parameters
    ----------
    inputs, A, entering
        As it took and gave them.
    gy
        (T, 4, M, e): gradient of y.
    adjoint
        (4, N, 16, e): gradient of the state after the last chunk.

    Returns
    -------
    inputs : Inputs
        Gradients of the inputs.
    A_log : Tensor
        (4, 16, e): gradient of log(-A).
    adjoint : Tensor
        (4, N, 16, e): gradient of the state before the first chunk.
    """
    f = elementwise(A)
    rates, steps = f.pack(A), _steps(f, inputs)
    # The adjoint goes from the last step to the first, by the step after each.
    none = torch.zeros_like(steps[0][0])
    later = [*(dt for dt, _, _ in steps[1:]), none]
    sources = [f.pack(gy)[:, :, :, None].unbind(), f.spread(inputs.C)[..., None].unbind()]
    backwards = list(zip(later, *sources, strict=True))[::-1]

    # Every chunk as if nothing followed; then joined.
    g = f.pack(torch.zeros_like(entering))
    for dt, gy_t, C in backwards:
        g = f.advance(g, dt, rates, gy_t, C)
    g = f.advance(g, steps[0][0], rates, none, C)
    g, adjoint = _join_reversed(_decay(inputs, A), f.unpack(g), adjoint)

    states = [f.pack(entering)]
    for dt, u, B in steps:
        states.append(f.advance(states[-1], dt, rates, u, B))

    gradients = Inputs(*(torch.empty_like(t) for t in inputs))
    gA_log = torch.zeros_like(entering)
    dts, B_rows, u_columns = inputs.dt[:, :, :, None], _rows(inputs.B), _columns(inputs.u)
    gy_columns = _columns(gy)
    gu, gB, gC = _rows(gradients.u), _columns(gradients.B), _columns(gradients.C)
    g = f.pack(g)
    for t, (dt, gy_t, C) in zip(range(len(steps) - 1, -1, -1), backwards, strict=True):
        g = f.advance(g, dt, rates, gy_t, C)
        batch = f.unpack(g).flatten(0, 1)
        torch.bmm(B_rows[t], batch, out=gu[t])
        torch.bmm(batch, u_columns[t], out=gB[t])
        torch.bmm(f.unpack(states.pop()).flatten(0, 1), gy_columns[t], out=gC[t])
        gexponent = f.unpack(f.weigh(g, steps[t][0], rates, states[-1]))
        gA_log.addcmul_(gexponent, dts[t])
        torch.sum(gexponent, 2, out=gradients.dt[t])
    return gradients, gA_log.sum(1), adjoint


def _steps(f: Elementwise, inputs: Inputs) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Step, drive and B of every step, with the axes of states: (4, M, 16 or 1, e or 1)."""
    dt, u = (f.pack(t)[:, :, :, None].unbind() for t in (inputs.dt, inputs.u))
    return list(zip(dt, u, f.spread(inputs.B)[..., None].unbind(), strict=True))


def _rows(t: Tensor) -> tuple[Tensor, ...]:
    """Matrices of one row for each step, (4 M, 1, c), of t (T, 4, M, c)."""
    return t.flatten(1, 2)[:, :, None].unbind()


def _columns(t: Tensor) -> tuple[Tensor, ...]:
    """Matrices of one column for each step, (4 M, c, 1), of t (T, 4, M, c)."""
    return t.flatten(1, 2)[..., None].unbind()


def _decay(inputs: Inputs, A: Tensor) -> Tensor:
    """Give what is left of a state after its chunk."""
    return torch.exp(inputs.dt.sum(0)[:, :, None] * A)


def _join(decay: Tensor, end: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Join chunks that started from zero.

    From each chunk's decay and end state, both (4, M, 16, e), and the state (4, N, 16, e) before
    the first, give the state that enters each chunk and the one that leaves the last.
    """
    entering = torch.empty_like(end)
    by_sequence = (4, state.shape[1], -1, *state.shape[2:])
    decay, end, chunks = (t.view(by_sequence) for t in (decay, end, entering))
    return entering, _join_pairs(decay, end, chunks, state)


def _join_reversed(decay: Tensor, end: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Join as `_join`, from the last chunk to the first."""
    by_sequence = (4, state.shape[1], -1, *state.shape[2:])
    decay, end = (t.view(by_sequence).flip(2).view(end.shape) for t in (decay, end))
    entering, state = _join(decay, end, state)
    return entering.view(by_sequence).flip(2).view(end.shape), state


def _join_pairs(decay: Tensor, end: Tensor, entering: Tensor, state: Tensor) -> Tensor:
    """Fill `entering`, all (4, N, chunks, 16, e), by joining pairs of chunks to longer ones."""
    chunks = decay.shape[2]
    if chunks > 1:
        first, second = slice(0, chunks - 1, 2), slice(1, chunks, 2)
        joined = torch.addcmul(end[:, :, second], decay[:, :, second], end[:, :, first])
        before = entering[:, :, first]
        state = _join_pairs(decay[:, :, first] * decay[:, :, second], joined, before, state)
        entering[:, :, second] = torch.addcmul(end[:, :, first], decay[:, :, first], before)
    if chunks % 2:
        entering[:, :, -1] = state
        state = torch.addcmul(end[:, :, -1], decay[:, :, -1], state)
    return state
