"""Chord steps: one factor of the base state's Jacobian, shared by all lanes, stands in for each scenario's own.

Scenarios of one grid start from one solved state. Near it, the Jacobian J0 there is a good substitute for the present one:

    J0 x = r(V)

converges linearly, by 1 to 2 digits a step, and a step costs two triangular sweeps whose factor is read once for all lanes
instead of an assembly and a factorisation a lane. A lane whose steps stop paying goes on with Newton from where it is.

A branch outage changes J0 in the four blocks of its ends i and j: J1 = J0 + E C E', E selecting the four equations there and
C the change at the base state. By Woodbury's identity,

    x = J0^-1 (r - E M E' J0^-1 r),    M = (I + C K)^-1 C,    K = E' J0^-1 E,

where K is made of blocks of J0^-1 on the pattern of the factor; `selected_inverse` finds them all for about the cost of the
factorisation (Takahashi, Fagan and Chen 1973). With J0 = L U the correction goes between the two sweeps,

    x = U^-1 (w - L^-1 E M E' U^-1 w),    w = L^-1 r,

where it touches only the nodes between i, j and the roots of the elimination tree (Alsac, Stott and Tinney 1983 call this
mid-compensation).

A node that reaches a reactive limit, or leaves one, changes its second equation against J0: where J0 holds its voltage, Q is
imposed now, and the reverse. With S the nodes that changed in a lane, a_i the equation that holds now at node i in S, and
Z = J0^-1 E its columns for the second equations of all nodes that could change,

    x = x0 + Z_S d,    G_SS d = r_S - a_S x0,    G = (a_i Z_j)_ij,

where x0 solves J0 x0 = r with r_S = 0. G is found once a factor; S is small, so G_SS is factorised lane by lane, densely.

The factor is ``J0 = L U`` with ``U`` unit upper triangular, in 2x2 blocks, row by row as in `newton`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.simd import LANES, blend, cast, load, splat, splat32, store, widen
from aurigrid.kernels.tile import MOST_SWITCHED, OFF, PV, REF

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


@njit(cache=True, nogil=True, error_model="numpy")
def forward(pattern, factor, x):
    """x <- L^-1 x on all lanes."""
    low_ptr, low_idx, low, inverse = pattern.low_ptr, pattern.low_idx, factor.low, factor.inverse
    for i in range(len(low_ptr) - 1):
        at = 2 * i * LANES
        r1, r2 = load(x, at), load(x, at + LANES)
        for k in range(low_ptr[i], low_ptr[i + 1]):
            j = low_idx[k] * 2 * LANES
            y1, y2 = load(x, j), load(x, j + LANES)
            r1 = r1 - cast(splat32(low[k, 0]), x) * y1 - cast(splat32(low[k, 1]), x) * y2
            r2 = r2 - cast(splat32(low[k, 2]), x) * y1 - cast(splat32(low[k, 3]), x) * y2
        store(x, at, cast(splat32(inverse[i, 0]), x) * r1 + cast(splat32(inverse[i, 1]), x) * r2)
        store(x, at + LANES, cast(splat32(inverse[i, 2]), x) * r1 + cast(splat32(inverse[i, 3]), x) * r2)


@njit(cache=True, nogil=True, error_model="numpy")
def backward(pattern, factor, x):
    """x <- U^-1 x on all lanes."""
    up_ptr, up_idx, up = pattern.up_ptr, pattern.up_idx, factor.up
    for i in range(len(up_ptr) - 2, -1, -1):
        at = 2 * i * LANES
        r1, r2 = load(x, at), load(x, at + LANES)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[k] * 2 * LANES
            y1, y2 = load(x, j), load(x, j + LANES)
            r1 = r1 - cast(splat32(up[k, 0]), x) * y1 - cast(splat32(up[k, 1]), x) * y2
            r2 = r2 - cast(splat32(up[k, 2]), x) * y1 - cast(splat32(up[k, 3]), x) * y2
        store(x, at, r1)
        store(x, at + LANES, r2)


@njit(cache=True, nogil=True, error_model="numpy")
def trace_outages(pattern, rows, batch, tile, factor, scenario, done):
    """Find the nodes between the ends of the lanes' outages and the roots of the elimination tree, into ``tile.path``."""
    up_ptr, up_idx, from_node, to_node = pattern.up_ptr, pattern.up_idx, rows.from_node, rows.to_node
    out_ptr, out_branch, outage, path, n_path, on = (
        batch.out_ptr, batch.out_branch, factor.outage, tile.path, tile.n_path, tile.on_path
    )  # fmt: skip
    on[:] = 0
    count = 0
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane] or out_ptr[s + 1] == out_ptr[s] or np.isnan(outage[out_branch[out_ptr[s]], 0]):
            continue
        k = out_branch[out_ptr[s]]
        for end in range(2):
            i = from_node[k] if end == 0 else to_node[k]
            while on[i] == 0:
                on[i] = 1
                count += 1
                if up_ptr[i] == up_ptr[i + 1]:
                    break
                i = up_idx[up_ptr[i]]
    n_path[0] = count
    at = 0
    for i in range(len(on)):
        if on[i] != 0:
            path[at] = i
            at += 1


@njit(cache=True, nogil=True, error_model="numpy")
def correct_outages(pattern, rows, batch, tile, factor, scenario, done):
    """Woodbury's correction between the two sweeps, in the lanes that have one branch out: rhs -= L^-1 E M E' U^-1 rhs.

    What it reads and changes lies on the way from the ends of the outages to the roots of the elimination tree.
    """
    rhs, border, outage, path, n_path = tile.rhs, tile.border, factor.outage, tile.path, tile.n_path
    out_ptr, out_branch, from_node, to_node = batch.out_ptr, batch.out_branch, rows.from_node, rows.to_node
    up_ptr, up_idx, up, low_up, inverse = pattern.up_ptr, pattern.up_idx, factor.up, factor.low_up, factor.inverse
    size = n_path[0]
    if size == 0:
        return
    for x in range(size - 1, -1, -1):
        i = path[x]
        at = 2 * i * LANES
        r1, r2 = load(rhs, at), load(rhs, at + LANES)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[k] * 2 * LANES
            y1, y2 = load(border, j), load(border, j + LANES)
            r1 = r1 - cast(splat32(up[k, 0]), rhs) * y1 - cast(splat32(up[k, 1]), rhs) * y2
            r2 = r2 - cast(splat32(up[k, 2]), rhs) * y1 - cast(splat32(up[k, 3]), rhs) * y2
        store(border, at, r1)
        store(border, at + LANES, r2)
    change = np.zeros(4 * LANES)
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane] or out_ptr[s + 1] == out_ptr[s]:
            continue
        k = out_branch[out_ptr[s]]
        m = outage[k]
        if m[0] != m[0]:
            continue
        a, b = 2 * from_node[k] * LANES + lane, 2 * to_node[k] * LANES + lane
        y1, y2, y3, y4 = border[a], border[a + LANES], border[b], border[b + LANES]
        change[lane] = m[0] * y1 + m[1] * y2 + m[2] * y3 + m[3] * y4
        change[LANES + lane] = m[4] * y1 + m[5] * y2 + m[6] * y3 + m[7] * y4
        change[2 * LANES + lane] = m[8] * y1 + m[9] * y2 + m[10] * y3 + m[11] * y4
        change[3 * LANES + lane] = m[12] * y1 + m[13] * y2 + m[14] * y3 + m[15] * y4
    zero = cast(splat(0.0), border)
    for x in range(size):
        at = 2 * path[x] * LANES
        store(border, at, zero)
        store(border, at + LANES, zero)
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane] or out_ptr[s + 1] == out_ptr[s] or np.isnan(outage[out_branch[out_ptr[s]], 0]):
            continue
        k = out_branch[out_ptr[s]]
        a, b = 2 * from_node[k] * LANES + lane, 2 * to_node[k] * LANES + lane
        border[a], border[a + LANES] = -change[lane], -change[LANES + lane]
        border[b], border[b + LANES] = -change[2 * LANES + lane], -change[3 * LANES + lane]
    for x in range(size):
        i = path[x]
        at = 2 * i * LANES
        b1, b2 = load(border, at), load(border, at + LANES)
        y1 = cast(splat32(inverse[i, 0]), rhs) * b1 + cast(splat32(inverse[i, 1]), rhs) * b2
        y2 = cast(splat32(inverse[i, 2]), rhs) * b1 + cast(splat32(inverse[i, 3]), rhs) * b2
        store(rhs, at, load(rhs, at) + y1)
        store(rhs, at + LANES, load(rhs, at + LANES) + y2)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[k] * 2 * LANES
            b1 = load(border, j) - cast(splat32(low_up[k, 0]), rhs) * y1 - cast(splat32(low_up[k, 1]), rhs) * y2
            b2 = load(border, j + LANES) - cast(splat32(low_up[k, 2]), rhs) * y1 - cast(splat32(low_up[k, 3]), rhs) * y2
            store(border, j, b1)
            store(border, j + LANES, b2)


@njit(cache=True, nogil=True, error_model="numpy")
def list_switched(rows, tile, factor, lane):
    """Find the nodes of a lane whose second equation differs from J0's and factorise their part of G (LU, row pivoting)."""
    kind, held, mq, free_q, react = rows.kind, tile.held, tile.mq, factor.free_q, factor.react
    switched, lu, pivot = tile.switched[lane], tile.lu[lane], tile.pivot[lane]
    k = 0
    for c in range(len(held)):
        i = held[c]
        if kind[i] == PV and k < MOST_SWITCHED and (mq[i * LANES + lane] != 0.0) != (free_q[i] != 0):
            switched[k] = c
            k += 1
    tile.n_switched[lane] = k
    for a in range(k):
        for b in range(k):
            lu[a, b] = react[switched[a], switched[b]]
    for a in range(k):
        best = a
        for b in range(a + 1, k):
            if abs(lu[b, a]) > abs(lu[best, a]):
                best = b
        pivot[a] = best
        for b in range(k):
            lu[a, b], lu[best, b] = lu[best, b], lu[a, b]
        scale = 1.0 / lu[a, a]
        for b in range(a + 1, k):
            lu[b, a] *= scale
            for x in range(a + 1, k):
                lu[b, x] -= lu[b, a] * lu[a, x]


@njit(cache=True, nogil=True, error_model="numpy")
def set_aside(tile, done):
    """Before the sweeps: take r_S out of the right-hand side. Returns whether there is any in some lane."""
    rhs, held, switched, n_switched, wanted = tile.rhs, tile.held, tile.switched, tile.n_switched, tile.wanted
    found = False
    for lane in range(LANES):
        if done[lane]:
            continue
        for a in range(n_switched[lane]):
            at = (2 * held[switched[lane, a]] + 1) * LANES + lane
            wanted[lane, a] = rhs[at]
            rhs[at] = 0.0
            found = True
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def correct_switched(pattern, tile, factor, done):
    """After the sweeps: x0 <- x0 + Z_S d in the lanes whose nodes have switched."""
    rhs, border, held, switched, n_switched = tile.rhs, tile.border, tile.held, tile.switched, tile.n_switched
    free_q, q_ptr, q_idx, q_row = factor.free_q, factor.q_ptr, factor.q_idx, factor.q_row
    n = len(rhs) // (2 * LANES)
    zero = cast(splat(0.0), border)
    for i in range(2 * n):
        store(border, i * LANES, zero)
    for lane in range(LANES):
        k = n_switched[lane]
        if done[lane] or k == 0:
            continue
        lu, pivot, d = tile.lu[lane], tile.pivot[lane], tile.wanted[lane]
        for a in range(k):
            c = switched[lane, a]
            i = held[c]
            if free_q[i] != 0:
                d[a] -= rhs[(2 * i + 1) * LANES + lane]
            else:
                for x in range(q_ptr[c], q_ptr[c + 1]):
                    j = 2 * q_idx[x] * LANES + lane
                    d[a] -= q_row[x, 0] * rhs[j] + q_row[x, 1] * rhs[j + LANES]
        for a in range(k):
            best = pivot[a]
            d[a], d[best] = d[best], d[a]
        for a in range(k):
            for b in range(a):
                d[a] -= lu[a, b] * d[b]
        for a in range(k - 1, -1, -1):
            for b in range(a + 1, k):
                d[a] -= lu[a, b] * d[b]
            d[a] /= lu[a, a]
            border[(2 * held[switched[lane, a]] + 1) * LANES + lane] = d[a]
    forward(pattern, factor, border)
    backward(pattern, factor, border)
    for i in range(2 * n):
        store(rhs, i * LANES, load(rhs, i * LANES) + load(border, i * LANES))


@njit(cache=True, nogil=True, error_model="numpy")
def hold_again(tile, factor):
    """After the sweep: nodes that hold their voltage while J0 imposes Q there do not move it."""
    held, rhs, mq, free_q = tile.held, tile.rhs, tile.mq, factor.free_q
    for x in range(len(held)):
        i = held[x]
        if free_q[i] != 0:
            at = (2 * i + 1) * LANES
            store(rhs, at, load(rhs, at) * cast(load(mq, i * LANES), rhs))


@njit(cache=True, nogil=True, error_model="numpy")
def spread_slack(rows, tile, factor):
    """Distributed slack: change lambda so that each reference keeps its balance after the step, x += z d lambda."""
    yptr, ycol, yg, yb, island, n_island = rows.ptr, rows.col, rows.g, rows.b, rows.island, rows.n_island
    rhs, reference, te, tf, p_now, slack = tile.rhs, tile.reference, tile.e, tile.f, tile.p_now, tile.slack
    border, gain = factor.border, factor.gain
    change = np.zeros(n_island * LANES)
    live = load(tile.live, 0)
    for i in reference:
        at = i * LANES
        e, f = load(te, at), load(tf, at)
        need = load(p_now, at)
        for x in range(yptr[i], yptr[i + 1]):
            j = ycol[x] * LANES
            ej, fj = load(te, j), load(tf, j)
            g, b = splat(yg[x]), splat(yb[x])
            re, im = g * ej - b * fj, g * fj + b * ej
            need = (
                need - (f * re - e * im) * widen(load(rhs, 2 * j)) - (e * re + f * im) * widen(load(rhs, 2 * j + LANES))
            )
        # a lane that is done keeps its lambda: it must not depend on how long its neighbours go on
        store(change, island[i] * LANES, blend(live, need * (1.0 / gain[island[i]]), splat(0.0)))
    for r in range(n_island):
        store(slack, r * LANES, load(slack, r * LANES) + load(change, r * LANES))
    for i in range(len(rows.kind)):
        step = cast(load(change, island[i] * LANES), rhs)
        at = 2 * i * LANES
        store(rhs, at, load(rhs, at) + cast(splat32(border[i, 0]), rhs) * step)
        store(rhs, at + LANES, load(rhs, at + LANES) + cast(splat32(border[i, 1]), rhs) * step)


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
