"""The optimality system of AC optimal power flow for many scenarios, one a lane: its derivation and assembly.

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
4x4 block a node and one a branch: the pattern of the power flow. `elimination` solves it. Of the nodes' blocks, which are
symmetric, the upper triangle is written alone.
"""

from __future__ import annotations

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


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(at, h, gamma, state_z, state_mu, state_t, state_rho, state_h, state_w, state_c):
    """Store an inequality's value and the W and C of its step."""
    z, mu, t, rho = load(state_z, at), load(state_mu, at), load(state_t, at), load(state_rho, at)
    # 1 / nu, or 0 where rho is 0: a hard limit has no excess
    soft = vabs(rho) / vmax(rho * (rho - mu), splat(1e-300))
    inverse = 1.0 / (z + mu * (t * soft + GIVE))
    w = mu * inverse
    c = (gamma * (1.0 - mu * soft) + mu * h) * inverse
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
            weigh(k, v - v_hi[i], gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope + m * v, push + load(c, k) * v, bend + m * v + load(w, k) * square
        if at_lo[i] >= 0:
            k = at_lo[i] * LANES
            weigh(k, v_lo[i] - v, gam, sz, mu, st, rho, h, w, c)
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
        store(d, k + 7 * LANES, q)
        for x in (0, 1, 2, 3, 10, 11, 15):
            store(d, k + x * LANES, zero)


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
            weigh(q, (pf * pf + qf * qf) * limit[k] - 1.0, gam, sz, mu, st, rho, h, w, c)
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
            weigh(q, (pt * pt + qt * qt) * limit[k] - 1.0, gam, sz, mu, st, rho, h, w, c)
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
                weigh(q, ga * re + gb * im - (1.0 - live), gam, sz, mu, st, rho, h, w, c)
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
                weigh(q, hu + own + far - 1.0, gam, sz, mu, st, rho, h, w, c)
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
        add_to(d, x, tii - big_a)
        add_to(d, x + LANES, tiu + big_b)
        add_to(d, x + 5 * LANES, uii + big_a + 4.0 * ci)
        add_to(d, x + 2 * LANES, pf_t)
        add_to(d, x + 3 * LANES, qf_t)
        add_to(d, x + 6 * LANES, pf_u)
        add_to(d, x + 7 * LANES, qf_u)
        x = 16 * j
        add_to(d, x, tjj - big_a)
        add_to(d, x + LANES, tjv - big_b)
        add_to(d, x + 5 * LANES, ujj + big_a + 4.0 * cj)
        add_to(d, x + 2 * LANES, -pt_t)
        add_to(d, x + 3 * LANES, -qt_t)
        add_to(d, x + 6 * LANES, pt_v)
        add_to(d, x + 7 * LANES, qt_v)
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
            weigh(k, (x - load(hi, at)) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
            m = load(mu, k)
            slope, push, bend = slope + m, push + m + load(c, k), bend + load(w, k)
        if at_lo[u] >= 0:
            k = at_lo[u] * LANES
            weigh(k, (load(lo, at) - x) * on - (1.0 - on), gam, sz, mu, st, rho, h, w, c)
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
