"""Linear cuts of single scenarios in the optimality system; what they are made of is in `adjoint`.

A cut is ``h = rest + sum a x + sum b |V| <= 0`` over unit injections x and magnitudes |V| of any nodes, so its gradient does not
follow the grid's pattern. With ``d mu`` of the cuts kept as unknowns, Newton's step is the bordered system

    [ K   B ] [dy  ]   [ rhs                    ]     B    a / D  in the balances of the units' nodes,  b |V|  in the rows of u
    [ B'  -E] [d mu] = [ -C / W + sum a N / D ]       E    1 / W on the diagonal  +  sum a a' / D

with K, C, W, D, N as in `kkt` (units are eliminated). K keeps its pattern and its factor; each cut costs one solution with it,
and the cuts' own unknowns a small dense system, by lane like everything else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.elimination import lacking, solve
from aurigrid.kernels.kkt import weigh
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import room, store, vsqrt
from aurigrid.kernels.simd import splat64 as splat

Array = np.ndarray


class Cuts(NamedTuple):
    """Cuts of each scenario, m at most; ``ku`` injections and ``kn`` nodes may occur in them.

    Attributes:
        unit: (ku,) int32 injections; node: (kn,) int32 nodes, elimination order; first: number of the first cut's inequality.
        many: (s,) int32 cuts of each scenario; a: (s, m, ku), b: (s, m, kn), rest: (s, m); price: (s, m) of breaking each by
            1, in scaled cost, 0 where it must hold.
    """

    unit: Array
    node: Array
    first: int
    many: Array
    a: Array
    b: Array
    rest: Array
    price: Array


class Border(NamedTuple):
    """A tile's cuts and room for the bordered system.

    Attributes:
        used: (1,) int64, cuts that any lane has; a: (m ku,), b: (m kn,), rest: (m,) by lane.
        by_unit: (m ku,) a / D and by_node: (m kn,) b |V|, the entries of B.
        column: (m 4n,) K^-1 B; small: (m m,) the cuts' own system; corner: (m m,) sum a a' / D; right, move: (m,) right-hand
            side and d mu.
        room: (1,).
    """

    used: Array
    a: Array
    b: Array
    rest: Array
    by_unit: Array
    by_node: Array
    column: Array
    small: Array
    corner: Array
    right: Array
    move: Array
    room: Array


def no_cuts(first: int) -> Cuts:
    """Scenarios without cuts; ``first`` is the number of inequalities."""
    none = np.zeros(0, np.int32)
    return Cuts(none, none, first, none, np.zeros((0, 0, 0)), np.zeros((0, 0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))


def make_border(cuts: Cuts, n: int) -> Border:
    """Room for a tile of a grid of n nodes."""
    m, ku, kn = cuts.rest.shape[1], len(cuts.unit), len(cuts.node)

    def lanes(size: int) -> Array:
        return room(size * LANES)

    return Border(
        np.zeros(1, np.int64), lanes(m * ku), lanes(m * kn), lanes(m), lanes(m * ku), lanes(m * kn),
        lanes(m * 4 * n if m else 0), lanes(m * m), lanes(m * m), lanes(m),
        lanes(m), lanes(1),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def fill_cuts(cuts, border, state, s, lane):
    """Put a scenario's cuts into a lane; those it lacks are far from binding."""
    m, ku, kn = cuts.rest.shape[1], len(cuts.unit), len(cuts.node)
    a, b, rest, rho, t = border.a, border.b, border.rest, state.rho, state.t
    for c in range(m):
        there = c < cuts.many[s]
        rest[c * LANES + lane] = cuts.rest[s, c] if there else -1.0
        for u in range(ku):
            a[(c * ku + u) * LANES + lane] = cuts.a[s, c, u] if there else 0.0
        for i in range(kn):
            b[(c * kn + i) * LANES + lane] = cuts.b[s, c, i] if there else 0.0
        at = (cuts.first + c) * LANES + lane
        price = cuts.price[s, c] if there else 0.0
        rho[at], t[at] = price, 0.0
        state.z[at], state.mu[at] = 1.0, 0.1 * price if price > 0.0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def count_used(cuts, border, scenario):
    """Note how many cuts the lanes' scenarios have at most."""
    used = 0
    if cuts.rest.shape[1] > 0:
        for s in scenario:
            if s >= 0:
                used = max(used, cuts.many[s])
    border.used[0] = used


@njit(cache=True, nogil=True, error_model="numpy")
def add_cuts(cuts, units, border, state, gamma):
    """Add the cuts' values, multipliers and, by them, gradients; after the units, before the system is closed."""
    m, ku, kn, used = cuts.rest.shape[1], len(cuts.unit), len(cuts.node), border.used[0]
    unit, node, first = cuts.unit, cuts.node, cuts.first
    a, b, rest, x, se, sf = border.a, border.b, border.rest, state.x, state.e, state.f
    gam = load(gamma, 0)
    for c in range(m):
        h = load(rest, c * LANES)
        if c < used:
            for u in range(ku):
                h = h + load(a, (c * ku + u) * LANES) * load(x, unit[u] * LANES)
            for i in range(kn):
                at = node[i] * LANES
                e, f = load(se, at), load(sf, at)
                h = h + load(b, (c * kn + i) * LANES) * vsqrt(e * e + f * f)
        at = (first + c) * LANES
        weigh(at, h, gam, state.z, state.mu, state.t, state.rho, state.h, state.w, state.c)
    if used > 0:
        _add_slopes(cuts, units, border, state)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_slopes(cuts, units, border, state):
    """Gradients of the cuts, weighed with their multipliers."""
    ku, kn, used = len(cuts.unit), len(cuts.node), border.used[0]
    unit, node, row, first = cuts.unit, cuts.node, units.row, cuts.first
    a, b, live, se, sf, mu = border.a, border.b, state.live, state.e, state.f, state.mu
    grad, grad_x, pull, bend, rhs, own = state.grad, state.grad_x, state.pull, state.bend, state.rhs, state.own
    for u in range(ku):
        push = splat(0.0)
        for c in range(used):
            push = push + load(a, (c * ku + u) * LANES) * load(mu, (first + c) * LANES)
        at = unit[u] * LANES
        push = push * load(live, at)
        store(grad_x, at, load(grad_x, at) + push)
        store(pull, at, load(pull, at) + push)
        r = row[unit[u]]
        at_rhs = (4 * (r // 2) + 2 + r % 2) * LANES
        store(rhs, at_rhs, load(rhs, at_rhs) + push / load(bend, at))
    for i in range(kn):
        push = splat(0.0)
        for c in range(used):
            push = push + load(b, (c * kn + i) * LANES) * load(mu, (first + c) * LANES)
        at = node[i] * LANES
        e, f = load(se, at), load(sf, at)
        push = push * vsqrt(e * e + f * f)
        store(grad, 2 * at + LANES, load(grad, 2 * at + LANES) + push)
        # second derivative of |V| by ln|V|; closing the system takes it off again, because steps are linear in |V|
        k = (16 * node[i] + 5) * LANES
        store(own, k, load(own, k) + push)


@njit(cache=True, nogil=True, error_model="numpy")
def _border(cuts, border, state):
    """The entries of B at the present point."""
    ku, kn, used = len(cuts.unit), len(cuts.node), border.used[0]
    for u in range(ku):
        k = cuts.unit[u] * LANES
        share = load(state.live, k) / load(state.bend, k)
        for c in range(used):
            at = (c * ku + u) * LANES
            store(border.by_unit, at, load(border.a, at) * share)
    for i in range(kn):
        k = cuts.node[i] * LANES
        e, f = load(state.e, k), load(state.f, k)
        size = vsqrt(e * e + f * f)
        for c in range(used):
            at = (c * kn + i) * LANES
            store(border.by_node, at, load(border.b, at) * size)


@njit(cache=True, nogil=True, error_model="numpy")
def _product(cuts, units, border, c, x):
    """Row c of B' times x (4 n LANES,)."""
    ku, kn, unit, node, row = len(cuts.unit), len(cuts.node), cuts.unit, cuts.node, units.row
    by_unit, by_node = border.by_unit, border.by_node
    total = splat(0.0)
    for u in range(ku):
        r = row[unit[u]]
        total = total + load(by_unit, (c * ku + u) * LANES) * load(x, (4 * (r // 2) + 2 + r % 2) * LANES)
    for i in range(kn):
        total = total + load(by_node, (c * kn + i) * LANES) * load(x, (4 * node[i] + 1) * LANES)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(cuts, units, border, c, factor, x):
    """x <- x + B_c factor, factor a lane vector at 0 of an array."""
    ku, kn, unit, node, row = len(cuts.unit), len(cuts.node), cuts.unit, cuts.node, units.row
    by_unit, by_node = border.by_unit, border.by_node
    size = load(factor, 0)
    for u in range(ku):
        r = row[unit[u]]
        at = (4 * (r // 2) + 2 + r % 2) * LANES
        store(x, at, load(x, at) + load(by_unit, (c * ku + u) * LANES) * size)
    for i in range(kn):
        at = (4 * node[i] + 1) * LANES
        store(x, at, load(x, at) + load(by_node, (c * kn + i) * LANES) * size)


@njit(cache=True, nogil=True, error_model="numpy")
def _corner(cuts, border, c, d):
    """Entry (c, d) of E without 1 / W."""
    ku, a, by_unit = len(cuts.unit), border.a, border.by_unit
    total = splat(0.0)
    for u in range(ku):
        total = total + load(by_unit, (c * ku + u) * LANES) * load(a, (d * ku + u) * LANES)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _factor_small(small, m, used):
    """Gaussian elimination of the leading ``used`` rows in place, multipliers below the diagonal; it is definite where the
    second-order conditions hold, and its diagonal is never nothing."""
    for k in range(used):
        inverse = 1.0 / load(small, (k * m + k) * LANES)
        for i in range(k + 1, used):
            share = load(small, (i * m + k) * LANES) * inverse
            store(small, (i * m + k) * LANES, share)
            for j in range(k + 1, used):
                at = (i * m + j) * LANES
                store(small, at, load(small, at) - share * load(small, (k * m + j) * LANES))


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_small(small, m, used, x):
    for i in range(used):
        value = load(x, i * LANES)
        for j in range(i):
            value = value - load(small, (i * m + j) * LANES) * load(x, j * LANES)
        store(x, i * LANES, value)
    for i in range(used - 1, -1, -1):
        value = load(x, i * LANES)
        for j in range(i + 1, used):
            value = value - load(small, (i * m + j) * LANES) * load(x, j * LANES)
        store(x, i * LANES, value / load(small, (i * m + i) * LANES))


@njit(cache=True, nogil=True, error_model="numpy")
def _factor_border(pattern, cuts, units, border, state):
    """K^-1 B, and the factor of the cuts' own system ``B' K^-1 B + E``."""
    m, used, size = cuts.rest.shape[1], border.used[0], len(state.rhs)
    one = np.ones(LANES)
    _border(cuts, border, state)
    for c in range(used):
        column = border.column[c * size : (c + 1) * size]
        column[:] = 0.0
        _scatter(cuts, units, border, c, one, column)
        solve(pattern, state, column)
    for c in range(used):
        for d in range(c, used):
            value = _corner(cuts, border, c, d)
            store(border.corner, (c * m + d) * LANES, value)
            store(border.corner, (d * m + c) * LANES, value)
            value = value + _product(cuts, units, border, c, border.column[d * size : (d + 1) * size])
            if c == d:
                value = value + 1.0 / load(state.w, (cuts.first + c) * LANES)
            store(border.small, (c * m + d) * LANES, value)
            store(border.small, (d * m + c) * LANES, value)
    _factor_small(border.small, m, used)


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(cuts, units, border, state, x):
    """From ``x = K^-1 r`` and ``right``, the cuts' right-hand side: d mu into ``right``, and x of the whole system."""
    m, used, size = cuts.rest.shape[1], border.used[0], len(x)
    for c in range(used):
        at = c * LANES
        store(border.right, at, _product(cuts, units, border, c, x) - load(border.right, at))
    _solve_small(border.small, m, used, border.right)
    for c in range(used):
        move = load(border.right, c * LANES)
        for k in range(0, size, LANES):
            store(x, k, load(x, k) - load(border.column, c * size + k) * move)


@njit(cache=True, nogil=True, error_model="numpy")
def _lack(cuts, units, border, state, x):
    """The cuts' right-hand side less their rows of the system at x and ``move``, into ``right``."""
    m, ku, used = cuts.rest.shape[1], len(cuts.unit), border.used[0]
    for c in range(used):
        q = (cuts.first + c) * LANES
        w = load(state.w, q)
        value = (load(border.move, c * LANES) - load(state.c, q)) / w - _product(cuts, units, border, c, x)
        for u in range(ku):
            value = value + load(border.by_unit, (c * ku + u) * LANES) * load(state.pull, cuts.unit[u] * LANES)
        for d in range(used):
            value = value + load(border.corner, (c * m + d) * LANES) * load(border.move, d * LANES)
        store(border.right, c * LANES, value)


@njit(cache=True, nogil=True, error_model="numpy")
def step_with_cuts(pattern, branches, units, cuts, border, state, spare, times):
    """`elimination.step_of` for the bordered system; the units' N then holds what the cuts' steps add."""
    used, ku = border.used[0], len(cuts.unit)
    step, move, right = state.step, border.move, border.right
    back = border.room[:LANES]
    _factor_border(pattern, cuts, units, border, state)
    move[:] = 0.0
    step[:] = 0.0
    for turn in range(times + 1):
        if turn == 0:
            spare[:] = state.rhs
        else:
            lacking(branches, state, step, spare)
            for c in range(used):
                store(back, 0, -load(move, c * LANES))
                _scatter(cuts, units, border, c, back, spare)
        solve(pattern, state, spare)
        _lack(cuts, units, border, state, step)
        _finish(cuts, units, border, state, spare)
        for x in range(0, len(step), LANES):
            store(step, x, load(step, x) + load(spare, x))
        for c in range(used):
            store(move, c * LANES, load(move, c * LANES) + load(right, c * LANES))
    for u in range(ku):
        at = cuts.unit[u] * LANES
        push = load(state.pull, at)
        for c in range(used):
            push = push + load(border.a, (c * ku + u) * LANES) * load(move, c * LANES)
        store(state.pull, at, push)


@njit(cache=True, nogil=True, error_model="numpy")
def spread_cuts(cuts, border, state):
    """h' dx of every cut, from the steps of nodes and (in ``pull``) of units."""
    m, ku, kn, used = cuts.rest.shape[1], len(cuts.unit), len(cuts.node), border.used[0]
    for c in range(m):
        total = splat(0.0)
        if c < used:
            for u in range(ku):
                total = total + load(border.a, (c * ku + u) * LANES) * load(state.pull, cuts.unit[u] * LANES)
            for i in range(kn):
                at = cuts.node[i] * LANES
                e, f = load(state.e, at), load(state.f, at)
                part = load(border.b, (c * kn + i) * LANES) * vsqrt(e * e + f * f)
                total = total + part * load(state.step, 4 * at + LANES)
        store(state.hdx, (cuts.first + c) * LANES, total)
