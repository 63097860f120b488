"""Where a double outage settles: the sum of its single outages, carried on by linear steps in which reactive limits follow.

The sum of both changes is a state: angles follow the factors of the closed form (`pairs.pair_factors`), ln|V| and slack add up,

    theta = theta_0 + a d_i theta + b d_j theta,    ln|V| = ln|V_0| + d_i ln|V| + d_j ln|V|

It does not balance: what both outages ask of the same branches grows with the square of the flow, and a node that is at a
reactive limit after one of them gives nothing for the other. With r what is missing, both branches out, and J0 the base state's
Jacobian, a step is

    x = J0^-1 (r + E d),    a_c x = a_c J0^-1 r + G_c d,    V <- V (1 + d ln|V|) e^(j d theta)

E, G and the equations a_c of the nodes c that could hold a voltage as in `chord`: d_c is what is imposed at c beyond r, on Q
where the base state has c at a limit, on ln|V| where c holds its voltage there. S, the nodes that are now on the other side than
in the base state, begins as what one outage or the other put there. With

    G_SS d_S = goal_S - a_S J0^-1 r

the needs and voltages of all c follow, so further nodes pass their limits or return and S changes, until nothing does or `ROUNDS`
are spent: the closure of the reactive limits that the pair reaches. J0 has no outage: what the steps repair is of second order in
the outages, and what they leave is measured, not believed. Voltage-dependent loads are taken as constant.

Shapes: m single outages, n nodes in elimination order, h nodes that could hold a voltage; lanes as in `newton`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.chord import backward, forward
from aurigrid.kernels.newton import turn
from aurigrid.kernels.pairs import pair_factors
from aurigrid.kernels.simd import LANES, cast, item, load, splat, store, vabs, vmax, vsqrt, widen
from aurigrid.kernels.tile import OFF, PV, REF

LEFT_FIRST, LEFT, SANK, SWITCHED, BEYOND, ROOM, EXCESS, LOADING_SETTLED, BAND_SETTLED, LOWEST = range(10)
N_SETTLED = 10
"""Columns that `settle_pairs` fills.

left_first, left: largest mismatch of the sum and after the last step, pu; sank: largest fall of a ln|V| that a reactive limit
lets go; switched, beyond: nodes that are on the other side of a reactive limit than in the base state, and those that are
elsewhere than one outage or the other put them; room: least distance of a node that holds its voltage from its limits, pu;
excess: what the sum asks of regulated nodes beyond their limits, pu; loading_settled, band_settled: largest loading and distance
past a voltage band, as `pairs.LOADING` and `pairs.BAND`; lowest: lowest voltage, pu.
"""
STEPS = 2
ROUNDS = 6
_MOST = 32
_FAR = 9.0
_LEAST_PIVOT = 1e-6
_LEAST_SQUARE = 1e-30
_MOST_IMPOSED = 2.0
_LEEWAY_PU = 1e-6


@njit(cache=True, nogil=True, error_model="numpy")
def node_needs(rows, e, f, p, q):
    """P and Q that leave every node at a state, intact grid: (n,) each, pu; voltages (n,)."""
    for i in range(len(rows.kind)):
        re, im = rows.g_diag[i] * e[i] - rows.b_diag[i] * f[i], rows.g_diag[i] * f[i] + rows.b_diag[i] * e[i]
        for x in range(rows.ptr[i], rows.ptr[i + 1]):
            j = rows.col[x]
            re, im = re + rows.g[x] * e[j] - rows.b[x] * f[j], im + rows.g[x] * f[j] + rows.b[x] * e[j]
        p[i], q[i] = e[i] * re + f[i] * im, f[i] * re - e[i] * im


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _begin(first, second, a, b, slack, island, turned, grown, e0, f0, p0, alpha, te, tf, tp, angle, growth):
    """Lanes of the sums of both changes: voltages, and what active power is specified there."""
    n = len(e0)
    for lane in range(LANES):
        i, j, u, v = first[lane], second[lane], a[lane], b[lane]
        for k in range(n):
            at = k * LANES + lane
            angle[at] = u * turned[i, k] + v * turned[j, k]
            growth[at] = grown[i, k] + grown[j, k]
            tp[at] = p0[k] + alpha[k] * (slack[i, island[k]] + slack[j, island[k]])
    for k in range(n):
        for lane in range(LANES):
            at = k * LANES + lane
            g, t = growth[at], 0.5 * angle[at]
            # a node that lost its supply has no voltage; e^g to third order, as |V| after an outage is near that before, and
            # the tangent of half an angle, which need not be small, to fifth
            t = t * (1.0 + t * t * (1.0 / 3.0 + t * t * (2.0 / 15.0)))
            size = (1.0 + g * (1.0 + g * (0.5 + g / 6.0))) / (1.0 + t * t) if g > -5.0 else 0.0
            c, s = (1.0 - t * t) * size, 2.0 * t * size
            te[at], tf[at] = c * e0[k] - s * f0[k], s * e0[k] + c * f0[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _missing(rows, te, tf, tp, q0, p_left, q_left):
    """What is missing at every node on the intact grid."""
    ptr, col, g, b, g_diag, b_diag = rows.ptr, rows.col, rows.g, rows.b, rows.g_diag, rows.b_diag
    for i in range(len(rows.kind)):
        at = i * LANES
        e, f = load(te, at), load(tf, at)
        re, im = splat(g_diag[i]) * e - splat(b_diag[i]) * f, splat(g_diag[i]) * f + splat(b_diag[i]) * e
        for x in range(ptr[i], ptr[i + 1]):
            j = item(col, x) * LANES
            ej, fj = load(te, j), load(tf, j)
            gx, bx = splat(item(g, x)), splat(item(b, x))
            re = re + gx * ej - bx * fj
            im = im + gx * fj + bx * ej
        store(p_left, at, load(tp, at) - (e * re + f * im))
        store(q_left, at, splat(q0[i]) - (f * re - e * im))


@njit(cache=True, nogil=True, error_model="numpy")
def _without(rows, branch, outages, te, tf, p_left, q_left):
    """Give back what a branch of each lane, which is out, would have taken."""
    for lane in range(LANES):
        k = branch[outages[lane]]
        for end in range(2):
            i, j = (rows.from_node[k], rows.to_node[k]) if end == 0 else (rows.to_node[k], rows.from_node[k])
            own, mutual = (0, 2) if end == 0 else (6, 4)
            y, at, far = rows.y_branch[k], i * LANES + lane, j * LANES + lane
            e, f, ej, fj = te[at], tf[at], te[far], tf[far]
            re = y[own] * e - y[own + 1] * f + y[mutual] * ej - y[mutual + 1] * fj
            im = y[own] * f + y[own + 1] * e + y[mutual] * fj + y[mutual + 1] * ej
            p_left[at] += e * re + f * im
            q_left[at] += f * re - e * im


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_few(a, d, k):
    """d <- a^-1 d for the first k rows, Gauss with row pivoting; a pivot that is as good as none gives a large d."""
    for i in range(k):
        best = i
        for r in range(i + 1, k):
            if abs(a[r, i]) > abs(a[best, i]):
                best = r
        if best != i:
            for c in range(k):
                a[i, c], a[best, c] = a[best, c], a[i, c]
            d[i], d[best] = d[best], d[i]
        if abs(a[i, i]) < _LEAST_PIVOT:
            a[i, i] = _LEAST_PIVOT
        for r in range(i + 1, k):
            m = a[r, i] / a[i, i]
            if m != 0.0:
                for c in range(i + 1, k):
                    a[r, c] -= m * a[i, c]
                d[r] -= m * d[i]
    for i in range(k - 1, -1, -1):
        for c in range(i + 1, k):
            d[i] -= a[i, c] * d[c]
        d[i] /= a[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _close(react_t, free, fixed, need, u, goal, q_low, q_high, r, y0, state, d, y, small, part, some):
    """The closure in one lane: sides and what is imposed, in place.

    Args:
        react_t: (h, h) the transpose of G; free: (h,) 1 where the base state imposes Q; fixed: (h,) 1 for nodes that never
            switch, without supply too.
        need, u: (h,) reactive power given and ln|V| at the present state; goal: (h,) ln of the set-points.
        r: (h,) what the right-hand side imposes: Q that is missing where the base state imposes it, else a change of ln|V|.
        y0: (h,) a_c J0^-1 r; state: (h,) int8 0 holds its voltage, +1 / -1 at a limit; d, y: (h,) what is imposed beyond r, and
            a_c x; small, part, some: room.
    """
    h = len(free)
    for turns in range(ROUNDS):
        k = 0
        for c in range(h):
            d[c] = 0.0
            if fixed[c]:
                continue
            if (state[c] != 0) != (free[c] != 0) and k < _MOST:
                some[k] = c
                k += 1
            elif state[c] == 0:
                # holds its voltage, as in the base state: back to the set-point if an outage alone had let it go
                d[c] = goal[c] - u[c] - r[c]
        y[:] = y0
        for b in range(h):
            if d[b] != 0.0:
                for c in range(h):
                    y[c] += react_t[b, c] * d[b]
        for a in range(k):
            c = some[a]
            limit = q_high[c] if state[c] > 0 else q_low[c]
            part[a] = (goal[c] - u[c] if free[c] else limit - need[c]) - y[c]
            for b in range(k):
                small[a, b] = react_t[some[b], c]
        _solve_few(small, part, k)
        for a in range(k):
            c = some[a]
            d[c] = min(max(part[a], -_MOST_IMPOSED), _MOST_IMPOSED)
            for x in range(h):
                y[x] += react_t[c, x] * d[c]
        rest = True
        for c in range(h):
            if fixed[c]:
                continue
            q = need[c] + (r[c] + d[c] if free[c] else y[c])
            v = u[c] + (y[c] if free[c] else r[c] + d[c])
            if state[c] == 0:
                if q > q_high[c] + _LEEWAY_PU:
                    state[c], rest = 1, False
                elif q < q_low[c] - _LEEWAY_PU:
                    state[c], rest = -1, False
            elif (v - goal[c]) * state[c] > _LEEWAY_PU and turns < ROUNDS - 2:
                state[c], rest = 0, False
        if rest:
            break


@njit(cache=True, nogil=True, error_model="numpy")
def _look(rows, first, second, te, tf, inv, low, high, place, weight, least, most, extreme, out):
    """Largest loading, largest distance past a band and lowest voltage of each lane."""
    last, m, y = len(inv) - 1, len(rows.from_node), rows.y_branch
    for lane in range(LANES):
        i, j = first[lane], second[lane]
        for k in range(m):
            weight[k * LANES + lane] = min(min(inv[i, k], inv[j, k]), inv[last, k])
    worst = splat(0.0)
    for k in range(m):
        i, j = rows.from_node[k], rows.to_node[k]
        if i < 0:
            continue
        at, far = i * LANES, j * LANES
        e, f, ej, fj = load(te, at), load(tf, at), load(te, far), load(tf, far)
        re = splat(y[k, 0]) * e - splat(y[k, 1]) * f + splat(y[k, 2]) * ej - splat(y[k, 3]) * fj
        im = splat(y[k, 0]) * f + splat(y[k, 1]) * e + splat(y[k, 2]) * fj + splat(y[k, 3]) * ej
        near = (e * e + f * f) * (re * re + im * im)
        re = splat(y[k, 6]) * ej - splat(y[k, 7]) * fj + splat(y[k, 4]) * e - splat(y[k, 5]) * f
        im = splat(y[k, 6]) * fj + splat(y[k, 7]) * ej + splat(y[k, 4]) * f + splat(y[k, 5]) * e
        worst = vmax(vmax(near, (ej * ej + fj * fj) * (re * re + im * im)) * widen(load(weight, k * LANES)), worst)
    store(extreme, 0, worst)
    n_bus = len(place)
    for lane in range(LANES):
        i, j = first[lane], second[lane]
        for b in range(n_bus):
            at = b * LANES + lane
            least[at] = min(min(low[i, b], low[j, b]), low[last, b])
            most[at] = max(max(high[i, b], high[j, b]), high[last, b])
    past, lowest = splat(-1.0), splat(-_FAR)
    for b in range(n_bus):
        at = place[b] * LANES
        square = load(te, at) * load(te, at) + load(tf, at) * load(tf, at)
        v, live = vsqrt(square), square / (square + splat(_LEAST_SQUARE))
        # buses without supply have limits that are far off, and no voltage to be the lowest
        past = vmax(vmax(widen(load(least, b * LANES)) - v, v - widen(load(most, b * LANES))), past)
        lowest = vmax((1.0 - live) * -_FAR - v, lowest)
    store(extreme, LANES, past)
    store(extreme, 2 * LANES, lowest)
    for lane in range(LANES):
        out[lane, LOADING_SETTLED] = min(np.sqrt(extreme[lane]), 1e2)
        out[lane, BAND_SETTLED], out[lane, LOWEST] = min(extreme[LANES + lane], 2.0), -extreme[2 * LANES + lane]


@njit(cache=True, nogil=True, error_model="numpy")
def settle_pairs(
    pattern, rows, factor, first, second, lo, hi, branch, active, change, e0, f0, p0, q0, alpha, turned, grown, slack, held,
    fixed, held_base, held_single, given, q_low, q_high, goal, inv, low, high, place, out,
):  # fmt: skip
    """Measures of pairs lo..hi into ``out`` (n_pair, N_SETTLED) float32.

    Args:
        pattern, rows, factor: the grid, and the base state's factor (`factor.Factor`), with reactive limits or without.
        first, second: (n_pair,) the two outages of each pair, positions among the single ones; branch: (m,) what they take away.
        active: (n_branch,) active flow of each branch before outages, mean of its ends, pu; change: (m, m) what each outage
            (rows) changes in that of the branch that another one takes away (columns).
        e0, f0, p0, q0: (n,) the base state and the power that leaves each node there; alpha: (n,) slack shares.
        turned, grown: (m, n) float32 what each outage changes in angles and in ln|V|; grown is -10 where supply is lost.
        slack: (m, n_island) what each outage changes in the slack of each island, pu.
        held: (h,) positions of the nodes that could hold a voltage, those of ``factor.react``; fixed: (h,) int8, 1 for
            references.
        held_base, held_single: (h,), (m, h) int8 their state (`Results.held`); given: (h,) reactive power that they give before
            outages; q_low, q_high: (h,) their limits; goal: (h,) ln of their set-points.
        inv, low, high: as for `pairs.estimate_pairs`; place: (n_bus,) position of the node of each column of low and high.
    """
    n, h, m = len(rows.kind), len(held), len(rows.from_node)
    kind, free_q, q_ptr, q_idx, q_row, react = (
        rows.kind,
        factor.free_q,
        factor.q_ptr,
        factor.q_idx,
        factor.q_row,
        factor.react,
    )
    te, tf, tp = np.empty(n * LANES), np.empty(n * LANES), np.empty(n * LANES)
    p_left, q_left = np.empty(n * LANES), np.empty(n * LANES)
    angle, growth = np.empty(n * LANES, np.float32), np.empty(n * LANES, np.float32)
    x, kept = np.empty(2 * n * LANES, np.float32), np.empty(2 * n * LANES, np.float32)
    weight, most = np.empty(m * LANES, np.float32), np.empty(LANES)
    lows, highs = np.empty(len(place) * LANES, np.float32), np.empty(len(place) * LANES, np.float32)
    extreme = np.empty(3 * LANES)
    one, two = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    a, b = np.zeros(LANES), np.zeros(LANES)
    told = np.zeros((LANES, N_SETTLED))
    state, was = np.zeros((LANES, h), np.int8), np.zeros((LANES, h), np.int8)
    still, loose, free = np.zeros((LANES, h), np.int8), np.zeros((LANES, h), np.bool_), np.zeros(h, np.int8)
    first_y, react_t = np.zeros(h * LANES), np.ascontiguousarray(react.T)
    need, u, r, y0, y = np.zeros(h), np.zeros(h), np.zeros(h), np.zeros(h), np.zeros(h)
    d, part, small, some = np.zeros(h), np.zeros(_MOST), np.zeros((_MOST, _MOST)), np.zeros(_MOST, np.int64)
    for c in range(h):
        free[c] = free_q[held[c]]
    for begin in range(lo, hi, LANES):
        for lane in range(LANES):
            s = min(begin + lane, hi - 1)
            i, j = first[s], second[s]
            one[lane], two[lane] = i, j
            a[lane], b[lane], _, _ = pair_factors(active[branch[i]], active[branch[j]], change[j, i], change[i, j])
        _begin(one, two, a, b, slack, rows.island, turned, grown, e0, f0, p0, alpha, te, tf, tp, angle, growth)
        for lane in range(LANES):
            i, j = one[lane], two[lane]
            for c in range(h):
                at = held[c] * LANES + lane
                gone = te[at] == 0.0 and tf[at] == 0.0
                still[lane, c] = 1 if fixed[c] or gone or kind[held[c]] != PV else 0
                # what an outage put at a limit, or took from one, is so after both
                now, other = held_single[i, c], held_single[j, c]
                if now == held_base[c]:
                    now = other
                state[lane, c] = was[lane, c] = now
                # a node that nothing has let go is at its set-point
                loose[lane, c] = held_single[i, c] != 0 or other != 0
        told[:, SANK], told[:, ROOM] = 0.0, _FAR
        for step in range(STEPS + 1):
            _missing(rows, te, tf, tp, q0, p_left, q_left)
            _without(rows, branch, one, te, tf, p_left, q_left)
            _without(rows, branch, two, te, tf, p_left, q_left)
            # equations that hold; the rest says what regulated nodes have to give
            worst = splat(0.0)
            for i in range(n):
                at = i * LANES
                gone = kind[i] == REF or kind[i] == OFF
                live = load(te, at) * load(te, at) + load(tf, at) * load(tf, at)
                live = live / (live + splat(_LEAST_SQUARE))
                rp = splat(0.0) if gone else load(p_left, at) * live
                rq = splat(0.0) if gone or kind[i] == PV else load(q_left, at) * live
                store(x, 2 * at, cast(rp, x))
                store(x, 2 * at + LANES, cast(rq, x))
                worst = vmax(vmax(vabs(rp), vabs(rq)), worst)
            store(most, 0, worst)
            for lane in range(LANES):
                excess = 0.0
                for c in range(h):
                    if still[lane, c]:
                        continue
                    at = held[c] * LANES + lane
                    gives = given[c] - q_left[at]
                    if state[lane, c] != 0:
                        limit = q_high[c] if state[lane, c] > 0 else q_low[c]
                        missing = limit - gives
                        most[lane] = max(most[lane], abs(missing))
                        if free[c]:
                            x[(2 * held[c] + 1) * LANES + lane] = missing
                        excess += abs(missing)
                    else:
                        excess += max(max(gives - q_high[c], q_low[c] - gives), 0.0)
                told[lane, LEFT if step else LEFT_FIRST] = min(most[lane], 1e3)
                if step == 0:
                    told[lane, EXCESS] = min(excess, 1e3)
            if step == STEPS:
                break
            kept[:] = x
            forward(pattern, factor, x)
            backward(pattern, factor, x)
            for c in range(h):
                if free[c]:
                    store(first_y, c * LANES, widen(load(x, (2 * held[c] + 1) * LANES)))
                    continue
                total = splat(0.0)
                for z in range(q_ptr[c], q_ptr[c + 1]):
                    k = 2 * q_idx[z] * LANES
                    total = (
                        total + splat(q_row[z, 0]) * widen(load(x, k)) + splat(q_row[z, 1]) * widen(load(x, k + LANES))
                    )
                store(first_y, c * LANES, total)
            for lane in range(LANES):
                for c in range(h):
                    i = held[c]
                    at = i * LANES + lane
                    need[c] = given[c] - q_left[at]
                    r[c], y0[c] = kept[(2 * i + 1) * LANES + lane], first_y[c * LANES + lane]
                    loose[lane, c] |= state[lane, c] != 0 or free[c] != 0
                    u[c] = 0.5 * np.log(max(te[at] * te[at] + tf[at] * tf[at], 1e-12)) if loose[lane, c] else goal[c]
                _close(
                    react_t, free, still[lane], need, u, goal, q_low, q_high, r, y0, state[lane], d, y, small, part, some
                )  # fmt: skip
                for c in range(h):
                    if not still[lane, c]:
                        kept[(2 * held[c] + 1) * LANES + lane] += d[c]
                        moved = y[c] if free[c] else r[c] + d[c]
                        told[lane, SANK] = max(told[lane, SANK], -moved)
                        if state[lane, c] == 0:
                            q = need[c] + (r[c] + d[c] if free[c] else y[c])
                            room = min(q_high[c] - q, q - q_low[c])
                            if step == STEPS - 1:
                                told[lane, ROOM] = min(room, told[lane, ROOM])
            forward(pattern, factor, kept)
            backward(pattern, factor, kept)
            for i in range(n):
                at = i * LANES
                turn(te, tf, at, widen(load(kept, 2 * at)), widen(load(kept, 2 * at + LANES)))
        for lane in range(LANES):
            switched, beyond = 0.0, 0.0
            for c in range(h):
                if not still[lane, c]:
                    switched += 1.0 if state[lane, c] != held_base[c] else 0.0
                    beyond += 1.0 if state[lane, c] != was[lane, c] else 0.0
            told[lane, SWITCHED], told[lane, BEYOND] = switched, beyond
        _look(rows, one, two, te, tf, inv, low, high, place, weight, lows, highs, extreme, told)
        for lane in range(min(LANES, hi - begin)):
            for c in range(N_SETTLED):
                out[begin + lane, c] = told[lane, c]
