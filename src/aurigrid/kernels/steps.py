"""From the nodes' step of the optimality system to that of everything else, how far it may go, and what it leads to.

`spread` finds the steps of injections and of every inequality, `lengths` those of slacks, multipliers and excesses, `advance`
takes them as far as the bounds allow; `gap` and `residuals` tell how far a point is from the optimum. Symbols are those of `kkt`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.kkt import GIVE
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat
from aurigrid.kernels.simd import store, vabs, vmax, vsqrt

Array = np.ndarray


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
        inverse = 1.0 / (zx * m)
        primal = vmax(-(dz * m * inverse), primal)
        primal = vmax(-(dt / vmax(tx, tiny)), primal)
        dual = vmax(-(dm * zx * inverse), dual)
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
