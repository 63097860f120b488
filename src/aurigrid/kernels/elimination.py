"""Elimination of the optimality system ``K = U' D^-1 U`` in 4x4 blocks, and its solution, one scenario a lane.

In the order of the pattern, row i of U is what is left of K's row once the rows k before it have been taken off,
``U_ij = K_ij - sum of U_ki' D_k^-1 U_kj``, and ``D_i = U_ii``. Rows stay unscaled: ``D_k^-1 U_ki`` is needed once, where row k is
taken off row i; scaling all of a row for good would be more arithmetic.

There is no search for pivots: a little regularisation stands for it. Of symmetric blocks (``own``, ``d``, ``inverse``) the upper
triangle is written and read, no more.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat
from aurigrid.kernels.simd import store

Array = np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def _invert(d, inverse, k):
    """Inverse of the symmetric 4x4 block at ``k``: (theta, lambda_p) first, then (u, lambda_q).

    Each pair is a saddle whose determinant ``-(H C + J^2)`` has terms of one sign where the curvature H is not negative.
    """
    a00, a01, a02, a03 = load(d, k), load(d, k + LANES), load(d, k + 2 * LANES), load(d, k + 3 * LANES)
    a11, a12, a13 = load(d, k + 5 * LANES), load(d, k + 6 * LANES), load(d, k + 7 * LANES)
    a22, a23, a33 = load(d, k + 10 * LANES), load(d, k + 11 * LANES), load(d, k + 15 * LANES)
    scale = 1.0 / (a00 * a22 - a02 * a02)
    p00, p02, p22 = a22 * scale, -(a02 * scale), a00 * scale
    x01, x03 = p00 * a01 + p02 * a12, p00 * a03 + p02 * a23
    x21, x23 = p02 * a01 + p22 * a12, p02 * a03 + p22 * a23
    s11, s13, s33 = a11 - a01 * x01 - a12 * x21, a13 - a01 * x03 - a12 * x23, a33 - a03 * x03 - a23 * x23
    scale = 1.0 / (s11 * s33 - s13 * s13)
    b11, b13, b33 = s33 * scale, -(s13 * scale), s11 * scale
    b01, b03 = -(x01 * b11 + x03 * b13), -(x01 * b13 + x03 * b33)
    b12, b23 = -(x21 * b11 + x23 * b13), -(x21 * b13 + x23 * b33)
    store(inverse, k, p00 - b01 * x01 - b03 * x03)
    store(inverse, k + LANES, b01)
    store(inverse, k + 2 * LANES, p02 - b01 * x21 - b03 * x23)
    store(inverse, k + 3 * LANES, b03)
    store(inverse, k + 5 * LANES, b11)
    store(inverse, k + 6 * LANES, b12)
    store(inverse, k + 7 * LANES, b13)
    store(inverse, k + 10 * LANES, p22 - b12 * x21 - b23 * x23)
    store(inverse, k + 11 * LANES, b23)
    store(inverse, k + 15 * LANES, b33)


@njit(cache=True, nogil=True, error_model="numpy")
def _begin_row(state, pair_of, i, first, last, primal, dual):
    """Row i of K with its regularisation into ``d`` and its blocks ``first`` to ``last`` of ``upper``."""
    own, d, upper, pair, at = state.own, state.d, state.upper, state.pair, 16 * i * LANES
    for r in range(4):
        more = primal if r < 2 else -dual
        store(d, at + 5 * r * LANES, load(own, at + 5 * r * LANES) + more)
        for m in range(r + 1, 4):
            store(d, at + (4 * r + m) * LANES, load(own, at + (4 * r + m) * LANES))
    for y in range(first, last):
        b, p = 16 * y * LANES, 16 * pair_of[y] * LANES
        if p >= 0:
            for m in range(16):
                store(upper, b + m * LANES, load(pair, p + m * LANES))
        else:
            for m in range(16):
                store(upper, b + m * LANES, splat(0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _scaled(inverse, k, upper, u, c):
    """c <- (D^-1 U)' of the inverse at ``k`` and the block at ``u``."""
    b00, b01, b02, b03 = (
        load(inverse, k), load(inverse, k + LANES), load(inverse, k + 2 * LANES), load(inverse, k + 3 * LANES)
    )  # fmt: skip
    b11, b12, b13 = load(inverse, k + 5 * LANES), load(inverse, k + 6 * LANES), load(inverse, k + 7 * LANES)
    b22, b23, b33 = load(inverse, k + 10 * LANES), load(inverse, k + 11 * LANES), load(inverse, k + 15 * LANES)
    for r in range(4):
        u0, u1 = load(upper, u + r * LANES), load(upper, u + (4 + r) * LANES)
        u2, u3 = load(upper, u + (8 + r) * LANES), load(upper, u + (12 + r) * LANES)
        store(c, 4 * r * LANES, b00 * u0 + b01 * u1 + b02 * u2 + b03 * u3)
        store(c, (4 * r + 1) * LANES, b01 * u0 + b11 * u1 + b12 * u2 + b13 * u3)
        store(c, (4 * r + 2) * LANES, b02 * u0 + b12 * u1 + b22 * u2 + b23 * u3)
        store(c, (4 * r + 3) * LANES, b03 * u0 + b13 * u1 + b23 * u2 + b33 * u3)


@njit(cache=True, nogil=True, error_model="numpy")
def _take_off(c, upper, v, target, t, symmetric):
    """Block of ``target`` at t less c times that of ``upper`` at v, two rows at a time; of a symmetric one the upper triangle."""
    for half in range(2):
        r = 8 * half * LANES
        c0, c1, c2, c3 = load(c, r), load(c, r + LANES), load(c, r + 2 * LANES), load(c, r + 3 * LANES)
        e0, e1, e2, e3 = load(c, r + 4 * LANES), load(c, r + 5 * LANES), load(c, r + 6 * LANES), load(c, r + 7 * LANES)
        for m in range(2 * half if symmetric else 0, 4):
            at = v + m * LANES
            v0, v1, v2, v3 = (
                load(upper, at), load(upper, at + 4 * LANES), load(upper, at + 8 * LANES), load(upper, at + 12 * LANES)
            )  # fmt: skip
            at = t + r + m * LANES
            store(target, at, load(target, at) - c0 * v0 - c1 * v1 - c2 * v2 - c3 * v3)
            if not symmetric or m > 2 * half:
                at += 4 * LANES
                store(target, at, load(target, at) - e0 * v0 - e1 * v1 - e2 * v2 - e3 * v3)


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(pattern, branches, state, primal, dual):
    """K + R = U' D^-1 U: ``d`` and ``inverse`` hold D and its inverse, ``upper`` the blocks of U above the diagonal.

    R adds ``primal`` to the diagonal of voltages and ``-dual`` to that of multipliers, so that no pivot vanishes.
    """
    low_ptr, low_idx, low_block, up_ptr, target, target_ptr = (
        pattern.low_ptr, pattern.low_idx, pattern.low_block, pattern.up_ptr, pattern.target, pattern.target_ptr
    )  # fmt: skip
    d, inverse, upper, c, pair_of = state.d, state.inverse, state.upper, state.scratch, branches.pair_of
    for i in range(len(low_ptr) - 1):
        lower, program, own = low_ptr[i + 1] - low_ptr[i], target_ptr[i], 16 * i * LANES
        first = up_ptr[i] - lower - 1
        _begin_row(state, pair_of, i, up_ptr[i], up_ptr[i + 1], primal, dual)
        for x in range(low_ptr[i], low_ptr[i + 1]):
            k, e = low_idx[x], low_block[x]
            _scaled(inverse, 16 * k * LANES, upper, 16 * e * LANES, c)
            _take_off(c, upper, 16 * e * LANES, d, own, True)
            for y in range(e + 1, up_ptr[k + 1]):
                at = 16 * (first + target[program + y - up_ptr[k]]) * LANES
                _take_off(c, upper, 16 * y * LANES, upper, at, False)
            program += up_ptr[k + 1] - up_ptr[k]
        _invert(d, inverse, own)


@njit(cache=True, nogil=True, error_model="numpy")
def _times(block, k, r0, r1, r2, r3):
    """Product of the symmetric block at ``k`` and r."""
    b00, b01, b02, b03 = (
        load(block, k), load(block, k + LANES), load(block, k + 2 * LANES), load(block, k + 3 * LANES)
    )  # fmt: skip
    b11, b12, b13 = load(block, k + 5 * LANES), load(block, k + 6 * LANES), load(block, k + 7 * LANES)
    b22, b23, b33 = load(block, k + 10 * LANES), load(block, k + 11 * LANES), load(block, k + 15 * LANES)
    return (
        b00 * r0 + b01 * r1 + b02 * r2 + b03 * r3,
        b01 * r0 + b11 * r1 + b12 * r2 + b13 * r3,
        b02 * r0 + b12 * r1 + b22 * r2 + b23 * r3,
        b03 * r0 + b13 * r1 + b23 * r2 + b33 * r3,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def solve(pattern, state, x):
    """x <- (K + R)^-1 x, (4 n LANES,)."""
    low_ptr, low_idx, low_block, up_ptr, up_idx = (
        pattern.low_ptr, pattern.low_idx, pattern.low_block, pattern.up_ptr, pattern.up_idx
    )  # fmt: skip
    inverse, upper = state.inverse, state.upper
    n = len(low_ptr) - 1
    for i in range(n):
        at = 4 * i * LANES
        r0, r1, r2, r3 = load(x, at), load(x, at + LANES), load(x, at + 2 * LANES), load(x, at + 3 * LANES)
        for p in range(low_ptr[i], low_ptr[i + 1]):
            y, b = 4 * low_idx[p] * LANES, 16 * low_block[p] * LANES
            for m in range(4):
                v, c = load(x, y + m * LANES), b + 4 * m * LANES
                r0, r1 = r0 - load(upper, c) * v, r1 - load(upper, c + LANES) * v
                r2, r3 = r2 - load(upper, c + 2 * LANES) * v, r3 - load(upper, c + 3 * LANES) * v
        r0, r1, r2, r3 = _times(inverse, 16 * i * LANES, r0, r1, r2, r3)
        store(x, at, r0)
        store(x, at + LANES, r1)
        store(x, at + 2 * LANES, r2)
        store(x, at + 3 * LANES, r3)
    for i in range(n - 1, -1, -1):
        if up_ptr[i] == up_ptr[i + 1]:
            continue
        at, zero = 4 * i * LANES, splat(0.0)
        s0, s1, s2, s3 = zero, zero, zero, zero
        for p in range(up_ptr[i], up_ptr[i + 1]):
            y, b = 4 * up_idx[p] * LANES, 16 * p * LANES
            for m in range(4):
                v, c = load(x, y + m * LANES), b + m * LANES
                s0, s1 = s0 + load(upper, c) * v, s1 + load(upper, c + 4 * LANES) * v
                s2, s3 = s2 + load(upper, c + 8 * LANES) * v, s3 + load(upper, c + 12 * LANES) * v
        s0, s1, s2, s3 = _times(inverse, 16 * i * LANES, s0, s1, s2, s3)
        store(x, at, load(x, at) - s0)
        store(x, at + LANES, load(x, at + LANES) - s1)
        store(x, at + 2 * LANES, load(x, at + 2 * LANES) - s2)
        store(x, at + 3 * LANES, load(x, at + 3 * LANES) - s3)


@njit(cache=True, nogil=True, error_model="numpy")
def lacking(branches, state, x, out):
    """out <- rhs - K x, (4 n LANES,)."""
    own, pair, rhs, low, high = state.own, state.pair, state.rhs, branches.low, branches.high
    for i in range(len(rhs) // (4 * LANES)):
        at = 4 * i * LANES
        k0, k1, k2, k3 = _times(
            own, 16 * i * LANES, load(x, at), load(x, at + LANES), load(x, at + 2 * LANES), load(x, at + 3 * LANES)
        )
        store(out, at, load(rhs, at) - k0)
        store(out, at + LANES, load(rhs, at + LANES) - k1)
        store(out, at + 2 * LANES, load(rhs, at + 2 * LANES) - k2)
        store(out, at + 3 * LANES, load(rhs, at + 3 * LANES) - k3)
    for p in range(len(low)):
        i, j = 4 * low[p] * LANES, 4 * high[p] * LANES
        x0, x1, x2, x3 = load(x, j), load(x, j + LANES), load(x, j + 2 * LANES), load(x, j + 3 * LANES)
        o0, o1, o2, o3 = load(out, j), load(out, j + LANES), load(out, j + 2 * LANES), load(out, j + 3 * LANES)
        for r in range(4):
            b, y = (16 * p + 4 * r) * LANES, load(x, i + r * LANES)
            a0, a1, a2, a3 = load(pair, b), load(pair, b + LANES), load(pair, b + 2 * LANES), load(pair, b + 3 * LANES)
            at = i + r * LANES
            store(out, at, load(out, at) - a0 * x0 - a1 * x1 - a2 * x2 - a3 * x3)
            o0, o1, o2, o3 = o0 - a0 * y, o1 - a1 * y, o2 - a2 * y, o3 - a3 * y
        store(out, j, o0)
        store(out, j + LANES, o1)
        store(out, j + 2 * LANES, o2)
        store(out, j + 3 * LANES, o3)


@njit(cache=True, nogil=True, error_model="numpy")
def step_of(pattern, branches, state, room, times):
    """Solve for the step, with ``times`` refinements against the system without regularisation; room (4 n LANES,)."""
    step, rhs = state.step, state.rhs
    step[:] = rhs
    solve(pattern, state, step)
    for _ in range(times):
        lacking(branches, state, step, room)
        solve(pattern, state, room)
        for x in range(0, len(step), LANES):
            store(step, x, load(step, x) + load(room, x))
