"""Lanes against NumPy, operation by operation, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from aurigrid.kernels.simd import (
    LANES,
    LANES64,
    blend,
    cast,
    item,
    load,
    load64,
    put,
    room,
    some,
    splat,
    splat32,
    splat64,
    store,
    vabs,
    vmax,
    vsqrt,
    widen,
)


@njit
def _arithmetic(a, b, out):
    for k in range(len(a) // LANES):
        at = k * LANES
        x, y = load(a, at), load(b, at)
        store(out[0], at, x + y)
        store(out[1], at, x - y)
        store(out[2], at, x * y)
        store(out[3], at, x / y)
        store(out[4], at, -x)
        store(out[5], at, vabs(x))
        store(out[6], at, vsqrt(vabs(x)))
        store(out[7], at, vmax(x, y))


@njit
def _with_scalars(a, out):
    x = load(a, 0)
    store(out[0], 0, 2.0 * x)
    store(out[1], 0, x * 2.0)
    store(out[2], 0, 1.0 - x)
    store(out[3], 0, x - 1.0)
    store(out[4], 0, 1.0 / x)
    store(out[5], 0, x / 3.0)


@njit
def _conversions(a, small, out, narrow):
    x = load(a, 0)
    store(narrow, 0, x)
    store(out[0], 0, widen(load(small, 0)))
    store(out[1], 0, widen(cast(x, small)))
    store(out[2], 0, splat(0.1))
    store(out[3], 0, widen(splat32(0.1)))
    store(out[4], 0, blend(load(a, LANES), x, splat(7.0)))


@njit
def _narrower(a, place, out):
    store(out, 0, blend(load64(a, 0), load64(a, LANES64) * item(a, place), splat64(7.0)))


@njit
def _set(out, place, value):
    put(out, place, value)


@njit
def _chosen(mask, a, b, out):
    store(out, 0, blend(load(mask, 0), load(a, 0), load(b, 0)))


@njit
def _any(a):
    return some(load(a, 0))


@njit
def _first(a, offset, out):
    store(out, 0, load(a, offset))


def rows(count: int, length: int, dtype: type) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros(length, dtype) for _ in range(count))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arithmetic(dtype: type) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=5 * LANES).astype(dtype), rng.normal(size=5 * LANES).astype(dtype)
    out = rows(8, 5 * LANES, dtype)
    _arithmetic(a, b, out)
    expected = (a + b, a - b, a * b, a / b, -a, np.abs(a), np.sqrt(np.abs(a)), np.maximum(a, b))
    for ours, numpys in zip(out, expected, strict=True):
        np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_some_lane_above_zero(dtype: type) -> None:
    a = np.full(LANES, -1.0, dtype)
    a[3], a[5] = 0.0, np.nan
    assert not _any(a)
    for lane in range(LANES):
        b = a.copy()
        b[lane] = 1e-30
        assert _any(b)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scalars_take_the_precision_of_the_lanes(dtype: type) -> None:
    a = np.random.default_rng(2).uniform(0.5, 2, LANES).astype(dtype)
    out = rows(6, LANES, dtype)
    _with_scalars(a, out)
    one, three = dtype(1), dtype(3)
    for ours, numpys in zip(out, (2 * a, a * 2, one - a, a - one, one / a, a / three), strict=True):
        np.testing.assert_array_equal(ours, numpys)


def test_conversions_round_once() -> None:
    a = np.random.default_rng(3).normal(size=2 * LANES)
    a[LANES::2] = 0.0
    small, narrow = a[:LANES].astype(np.float32), np.zeros(LANES, np.float32)
    out = rows(5, LANES, np.float64)
    _conversions(a, small, out, narrow)
    np.testing.assert_array_equal(narrow, a[:LANES].astype(np.float32))
    np.testing.assert_array_equal(out[0], small.astype(np.float64))
    np.testing.assert_array_equal(out[1], a[:LANES].astype(np.float32).astype(np.float64))
    np.testing.assert_array_equal(out[2], np.full(LANES, 0.1))
    np.testing.assert_array_equal(out[3], np.full(LANES, np.float32(0.1), np.float64))
    np.testing.assert_array_equal(out[4], np.where(a[LANES:] != 0, a[:LANES], 7.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nan_and_infinity_stay_in_their_lane(dtype: type) -> None:
    a, b = np.ones(LANES, dtype), np.full(LANES, 2, dtype)
    a[1], a[2], b[3] = np.nan, np.inf, 0
    out = rows(8, LANES, dtype)
    _arithmetic(a, b, out)
    sound = np.ones(LANES, bool)
    sound[1:4] = False
    for ours, numpys in zip(out[:4], (3, -1, 2, 0.5), strict=True):
        np.testing.assert_array_equal(ours[sound], numpys)
    assert np.isnan(out[0][1])
    assert np.isinf(out[2][2])
    assert np.isinf(out[3][3])
    # the machine's own maximum: a NaN in the first operand is lost, one in the second is kept
    assert out[7][1] == 2
    b[1] = np.nan
    _arithmetic(np.ones(LANES, dtype), b, out)
    assert np.isnan(out[7][1])


def test_loads_start_anywhere() -> None:
    a, out = np.arange(3.0 * LANES), np.zeros(LANES)
    for offset in (0, 1, LANES + 3):
        _first(a, offset, out)
        np.testing.assert_array_equal(out, a[offset : offset + LANES])
    _first(a, np.int32(5), out)
    np.testing.assert_array_equal(out, a[5 : 5 + LANES])


def test_narrower_lanes_share_the_operations() -> None:
    a, out = np.random.default_rng(5).normal(size=2 * LANES64), np.zeros(LANES64)
    a[:LANES64:2] = 0.0
    _narrower(a, np.int32(3), out)
    np.testing.assert_array_equal(out, np.where(a[:LANES64] != 0, a[LANES64:] * a[3], 7.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_not_chosen_may_be_anything(dtype: type) -> None:
    mask, a, b, out = rows(4, LANES, dtype)
    mask[::2], a[:], b[::2], b[1::2] = 1.0, 3.0, np.nan, 5.0
    _chosen(mask, a, b, out)
    np.testing.assert_array_equal(out, np.where(np.arange(LANES) % 2 == 0, 3.0, 5.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_room_begins_at_a_cache_line(dtype: type) -> None:
    for count in (1, LANES, 1000):
        array = room(count, dtype)
        assert array.ctypes.data % 64 == 0
        assert array.dtype == dtype
        assert array.shape == (count,)
        assert not array.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("place", [np.int32(2), 2])
def test_put_sets_one_place_in_the_precision_of_the_array(dtype: type, place: int) -> None:
    out = np.zeros(4, dtype)
    _set(out, place, 0.1)
    np.testing.assert_array_equal(out, np.array([0, 0, 0.1, 0], dtype))
