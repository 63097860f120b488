"""Lanes: one scenario per SIMD lane, as a numba type.

A lane vector holds a number for each of `LANES` scenarios, loaded from and stored to consecutive places of a flat array.
Arithmetic on it compiles to LLVM vector instructions, so a kernel reads like its scalar formula and runs for `LANES`
scenarios at once. Only fused multiply-add is allowed beyond IEEE rules, so NaN and infinity of one lane stay in that lane.

With the JIT off (``NUMBA_DISABLE_JIT=1``) the same names work on NumPy arrays.

The array decides the precision: `load(array, offset)` gives lanes of its dtype, `store` rounds to it, `cast(value,
array)` rounds a value to it and `widen` goes to float64. `splat` repeats a scalar in float64, `splat32` in float32;
`vabs`, `vmax`, `vsqrt` and `blend(mask, a, b)` (a where mask is not 0, else b) work lane by lane. `vmax(a, b)` is the
machine's own maximum, ``a if a > b else b``: a NaN in a is lost. `some(a)` says whether any lane is above 0.
`item(array, place)` is ``array[place]`` for a place that is not negative, and `put(array, place, value)` sets it: numba looks at
the sign at every other access, which costs a tenth of an inner loop that computes.

Kernels that keep their large arrays in float64 run on `LANES64` scenarios, with `load64` and `splat64` in the places of `load`
and `splat`; all else serves both. Eight, even where registers would hold more: fewer lanes wait for the slowest scenario, and
more of the working state stays in the nearest cache.
"""

# mypy: ignore-errors
from __future__ import annotations

import operator

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES, LANES64 = 16, 8
_FLAGS = ("contract",)
_CACHE_LINE = 64


def room(count: int, dtype: type = np.float64) -> np.ndarray:
    """Zeros for ``count`` numbers, from the start of a cache line: lanes that cross lines cost a tenth to a quarter more."""
    size = count * np.dtype(dtype).itemsize
    plain = np.zeros(size + _CACHE_LINE, np.uint8)
    start = -plain.ctypes.data % _CACHE_LINE
    return plain[start : start + size].view(dtype)


class LaneType(types.Type):
    """`width` floats of `bits` bits each."""

    def __init__(self, bits: int, width: int) -> None:
        self.bits, self.width = bits, width
        super().__init__(name=f"lane{width}xf{bits}")

    @property
    def ir(self) -> ir.VectorType:
        return ir.VectorType(ir.DoubleType() if self.bits == 64 else ir.FloatType(), self.width)

    def of(self, bits: int) -> LaneType:
        """As many lanes of another precision."""
        return LaneType(bits, self.width)


@register_model(LaneType)
class _LaneModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, fe_type.ir)


def _address(context, builder, signature, args):
    """Pointer to the number at the place args[1] of the flat array args[0]."""
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
    offset = builder.sext(args[1], ir.IntType(64)) if args[1].type.width < 64 else args[1]
    return builder.gep(array.data, [offset])


def _pointer(context, builder, signature, args, lane):
    return builder.bitcast(_address(context, builder, signature, args), lane.ir.as_pointer())


def _is_flat(array, place):
    return (
        isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and isinstance(place, types.Integer)
    )


def _bits_of(array):
    """Bits of an array's floats, None where lanes cannot be taken from it."""
    if not isinstance(array, types.Array) or array.layout != "C":
        return None
    return {types.float64: 64, types.float32: 32}.get(array.dtype)


def _loader(width):
    @intrinsic
    def load_lane(typing, array, offset):
        bits = _bits_of(array)
        if bits is None or not isinstance(offset, types.Integer):
            return None
        lane = LaneType(bits, width)

        def codegen(context, builder, signature, args):
            value = builder.load(_pointer(context, builder, signature, args, lane))
            value.align = bits // 8
            return value

        return lane(array, offset), codegen

    return load_lane


@intrinsic
def _item_jit(typing, array, place):
    if not _is_flat(array, place):
        return None

    def codegen(context, builder, signature, args):
        return context.unpack_value(builder, array.dtype, _address(context, builder, signature, args))

    return array.dtype(array, place), codegen


@intrinsic
def _put_jit(typing, array, place, value):
    if not _is_flat(array, place):
        return None

    def codegen(context, builder, signature, args):
        number = context.cast(builder, args[2], value, array.dtype)
        data = context.get_value_as_data(builder, array.dtype, number)
        builder.store(data, _address(context, builder, signature, args))
        return context.get_dummy_value()

    return types.void(array, place, value), codegen


def _convert(builder, value, source, target):
    if source == target:
        return value
    return builder.fptrunc(value, target.ir) if target.bits == 32 else builder.fpext(value, target.ir)


@intrinsic
def _store_jit(typing, array, offset, value):
    bits = _bits_of(array)
    if bits is None or not isinstance(value, LaneType):
        return None
    lane = value.of(bits)

    def codegen(context, builder, signature, args):
        narrowed = _convert(builder, args[2], value, lane)
        builder.store(narrowed, _pointer(context, builder, signature, args, lane)).align = lane.bits // 8
        return context.get_dummy_value()

    return types.void(array, offset, value), codegen


@intrinsic
def _cast_jit(typing, value, array):
    bits = _bits_of(array)
    if bits is None or not isinstance(value, LaneType):
        return None
    lane = value.of(bits)

    def codegen(context, builder, signature, args):
        return _convert(builder, args[0], value, lane)

    return lane(value, array), codegen


@intrinsic
def _widen_jit(typing, value):
    wide = value.of(64)

    def codegen(context, builder, signature, args):
        return _convert(builder, args[0], value, wide)

    return wide(value), codegen


def _splatter(lane):
    element = types.float64 if lane.bits == 64 else types.float32

    @intrinsic
    def splat_lane(typing, scalar):
        if not isinstance(scalar, (types.Float, types.Integer)):
            return None

        def codegen(context, builder, signature, args):
            value = context.cast(builder, args[0], signature.args[0], element)
            start = ir.Constant(lane.ir, ir.Undefined)
            single = builder.insert_element(start, value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), lane.width), [0] * lane.width)
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
            symbol = f"llvm.{name}.v{value.width}f{value.bits}"
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
    if not (isinstance(a, LaneType) and mask == a and a == b):
        return None

    def codegen(context, builder, signature, args):
        zero = ir.Constant(a.ir, [0.0] * a.width)
        return builder.select(builder.fcmp_ordered("!=", args[0], zero), args[1], args[2])

    return a(mask, a, b), codegen


@intrinsic
def _some_jit(typing, value):
    if not isinstance(value, LaneType):
        return None

    def codegen(context, builder, signature, args):
        zero = ir.Constant(value.ir, [0.0] * value.width)
        mask = builder.fcmp_ordered(">", args[0], zero)
        bits = builder.bitcast(mask, ir.IntType(value.width))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(value), codegen


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


def _register(symbol, method, spreads):
    @overload(symbol)
    def arithmetic(a, b):
        if isinstance(a, LaneType) and a == b:
            return lambda a, b: _arith(method, a, b)
        if isinstance(a, LaneType) and isinstance(b, types.Number):
            spread = spreads[a]
            return lambda a, b: _arith(method, a, spread(b))
        if isinstance(b, LaneType) and isinstance(a, types.Number):
            spread = spreads[b]
            return lambda a, b: _arith(method, spread(a), b)
        return None


if config.DISABLE_JIT:

    def load(array, offset):
        return array[offset : offset + LANES].copy()

    def load64(array, offset):
        return array[offset : offset + LANES64].copy()

    def item(array, place):
        return array[place]

    def put(array, place, value):
        array[place] = value

    def store(array, offset, value):
        array[offset : offset + len(value)] = value

    def splat(scalar):
        return np.full(LANES, scalar, dtype=np.float64)

    def splat64(scalar):
        return np.full(LANES64, scalar, dtype=np.float64)

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

    def some(value):
        return bool((value > 0.0).any())

    vabs, vsqrt = np.abs, np.sqrt
else:
    _lanes = {LaneType(bits, width) for bits in (64, 32) for width in (LANES, LANES64)}
    _spreads = {lane: _splatter(lane) for lane in _lanes}
    load, load64, item, put = _loader(LANES), _loader(LANES64), _item_jit, _put_jit
    store, cast, widen, vmax, blend = _store_jit, _cast_jit, _widen_jit, _vmax_jit, _blend_jit
    splat, splat32, splat64 = (
        _spreads[lane] for lane in (LaneType(64, LANES), LaneType(32, LANES), LaneType(64, LANES64))
    )
    vabs, vsqrt, some = _unary("fabs"), _unary("sqrt"), _some_jit
    for _symbol, _method in (
        (operator.add, "fadd"),
        (operator.sub, "fsub"),
        (operator.mul, "fmul"),
        (operator.truediv, "fdiv"),
    ):
        _register(_symbol, _method, _spreads)

    @overload(operator.neg)
    def _neg(a):
        return (lambda a: _negate(a)) if isinstance(a, LaneType) else None


@njit(cache=True, nogil=True, error_model="numpy")
def side_by_side(v, first, lanes, e, f):
    """Put rows first .. first + lanes of voltages (n_row, 2 n), real and imaginary parts in turn, into lanes of e and f."""
    flat, width = v.reshape(v.size), v.shape[1]
    for i in range(width // 2):
        at, source = i * LANES, np.int64(first) * width + 2 * i
        for lane in range(lanes):
            put(e, at + lane, item(flat, source))
            put(f, at + lane, item(flat, source + 1))
            source += width
