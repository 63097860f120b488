"""The optimality system of AC optimal power flow for many scenarios, one a lane: assembly, factorisation, solution.

Unknowns of a node are the angle and the logarithm of the voltage magnitude, ``theta`` and ``u = ln|V|``, and the multipliers
``lambda_p`` and ``lambda_q`` of its power balance

    g = consumption + sum of branch powers - sum of unit injections = 0.

With ``w = |V|^2`` and, for a branch from i to j, ``V_i conj(V_j) = re + j im``, each branch power and each angle limit is a
function ``F = a re + b im + c w_i + d w_j``, whose derivatives need no trigonometry:

    dF/d theta_i = -dF/d theta_j = b re - a im,    dF/du_i = A + 2 c w_i,    dF/du_j = A + 2 d w_j,    A = a re + b im,

and whose second derivatives are A and ``B = b re - a im`` again. Inequalities ``h <= 0`` have a slack ``z`` and a multiplier
``mu``; one that may be broken at a price ``rho`` has an excess ``t`` besides, with ``nu = rho - mu``. Newton's step of the
primal-dual system (Wang, Murillo-Sanchez, Zimmerman and Thomas 2007) eliminates them,

    d mu = C + W (h' dx),    W = mu / s,    C = (gamma (1 - mu / nu) + mu h) / s,    s = z + mu t / nu,

and a unit's injection x, which only meets its node's multiplier, ``dx = (d lambda - N) / D``. What is left has one symmetric
4x4 block a node and one a branch: the pattern of the power flow. It is factorised ``U' D U`` with 4x4 pivots, without search;
a little regularisation stands for pivoting.

Shapes: arrays of a tile are flat, ``[row * LANES + lane]``; nodes are in elimination order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat
from aurigrid.kernels.simd import store, vabs, vmax, vsqrt

Array = np.ndarray

ANCHOR = 1e12
"""Added to the diagonal of an unknown that is to stay where it is."""
GIVE = 1e-6
"""How much an inequality may give way in a step for a unit of change of its multiplier: bounds the stiffness of those that
bind, whose exact 1 / z would cost all digits. It vanishes from the answer with the change."""
CURVATURE = 1e-9
"""Least curvature of a unit's cost: one that is free of cost and of limits would have none."""


class Nodes(NamedTuple):
    """Node rows, elimination order.

    Attributes:
        fixed: (n,) int8, 1 where the angle is given (references), 2 where the node is dead.
        g, b: (n,) shunt admittance, pu.
        v_hi, v_lo: (n,) voltage limits, pu; at_hi, at_lo: (n,) int32 their inequalities, -1 for none.
    """

    fixed: Array
    g: Array
    b: Array
    v_hi: Array
    v_lo: Array
    at_hi: Array
    at_lo: Array


class Branches(NamedTuple):
    """Branches in service, m of them.

    Attributes:
        i, j: (m,) int32 end nodes; place: (m,) int32 their pair; flip: (m,) int8, 1 where the pair is (j, i).
        upper: (m_pair,) int32 block of each pair among the upper blocks; low, high: (m_pair,) int32 its nodes.
        y: (m, 8) g, b of y_ff, y_ft, y_tf, y_tt, pu.
        limit: (m,) 1 / rate^2, pu; at_from, at_to: (m,) int32 inequalities of the two ends' flows, -1 for none.
        angle: (m, 4) a, b of the upper and of the lower angle limit; at_hi, at_lo: (m,) int32 their inequalities, -1 for none.
        current: (m, 8) a, b, c, d of the two ends' squared currents over their ratings, or (0, 8); at_current: (m, 2) int32.
        tap: (m,) int32 which of the free taps acts at the from end, -1 for none; ``y`` is then that of the line behind it.
    """

    i: Array
    j: Array
    place: Array
    flip: Array
    upper: Array
    low: Array
    high: Array
    y: Array
    limit: Array
    at_from: Array
    at_to: Array
    angle: Array
    at_hi: Array
    at_lo: Array
    current: Array
    at_current: Array
    tap: Array


class Units(NamedTuple):
    """Injections that are free within bounds: of active and of reactive power, each a row, k of them.

    Attributes:
        row: (k,) int32, 2 node + 0 (active) or 1 (reactive); -1 for what is no injection (see `controls`).
        at_hi, at_lo: (k,) int32 inequalities of the bounds, -1 for none.
        tied: (k,) int8, 1 where a capability curve joins active and reactive power, which `controls` then eliminates.
    """

    row: Array
    at_hi: Array
    at_lo: Array
    tied: Array


class Curves(NamedTuple):
    """Units with a capability curve: cuts ``a_p p + a_q q <= b``.

    Attributes:
        first, last, reactive: (c,) int32 the unit's rows of active power and that of reactive power.
        ptr: (c + 1,) int32 its cuts; cut: (x, 3) a_p, a_q, b; at: (x,) int32 their inequalities.
    """

    first: Array
    last: Array
    reactive: Array
    ptr: Array
    cut: Array
    at: Array


class Controls(NamedTuple):
    """Other scalars that are free within bounds; their values and bounds are rows of `Units`. See `controls`.

    Attributes:
        tap: (t,) int32 rows of taps and phase shifters; tap_branch: (t,) int32; tap_from: (t, 4) ratio and shift (rad) at 0, and
            what a unit of the value adds to them.
        sink: (s,) int32 rows of what consumes at one node (shunt, load not served); sink_node: (s,) int32.
        link: (l,) int32 rows of HVDC links, one a direction; link_i, link_j: (l,) int32 sending and receiving node;
            link_place, link_flip: their pair as in `Branches`; link_share: (l,) share that arrives.
    """

    tap: Array
    tap_branch: Array
    tap_from: Array
    sink: Array
    sink_node: Array
    link: Array
    link_i: Array
    link_j: Array
    link_place: Array
    link_flip: Array
    link_share: Array


class System(NamedTuple):
    """All tables of a problem."""

    nodes: Nodes
    branches: Branches
    units: Units
    curves: Curves
    controls: Controls


class State(NamedTuple):
    """A tile's scenarios.

    Attributes:
        e, f: (n,) voltages; x: (k,) unit injections, lam: (2 n,) multipliers of the balances.
        alive: (n,) 1, or 0 where an outage leaves a node without supply; need: (2 n,) fixed consumption.
        on: (m,) 1 or 0, branch in service; hi, lo: (k,) bounds; live: (k,) 1 where a unit runs;
        linear, quadratic: (k,) cost of each unit in each lane.
        h, z, mu, t, rho: (q,) inequalities with slack, multiplier, excess and price (0: may not be broken).
        w, c: (q,) the W and C of the step; hdx: (q,) h' dx.
        d, inverse: (16 n,), upper: (16 n_up,): the factor; own: (16 n,), pair: (16 m_pair,): the system's blocks of nodes and
            of pairs of nodes that branches join; rhs and step: (4 n,), right-hand side and solution.
        grad: (2 n,) and grad_x: (k,) gradient of the Lagrangian; g: (2 n,) balance; bend and pull: (k,) D and N of the units.
        scratch: (16,).
        draw: (4 n,) consumption in proportion to V and to V^2, active, then reactive; empty where there is none.
        turn: (2 t,) cos(shift) / ratio and sin(shift) / ratio of free taps; tap_row: (20 t,) what they take from their branches;
        shape: (6 s,) what a unit of each sink consumes: active, then reactive, each in proportion to 1, V, V^2;
        reach: (8 (t + s + l),) how each control meets the unknowns of its node or nodes; curve: (7 c,) eliminated curves.
    """

    e: Array
    f: Array
    x: Array
    lam: Array
    alive: Array
    need: Array
    on: Array
    hi: Array
    lo: Array
    live: Array
    linear: Array
    quadratic: Array
    h: Array
    z: Array
    mu: Array
    t: Array
    rho: Array
    w: Array
    c: Array
    hdx: Array
    d: Array
    inverse: Array
    upper: Array
    own: Array
    pair: Array
    rhs: Array
    step: Array
    grad: Array
    grad_x: Array
    g: Array
    bend: Array
    pull: Array
    scratch: Array
    draw: Array
    turn: Array
    tap_row: Array
    shape: Array
    reach: Array
    curve: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(at, h, gamma, state_z, state_mu, state_t, state_rho, state_h, state_w, state_c):
    """Store an inequality's value and the W and C of its step."""
    z, mu, t, rho = load(state_z, at), load(state_mu, at), load(state_t, at), load(state_rho, at)
    # 1 / nu, or 0 where rho is 0: a hard limit has no excess
    soft = vabs(rho) / vmax(rho * (rho - mu), splat(1e-300))
    s = z + mu * (t * soft + GIVE)
    w = mu / s
    c = (gamma * (1.0 - mu * soft) + mu * h) / s
    store(state_h, at, h)
    store(state_w, at, w)
    store(state_c, at, c)


@njit(cache=True, nogil=True, error_model="numpy")
def add_to(array, at, value):
    """Add to what a place holds."""
    store(array, at, load(array, at) + value)


@njit(cache=True, nogil=True, error_model="numpy")
def add_nodes(nodes, state, gamma):
    """Start the system: node rows, shunts, voltage limits; the balances' fixed parts."""
    fixed, g, b, v_hi, v_lo, at_hi, at_lo = (
        nodes.fixed, nodes.g, nodes.b, nodes.v_hi, nodes.v_lo, nodes.at_hi, nodes.at_lo
    )  # fmt: skip
    se, sf, lam, need, d, pair = state.e, state.f, state.lam, state.need, state.own, state.pair
    rhs, grad, gs, h, w, c, mu = state.rhs, state.grad, state.g, state.h, state.w, state.c, state.mu
    sz, st, rho, alive, draw = state.z, state.t, state.rho, state.alive, state.draw
    zero, gam, drawn = splat(0.0), load(gamma, 0), len(state.draw) > 0
    d[:] = 0.0
    pair[:] = 0.0
    for i in range(len(fixed)):
        at = i * LANES
        e, f = load(se, at), load(sf, at)
        square = e * e + f * f
        v = vsqrt(square)
        lp, lq = load(lam, 2 * at), load(lam, 2 * at + LANES)
        fed = square * load(alive, at)
        store(gs, 2 * at, load(need, 2 * at) + g[i] * fed)
        store(gs, 2 * at + LANES, load(need, 2 * at + LANES) - b[i] * fed)
        shunt = (lp * g[i] - lq * b[i]) * fed
        slope, bend, push = 2.0 * shunt, 4.0 * shunt, zero
        p, q = (2.0 * g[i]) * fed, (-2.0 * b[i]) * fed
        if drawn:
            there = load(alive, at)
            k = 4 * at
            p1, p2 = load(draw, k) * v * there, load(draw, k + LANES) * fed
            q1, q2 = load(draw, k + 2 * LANES) * v * there, load(draw, k + 3 * LANES) * fed
            add_to(gs, 2 * at, p1 + p2)
            add_to(gs, 2 * at + LANES, q1 + q2)
            p, q = p + p1 + 2.0 * p2, q + q1 + 2.0 * q2
            slope = slope + lp * (p1 + 2.0 * p2) + lq * (q1 + 2.0 * q2)
            bend = bend + lp * (p1 + 4.0 * p2) + lq * (q1 + 4.0 * q2)
        if at_hi[i] >= 0:
            k = at_hi[i] * LANES
            _weigh(k, v - v_hi[i], gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope + m * v, push + load(c, k) * v, bend + m * v + load(w, k) * square
        if at_lo[i] >= 0:
            k = at_lo[i] * LANES
            _weigh(k, v_lo[i] - v, gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope - m * v, push - load(c, k) * v, bend - m * v + load(w, k) * square
        store(grad, 2 * at, zero)
        store(grad, 2 * at + LANES, slope)
        store(rhs, 4 * at, zero)
        store(rhs, 4 * at + LANES, push)
        store(rhs, 4 * at + 2 * LANES, zero)
        store(rhs, 4 * at + 3 * LANES, zero)
        k = 16 * at
        store(d, k + 5 * LANES, bend)
        store(d, k + 6 * LANES, p)
        store(d, k + 9 * LANES, p)
        store(d, k + 7 * LANES, q)
        store(d, k + 13 * LANES, q)


@njit(cache=True, nogil=True, error_model="numpy")
def add_branches(branches, state, gamma):
    """Add every branch: its powers to the balances, its derivatives to the system, its limits."""
    bi, bj, place, flip, y, limit, at_from, at_to, angle, at_hi, at_lo = (
        branches.i, branches.j, branches.place, branches.flip, branches.y, branches.limit, branches.at_from, branches.at_to,
        branches.angle, branches.at_hi, branches.at_lo,
    )  # fmt: skip
    tap, current, at_current, turn, tap_row = (
        branches.tap, branches.current, branches.at_current, state.turn, state.tap_row
    )  # fmt: skip
    by_current = len(current) > 0
    se, sf, lam, on, d, upper = state.e, state.f, state.lam, state.on, state.own, state.pair
    rhs, grad, gs, h, w, c, mu = state.rhs, state.grad, state.g, state.h, state.w, state.c, state.mu
    sz, st, rho = state.z, state.t, state.rho
    gam = load(gamma, 0)
    zero = splat(0.0)
    for k in range(len(bi)):
        i, j = bi[k] * LANES, bj[k] * LANES
        live = load(on, k * LANES)
        ei, fi, ej, fj = load(se, i), load(sf, i), load(se, j), load(sf, j)
        if tap[k] >= 0:
            # the voltage behind the tap; by its logarithm and angle derivatives are those by the node's
            cosine, sine = load(turn, 2 * tap[k] * LANES), load(turn, (2 * tap[k] + 1) * LANES)
            ei, fi = ei * cosine + fi * sine, fi * cosine - ei * sine
        re, im = (ei * ej + fi * fj) * live, (fi * ej - ei * fj) * live
        wi, wj = (ei * ei + fi * fi) * live, (ej * ej + fj * fj) * live
        gff, bff, gft, bft, gtf, btf, gtt, btt = (
            y[k, 0], y[k, 1], y[k, 2], y[k, 3], y[k, 4], y[k, 5], y[k, 6], y[k, 7]
        )  # fmt: skip
        pf, qf = gff * wi + gft * re + bft * im, gft * im - bft * re - bff * wi
        pt, qt = gtt * wj + gtf * re - btf * im, -(btf * re) - gtf * im - btt * wj
        add_to(gs, 2 * i, pf)
        add_to(gs, 2 * i + LANES, qf)
        add_to(gs, 2 * j, pt)
        add_to(gs, 2 * j + LANES, qt)
        # gradients by (theta_i, u_i, theta_j, u_j); the third is minus the first
        pf_t, pf_u, pf_v = bft * re - gft * im, pf + gff * wi, gft * re + bft * im
        qf_t, qf_u, qf_v = gft * re + bft * im, qf - bff * wi, gft * im - bft * re
        pt_t, pt_v, pt_u = -(btf * re) - gtf * im, pt + gtt * wj, gtf * re - btf * im
        qt_t, qt_v, qt_u = btf * im - gtf * re, qt - btt * wj, -(btf * re) - gtf * im
        mpf, mqf = load(lam, 2 * i), load(lam, 2 * i + LANES)
        mpt, mqt = load(lam, 2 * j), load(lam, 2 * j + LANES)
        cpf, cqf, cpt, cqt = zero, zero, zero, zero
        tii, tiu, uii = zero, zero, zero
        tij, tiv, uit, uij = zero, zero, zero, zero
        tjj, tjv, ujj = zero, zero, zero
        if at_from[k] >= 0:
            q = at_from[k] * LANES
            _weigh(q, (pf * pf + qf * qf) * limit[k] - 1.0, gam, sz, mu, st, rho, h, w, c)
            m, wq, cq = (2.0 * limit[k]) * load(mu, q), load(w, q), (2.0 * limit[k]) * load(c, q)
            mpf, mqf, cpf, cqf = mpf + m * pf, mqf + m * qf, cq * pf, cq * qf
            ht = (2.0 * limit[k]) * (pf * pf_t + qf * qf_t)
            hu = (2.0 * limit[k]) * (pf * pf_u + qf * qf_u)
            hv = (2.0 * limit[k]) * (pf * pf_v + qf * qf_v)
            tt, tu, tv = (
                m * (pf_t * pf_t + qf_t * qf_t) + wq * ht * ht,
                m * (pf_t * pf_u + qf_t * qf_u) + wq * ht * hu,
                m * (pf_t * pf_v + qf_t * qf_v) + wq * ht * hv,
            )
            tii, tiu, tij, tiv = tii + tt, tiu + tu, tij - tt, tiv + tv
            tjj, uit, tjv = tjj + tt, uit - tu, tjv - tv
            uii = uii + m * (pf_u * pf_u + qf_u * qf_u) + wq * hu * hu
            uij = uij + m * (pf_u * pf_v + qf_u * qf_v) + wq * hu * hv
            ujj = ujj + m * (pf_v * pf_v + qf_v * qf_v) + wq * hv * hv
        if at_to[k] >= 0:
            q = at_to[k] * LANES
            _weigh(q, (pt * pt + qt * qt) * limit[k] - 1.0, gam, sz, mu, st, rho, h, w, c)
            m, wq, cq = (2.0 * limit[k]) * load(mu, q), load(w, q), (2.0 * limit[k]) * load(c, q)
            mpt, mqt, cpt, cqt = mpt + m * pt, mqt + m * qt, cq * pt, cq * qt
            ht = (2.0 * limit[k]) * (pt * pt_t + qt * qt_t)
            hu = (2.0 * limit[k]) * (pt * pt_u + qt * qt_u)
            hv = (2.0 * limit[k]) * (pt * pt_v + qt * qt_v)
            tt, tu, tv = (
                m * (pt_t * pt_t + qt_t * qt_t) + wq * ht * ht,
                m * (pt_t * pt_u + qt_t * qt_u) + wq * ht * hu,
                m * (pt_t * pt_v + qt_t * qt_v) + wq * ht * hv,
            )
            tii, tiu, tij, tiv = tii + tt, tiu + tu, tij - tt, tiv + tv
            tjj, uit, tjv = tjj + tt, uit - tu, tjv - tv
            uii = uii + m * (pt_u * pt_u + qt_u * qt_u) + wq * hu * hu
            uij = uij + m * (pt_u * pt_v + qt_u * qt_v) + wq * hu * hv
            ujj = ujj + m * (pt_v * pt_v + qt_v * qt_v) + wq * hv * hv
        # the weighted sum of all functions of the branch: with lambda and mu, and with C
        a = gft * mpf - bft * mqf + gtf * mpt - btf * mqt
        b = bft * mpf + gft * mqf - btf * mpt - gtf * mqt
        ca = gft * cpf - bft * cqf + gtf * cpt - btf * cqt
        cb = bft * cpf + gft * cqf - btf * cpt - gtf * cqt
        for side in range(2):
            at = at_hi[k] if side == 0 else at_lo[k]
            if at >= 0:
                q = at * LANES
                ga, gb = angle[k, 2 * side], angle[k, 2 * side + 1]
                _weigh(q, ga * re + gb * im - (1.0 - live), gam, sz, mu, st, rho, h, w, c)
                m, wq, cq = load(mu, q), load(w, q), load(c, q)
                a, b, ca, cb = a + ga * m, b + gb * m, ca + ga * cq, cb + gb * cq
                ht, hu = gb * re - ga * im, ga * re + gb * im
                tt, tu, uu = wq * ht * ht, wq * ht * hu, wq * hu * hu
                tii, tiu, tij, tiv, tjj, uit, tjv = tii + tt, tiu + tu, tij - tt, tiv + tu, tjj + tt, uit - tu, tjv - tu
                uii, uij, ujj = uii + uu, uij + uu, ujj + uu
        ci, cj = (gff * mpf - bff * mqf) * wi, (gtt * mpt - btt * mqt) * wj
        cci, ccj = (gff * cpf - bff * cqf) * wi, (gtt * cpt - btt * cqt) * wj
        if by_current:
            for side in range(2):
                if at_current[k, side] < 0:
                    continue
                q = at_current[k, side] * LANES
                ga, gb = current[k, 4 * side], current[k, 4 * side + 1]
                own, far = current[k, 4 * side + 2] * wi, current[k, 4 * side + 3] * wj
                hu = ga * re + gb * im
                _weigh(q, hu + own + far - 1.0, gam, sz, mu, st, rho, h, w, c)
                m, wq, cq = load(mu, q), load(w, q), load(c, q)
                a, b, ca, cb = a + ga * m, b + gb * m, ca + ga * cq, cb + gb * cq
                ci, cj, cci, ccj = ci + own * m, cj + far * m, cci + own * cq, ccj + far * cq
                ht, hv, hu = gb * re - ga * im, hu + 2.0 * far, hu + 2.0 * own
                tt, tu, tv = wq * ht * ht, wq * ht * hu, wq * ht * hv
                tii, tiu, tij, tiv, tjj, uit, tjv = tii + tt, tiu + tu, tij - tt, tiv + tv, tjj + tt, uit - tu, tjv - tv
                uii, uij, ujj = uii + wq * hu * hu, uij + wq * hu * hv, ujj + wq * hv * hv
        big_a, big_b = a * re + b * im, b * re - a * im
        push_a, push_b = ca * re + cb * im, cb * re - ca * im
        add_to(grad, 2 * i, big_b)
        add_to(grad, 2 * i + LANES, big_a + 2.0 * ci)
        add_to(grad, 2 * j, -big_b)
        add_to(grad, 2 * j + LANES, big_a + 2.0 * cj)
        add_to(rhs, 4 * i, push_b)
        add_to(rhs, 4 * i + LANES, push_a + 2.0 * cci)
        add_to(rhs, 4 * j, -push_b)
        add_to(rhs, 4 * j + LANES, push_a + 2.0 * ccj)
        x = 16 * i
        value = tiu + big_b
        add_to(d, x, tii - big_a)
        add_to(d, x + LANES, value)
        add_to(d, x + 4 * LANES, value)
        add_to(d, x + 5 * LANES, uii + big_a + 4.0 * ci)
        add_to(d, x + 2 * LANES, pf_t)
        add_to(d, x + 8 * LANES, pf_t)
        add_to(d, x + 3 * LANES, qf_t)
        add_to(d, x + 12 * LANES, qf_t)
        add_to(d, x + 6 * LANES, pf_u)
        add_to(d, x + 9 * LANES, pf_u)
        add_to(d, x + 7 * LANES, qf_u)
        add_to(d, x + 13 * LANES, qf_u)
        x = 16 * j
        value = tjv - big_b
        add_to(d, x, tjj - big_a)
        add_to(d, x + LANES, value)
        add_to(d, x + 4 * LANES, value)
        add_to(d, x + 5 * LANES, ujj + big_a + 4.0 * cj)
        add_to(d, x + 2 * LANES, -pt_t)
        add_to(d, x + 8 * LANES, -pt_t)
        add_to(d, x + 3 * LANES, -qt_t)
        add_to(d, x + 12 * LANES, -qt_t)
        add_to(d, x + 6 * LANES, pt_v)
        add_to(d, x + 9 * LANES, pt_v)
        add_to(d, x + 7 * LANES, qt_v)
        add_to(d, x + 13 * LANES, qt_v)
        # rows i, columns j; (j, i) is its transpose
        x = 16 * place[k] * LANES
        r, s = (LANES, 4 * LANES) if flip[k] != 0 else (4 * LANES, LANES)
        add_to(upper, x, tij + big_a)
        add_to(upper, x + s, tiv + big_b)
        add_to(upper, x + r, uit - big_b)
        add_to(upper, x + r + s, uij + big_a)
        # a node's unknowns and the other's multipliers
        add_to(upper, x + 2 * s, pt_t)
        add_to(upper, x + 3 * s, qt_t)
        add_to(upper, x + r + 2 * s, pt_u)
        add_to(upper, x + r + 3 * s, qt_u)
        add_to(upper, x + 2 * r, -pf_t)
        add_to(upper, x + 3 * r, -qf_t)
        add_to(upper, x + 2 * r + s, pf_v)
        add_to(upper, x + 3 * r + s, qf_v)
        if tap[k] >= 0:
            x = 20 * tap[k] * LANES
            store(tap_row, x, tii - big_a)
            store(tap_row, x + LANES, tiu + big_b)
            store(tap_row, x + 2 * LANES, pf_t)
            store(tap_row, x + 3 * LANES, qf_t)
            store(tap_row, x + 4 * LANES, tij + big_a)
            store(tap_row, x + 5 * LANES, tiv + big_b)
            store(tap_row, x + 6 * LANES, pt_t)
            store(tap_row, x + 7 * LANES, qt_t)
            store(tap_row, x + 8 * LANES, tiu + big_b)
            store(tap_row, x + 9 * LANES, uii + big_a + 4.0 * ci)
            store(tap_row, x + 10 * LANES, pf_u)
            store(tap_row, x + 11 * LANES, qf_u)
            store(tap_row, x + 12 * LANES, uit - big_b)
            store(tap_row, x + 13 * LANES, uij + big_a)
            store(tap_row, x + 14 * LANES, pt_u)
            store(tap_row, x + 15 * LANES, qt_u)
            store(tap_row, x + 16 * LANES, big_b)
            store(tap_row, x + 17 * LANES, big_a + 2.0 * ci)
            store(tap_row, x + 18 * LANES, push_b)
            store(tap_row, x + 19 * LANES, push_a + 2.0 * cci)


@njit(cache=True, nogil=True, error_model="numpy")
def add_units(units, state, gamma):
    """Add the units: to the balances, and eliminated to their nodes' blocks."""
    row, at_hi, at_lo, tied = units.row, units.at_hi, units.at_lo, units.tied
    sx, hi, lo, live, lam, d, rhs = state.x, state.hi, state.lo, state.live, state.lam, state.own, state.rhs
    linear, quadratic, gs, grad_x, s_bend, s_pull = (
        state.linear, state.quadratic, state.g, state.grad_x, state.bend, state.pull
    )  # fmt: skip
    h, w, c, mu, sz, st, rho = state.h, state.w, state.c, state.mu, state.z, state.t, state.rho
    gam = load(gamma, 0)
    for u in range(len(row)):
        if row[u] < 0:
            continue
        at, node, axis = u * LANES, row[u] // 2, row[u] % 2
        x, on = load(sx, at), load(live, at)
        slope = load(linear, at) + 2.0 * load(quadratic, at) * x - load(lam, row[u] * LANES)
        bend, push = 2.0 * load(quadratic, at) + CURVATURE, slope
        if at_hi[u] >= 0:
            k = at_hi[u] * LANES
            _weigh(k, (x - load(hi, at)) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope + m, push + m + load(c, k), bend + load(w, k)
        if at_lo[u] >= 0:
            k = at_lo[u] * LANES
            _weigh(k, (load(lo, at) - x) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope - m, push - m - load(c, k), bend + load(w, k)
        store(grad_x, at, slope * on)
        store(s_bend, at, bend)
        store(s_pull, at, push)
        g = row[u] * LANES
        store(gs, g, load(gs, g) - x)
        if tied[u] != 0:
            continue
        x = (16 * node + (10 if axis == 0 else 15)) * LANES
        store(d, x, load(d, x) - on / bend)
        x = (4 * node + 2 + axis) * LANES
        store(rhs, x, load(rhs, x) + on * push / bend)


@njit(cache=True, nogil=True, error_model="numpy")
def close_system(nodes, state):
    """Turn what was collected into the right-hand side, and hold what is fixed."""
    fixed, d, rhs, grad, gs = nodes.fixed, state.own, state.rhs, state.grad, state.g
    zero, one = splat(0.0), splat(1.0)
    for i in range(len(fixed)):
        at, k = 4 * i * LANES, 16 * i * LANES
        store(rhs, at, -load(rhs, at) - load(grad, 2 * i * LANES))
        store(rhs, at + LANES, -load(rhs, at + LANES) - load(grad, (2 * i + 1) * LANES))
        store(rhs, at + 2 * LANES, -load(rhs, at + 2 * LANES) - load(gs, 2 * i * LANES))
        store(rhs, at + 3 * LANES, -load(rhs, at + 3 * LANES) - load(gs, (2 * i + 1) * LANES))
        # the magnitude moves by V (1 + du), not V exp(du): to second order that is the model less its slope
        store(d, k + 5 * LANES, load(d, k + 5 * LANES) - load(grad, (2 * i + 1) * LANES))
        if fixed[i] == 1:
            store(d, k, load(d, k) + ANCHOR)
            store(rhs, at, zero)
            store(grad, 2 * i * LANES, zero)
        elif fixed[i] == 2:
            for x in range(16):
                store(d, k + x * LANES, one if x % 5 == 0 else zero)
            for x in range(4):
                store(rhs, at + x * LANES, zero)
            for x in range(2):
                store(grad, (2 * i + x) * LANES, zero)
                store(gs, (2 * i + x) * LANES, zero)


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
    b00, b02, b22 = p00 - b01 * x01 - b03 * x03, p02 - b01 * x21 - b03 * x23, p22 - b12 * x21 - b23 * x23
    store(inverse, k, b00)
    store(inverse, k + LANES, b01)
    store(inverse, k + 2 * LANES, b02)
    store(inverse, k + 3 * LANES, b03)
    store(inverse, k + 4 * LANES, b01)
    store(inverse, k + 5 * LANES, b11)
    store(inverse, k + 6 * LANES, b12)
    store(inverse, k + 7 * LANES, b13)
    store(inverse, k + 8 * LANES, b02)
    store(inverse, k + 9 * LANES, b12)
    store(inverse, k + 10 * LANES, b22)
    store(inverse, k + 11 * LANES, b23)
    store(inverse, k + 12 * LANES, b03)
    store(inverse, k + 13 * LANES, b13)
    store(inverse, k + 14 * LANES, b23)
    store(inverse, k + 15 * LANES, b33)


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(pattern, branches, state, primal, dual):
    """K + R = U' D U: ``d`` and ``inverse`` hold D and its inverse, ``upper`` the blocks of the unit upper U.

    R adds ``primal`` to the diagonal of voltages and ``-dual`` to that of multipliers, so that no pivot vanishes.
    """
    place, own_blocks, pair = branches.upper, state.own, state.pair
    state.upper[:] = 0.0
    for x in range(len(place)):
        for y in range(16):
            store(state.upper, (16 * place[x] + y) * LANES, load(pair, (16 * x + y) * LANES))
    for i in range(len(state.d) // (16 * LANES)):
        for y in range(16):
            value = load(own_blocks, (16 * i + y) * LANES)
            if y == 0 or y == 5:
                value = value + primal
            elif y == 10 or y == 15:
                value = value - dual
            store(state.d, (16 * i + y) * LANES, value)
    low_ptr, low_idx, low_block, up_ptr, target, target_ptr = (
        pattern.low_ptr, pattern.low_idx, pattern.low_block, pattern.up_ptr, pattern.target, pattern.target_ptr
    )  # fmt: skip
    d, inverse, upper, c = state.d, state.inverse, state.upper, state.scratch
    for i in range(len(low_ptr) - 1):
        lower, program, own = low_ptr[i + 1] - low_ptr[i], target_ptr[i], 16 * i * LANES
        first = up_ptr[i] - lower - 1
        for x in range(low_ptr[i], low_ptr[i + 1]):
            k, e = low_idx[x], low_block[x]
            dk, uk = 16 * k * LANES, 16 * e * LANES
            # c = (D_k U_ki)'
            for r in range(4):
                u0, u1 = load(upper, uk + r * LANES), load(upper, uk + (4 + r) * LANES)
                u2, u3 = load(upper, uk + (8 + r) * LANES), load(upper, uk + (12 + r) * LANES)
                for m in range(4):
                    b = dk + 4 * m * LANES
                    store(
                        c, (4 * r + m) * LANES,
                        load(d, b) * u0 + load(d, b + LANES) * u1 + load(d, b + 2 * LANES) * u2 + load(d, b + 3 * LANES) * u3,
                    )  # fmt: skip
            for y in range(e, up_ptr[k + 1]):
                b = 16 * y * LANES
                if y == e:
                    for r in range(4):
                        c0, c1 = load(c, 4 * r * LANES), load(c, (4 * r + 1) * LANES)
                        c2, c3 = load(c, (4 * r + 2) * LANES), load(c, (4 * r + 3) * LANES)
                        for m in range(4):
                            t, v = own + (4 * r + m) * LANES, b + m * LANES
                            store(
                                d, t, load(d, t) - c0 * load(upper, v) - c1 * load(upper, v + 4 * LANES)
                                - c2 * load(upper, v + 8 * LANES) - c3 * load(upper, v + 12 * LANES),
                            )  # fmt: skip
                else:
                    w = 16 * (first + target[program + y - up_ptr[k]]) * LANES
                    for r in range(4):
                        c0, c1 = load(c, 4 * r * LANES), load(c, (4 * r + 1) * LANES)
                        c2, c3 = load(c, (4 * r + 2) * LANES), load(c, (4 * r + 3) * LANES)
                        for m in range(4):
                            t, v = w + (4 * r + m) * LANES, b + m * LANES
                            store(
                                upper, t, load(upper, t) - c0 * load(upper, v) - c1 * load(upper, v + 4 * LANES)
                                - c2 * load(upper, v + 8 * LANES) - c3 * load(upper, v + 12 * LANES),
                            )  # fmt: skip
            program += up_ptr[k + 1] - up_ptr[k]
        _invert(d, inverse, own)
        for y in range(up_ptr[i], up_ptr[i + 1]):
            b = 16 * y * LANES
            for m in range(4):
                v = b + m * LANES
                u0, u1 = load(upper, v), load(upper, v + 4 * LANES)
                u2, u3 = load(upper, v + 8 * LANES), load(upper, v + 12 * LANES)
                for r in range(4):
                    a = own + 4 * r * LANES
                    store(
                        upper, v + 4 * r * LANES,
                        load(inverse, a) * u0 + load(inverse, a + LANES) * u1 + load(inverse, a + 2 * LANES) * u2
                        + load(inverse, a + 3 * LANES) * u3,
                    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def solve(pattern, state, x):
    """x <- K^-1 x, (4 n LANES,)."""
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
        store(x, at, r0)
        store(x, at + LANES, r1)
        store(x, at + 2 * LANES, r2)
        store(x, at + 3 * LANES, r3)
    for i in range(n - 1, -1, -1):
        at, own = 4 * i * LANES, 16 * i * LANES
        r0, r1, r2, r3 = load(x, at), load(x, at + LANES), load(x, at + 2 * LANES), load(x, at + 3 * LANES)
        s0 = load(inverse, own) * r0 + load(inverse, own + LANES) * r1
        s0 = s0 + load(inverse, own + 2 * LANES) * r2 + load(inverse, own + 3 * LANES) * r3
        s1 = load(inverse, own + 4 * LANES) * r0 + load(inverse, own + 5 * LANES) * r1
        s1 = s1 + load(inverse, own + 6 * LANES) * r2 + load(inverse, own + 7 * LANES) * r3
        s2 = load(inverse, own + 8 * LANES) * r0 + load(inverse, own + 9 * LANES) * r1
        s2 = s2 + load(inverse, own + 10 * LANES) * r2 + load(inverse, own + 11 * LANES) * r3
        s3 = load(inverse, own + 12 * LANES) * r0 + load(inverse, own + 13 * LANES) * r1
        s3 = s3 + load(inverse, own + 14 * LANES) * r2 + load(inverse, own + 15 * LANES) * r3
        for p in range(up_ptr[i], up_ptr[i + 1]):
            y, b = 4 * up_idx[p] * LANES, 16 * p * LANES
            for m in range(4):
                v, c = load(x, y + m * LANES), b + m * LANES
                s0, s1 = s0 - load(upper, c) * v, s1 - load(upper, c + 4 * LANES) * v
                s2, s3 = s2 - load(upper, c + 8 * LANES) * v, s3 - load(upper, c + 12 * LANES) * v
        store(x, at, s0)
        store(x, at + LANES, s1)
        store(x, at + 2 * LANES, s2)
        store(x, at + 3 * LANES, s3)


@njit(cache=True, nogil=True, error_model="numpy")
def lacking(branches, state, x, out):
    """out <- rhs - K x, (4 n LANES,)."""
    own, pair, rhs, low, high = state.own, state.pair, state.rhs, branches.low, branches.high
    for i in range(len(rhs) // (4 * LANES)):
        at = 4 * i * LANES
        x0, x1, x2, x3 = load(x, at), load(x, at + LANES), load(x, at + 2 * LANES), load(x, at + 3 * LANES)
        for r in range(4):
            b = (16 * i + 4 * r) * LANES
            value = load(rhs, at + r * LANES) - load(own, b) * x0 - load(own, b + LANES) * x1
            store(out, at + r * LANES, value - load(own, b + 2 * LANES) * x2 - load(own, b + 3 * LANES) * x3)
    for p in range(len(low)):
        i, j = 4 * low[p] * LANES, 4 * high[p] * LANES
        for r in range(4):
            value = load(out, i + r * LANES)
            for c in range(4):
                a = load(pair, (16 * p + 4 * r + c) * LANES)
                value = value - a * load(x, j + c * LANES)
                store(out, j + c * LANES, load(out, j + c * LANES) - a * load(x, i + r * LANES))
            store(out, i + r * LANES, value)


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


@njit(cache=True, nogil=True, error_model="numpy")
def spread(nodes, branches, units, state):
    """From the step of the nodes: the units' steps into ``pull`` and h' dx of every inequality.

    Steps of controls and of units with a curve are there already (`controls.spread_controls`); of taps, what they add to the
    angle and to the logarithm of the voltage behind them stands in ``tap_row``.
    """
    x, hdx, se, sf = state.step, state.hdx, state.e, state.f
    at_hi, at_lo = nodes.at_hi, nodes.at_lo
    for i in range(len(at_hi)):
        if at_hi[i] >= 0 or at_lo[i] >= 0:
            e, f = load(se, i * LANES), load(sf, i * LANES)
            change = vsqrt(e * e + f * f) * load(x, (4 * i + 1) * LANES)
            if at_hi[i] >= 0:
                store(hdx, at_hi[i] * LANES, change)
            if at_lo[i] >= 0:
                store(hdx, at_lo[i] * LANES, -change)
    bi, bj, y, limit, at_from, at_to, angle, on = (
        branches.i, branches.j, branches.y, branches.limit, branches.at_from, branches.at_to, branches.angle, state.on
    )  # fmt: skip
    b_hi, b_lo = branches.at_hi, branches.at_lo
    tap, current, at_current, state_turn, tap_row = (
        branches.tap, branches.current, branches.at_current, state.turn, state.tap_row
    )  # fmt: skip
    by_current = len(current) > 0
    for k in range(len(bi)):
        if at_from[k] < 0 and at_to[k] < 0 and b_hi[k] < 0 and b_lo[k] < 0 and not by_current:
            continue
        i, j, live = bi[k] * LANES, bj[k] * LANES, load(on, k * LANES)
        ei, fi, ej, fj = load(se, i), load(sf, i), load(se, j), load(sf, j)
        turn = load(x, 4 * i) - load(x, 4 * j)
        ui, uj = load(x, 4 * i + LANES), load(x, 4 * j + LANES)
        if tap[k] >= 0:
            cosine, sine = load(state_turn, 2 * tap[k] * LANES), load(state_turn, (2 * tap[k] + 1) * LANES)
            ei, fi = ei * cosine + fi * sine, fi * cosine - ei * sine
            turn = turn + load(tap_row, 20 * tap[k] * LANES)
            ui = ui + load(tap_row, (20 * tap[k] + 1) * LANES)
        re, im = (ei * ej + fi * fj) * live, (fi * ej - ei * fj) * live
        wi, wj = (ei * ei + fi * fi) * live, (ej * ej + fj * fj) * live
        dre, dim = (ui + uj) * re - im * turn, (ui + uj) * im + re * turn
        dwi, dwj = 2.0 * wi * ui, 2.0 * wj * uj
        if at_from[k] >= 0:
            g, b, gm, bm = y[k, 0], y[k, 1], y[k, 2], y[k, 3]
            p, q = g * wi + gm * re + bm * im, gm * im - bm * re - b * wi
            dp, dq = g * dwi + gm * dre + bm * dim, gm * dim - bm * dre - b * dwi
            store(hdx, at_from[k] * LANES, (2.0 * limit[k]) * (p * dp + q * dq))
        if at_to[k] >= 0:
            g, b, gm, bm = y[k, 6], y[k, 7], y[k, 4], y[k, 5]
            p, q = g * wj + gm * re - bm * im, -(bm * re) - gm * im - b * wj
            dp, dq = g * dwj + gm * dre - bm * dim, -(bm * dre) - gm * dim - b * dwj
            store(hdx, at_to[k] * LANES, (2.0 * limit[k]) * (p * dp + q * dq))
        if b_hi[k] >= 0:
            store(hdx, b_hi[k] * LANES, angle[k, 0] * dre + angle[k, 1] * dim)
        if b_lo[k] >= 0:
            store(hdx, b_lo[k] * LANES, angle[k, 2] * dre + angle[k, 3] * dim)
        if by_current:
            for side in range(2):
                if at_current[k, side] >= 0:
                    c = 4 * side
                    change = (
                        current[k, c] * dre
                        + current[k, c + 1] * dim
                        + current[k, c + 2] * dwi
                        + current[k, c + 3] * dwj
                    )
                    store(hdx, at_current[k, side] * LANES, change)
    row, at_hi, at_lo, tied, live_u, bend, pull = (
        units.row, units.at_hi, units.at_lo, units.tied, state.live, state.bend, state.pull
    )  # fmt: skip
    for u in range(len(row)):
        if row[u] < 0 or tied[u] != 0:
            continue
        at = u * LANES
        step = (
            (load(x, (4 * (row[u] // 2) + 2 + row[u] % 2) * LANES) - load(pull, at)) / load(bend, at) * load(live_u, at)
        )
        store(pull, at, step)
        if at_hi[u] >= 0:
            store(hdx, at_hi[u] * LANES, step)
        if at_lo[u] >= 0:
            store(hdx, at_lo[u] * LANES, -step)


@njit(cache=True, nogil=True, error_model="numpy")
def lengths(state, gamma, longest):
    """Step of every slack, multiplier and excess, into ``w``, ``c`` and ``hdx``; the largest shares of each that a full step
    would take away into ``longest`` (2 LANES,): of slacks and excesses, of multipliers."""
    h, z, mu, t, rho, w, c, hdx = state.h, state.z, state.mu, state.t, state.rho, state.w, state.c, state.hdx
    gam = load(gamma, 0)
    primal, dual = splat(0.0), splat(0.0)
    tiny = splat(1e-300)
    for x in range(len(h) // LANES):
        at = x * LANES
        zx, m, tx, price, move = load(z, at), load(mu, at), load(t, at), load(rho, at), load(hdx, at)
        dm = load(c, at) + load(w, at) * move
        soft = vabs(price) / vmax(price * (price - m), tiny)
        dt = (gam + tx * dm) * soft - tx
        dz = dt - (load(h, at) + zx - tx) - move + GIVE * dm
        store(w, at, dz)
        store(c, at, dm)
        store(hdx, at, dt)
        primal = vmax(-(dz / zx), primal)
        primal = vmax(-(dt / vmax(tx, tiny)), primal)
        dual = vmax(-(dm / m), dual)
        dual = vmax(dm * soft, dual)
    store(longest, 0, primal)
    store(longest, LANES, dual)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(state, primal, dual):
    """Take the step, lane by lane as far as ``primal`` and ``dual`` (LANES,) allow."""
    se, sf, x, lam, rhs, pull = state.e, state.f, state.x, state.lam, state.step, state.pull
    z, mu, t, w, c, hdx = state.z, state.mu, state.t, state.w, state.c, state.hdx
    p, d = load(primal, 0), load(dual, 0)
    for i in range(len(se) // LANES):
        at = i * LANES
        e, f = load(se, at), load(sf, at)
        half, grow = 0.5 * p * load(rhs, 4 * at), 1.0 + p * load(rhs, 4 * at + LANES)
        # a magnitude never changes its sign
        grow = vmax(grow, splat(0.1))
        square = half * half
        scale = grow / (1.0 + square)
        cosine, sine = (1.0 - square) * scale, (half + half) * scale
        store(se, at, e * cosine - f * sine)
        store(sf, at, f * cosine + e * sine)
        store(lam, 2 * at, load(lam, 2 * at) + d * load(rhs, 4 * at + 2 * LANES))
        store(lam, 2 * at + LANES, load(lam, 2 * at + LANES) + d * load(rhs, 4 * at + 3 * LANES))
    for u in range(len(x) // LANES):
        at = u * LANES
        store(x, at, load(x, at) + p * load(pull, at))
    for k in range(len(z) // LANES):
        at = k * LANES
        store(z, at, load(z, at) + p * load(w, at))
        store(mu, at, load(mu, at) + d * load(c, at))
        store(t, at, load(t, at) + p * load(hdx, at))


@njit(cache=True, nogil=True, error_model="numpy")
def gap(state, out):
    """Sum of slack times multiplier (and excess times the rest of the price) by lane into ``out`` (2 LANES,), and the largest."""
    z, mu, t, rho = state.z, state.mu, state.t, state.rho
    total, worst = splat(0.0), splat(0.0)
    for k in range(len(z) // LANES):
        at = k * LANES
        a, b = load(z, at) * load(mu, at), load(t, at) * (load(rho, at) - load(mu, at))
        total = total + a + vmax(b, splat(0.0))
        worst = vmax(vmax(a, b), worst)
    store(out, 0, total)
    store(out, LANES, worst)


@njit(cache=True, nogil=True, error_model="numpy")
def residuals(state, out):
    """By lane into ``out`` (4 LANES,): largest balance, broken limit (net of its excess), gradient, and multiplier."""
    g, h, t, grad, grad_x, lam, mu = state.g, state.h, state.t, state.grad, state.grad_x, state.lam, state.mu
    balance, broken, slope, size, total = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for k in range(len(g) // LANES):
        at = k * LANES
        v, w = load(g, at), load(grad, at)
        balance, slope, size = vmax(vabs(v), balance), vmax(vabs(w), slope), vmax(vabs(load(lam, at)), size)
        total = total + v + w
    for k in range(len(grad_x) // LANES):
        v = load(grad_x, k * LANES)
        slope, total = vmax(vabs(v), slope), total + v
    for k in range(len(h) // LANES):
        at = k * LANES
        broken, size = vmax(load(h, at) - load(t, at), broken), vmax(load(mu, at), size)
    store(out, 0, balance + total * 0.0)
    store(out, LANES, broken)
    store(out, 2 * LANES, slope)
    store(out, 3 * LANES, size)
