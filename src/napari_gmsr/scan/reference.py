r"""The scan in plain PyTorch: any device, differentiable, bounded memory; the other engines' truth.

For a sequence :math:`s_l` of pixels (Gu and Dao, arXiv 2312.00752, in VMamba's four directions,
arXiv 2401.10166):

.. math::
    [r; B; C]_l &= X s_l, \qquad \Delta_l = \mathrm{softplus}(W r_l + \beta) \\
    h_l &= e^{\Delta_l A} h_{l-1} + \Delta_l B_l s_l, \qquad y_l = C_l h_l + D s_l

A loop over every pixel would take as many kernel launches as pixels. The sequence is cut into
chunks that run side by side from a zero state; a prefix scan over the chunks gives the state that
truly enters each, and its decayed part is added to the outputs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from napari_gmsr.scan.parameters import STATE_SIZE, ScanParameters

__all__ = ["selective_scan_2d"]

# Pixels of all pictures whose step, B and C exist at once; bounds memory whatever the picture's
# size.
_PIXELS_PER_SEGMENT = 1 << 16
# States that one step of the chunk loop updates: enough to fill a GPU, few enough to stay in a
# CPU's cache.
_STATES_PER_STEP = {"cuda": 1 << 22, "cpu": 1 << 19}


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
        (N, H, W, e): y of rows + rows reversed + columns + columns reversed, added in this order.
    """
    total: Tensor | None = None
    for direction in (0, 2, 1, 3):
        by_column, backwards = direction % 2 == 1, direction >= 2
        image = x.transpose(1, 2) if by_column else x
        y = _scan_lines(image, ScanParameters(*(p[direction] for p in parameters)), backwards)
        y = y.transpose(1, 2) if by_column else y
        total = y if total is None else total + y
    assert total is not None
    return total


def _scan_lines(image: Tensor, p: ScanParameters, backwards: bool) -> Tensor:
    """Scan (N, lines, length, e) line after line; the state goes from segment to segment."""
    pictures, lines, length, channels = image.shape
    state = image.new_zeros(pictures, channels, STATE_SIZE)
    remember_little = torch.is_grad_enabled() and (
        image.requires_grad or any(w.requires_grad for w in p)
    )
    outputs = []
    for segment in _segments(lines, max(1, _PIXELS_PER_SEGMENT // (pictures * length)), backwards):
        s = image[:, segment].reshape(pictures, -1, channels)
        s = s.flip(1) if backwards else s
        if remember_little:
            y, state = checkpoint(_scan_segment, s, state, p, use_reentrant=False)
        else:
            y, state = _scan_segment(s, state, p)
        y = y.flip(1) if backwards else y
        outputs.append(y.reshape(pictures, -1, length, channels))
    return torch.cat(outputs[::-1] if backwards else outputs, dim=1)


def _segments(lines: int, size: int, backwards: bool) -> Iterator[slice]:
    starts = range(0, lines, size)
    for start in reversed(starts) if backwards else starts:
        yield slice(start, min(start + size, lines))


def _scan_segment(s: Tensor, state: Tensor, p: ScanParameters) -> tuple[Tensor, Tensor]:
    """Scan s (N, L, e) from `state` (N, e, 16); return y (N, L, e) and the last state."""
    pictures, length, channels = s.shape
    A = -torch.exp(p.A_log)  # (e, 16)
    r, B, C = torch.split(s @ p.x_proj.T, [p.rank, STATE_SIZE, STATE_SIZE], dim=-1)
    dt = F.softplus(r @ p.dt_proj.T + p.dt_bias)

    states = _STATES_PER_STEP.get(s.device.type, _STATES_PER_STEP["cuda"])
    chunks = max(1, min(length, states // (pictures * channels * STATE_SIZE)))
    steps = -(-length // chunks)
    chunks = -(-length // steps)

    def cut(t: Tensor) -> Tensor:
        """(N, L, c) -> (N, chunks, steps, c); padded by dt = 0, which does nothing."""
        t = F.pad(t, (0, 0, 0, chunks * steps - length))
        return t.reshape(pictures, chunks, steps, -1)

    dt, drive, B, C = cut(dt), cut(dt * s), cut(B), cut(C)

    # Every chunk from a zero state.
    h = s.new_zeros(pictures, chunks, channels, STATE_SIZE)
    outputs = []
    for t in range(steps):
        decay = torch.exp(dt[:, :, t, :, None] * A)
        h = torch.addcmul(decay * h, drive[:, :, t, :, None], B[:, :, t, None, :])
        outputs.append((h @ C[:, :, t, :, None]).squeeze(-1))
    y = torch.stack(outputs, dim=2)  # (N, chunks, steps, e)

    # What enters each chunk, and what is left of it at each step.
    elapsed = dt.cumsum(dim=2)
    entering, state = _states_between_chunks(torch.exp(elapsed[:, :, -1, :, None] * A), h, state)
    y = y + _decayed(entering, elapsed, A, C, states)

    y = y.reshape(pictures, chunks * steps, channels)[:, :length]
    return y + p.D * s, state


def _states_between_chunks(decay: Tensor, end: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Prefix scan over chunks, by doubling.

    From each chunk's decay and end state, both (N, chunks, e, 16), and the state before the first,
    give the state that enters each chunk and the one that leaves the last.
    """
    end = torch.cat([end[:, :1] + decay[:, :1] * state[:, None], end[:, 1:]], dim=1)
    distance = 1
    while distance < end.shape[1]:
        end = torch.cat(
            [
                end[:, :distance],
                torch.addcmul(end[:, distance:], decay[:, distance:], end[:, :-distance]),
            ],
            dim=1,
        )
        decay = torch.cat([decay[:, :distance], decay[:, distance:] * decay[:, :-distance]], dim=1)
        distance *= 2
    return torch.cat([state[:, None], end[:, :-1]], dim=1), end[:, -1]


def _decayed(entering: Tensor, elapsed: Tensor, A: Tensor, C: Tensor, states: int) -> Tensor:
    """Give what is left of the entering states at every step: C exp(A elapsed) h."""
    block = max(1, states // entering.numel())
    pieces = []
    for start in range(0, elapsed.shape[2], block):
        part = slice(start, start + block)
        left = torch.exp(elapsed[:, :, part, :, None] * A) * entering[:, :, None]
        pieces.append((left @ C[:, :, part, :, None]).squeeze(-1))
    return torch.cat(pieces, dim=2)
