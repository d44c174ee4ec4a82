"""One step of the recurrence on many states, in as few passes over memory as PyTorch allows.

On a GPU of PyTorch's ``cuda`` kind (NVIDIA or AMD) a step is one elementwise function, which
PyTorch compiles itself (``torch.cuda.jiterator``; no compiler is needed). Elsewhere, and where that
does not work, it is made of ready operations.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["Elementwise", "elementwise"]


class _Advance(Protocol):
    def __call__(self, h: Tensor, dt: Tensor, A: Tensor, u: Tensor, B: Tensor) -> Tensor: ...


class _Retreat(Protocol):
    def __call__(self, g: Tensor, dt: Tensor, A: Tensor, h: Tensor) -> tuple[Tensor, Tensor]: ...


class Elementwise(NamedTuple):
    """Elementwise functions of tensors that are broadcast; exponents dt A are not positive."""

    advance: _Advance
    """e^(dt A) h + u B: the next state."""
    retreat: _Retreat
    """g e^(dt A), the adjoint of the state before, and g e^(dt A) h A, the gradient of log(dt A)
    divided by dt."""


def elementwise(A: Tensor) -> Elementwise:
    """Give the functions for tensors of A's device and dtype."""
    return _functions(A.device.type, A.dtype)


@cache
def _functions(device: str, dtype: torch.dtype) -> Elementwise:
    if device == "cpu":
        return Elementwise(_advance_on_cpu, _retreat_on_cpu)
    if device == "cuda":
        one = torch.ones((), device=device, dtype=dtype)
        # The interface is young, and the compiler may be missing: what it is for works without.
        with suppress(ImportError, AttributeError, TypeError, RuntimeError):
            compiled = _compiled()
            compiled.advance(one, one, -one, one, one)
            compiled.retreat(one, one, -one, one)
            return compiled
    return Elementwise(_advance, _retreat)


def _compiled() -> Elementwise:
    """Hand the functions to PyTorch, which compiles them when they are first called."""
    from torch.cuda.jiterator import _create_jit_fn, _create_multi_output_jit_fn

    advance = """
    template <typename T> T advance(T h, T dt, T A, T u, T B) { return exp(dt * A) * h + u * B; }
    """
    retreat = """
    template <typename T> void retreat(T g, T dt, T A, T h, T& decayed, T& gradient) {
        decayed = exp(dt * A) * g;
        gradient = decayed * h * A;
    }
    """
    return Elementwise(_create_jit_fn(advance), _create_multi_output_jit_fn(retreat, 2))


def _advance(h: Tensor, dt: Tensor, A: Tensor, u: Tensor, B: Tensor) -> Tensor:
    return torch.exp(dt * A).mul_(h).addcmul_(u, B)


def _retreat(g: Tensor, dt: Tensor, A: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    decayed = torch.exp(dt * A).mul_(g)
    return decayed, (decayed * h).mul_(A)


def _advance_on_cpu(h: Tensor, dt: Tensor, A: Tensor, u: Tensor, B: Tensor) -> Tensor:
    return _decayed(h, dt * A).addcmul_(u, B)


def _retreat_on_cpu(g: Tensor, dt: Tensor, A: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    decayed = _decayed(g, dt * A)
    return decayed, (decayed * h).mul_(A)


def _decayed(h: Tensor, exponent: Tensor) -> Tensor:
    """Multiply h by e^exponent in one pass.

    Of PyTorch's ready operations only the gradient of ELU, which is e^x - 1 for x <= 0, is this
    product. On a CPU it takes less than half the time of `torch.exp` and a product.
    """
    product: Tensor = torch.ops.aten.elu_backward(h, 1.0, 1.0, 1.0, False, exponent)
    return product
