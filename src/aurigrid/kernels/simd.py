"""Lanes: one scenario per SIMD lane, as a numba type.

A lane vector holds `LANES` numbers that are loaded from and stored to consecutive places of a flat array. Arithmetic
on it compiles to LLVM vector instructions, so a kernel reads like its scalar formula and runs for `LANES` scenarios
at once. Only fused multiply-add is allowed beyond IEEE rules, so NaN and infinity of one lane stay in that lane.

With the JIT off (``NUMBA_DISABLE_JIT=1``) the same names work on NumPy arrays of length `LANES`.

The array decides the precision: `load(array, offset)` gives lanes of its dtype, `store` rounds to it, `cast(value,
array)` rounds a value to it and `widen` goes to float64. `splat` repeats a scalar in float64, `splat32` in float32;
`vabs`, `vmax`, `vsqrt` and `blend(mask, a, b)` (a where mask is not 0, else b) work lane by lane. `vmax(a, b)` is the
machine's own maximum, ``a if a > b else b``: a NaN in a is lost.
"""

# mypy: ignore-errors
from __future__ import annotations

import operator

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model


def _lanes() -> int:
    """Float32 lanes of the widest vector register of this machine (16 with AVX-512, else 8)."""
    try:
        return 16 if binding.get_host_cpu_features().get("avx512f") else 8
    except RuntimeError:
        return 8


LANES = _lanes()
_FLAGS = ("contract",)


class LaneType(types.Type):
    """`LANES` floats of `bits` bits each."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(name=f"lane{LANES}xf{bits}")


F64, F32 = LaneType(64), LaneType(32)
_IR = {F64: ir.VectorType(ir.DoubleType(), LANES), F32: ir.VectorType(ir.FloatType(), LANES)}
_SCALAR = {F64: ir.DoubleType(), F32: ir.FloatType()}


@register_model(LaneType)
class _LaneModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, _IR[fe_type])


def _pointer(context, builder, signature, args, lane):
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
    offset = builder.sext(args[1], ir.IntType(64)) if args[1].type.width < 64 else args[1]
    address = builder.gep(array.data, [offset])
    return builder.bitcast(address, _IR[lane].as_pointer())


def _lane_of(array):
    """The lane type that an array's elements fill, or None."""
    if not isinstance(array, types.Array) or array.layout != "C":
        return None
    return {types.float64: F64, types.float32: F32}.get(array.dtype)


@intrinsic
def _load_jit(typing, array, offset):
    lane = _lane_of(array)
    if lane is None or not isinstance(offset, types.Integer):
        return None

    def codegen(context, builder, signature, args):
        value = builder.load(_pointer(context, builder, signature, args, lane))
        value.align = lane.bits // 8
        return value

    return lane(array, offset), codegen


def _convert(builder, value, source, target):
    if source == target:
        return value
    return builder.fptrunc(value, _IR[target]) if target == F32 else builder.fpext(value, _IR[target])


@intrinsic
def _store_jit(typing, array, offset, value):
    lane = _lane_of(array)
    if lane is None or not isinstance(value, LaneType):
        return None

    def codegen(context, builder, signature, args):
        narrowed = _convert(builder, args[2], value, lane)
        builder.store(narrowed, _pointer(context, builder, signature, args, lane)).align = lane.bits // 8
        return context.get_dummy_value()

    return types.void(array, offset, value), codegen


@intrinsic
def _cast_jit(typing, value, array):
    lane = _lane_of(array)
    if lane is None or not isinstance(value, LaneType):
        return None

    def codegen(context, builder, signature, args):
        return _convert(builder, args[0], value, lane)

    return lane(value, array), codegen


@intrinsic
def _widen_jit(typing, value):
    def codegen(context, builder, signature, args):
        return _convert(builder, args[0], value, F64)

    return F64(value), codegen


def _splatter(lane):
    @intrinsic
    def splat_lane(typing, scalar):
        if not isinstance(scalar, (types.Float, types.Integer)):
            return None

        def codegen(context, builder, signature, args):
            element = types.float64 if lane is F64 else types.float32
            value = context.cast(builder, args[0], signature.args[0], element)
            start = ir.Constant(_IR[lane], ir.Undefined)
            single = builder.insert_element(start, value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(single, start, zeros)

        return lane(scalar), codegen

    return splat_lane


def _unary(name):
    @intrinsic
    def unary_lane(typing, value):
        if not isinstance(value, LaneType):
            return None

        def codegen(context, builder, signature, args):
            kind = ir.FunctionType(args[0].type, [args[0].type])
            symbol = f"llvm.{name}.v{LANES}f{value.bits}"
            function = cgutils.get_or_insert_function(builder.module, kind, symbol)
            return builder.call(function, [args[0]])

        return value(value), codegen

    return unary_lane


@intrinsic
def _vmax_jit(typing, a, b):
    if not (isinstance(a, LaneType) and a == b):
        return None

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return a(a, b), codegen


@intrinsic
def _blend_jit(typing, mask, a, b):
    if not (mask == F64 and a == F64 and b == F64):
        return None

    def codegen(context, builder, signature, args):
        zero = ir.Constant(_IR[F64], [0.0] * LANES)
        return builder.select(builder.fcmp_ordered("!=", args[0], zero), args[1], args[2])

    return a(mask, a, b), codegen


@intrinsic
def _arith(typing, symbol, a, b):
    if not isinstance(symbol, types.StringLiteral):
        return None

    def codegen(context, builder, signature, args):
        return getattr(builder, signature.args[0].literal_value)(args[1], args[2], flags=_FLAGS)

    return a(symbol, a, b), codegen


@intrinsic
def _negate(typing, a):
    def codegen(context, builder, signature, args):
        return builder.fneg(args[0])

    return a(a), codegen


def _register(symbol, method):
    @overload(symbol)
    def arithmetic(a, b):
        if isinstance(a, LaneType) and a == b:
            return lambda a, b: _arith(method, a, b)
        if isinstance(a, LaneType) and isinstance(b, types.Number):
            spread = splat if a is F64 else splat32
            return lambda a, b: _arith(method, a, spread(b))
        if isinstance(b, LaneType) and isinstance(a, types.Number):
            spread = splat if b is F64 else splat32
            return lambda a, b: _arith(method, spread(a), b)
        return None


if config.DISABLE_JIT:

    def load(array, offset):
        return array[offset : offset + LANES].copy()

    def store(array, offset, value):
        array[offset : offset + LANES] = value

    def splat(scalar):
        return np.full(LANES, scalar, dtype=np.float64)

    def splat32(scalar):
        return np.full(LANES, scalar, dtype=np.float32)

    def cast(value, array):
        return value.astype(array.dtype)

    def widen(value):
        return value.astype(np.float64)

    def vmax(a, b):
        return np.where(a > b, a, b)

    def blend(mask, a, b):
        return np.where(mask != 0.0, a, b)

    vabs, vsqrt = np.abs, np.sqrt
else:
    load, store, cast, widen = _load_jit, _store_jit, _cast_jit, _widen_jit
    vmax, blend = _vmax_jit, _blend_jit
    splat, splat32 = _splatter(F64), _splatter(F32)
    vabs, vsqrt = _unary("fabs"), _unary("sqrt")
    for _symbol, _method in (
        (operator.add, "fadd"),
        (operator.sub, "fsub"),
        (operator.mul, "fmul"),
        (operator.truediv, "fdiv"),
    ):
        _register(_symbol, _method)

    @overload(operator.neg)
    def _neg(a):
        return (lambda a: _negate(a)) if isinstance(a, LaneType) else None
