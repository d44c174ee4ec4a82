"""Sixteen float32 values that are worked on at once, for use inside kernels.

numba has no vector type, and whether its compiler vectorises a loop depends on what it can prove
about overlapping arrays. Here the type is LLVM's ``<16 x float>``: one register with AVX-512, two
with AVX2, four with SSE or NEON, as the machine has them.

Wherever vectors are taken, a scalar stands for sixteen equal values. Nothing is checked: an offset
is an index into a flat, contiguous float32 array, and what is read or written must lie within it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

__all__ = [
    "LANES",
    "Lanes",
    "Operand",
    "add_exponent",
    "broadcast",
    "fma",
    "largest",
    "load",
    "maximum",
    "minimum",
    "splat",
    "store",
    "total",
    "where_above",
]

LANES = 16
"""Values in one vector."""

Floats = npt.NDArray[np.float32]

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)


Scalar = float | np.floating[Any]


class Lanes:
    """What a kernel's vectors are to a type checker; only compiled code has values of it."""

    def __add__(self, other: Operand) -> Lanes: ...  # type: ignore[empty-body]
    def __sub__(self, other: Operand) -> Lanes: ...  # type: ignore[empty-body]
    def __mul__(self, other: Operand) -> Lanes: ...  # type: ignore[empty-body]
    def __rsub__(self, other: Scalar) -> Lanes: ...  # type: ignore[empty-body]
    def __rtruediv__(self, other: Scalar) -> Lanes: ...  # type: ignore[empty-body]
    def __truediv__(self, other: Operand) -> Lanes: ...  # type: ignore[empty-body]


Operand = Lanes | Scalar
"""What stands where a vector is wanted."""


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="float32x16")


_lanes = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: object, kind: object) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _intrinsic(define: Callable[..., Any]) -> Any:
    return intrinsic(define)


def _operation(emit: Callable[..., Any], operands: int, result: types.Type = _lanes) -> Any:
    """Make an operation on vectors from what writes its instructions: emit(builder, *vectors)."""

    def generate(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        pairs = zip(signature.args, values, strict=True)
        return emit(builder, *(_vector(context, builder, *pair) for pair in pairs))

    # numba reads the number of arguments from the function that it is given.
    if operands == 1:
        return _intrinsic(lambda typing_context, a: (result(a), generate))
    if operands == 2:
        return _intrinsic(lambda typing_context, a, b: (result(a, b), generate))
    return _intrinsic(lambda typing_context, a, b, c: (result(a, b, c), generate))


def _vector(context: Any, builder: Any, kind: types.Type, value: Any) -> Any:
    if isinstance(kind, _LanesType):
        return value
    return _repeat(builder, context.cast(builder, value, kind, types.float32))


def _repeat(builder: Any, scalar: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(_INTEGERS, [0] * LANES))


def _emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # fmuladd is one instruction where the processor has it and two otherwise; LLVM's fma would be
    # a slow function call there.
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fmuladd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, [a, b, c])


def _emit_larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _emit_smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _emit_add_exponent(builder: Any, a: Any, n: Any) -> Any:
    mantissa_bits = ir.Constant(_INTEGERS, [23] * LANES)
    exponent = builder.shl(builder.bitcast(n, _INTEGERS), mantissa_bits)
    return builder.bitcast(builder.add(builder.bitcast(a, _INTEGERS), exponent), _VECTOR)


def _emit_where_above(builder: Any, a: Any, limit: Any, value: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, limit), value, ir.Constant(_VECTOR, None))


def _reduction(combine: Callable[..., Any]) -> Callable[..., Any]:
    def emit(builder: Any, a: Any) -> Any:
        # Halves onto halves: always the same tree, so the same bits.
        width = LANES // 2
        while width:
            half = [min(i + width, LANES - 1) for i in range(LANES)]
            a = combine(builder, a, builder.shuffle_vector(a, a, ir.Constant(_INTEGERS, half)))
            width //= 2
        return builder.extract_element(a, ir.Constant(ir.IntType(32), 0))

    return emit


fma: Callable[[Operand, Operand, Operand], Lanes] = _operation(_emit_fma, 3)
"""``a * b + c``, rounded once where the processor can."""
maximum: Callable[[Operand, Operand], Lanes] = _operation(_emit_larger, 2)
"""The larger of each two; the second where one is not a number."""
minimum: Callable[[Operand, Operand], Lanes] = _operation(_emit_smaller, 2)
"""The smaller of each two; the second where one is not a number."""
add_exponent: Callable[[Lanes, Lanes], Lanes] = _operation(_emit_add_exponent, 2)
"""``a * 2**n`` for the integer n in the second's low bits; the result must be a normal number."""
where_above: Callable[[Operand, Operand, Operand], Lanes] = _operation(_emit_where_above, 3)
"""The third where the first is above the second, else 0."""
splat: Callable[[Scalar], Lanes] = _operation(lambda builder, a: a, 1)
"""Sixteen times the same scalar."""
total: Callable[[Lanes], np.float32] = _operation(
    _reduction(lambda builder, a, b: builder.fadd(a, b)), 1, types.float32
)
"""Sum of the sixteen."""
largest: Callable[[Lanes], np.float32] = _operation(_reduction(_emit_larger), 1, types.float32)
"""Largest of the sixteen."""


def _access(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Make the code generator of an access to an array from emit(builder, address, *values)."""

    def generate(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        array = context.make_array(signature.args[0])(context, builder, values[0])
        # numba's own indexing would look for negative indices at every access.
        offset = context.cast(builder, values[1], signature.args[1], types.intp)
        result = emit(builder, builder.gep(array.data, [offset]), *values[2:])
        return context.get_dummy_value() if len(values) > 2 else result

    return generate


def _emit_load(builder: Any, address: Any) -> Any:
    address = builder.bitcast(address, _VECTOR.as_pointer())
    return builder.load(address, typ=_VECTOR, align=4)


def _emit_broadcast(builder: Any, address: Any) -> Any:
    return _repeat(builder, builder.load(address, typ=_FLOAT))


def _emit_store(builder: Any, address: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(address, _VECTOR.as_pointer()), align=4)


load: Callable[[Floats, int], Lanes] = _intrinsic(
    lambda typing_context, array, offset: (_lanes(array, offset), _access(_emit_load))
)
"""Sixteen values of an array from an offset on."""
broadcast: Callable[[Floats, int], Lanes] = _intrinsic(
    lambda typing_context, array, offset: (_lanes(array, offset), _access(_emit_broadcast))
)
"""Sixteen times one value of an array."""
store: Callable[[Floats, int, Lanes], None] = _intrinsic(
    lambda typing_context, array, offset, value: (
        types.void(array, offset, value),
        _access(_emit_store),
    )
)
"""Write sixteen values to an array from an offset on."""


def _define(symbol: Callable[..., Any], instruction: str) -> None:
    apply = _operation(lambda builder, a, b: getattr(builder, instruction)(a, b), 2)

    def implement(a: types.Type, b: types.Type) -> Callable[..., Any] | None:
        if not (isinstance(a, _LanesType) or isinstance(b, _LanesType)):
            return None
        return lambda a, b: apply(a, b)

    overload(symbol, strict=False)(implement)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
