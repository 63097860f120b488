"""The base state's Jacobian, factorised once for all lanes, and what follows from it for outages and reactive limits.

See `chord` for what each part is for. The factor is ``J0 = L U`` with ``U`` unit upper triangular, in 2x2 blocks, row by row
as in `newton`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.chord import backward, forward
from aurigrid.kernels.simd import LANES, cast, load, splat, store
from aurigrid.kernels.tile import OFF, REF

Array = np.ndarray


class Factor(NamedTuple):
    """Factor of the base state's Jacobian; blocks are row-major 2x2.

    Attributes:
        low: (n_low, 4) float32 blocks of L below the diagonal, in the order of `Pattern.low_idx`.
        inverse: (n, 4) float32 inverses of L's diagonal blocks.
        up: (n_up, 4) float32 blocks of U above the diagonal.
        low_up: (n_up, 4) float32, the blocks of low by column, each in the place of its transpose in ``up``.
        outage: (n_branch, 16) float64, M (4x4) of each branch's outage; NaN where it splits the grid.
        free_q: (n,) int8, 1 where Q is imposed in J0, 0 where a voltage is held.
        border: (n, 2) float32, J0^-1 alpha of distributed slack; gain: (n_island,) what a unit of lambda changes in the
            balance of each island's reference, pu.
        react: (n_held, n_held) float32, G of the nodes of `Tile.held`, (0, 0) where no limits are held.
        q_ptr, q_idx, q_row: (n_held + 1,), (k,), (k, 2) d Q / (d theta, d ln|V|) at J0's state of those nodes, by neighbour.
    """

    low: Array
    inverse: Array
    up: Array
    low_up: Array
    outage: Array
    free_q: Array
    border: Array
    gain: Array
    react: Array
    q_ptr: Array
    q_idx: Array
    q_row: Array


@njit(cache=True, error_model="numpy")
def base_blocks(pattern, rows, e, f, p_extra, q_extra, free_q, low, diagonal, up):
    """Jacobian blocks at one state, in the places of the factor.

    Args:
        e, f: (n,) voltages, elimination order.
        p_extra, q_extra: (n,) d(injection)/d ln|V| of voltage-dependent injections, pu.
        free_q: (n,) 1 where Q is imposed, 0 where a voltage is held.
        low, diagonal, up: (n_low, 4), (n, 4), (n_up, 4) receive the blocks.
    """
    n = len(rows.kind)
    kind, ptr, col, g, b = rows.kind, rows.ptr, rows.col, rows.g, rows.b
    low_ptr, up_ptr, slot = pattern.low_ptr, pattern.up_ptr, rows.slot
    low[:] = 0.0
    up[:] = 0.0
    for i in range(n):
        square = e[i] * e[i] + f[i] * f[i]
        pd, qd = rows.g_diag[i] * square, -rows.b_diag[i] * square
        p, q = pd, qd
        lower = low_ptr[i + 1] - low_ptr[i]
        keep_p = 0.0 if kind[i] == REF or kind[i] == OFF else 1.0
        keep_q = 0.0 if kind[i] == REF or kind[i] == OFF else free_q[i]
        for x in range(ptr[i], ptr[i + 1]):
            j = col[x]
            re, im = g[x] * e[j] - b[x] * f[j], g[x] * f[j] + b[x] * e[j]
            pij, qij = e[i] * re + f[i] * im, f[i] * re - e[i] * im
            p, q = p + pij, q + qij
            s = slot[x]
            block = low[low_ptr[i] + s] if s < lower else up[up_ptr[i] + s - lower - 1]
            block[0], block[1], block[2], block[3] = keep_p * qij, keep_p * pij, -keep_q * pij, keep_q * qij
        d = diagonal[i]
        d[0], d[1] = keep_p * (qd - q) + 1.0 - keep_p, keep_p * (p + pd - p_extra[i])
        d[2], d[3] = keep_q * (p - pd), keep_q * (q + qd - q_extra[i]) + 1.0 - keep_q


@njit(cache=True, error_model="numpy")
def factorise(pattern, low, diagonal, up):
    """LU of the blocks in place, float64: low and diagonal hold L (the diagonal inverted), up holds U."""
    low_ptr, low_idx, up_ptr, target, target_ptr = (
        pattern.low_ptr, pattern.low_idx, pattern.up_ptr, pattern.target, pattern.target_ptr
    )  # fmt: skip
    for i in range(len(low_ptr) - 1):
        lower, program = low_ptr[i + 1] - low_ptr[i], target_ptr[i]
        for x in range(lower):
            a = low[low_ptr[i] + x]
            k = low_idx[low_ptr[i] + x]
            for y in range(up_ptr[k], up_ptr[k + 1]):
                u, t = up[y], target[program]
                program += 1
                if t < lower:
                    w = low[low_ptr[i] + t]
                elif t == lower:
                    w = diagonal[i]
                else:
                    w = up[up_ptr[i] + t - lower - 1]
                w[0] -= a[0] * u[0] + a[1] * u[2]
                w[1] -= a[0] * u[1] + a[1] * u[3]
                w[2] -= a[2] * u[0] + a[3] * u[2]
                w[3] -= a[2] * u[1] + a[3] * u[3]
        d = diagonal[i]
        scale = 1.0 / (d[0] * d[3] - d[1] * d[2])
        d[0], d[1], d[2], d[3] = d[3] * scale, -d[1] * scale, -d[2] * scale, d[0] * scale
        for y in range(up_ptr[i], up_ptr[i + 1]):
            u = up[y]
            u[0], u[2] = d[0] * u[0] + d[1] * u[2], d[2] * u[0] + d[3] * u[2]
            u[1], u[3] = d[0] * u[1] + d[1] * u[3], d[2] * u[1] + d[3] * u[3]


@njit(cache=True, error_model="numpy")
def _find(up_ptr, up_idx, i, j):
    """Place of column j in row i's upper part."""
    lo, hi = up_ptr[i], up_ptr[i + 1] - 1
    while lo < hi:
        mid = (lo + hi) // 2
        if up_idx[mid] < j:
            lo = mid + 1
        else:
            hi = mid
    return lo


@njit(cache=True, error_model="numpy")
def selected_inverse(pattern, low, diagonal, up):
    """Blocks of the inverse on the factor's pattern: (n, 4) diagonal, (n_up, 4) above it, (n_up, 4) their transposes' places."""
    up_ptr, up_idx, low_block = pattern.up_ptr, pattern.up_idx, pattern.low_block
    n, n_up = len(up_ptr) - 1, len(up_idx)
    low_of = np.empty(n_up, np.int64)
    for x in range(n_up):
        low_of[low_block[x]] = x
    zd, zu, zl = np.zeros((n, 4)), np.zeros((n_up, 4)), np.zeros((n_up, 4))
    for i in range(n - 1, -1, -1):
        d = diagonal[i]
        for y in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[y]
            for x in range(up_ptr[i], up_ptr[i + 1]):
                k = up_idx[x]
                # above: Z_ij -= U_ik Z_kj; below: Z_ji -= Z_jk L_ki D_i^-1
                if k == j:
                    zkj, zjk = zd[k], zd[k]
                elif k < j:
                    at = _find(up_ptr, up_idx, k, j)
                    zkj, zjk = zu[at], zl[at]
                else:
                    at = _find(up_ptr, up_idx, j, k)
                    zkj, zjk = zl[at], zu[at]
                u, a = up[x], low[low_of[x]]
                zu[y, 0] -= u[0] * zkj[0] + u[1] * zkj[2]
                zu[y, 1] -= u[0] * zkj[1] + u[1] * zkj[3]
                zu[y, 2] -= u[2] * zkj[0] + u[3] * zkj[2]
                zu[y, 3] -= u[2] * zkj[1] + u[3] * zkj[3]
                a0, a1 = a[0] * d[0] + a[1] * d[2], a[0] * d[1] + a[1] * d[3]
                a2, a3 = a[2] * d[0] + a[3] * d[2], a[2] * d[1] + a[3] * d[3]
                zl[y, 0] -= zjk[0] * a0 + zjk[1] * a2
                zl[y, 1] -= zjk[0] * a1 + zjk[1] * a3
                zl[y, 2] -= zjk[2] * a0 + zjk[3] * a2
                zl[y, 3] -= zjk[2] * a1 + zjk[3] * a3
        z = zd[i]
        z[:] = d
        for x in range(up_ptr[i], up_ptr[i + 1]):
            u, below = up[x], zl[x]
            z[0] -= u[0] * below[0] + u[1] * below[2]
            z[1] -= u[0] * below[1] + u[1] * below[3]
            z[2] -= u[2] * below[0] + u[3] * below[2]
            z[3] -= u[2] * below[1] + u[3] * below[3]
    return zd, zu, zl


@njit(cache=True, error_model="numpy")
def outage_changes(pattern, rows, e, f, free_q, zd, zu, zl, outage):
    """M = (I + C K)^-1 C of each branch's outage into ``outage`` (n_branch, 16); NaN where the outage splits the grid."""
    up_ptr, up_idx, kind = pattern.up_ptr, pattern.up_idx, rows.kind
    c, k = np.zeros((4, 4)), np.zeros((4, 4))
    for branch in range(len(rows.from_node)):
        i, j = rows.from_node[branch], rows.to_node[branch]
        outage[branch] = np.nan
        if i < 0 or i == j:
            continue
        y = rows.y_branch[branch]
        for end in range(2):
            a, b = (i, j) if end == 0 else (j, i)
            own, mutual = (0, 2) if end == 0 else (6, 4)
            keep_p = 0.0 if kind[a] == REF or kind[a] == OFF else 1.0
            keep_q = keep_p * free_q[a]
            square = e[a] * e[a] + f[a] * f[a]
            pd, qd = y[own] * square, -y[own + 1] * square
            re, im = y[mutual] * e[b] - y[mutual + 1] * f[b], y[mutual] * f[b] + y[mutual + 1] * e[b]
            p, q = e[a] * re + f[a] * im, f[a] * re - e[a] * im
            r, s, t = 2 * end, 2 * end, 2 - 2 * end
            # the branch's part of the Jacobian, taken off: its own blocks use its own power p + pd, q + qd
            c[r, t], c[r, t + 1], c[r + 1, t], c[r + 1, t + 1] = -keep_p * q, -keep_p * p, keep_q * p, -keep_q * q
            c[r, s], c[r, s + 1] = keep_p * q, -keep_p * (p + 2.0 * pd)
            c[r + 1, s], c[r + 1, s + 1] = -keep_q * p, -keep_q * (q + 2.0 * qd)
        lo, hi = min(i, j), max(i, j)
        at = _find(up_ptr, up_idx, lo, hi)
        zij, zji = (zu[at], zl[at]) if i < j else (zl[at], zu[at])
        for r in range(2):
            for s in range(2):
                k[r, s], k[r, 2 + s] = zd[i, 2 * r + s], zij[2 * r + s]
                k[2 + r, s], k[2 + r, 2 + s] = zji[2 * r + s], zd[j, 2 * r + s]
        a4 = np.eye(4) + c @ k
        # a split makes I + C K singular; anything close to that is left to Newton
        determinant = np.linalg.det(a4)
        if not abs(determinant) > 1e-6:
            continue
        change = np.linalg.solve(a4, c)
        for r in range(4):
            for s in range(4):
                outage[branch, 4 * r + s] = change[r, s]


@njit(cache=True, error_model="numpy")
def solve_one(pattern, low, inverse, up, x):
    """Solve J0 x = x in place for one right-hand side (n, 2), float64."""
    low_ptr, low_idx, up_ptr, up_idx = pattern.low_ptr, pattern.low_idx, pattern.up_ptr, pattern.up_idx
    n = len(low_ptr) - 1
    for i in range(n):
        r1, r2 = x[i, 0], x[i, 1]
        for k in range(low_ptr[i], low_ptr[i + 1]):
            y = x[low_idx[k]]
            r1 -= low[k, 0] * y[0] + low[k, 1] * y[1]
            r2 -= low[k, 2] * y[0] + low[k, 3] * y[1]
        d = inverse[i]
        x[i, 0], x[i, 1] = d[0] * r1 + d[1] * r2, d[2] * r1 + d[3] * r2
    for i in range(n - 1, -1, -1):
        for k in range(up_ptr[i], up_ptr[i + 1]):
            y = x[up_idx[k]]
            x[i, 0] -= up[k, 0] * y[0] + up[k, 1] * y[1]
            x[i, 1] -= up[k, 2] * y[0] + up[k, 3] * y[1]


@njit(cache=True, error_model="numpy")
def reactive_rows(rows, e, f, held):
    """q_ptr, q_idx and q_row of `Factor` for the nodes ``held``."""
    size = 0
    for i in held:
        size += rows.ptr[i + 1] - rows.ptr[i] + 1
    ptr, idx, row = np.zeros(len(held) + 1, np.int32), np.empty(size, np.int32), np.empty((size, 2))
    at = 0
    for c in range(len(held)):
        i = held[c]
        square = e[i] * e[i] + f[i] * f[i]
        pd, qd = rows.g_diag[i] * square, -rows.b_diag[i] * square
        p, q = pd, qd
        for x in range(rows.ptr[i], rows.ptr[i + 1]):
            j = rows.col[x]
            re, im = rows.g[x] * e[j] - rows.b[x] * f[j], rows.g[x] * f[j] + rows.b[x] * e[j]
            pij, qij = e[i] * re + f[i] * im, f[i] * re - e[i] * im
            p, q = p + pij, q + qij
            idx[at], row[at, 0], row[at, 1] = j, -pij, qij
            at += 1
        idx[at], row[at, 0], row[at, 1] = i, p - pd, q + qd
        at += 1
        ptr[c + 1] = at
    return ptr, idx, row


@njit(cache=True, nogil=True, error_model="numpy")
def react_columns(pattern, rows, factor, held, first, x, react):
    """Columns first .. first + LANES of G into ``react``; x (2 n LANES,) float32 is room for J0^-1's columns."""
    free_q, q_ptr, q_idx, q_row = factor.free_q, factor.q_ptr, factor.q_idx, factor.q_row
    x[:] = 0.0
    count = min(LANES, len(held) - first)
    for lane in range(count):
        x[(2 * held[first + lane] + 1) * LANES + lane] = 1.0
    forward(pattern, factor, x)
    backward(pattern, factor, x)
    total = np.zeros(LANES, np.float32)
    for c in range(len(held)):
        i = held[c]
        value = load(x, (2 * i + 1) * LANES)
        if free_q[i] == 0:
            value = cast(splat(0.0), x)
            for y in range(q_ptr[c], q_ptr[c + 1]):
                j = 2 * q_idx[y] * LANES
                value = (
                    value + cast(splat(q_row[y, 0]), x) * load(x, j) + cast(splat(q_row[y, 1]), x) * load(x, j + LANES)
                )
        store(total, 0, value)
        for lane in range(count):
            react[c, first + lane] = total[lane]


@njit(cache=True, error_model="numpy")
def make_factor(pattern, rows, e, f, p_extra, q_extra, free_q, alpha, with_outages):
    """The base state's `Factor` up to ``react`` (see `base_blocks` for the arguments; alpha (n,) of distributed slack)."""
    n, n_up = len(rows.kind), len(pattern.up_idx)
    low, diagonal, up = np.zeros((n_up, 4)), np.zeros((n, 4)), np.zeros((n_up, 4))
    base_blocks(pattern, rows, e, f, p_extra, q_extra, free_q, low, diagonal, up)
    factorise(pattern, low, diagonal, up)
    outage = np.full((len(rows.from_node), 16), np.nan)
    if with_outages:
        zd, zu, zl = selected_inverse(pattern, low, diagonal, up)
        outage_changes(pattern, rows, e, f, free_q, zd, zu, zl, outage)
    border = np.zeros((n, 2))
    for i in range(n):
        if rows.kind[i] != REF and rows.kind[i] != OFF:
            border[i, 0] = alpha[i]
    solve_one(pattern, low, diagonal, up, border)
    gain = np.ones(rows.n_island)
    for i in range(n):
        if rows.kind[i] == REF:
            total = -alpha[i]
            for x in range(rows.ptr[i], rows.ptr[i + 1]):
                j = rows.col[x]
                re, im = rows.g[x] * e[j] - rows.b[x] * f[j], rows.g[x] * f[j] + rows.b[x] * e[j]
                total += (f[i] * re - e[i] * im) * border[j, 0] + (e[i] * re + f[i] * im) * border[j, 1]
            gain[rows.island[i]] = total
    small = np.float32
    low_up = np.empty((n_up, 4))
    for x in range(n_up):
        low_up[pattern.low_block[x]] = low[x]
    return (
        low.astype(small), diagonal.astype(small), up.astype(small), low_up.astype(small), outage,
        free_q.astype(np.int8), border.astype(small), gain,
    )  # fmt: skip
