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

where x0 solves J0 x0 = r with r_S = 0. G is found once a factor; S is small, so G_SS is factorised lane by lane, densely. This
correction too goes between the sweeps: of x0 only what a_S reads is needed, and L^-1 E d is 0 away from S and the roots.

All this is a fixed-point iteration V <- V + g(V). Its error is soon that of one slow mode, which two steps show: `accelerate`
takes, of all points on the line through the last two images, the one at which the next g is least to first order,

    x = g - gamma (x' + g - g'),    gamma = <g, g - g'> / <g - g', g - g'>,

with x' the step taken last and g' the one proposed then (Anderson 1965, depth one). Kept are g and the lag x - g.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.newton import turn, update_slack
from aurigrid.kernels.simd import LANES, blend, cast, item, load, splat, splat32, store, widen
from aurigrid.kernels.tile import MOST_SWITCHED, PV

# keeps 0 / 0 out of lanes that stand still
_LEAST_SQUARE = 1e-35


@njit(cache=True, nogil=True, error_model="numpy")
def forward(pattern, factor, x):
    """x <- L^-1 x on all lanes."""
    low_ptr, low_idx, low, inverse = pattern.low_ptr, pattern.low_idx, factor.low.reshape(-1), factor.inverse
    for i in range(len(low_ptr) - 1):
        at = 2 * i * LANES
        r1, r2 = load(x, at), load(x, at + LANES)
        for k in range(low_ptr[i], low_ptr[i + 1]):
            j, b = item(low_idx, k) * 2 * LANES, 4 * k
            y1, y2 = load(x, j), load(x, j + LANES)
            r1 = r1 - cast(splat32(item(low, b)), x) * y1 - cast(splat32(item(low, b + 1)), x) * y2
            r2 = r2 - cast(splat32(item(low, b + 2)), x) * y1 - cast(splat32(item(low, b + 3)), x) * y2
        store(x, at, cast(splat32(inverse[i, 0]), x) * r1 + cast(splat32(inverse[i, 1]), x) * r2)
        store(x, at + LANES, cast(splat32(inverse[i, 2]), x) * r1 + cast(splat32(inverse[i, 3]), x) * r2)


@njit(cache=True, nogil=True, error_model="numpy")
def backward(pattern, factor, x):
    """x <- U^-1 x on all lanes."""
    up_ptr, up_idx, up = pattern.up_ptr, pattern.up_idx, factor.up.reshape(-1)
    for i in range(len(up_ptr) - 2, -1, -1):
        at = 2 * i * LANES
        r1, r2 = load(x, at), load(x, at + LANES)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j, b = item(up_idx, k) * 2 * LANES, 4 * k
            y1, y2 = load(x, j), load(x, j + LANES)
            r1 = r1 - cast(splat32(item(up, b)), x) * y1 - cast(splat32(item(up, b + 1)), x) * y2
            r2 = r2 - cast(splat32(item(up, b + 2)), x) * y1 - cast(splat32(item(up, b + 3)), x) * y2
        store(x, at, r1)
        store(x, at + LANES, r2)


@njit(cache=True, nogil=True, error_model="numpy")
def _climb(pattern, i, on):
    """Mark a node and those between it and the root of the elimination tree; returns how many were not marked."""
    up_ptr, up_idx = pattern.up_ptr, pattern.up_idx
    count = 0
    while on[i] == 0:
        on[i] = 1
        count += 1
        if up_ptr[i] == up_ptr[i + 1]:
            break
        i = up_idx[up_ptr[i]]
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _list_marked(on, path):
    """The marked nodes in elimination order."""
    at = 0
    for i in range(len(on)):
        if on[i] != 0:
            path[at] = i
            at += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _backward_along(pattern, factor, path, size, w, x):
    """x <- U^-1 w at the nodes of a path that is closed towards the roots."""
    up_ptr, up_idx, up = pattern.up_ptr, pattern.up_idx, factor.up
    for y in range(size - 1, -1, -1):
        i = path[y]
        at = 2 * i * LANES
        r1, r2 = load(w, at), load(w, at + LANES)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[k] * 2 * LANES
            y1, y2 = load(x, j), load(x, j + LANES)
            r1 = r1 - cast(splat32(up[k, 0]), w) * y1 - cast(splat32(up[k, 1]), w) * y2
            r2 = r2 - cast(splat32(up[k, 2]), w) * y1 - cast(splat32(up[k, 3]), w) * y2
        store(x, at, r1)
        store(x, at + LANES, r2)


@njit(cache=True, nogil=True, error_model="numpy")
def _clear_along(path, size, x):
    """x <- 0 at the nodes of a path."""
    zero = cast(splat(0.0), x)
    for y in range(size):
        at = 2 * path[y] * LANES
        store(x, at, zero)
        store(x, at + LANES, zero)


@njit(cache=True, nogil=True, error_model="numpy")
def _forward_along(pattern, factor, path, size, b, w):
    """w <- w + L^-1 b for a right-hand side that is 0 outside a path closed towards the roots; b is used up."""
    up_ptr, up_idx, low_up, inverse = pattern.up_ptr, pattern.up_idx, factor.low_up, factor.inverse
    for x in range(size):
        i = path[x]
        at = 2 * i * LANES
        b1, b2 = load(b, at), load(b, at + LANES)
        y1 = cast(splat32(inverse[i, 0]), w) * b1 + cast(splat32(inverse[i, 1]), w) * b2
        y2 = cast(splat32(inverse[i, 2]), w) * b1 + cast(splat32(inverse[i, 3]), w) * b2
        store(w, at, load(w, at) + y1)
        store(w, at + LANES, load(w, at + LANES) + y2)
        for k in range(up_ptr[i], up_ptr[i + 1]):
            j = up_idx[k] * 2 * LANES
            b1 = load(b, j) - cast(splat32(low_up[k, 0]), w) * y1 - cast(splat32(low_up[k, 1]), w) * y2
            b2 = load(b, j + LANES) - cast(splat32(low_up[k, 2]), w) * y1 - cast(splat32(low_up[k, 3]), w) * y2
            store(b, j, b1)
            store(b, j + LANES, b2)


@njit(cache=True, nogil=True, error_model="numpy")
def trace_outages(pattern, rows, batch, tile, factor, scenario, done):
    """Find the nodes between the ends of the lanes' outages and the roots of the elimination tree, into ``tile.path``."""
    from_node, to_node = rows.from_node, rows.to_node
    out_ptr, out_branch, outage, on = batch.out_ptr, batch.out_branch, factor.outage, tile.on_path
    on[:] = 0
    count = 0
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane] or out_ptr[s + 1] == out_ptr[s] or np.isnan(outage[out_branch[out_ptr[s]], 0]):
            continue
        k = out_branch[out_ptr[s]]
        count += _climb(pattern, from_node[k], on) + _climb(pattern, to_node[k], on)
    tile.n_path[0] = count
    _list_marked(on, tile.path)


@njit(cache=True, nogil=True, error_model="numpy")
def correct_outages(pattern, rows, batch, tile, factor, scenario, done):
    """Woodbury's correction between the two sweeps, in the lanes that have one branch out: rhs -= L^-1 E M E' U^-1 rhs.

    What it reads and changes lies on the way from the ends of the outages to the roots of the elimination tree.
    """
    rhs, border, outage, path, size = tile.rhs, tile.border, factor.outage, tile.path, tile.n_path[0]
    out_ptr, out_branch, from_node, to_node = batch.out_ptr, batch.out_branch, rows.from_node, rows.to_node
    if size == 0:
        return
    _backward_along(pattern, factor, path, size, rhs, border)
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
    _clear_along(path, size, border)
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane] or out_ptr[s + 1] == out_ptr[s] or np.isnan(outage[out_branch[out_ptr[s]], 0]):
            continue
        k = out_branch[out_ptr[s]]
        a, b = 2 * from_node[k] * LANES + lane, 2 * to_node[k] * LANES + lane
        border[a], border[a + LANES] = -change[lane], -change[LANES + lane]
        border[b], border[b + LANES] = -change[2 * LANES + lane], -change[3 * LANES + lane]
    _forward_along(pattern, factor, path, size, border, rhs)


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
def trace_switched(pattern, tile, factor, done):
    """Nodes that have switched in some lane, those that their equations read, and all up to the roots, into ``tile.reach``."""
    held, switched, n_switched, on = tile.held, tile.switched, tile.n_switched, tile.on_path
    free_q, q_ptr, q_idx = factor.free_q, factor.q_ptr, factor.q_idx
    on[:] = 0
    count = 0
    for lane in range(LANES):
        if done[lane]:
            continue
        for a in range(n_switched[lane]):
            c = switched[lane, a]
            count += _climb(pattern, held[c], on)
            if free_q[held[c]] == 0:
                for x in range(q_ptr[c], q_ptr[c + 1]):
                    count += _climb(pattern, q_idx[x], on)
    tile.n_reach[0] = count
    _list_marked(on, tile.reach)


@njit(cache=True, nogil=True, error_model="numpy")
def correct_switched(pattern, tile, factor, done):
    """Between the sweeps: rhs += L^-1 E_S d in the lanes whose nodes have switched, so that x = x0 + Z_S d.

    Of x0 = U^-1 rhs only what the equations of S read is found beforehand.
    """
    rhs, border, held, switched, n_switched = tile.rhs, tile.border, tile.held, tile.switched, tile.n_switched
    free_q, q_ptr, q_idx, q_row = factor.free_q, factor.q_ptr, factor.q_idx, factor.q_row
    reach, size = tile.reach, tile.n_reach[0]
    _backward_along(pattern, factor, reach, size, rhs, border)
    for lane in range(LANES):
        k = n_switched[lane]
        if done[lane] or k == 0:
            continue
        lu, pivot, d = tile.lu[lane], tile.pivot[lane], tile.wanted[lane]
        for a in range(k):
            c = switched[lane, a]
            i = held[c]
            if free_q[i] != 0:
                d[a] -= border[(2 * i + 1) * LANES + lane]
            else:
                for x in range(q_ptr[c], q_ptr[c + 1]):
                    j = 2 * q_idx[x] * LANES + lane
                    d[a] -= q_row[x, 0] * border[j] + q_row[x, 1] * border[j + LANES]
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
    _clear_along(reach, size, border)
    for lane in range(LANES):
        if not done[lane]:
            for a in range(n_switched[lane]):
                border[(2 * held[switched[lane, a]] + 1) * LANES + lane] = tile.wanted[lane, a]
    _forward_along(pattern, factor, reach, size, border, rhs)


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
def spread_slack(rows, batch, tile, factor):
    """Distributed slack: the step of lambda by which each reference keeps its balance, and x += z d lambda."""
    yptr, ycol, yg, yb, island, n_island = rows.ptr, rows.col, rows.g, rows.b, rows.island, rows.n_island
    rhs, te, tf, p_now, leads = tile.rhs, tile.e, tile.f, tile.p_now, tile.leads
    border, gain = factor.border, factor.gain
    n = len(rows.kind)
    for r in range(n_island):
        store(rhs, (2 * n + r) * LANES, splat(0.0))
    for i in batch.reference:
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
        own = (2 * n + island[i]) * LANES
        store(rhs, own, blend(load(leads, at), need * (1.0 / gain[island[i]]), widen(load(rhs, own))))
    for i in range(n):
        step = load(rhs, (2 * n + island[i]) * LANES)
        at = 2 * i * LANES
        store(rhs, at, load(rhs, at) + cast(splat32(border[i, 0]), rhs) * step)
        store(rhs, at + LANES, load(rhs, at + LANES) + cast(splat32(border[i, 1]), rhs) * step)


@njit(cache=True, nogil=True, error_model="numpy")
def accelerate(rows, tile):
    """Take the step in ``tile.rhs``, accelerated in the lanes that are ``tile.steady``; remember it in `proposed` and `lag`.

    What it reads and writes comes from the second cache, whose speed is its own: voltages change in the pass that finds x.
    """
    te, tf, rhs, proposed, lag, live = tile.e, tile.f, tile.rhs, tile.proposed, tile.lag, load(tile.live, 0)
    zero = cast(splat(0.0), rhs)
    along, square = zero, zero
    for at in range(0, len(rhs), LANES):
        g = load(rhs, at)
        change = g - load(proposed, at)
        along, square = along + g * change, square + change * change
    steady = load(tile.steady, 0)
    # not a product with 0 afterwards: what an earlier scenario left behind need not be finite
    gamma = along / (square + cast(splat(_LEAST_SQUARE), rhs))
    n = len(rows.kind) * LANES
    for at in range(0, n, LANES):
        own = 2 * at
        g1, g2 = load(rhs, own), load(rhs, own + LANES)
        lag1 = blend(steady, -gamma * (load(lag, own) + g1), zero)
        lag2 = blend(steady, -gamma * (load(lag, own + LANES) + g2), zero)
        store(proposed, own, g1)
        store(proposed, own + LANES, g2)
        store(lag, own, lag1)
        store(lag, own + LANES, lag2)
        turn(te, tf, at, widen(g1 + lag1) * live, widen(g2 + lag2) * live)
    for at in range(2 * n, len(rhs), LANES):
        g = load(rhs, at)
        late = blend(steady, -gamma * (load(lag, at) + g), zero)
        store(proposed, at, g)
        store(lag, at, late)
        store(rhs, at, g + late)
    update_slack(rows, tile)
