"""One step of the recurrence on many states, in as few passes over memory as PyTorch allows.

On a GPU of PyTorch's ``cuda`` kind (NVIDIA or AMD) a step is one elementwise function, which
PyTorch compiles itself (``torch.cuda.jiterator``; no compiler is needed). There two neighbouring
channels pass as one complex number, because finding where numbers lie takes longer than reading
them. Elsewhere, and where that does not work, a step is made of ready operations.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Elementwise", "elementwise"]


class Elementwise(Protocol):
    """Functions of packed tensors that are broadcast; no exponent dt A is positive."""

    def pack(self, t: Tensor) -> Tensor:
        """Arrange a contiguous tensor whose last axis is the channels' (or A's) for the others."""

    def spread(self, t: Tensor) -> Tensor:
        """Arrange numbers that all channels share, to be broadcast over packed channels."""

    def unpack(self, t: Tensor) -> Tensor:
        """Undo `pack`; a view."""

    def advance(self, h: Tensor, dt: Tensor, A: Tensor, u: Tensor, B: Tensor) -> Tensor:
        """Give the next state, e^(dt A) h + u B."""

    def weigh(self, g: Tensor, dt: Tensor, A: Tensor, h: Tensor) -> Tensor:
        """Give the gradient of log(-dt A), divided by dt, e^(dt A) g h A."""


def elementwise(A: Tensor) -> Elementwise:
    """Give the functions for tensors of A's device, dtype and number of channels."""
    return _functions(A.device.type, A.dtype, A.shape[-1] % 2 == 0)


@cache
def _functions(device: str, dtype: torch.dtype, even: bool) -> Elementwise:
    if device == "cpu":
        return _OnCPU()
    if device == "cuda" and even and dtype in (torch.float32, torch.float64):
        t = torch.ones(2, device=device, dtype=dtype)
        # The interface is young, and the compiler may be missing: all works without, only slower.
        with suppress(ImportError, AttributeError, TypeError, RuntimeError):
            compiled = _Compiled()
            h = compiled.pack(t)
            compiled.weigh(compiled.advance(h, h, h, h, h), h, h, h)
            return compiled
    return _Ready()


class _Ready:
    """Of ready operations."""

    def pack(self, t: Tensor) -> Tensor:
        return t

    spread = unpack = pack

    def advance(self, h: Tensor, dt: Tensor, A: Tensor, u: Tensor, B: Tensor) -> Tensor:
        return self._decayed(h, dt * A).addcmul_(u, B)

    def weigh(self, g: Tensor, dt: Tensor, A: Tensor, h: Tensor) -> Tensor:
        return self._decayed(g, dt * A).mul_(h).mul_(A)

    def _decayed(self, h: Tensor, exponent: Tensor) -> Tensor:
        return exponent.exp_().mul_(h)


class _OnCPU(_Ready):
    """Of ready operations, of which the gradient of ELU, e^x - 1 for x <= 0, is h e^x.

    It takes less than half the time of an exponential and a product.
    """

    def _decayed(self, h: Tensor, exponent: Tensor) -> Tensor:
        product: Tensor = torch.ops.aten.elu_backward(h, 1.0, 1.0, 1.0, False, exponent)
        return product


class _Compiled:
    """Compiled by PyTorch when first called."""

    def __init__(self) -> None:
        from torch.cuda.jiterator import _create_jit_fn

        self.advance = _create_jit_fn("""
            template <typename T> T advance(T h, T dt, T A, T u, T B) {
                return T(exp(dt.real() * A.real()) * h.real() + u.real() * B.real(),
                         exp(dt.imag() * A.imag()) * h.imag() + u.imag() * B.imag());
            }""")
        self.weigh = _create_jit_fn("""
            template <typename T> T weigh(T g, T dt, T A, T h) {
                return T(exp(dt.real() * A.real()) * g.real() * h.real() * A.real(),
                         exp(dt.imag() * A.imag()) * g.imag() * h.imag() * A.imag());
            }""")

    def pack(self, t: Tensor) -> Tensor:
        return t.view(t.dtype.to_complex())

    def spread(self, t: Tensor) -> Tensor:
        return torch.complex(t, t)

    def unpack(self, t: Tensor) -> Tensor:
        return t.view(t.dtype.to_real())
