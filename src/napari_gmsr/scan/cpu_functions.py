"""Exponential, softplus, sigmoid and Gaussian distribution of sixteen values at once.

Polynomials are minimax fits (Remez) with the errors said at each; the functions are exact to about
float32's rounding.
"""

from __future__ import annotations

from napari_gmsr.scan.cpu_lanes import Lanes, Operand, add_exponent, fma, maximum, where_above
from napari_gmsr.scan.cpu_runtime import kernel

__all__ = ["LOG2_E", "exp2", "gelu", "sigmoid", "softplus"]

LOG2_E = 1.4426950408889634
# 1.5 * 2**23: the low bits of its sum with a small number hold that number, rounded.
_ROUNDER = 12582912.0


@kernel
def exp2(a: Lanes, b: Operand) -> Lanes:
    """Give 2**(a b) where a b is below 127, and 0 where it is below -126; relative error 7e-8.

    Exactly 1 at 0, and relatively exact in its distance from 1: a decay that is hardly one is
    applied thousands of times. Terms are grouped in pairs because the recurrence waits for them.
    """
    shifted = fma(a, b, _ROUNDER)
    f = fma(a, b, _ROUNDER - shifted)  # in [-0.5, 0.5]
    # 2**f = 1 + f q(f): 4e-9
    f2 = f * f
    high = fma(f, 0.00015337579755089715, 0.0013390366623284875)
    middle = fma(f, 0.009618442411462674, 0.05550358353375121)
    low = fma(f, 0.24022648528226975, 0.69314718764151)
    q = fma(f2, fma(f2, high, middle), low)
    return where_above(shifted, _ROUNDER - 126.5, add_exponent(fma(f, q, 1.0), shifted))


@kernel
def sigmoid(x: Lanes) -> Lanes:
    """Give 1 / (1 + exp(-x))."""
    return 1.0 / (exp2(maximum(x, -87.0), -LOG2_E) + 1.0)


@kernel
def softplus(x: Lanes) -> Lanes:
    """Give log(1 + exp(x)), relatively exact to 4e-7 also where it is small.

    With u = exp(-abs(x)) it is max(x, 0) + 2 atanh(u / (2 + u)), which loses no digits to 1 + u.
    """
    u = exp2(maximum(x, 0.0 - x), -LOG2_E)
    s = u / (u + 2.0)
    w = s * s
    # 2 atanh(s) / s in w = s**2 up to 1/9: 8e-9
    q = fma(w, 0.2819154698957217, 0.27957665841961404)
    q = fma(w, q, 0.40025114320997873)
    q = fma(w, q, 0.6666631014492347)
    q = fma(w, q, 2.0000000080787403)
    return fma(s, q, maximum(x, 0.0))


@kernel
def gelu(x: Lanes) -> Lanes:
    """Give x times the standard normal distribution function (the exact GELU).

    It is max(x, 0) - a P(-a) with a = abs(x), where the tail P(-a) is exp(-a**2 / 2) q(t) with
    t = 1 / (1 + a / 4).
    """
    a = maximum(x, 0.0 - x)
    t = 1.0 / fma(a, 0.25, 1.0)
    # relative error of q up to a = 6: 6e-10
    q = fma(t, 0.039301824082588595, -0.22556998936871894)
    q = fma(t, q, 0.4649643020914426)
    q = fma(t, q, -0.42804439684682144)
    q = fma(t, q, 0.3842850563601262)
    q = fma(t, q, -0.06381835219364448)
    q = fma(t, q, 0.1367493158731615)
    q = fma(t, q, 0.09155632444893741)
    q = fma(t, q, 0.10061649935287992)
    q = fma(t, q, -4.0583521515753e-05)
    tail = q * exp2(a * a, -0.5 * LOG2_E)
    return maximum(x, 0.0) - a * tail
