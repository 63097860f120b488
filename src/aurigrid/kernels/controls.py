"""Scalars of an optimal power flow that are no injections of one unit: taps, phase shifters, shunts, load that is not served,
HVDC links, and units whose active and reactive power a capability curve joins. Each is local, and is eliminated to the blocks
of its node or of its two nodes, so that the system keeps its shape.

A control x meets the unknowns z of its nodes through ``r = d2L/dx dz`` (with the barrier's share), so that Newton's step

    r' dz + D dx = -N    gives    dx = -(N + r' dz) / D    and leaves    K - r r'/D,    rhs + r N/D.

**Taps.** All functions of a branch see the voltage behind its ideal transformer, ``V' = V_i / (ratio exp(j shift))``: by its
angle and logarithm, their derivatives are those by the node's own. With ``ratio = ratio_0 + k x`` and ``shift = shift_0 + l x``

    d theta'/dx = -l,    d u'/dx = -k / ratio = a,    d2 u'/dx2 = a^2,

the row r of a tap is ``a`` times the branch's row of u_i less ``l`` times that of theta_i, as they enter the system.

**Sinks.** ``x (c_0 + c_1 V + c_2 V^2)`` of active, and likewise of reactive power is consumed at a node: a shunt has c_2 alone;
load that is not served has the negative of the load's own shape.

**Links.** x leaves the grid at i, ``share x`` enters it at j.

**Curves.** With D of active power (``1 / sum of 1/D`` of its segments) and of reactive power, and the cuts
``a_p p + a_q q <= b``, the 2x2 block ``E = diag(D_p, D_q) + sum of W a a'`` is inverted; its determinant is summed from terms of
one sign (Cauchy and Binet), as D may be 1e-15 of W.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from aurigrid.kernels.kkt import CURVATURE, add_to, weigh
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat
from aurigrid.kernels.simd import store, vmax, vsqrt

Array = np.ndarray

FLOOR = 1e-4
"""Least curvature D of a control: what lies below makes the step shorter and vanishes from the answer with it."""


@njit(cache=True, nogil=True, error_model="numpy")
def set_turns(controls, state):
    """Evaluate cos(shift) / ratio and sin(shift) / ratio of the free taps."""
    tap, start, x, turn = controls.tap, controls.tap_from, state.x, state.turn
    for t in range(len(tap)):
        for lane in range(LANES):
            value = x[tap[t] * LANES + lane]
            ratio, shift = start[t, 0] + start[t, 2] * value, start[t, 1] + start[t, 3] * value
            turn[2 * t * LANES + lane] = math.cos(shift) / ratio
            turn[(2 * t + 1) * LANES + lane] = math.sin(shift) / ratio


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(units, state, u, gam):
    """Slope, push and bend of a control's own cost and bounds; weighs the bounds."""
    at = u * LANES
    x, on = load(state.x, at), load(state.live, at)
    slope = load(state.linear, at) + 2.0 * load(state.quadratic, at) * x
    bend, push = 2.0 * load(state.quadratic, at), slope
    h, w, c, mu, sz, st, rho = state.h, state.w, state.c, state.mu, state.z, state.t, state.rho
    if units.at_hi[u] >= 0:
        k = units.at_hi[u] * LANES
        weigh(k, (x - load(state.hi, at)) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
        m = load(mu, k)
        slope, push, bend = slope + m, push + m + load(c, k), bend + load(w, k)
    if units.at_lo[u] >= 0:
        k = units.at_lo[u] * LANES
        weigh(k, (load(state.lo, at) - x) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
        m = load(mu, k)
        slope, push, bend = slope - m, push - m - load(c, k), bend + load(w, k)
    return slope, push, bend


@njit(cache=True, nogil=True, error_model="numpy")
def _eliminate(state, reach, on, push, bend, i, j, place, flip):
    """K - r r'/D and r N/D in the blocks of nodes i and j (-1 for none); ``reach`` is the first place of r."""
    own, pair, rhs, r = state.own, state.pair, state.rhs, state.reach
    inverse = on / bend
    for a in range(8):
        node = i if a < 4 else j
        if node < 0:
            break
        left = load(r, reach + a * LANES) * inverse
        at = (4 * node + a % 4) * LANES
        store(rhs, at, load(rhs, at) - left * push)
        for b in range(a % 4, 4):
            at = (16 * node + 4 * (a % 4) + b) * LANES
            store(own, at, load(own, at) - left * load(r, reach + (b if a < 4 else 4 + b) * LANES))
        if a < 4 and j >= 0:
            for b in range(4):
                at = (16 * place + (4 * b + a if flip != 0 else 4 * a + b)) * LANES
                store(pair, at, load(pair, at) - left * load(r, reach + (4 + b) * LANES))


@njit(cache=True, nogil=True, error_model="numpy")
def _add_taps(controls, branches, units, state, gam):
    tap, tap_branch, start, reach, row = (
        controls.tap, controls.tap_branch, controls.tap_from, state.reach, state.tap_row
    )  # fmt: skip
    for t in range(len(tap)):
        u, k, at, x = tap[t], tap_branch[t], 8 * t * LANES, 20 * t * LANES
        on = load(state.live, u * LANES)
        slope, push, bend = _bounds(units, state, u, gam)
        ratio = start[t, 0] + start[t, 2] * load(state.x, u * LANES)
        size, turn = -start[t, 2] / ratio, splat(-start[t, 3])
        for a in range(8):
            store(reach, at + a * LANES, turn * load(row, x + a * LANES) + size * load(row, x + (8 + a) * LANES))
        rise = load(row, x + 17 * LANES)
        step = turn * load(row, x + 16 * LANES) + size * rise
        bend = bend + turn * load(reach, at) + size * load(reach, at + LANES) + size * size * rise
        bend = vmax(bend, splat(FLOOR))
        slope = slope + step
        push = push + step + turn * load(row, x + 18 * LANES) + size * load(row, x + 19 * LANES)
        store(state.grad_x, u * LANES, slope * on)
        store(state.bend, u * LANES, bend)
        store(state.pull, u * LANES, push)
        # what the branch's ends take from it follows once its step is known
        store(row, x, turn)
        store(row, x + LANES, size)
        _eliminate(state, at, on, push, bend, branches.i[k], branches.j[k], branches.place[k], branches.flip[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_sinks(controls, units, state, gam):
    sink, sink_node, shape, reach = controls.sink, controls.sink_node, state.shape, state.reach
    gs, grad, lam, own = state.g, state.grad, state.lam, state.own
    zero = splat(0.0)
    for s in range(len(sink)):
        u, i, at, c = sink[s], sink_node[s] * LANES, 8 * (len(controls.tap) + s) * LANES, 6 * s * LANES
        on, x = load(state.live, u * LANES), load(state.x, u * LANES)
        slope, push, bend = _bounds(units, state, u, gam)
        e, f, there = load(state.e, i), load(state.f, i), load(state.alive, i)
        v, w = vsqrt(e * e + f * f) * there, (e * e + f * f) * there
        lp, lq = load(lam, 2 * i), load(lam, 2 * i + LANES)
        p1, p2 = load(shape, c + LANES) * v, load(shape, c + 2 * LANES) * w
        q1, q2 = load(shape, c + 4 * LANES) * v, load(shape, c + 5 * LANES) * w
        p, q = load(shape, c) * there + p1 + p2, load(shape, c + 3 * LANES) * there + q1 + q2
        p_u, q_u = p1 + 2.0 * p2, q1 + 2.0 * q2
        by_u = lp * p_u + lq * q_u
        add_to(gs, 2 * i, x * p)
        add_to(gs, 2 * i + LANES, x * q)
        add_to(grad, 2 * i + LANES, x * by_u)
        k = 16 * i
        add_to(own, k + 5 * LANES, x * (lp * (p1 + 4.0 * p2) + lq * (q1 + 4.0 * q2)))
        add_to(own, k + 6 * LANES, x * p_u)
        add_to(own, k + 7 * LANES, x * q_u)
        store(reach, at, zero)
        store(reach, at + LANES, by_u)
        store(reach, at + 2 * LANES, p)
        store(reach, at + 3 * LANES, q)
        for a in range(4, 8):
            store(reach, at + a * LANES, zero)
        step = lp * p + lq * q
        bend = bend + CURVATURE
        store(state.grad_x, u * LANES, (slope + step) * on)
        store(state.bend, u * LANES, bend)
        store(state.pull, u * LANES, push + step)
        _eliminate(state, at, on, push + step, bend, sink_node[s], -1, 0, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_links(controls, units, state, gam):
    link, share, reach, lam, gs = controls.link, controls.link_share, state.reach, state.lam, state.g
    zero, one = splat(0.0), splat(1.0)
    for k in range(len(link)):
        u, i, j = link[k], controls.link_i[k], controls.link_j[k]
        at = 8 * (len(controls.tap) + len(controls.sink) + k) * LANES
        on, x = load(state.live, u * LANES), load(state.x, u * LANES)
        slope, push, bend = _bounds(units, state, u, gam)
        add_to(gs, 2 * i * LANES, x)
        add_to(gs, 2 * j * LANES, -share[k] * x)
        for a in range(8):
            store(reach, at + a * LANES, zero)
        store(reach, at + 2 * LANES, one)
        store(reach, at + 6 * LANES, splat(-share[k]))
        step = load(lam, 2 * i * LANES) - share[k] * load(lam, 2 * j * LANES)
        bend = bend + CURVATURE
        store(state.grad_x, u * LANES, (slope + step) * on)
        store(state.bend, u * LANES, bend)
        store(state.pull, u * LANES, push + step)
        _eliminate(state, at, on, push + step, bend, i, j, controls.link_place[k], controls.link_flip[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_curves(curves, units, state, gam):
    """Units with a curve; into ``curve``: E^-1 (three), N of active and of reactive power, D and N of the segments together."""
    bend, pull, live, own, rhs, grad_x, room = (
        state.bend, state.pull, state.live, state.own, state.rhs, state.grad_x, state.curve
    )  # fmt: skip
    zero, tiny = splat(0.0), splat(1e-12)
    for k in range(len(curves.first)):
        first, last, r = curves.first[k], curves.last[k], curves.reactive[k]
        total, weighted, p, runs = zero, zero, zero, load(live, r * LANES)
        for u in range(first, last):
            share = load(live, u * LANES) / load(bend, u * LANES)
            total, weighted = total + share, weighted + share * load(pull, u * LANES)
            p, runs = p + load(state.x, u * LANES), vmax(load(live, u * LANES), runs)
        dp = 1.0 / vmax(total, tiny)
        np_ = weighted * dp
        on = load(live, r * LANES)
        dq = 1.0 / vmax(on / load(bend, r * LANES), tiny)
        nq, q = load(pull, r * LANES) * on, load(state.x, r * LANES)
        at = 7 * k * LANES
        store(room, at + 5 * LANES, dp)
        store(room, at + 6 * LANES, np_)
        wpp, wpq, wqq, crossed = zero, zero, zero, zero
        for c in range(curves.ptr[k], curves.ptr[k + 1]):
            ap, aq, y = curves.cut[c, 0], curves.cut[c, 1], curves.at[c] * LANES
            value = (ap * p + aq * q - curves.cut[c, 2]) * runs - (1.0 - runs)
            weigh(y, value, gam, state.z, state.mu, state.t, state.rho, state.h, state.w, state.c)
            m, w, push = load(state.mu, y), load(state.w, y) * runs, load(state.c, y)
            np_, nq = np_ + ap * (m + push) * runs, nq + aq * (m + push) * runs
            wpp, wpq, wqq = wpp + ap * ap * w, wpq + ap * aq * w, wqq + aq * aq * w
            for d in range(curves.ptr[k], c):
                area = ap * curves.cut[d, 1] - aq * curves.cut[d, 0]
                crossed = crossed + (area * area) * w * (load(state.w, curves.at[d] * LANES) * runs)
            for u in range(first, last):
                add_to(grad_x, u * LANES, ap * m * load(live, u * LANES))
            add_to(grad_x, r * LANES, aq * m * load(live, r * LANES))
        scale = 1.0 / (dp * dq + dp * wqq + dq * wpp + crossed)
        epp, epq, eqq = (dq + wqq) * scale, -wpq * scale, (dp + wpp) * scale
        store(room, at, epp)
        store(room, at + LANES, epq)
        store(room, at + 2 * LANES, eqq)
        store(room, at + 3 * LANES, np_)
        store(room, at + 4 * LANES, nq)
        node = units.row[r] // 2
        x = 16 * node * LANES
        add_to(own, x + 10 * LANES, -epp)
        add_to(own, x + 11 * LANES, -epq)
        add_to(own, x + 15 * LANES, -eqq)
        x = (4 * node + 2) * LANES
        add_to(rhs, x, epp * np_ + epq * nq)
        add_to(rhs, x + LANES, epq * np_ + eqq * nq)


@njit(cache=True, nogil=True, error_model="numpy")
def add_controls(system, state, gamma):
    """Add everything of this file to the system; after the branches and the units."""
    gam = load(gamma, 0)
    _add_taps(system.controls, system.branches, system.units, state, gam)
    _add_sinks(system.controls, system.units, state, gam)
    _add_links(system.controls, system.units, state, gam)
    _add_curves(system.curves, system.units, state, gam)


@njit(cache=True, nogil=True, error_model="numpy")
def _move(units, state, u, step):
    """Store a step and that of its bounds."""
    store(state.pull, u * LANES, step)
    if units.at_hi[u] >= 0:
        store(state.hdx, units.at_hi[u] * LANES, step)
    if units.at_lo[u] >= 0:
        store(state.hdx, units.at_lo[u] * LANES, -step)


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state, u, c, i, j):
    """Step of control ``c`` (row ``u``) from that of its nodes."""
    z, r, at = state.step, state.reach, 8 * c * LANES
    total = load(state.pull, u * LANES)
    for a in range(4):
        total = total + load(r, at + a * LANES) * load(z, (4 * i + a) * LANES)
        if j >= 0:
            total = total + load(r, at + (4 + a) * LANES) * load(z, (4 * j + a) * LANES)
    return -(total / load(state.bend, u * LANES)) * load(state.live, u * LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def spread_controls(system, state):
    """Steps of controls and of units with a curve, into ``pull``, and of what bounds them."""
    controls, branches, units, curves = system.controls, system.branches, system.units, system.curves
    n_tap, n_sink = len(controls.tap), len(controls.sink)
    for t in range(n_tap):
        u, k, x = controls.tap[t], controls.tap_branch[t], 20 * t * LANES
        step = _step(state, u, t, branches.i[k], branches.j[k])
        _move(units, state, u, step)
        store(state.tap_row, x, step * load(state.tap_row, x))
        store(state.tap_row, x + LANES, step * load(state.tap_row, x + LANES))
    for s in range(n_sink):
        u = controls.sink[s]
        _move(units, state, u, _step(state, u, n_tap + s, controls.sink_node[s], -1))
    for k in range(len(controls.link)):
        u = controls.link[k]
        _move(units, state, u, _step(state, u, n_tap + n_sink + k, controls.link_i[k], controls.link_j[k]))
    z, room = state.step, state.curve
    for k in range(len(curves.first)):
        first, last, r, at = curves.first[k], curves.last[k], curves.reactive[k], 7 * k * LANES
        node = units.row[r] // 2
        p = load(z, (4 * node + 2) * LANES) - load(room, at + 3 * LANES)
        q = load(z, (4 * node + 3) * LANES) - load(room, at + 4 * LANES)
        epq = load(room, at + LANES)
        dp, dq = load(room, at) * p + epq * q, epq * p + load(room, at + 2 * LANES) * q
        pull, mean = load(room, at + 5 * LANES) * dp, load(room, at + 6 * LANES)
        for u in range(first, last):
            rest = (mean - load(state.pull, u * LANES)) if last > first + 1 else splat(0.0)
            _move(units, state, u, (pull + rest) / load(state.bend, u * LANES) * load(state.live, u * LANES))
        dq = dq * load(state.live, r * LANES)
        _move(units, state, r, dq)
        for c in range(curves.ptr[k], curves.ptr[k + 1]):
            store(state.hdx, curves.at[c] * LANES, curves.cut[c, 0] * dp + curves.cut[c, 1] * dq)
