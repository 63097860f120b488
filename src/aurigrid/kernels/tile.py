"""What a batched solver works on: the grid's rows, the conditions of each scenario, and tiles of lanes.

A tile holds `LANES` scenarios side by side. Its arrays are flat, ``[node * LANES + lane]``, with nodes in elimination
order; the tables of a `Batch` are ``(rows, n)`` in the same order. Kernels bind arrays to local names before their loops:
an attribute of a tuple inside a loop costs a reference count each time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.pattern import Pattern
from aurigrid.kernels.simd import LANES, blend, load, splat, store, vsqrt

Array = np.ndarray

PQ, PV, REF, OFF = 0, 1, 2, 3
"""Kinds of node: power given, voltage regulated, angle reference, not energised."""

CONVERGED, ITERATION_LIMIT, DIVERGED, SINGULAR, HANDED_ON = 0, 1, 2, 3, 100
"""Outcomes of a lane; HANDED_ON goes on with another kind of step from where it is."""
MOST_SWITCHED = 48
"""Nodes of a lane whose regulation may differ from the base state's before chord steps neglect some of it."""
FLIPS = 4
"""How often a node may change between regulated and at its reactive limit before it stays at the limit."""


class Rows(NamedTuple):
    """The grid's admittance rows in elimination order, per unit.

    Attributes:
        kind: (n,) int8, the node kinds.
        ptr, col, g, b: off-diagonal entries of each row.
        g_diag, b_diag: (n,) diagonal.
        slot: (nnz,) where each off-diagonal block sits among its row's slots.
        blank_ptr, blank: slots of each row that start empty (fill).
        from_node, to_node: (n_branch,) end positions of every branch.
        y_branch: (n_branch, 8) g, b of y_ff, y_ft, y_tf, y_tt.
        island: (n,) int32 island of each node; islands are those of the intact grid.
        n_island: number of islands.
    """

    kind: Array
    ptr: Array
    col: Array
    g: Array
    b: Array
    g_diag: Array
    b_diag: Array
    slot: Array
    blank_ptr: Array
    blank: Array
    from_node: Array
    to_node: Array
    y_branch: Array
    island: Array
    n_island: int


class Batch(NamedTuple):
    """Conditions of each scenario. What scenarios share is stored once; what differs is addressed by row or sparse.

    Attributes:
        base_p, base_q: (n,) specified injections that no table below replaces, without regulated reactive power, pu.
        load_p, load_q, gen_p: (n_row, k) in the caller's element order and units; (0, 0) where not varied.
        load_node, gen_node: (k,) int32 node of each element, -1 where it is out of service.
        load_by, gen_by: (k,) int32 the elements in the order of their nodes.
        load_scale_p, load_scale_q, gen_scale: (k,) factor to an injection in pu (a load's is negative).
        extra_p, extra_q: (n_row, n) other injections, pu; (0, 0) where there are none.
        row: (n_scen,) int32, row of the tables above and of the voltage-dependent parts.
        v_set: (n_set, n) set-points of regulated and reference nodes, pu.
        q_min, q_max: (n_set, n) summed reactive limits of the regulating units, pu.
        alpha: (n_set, n) slack participation.
        set_row: (n_scen,) int32, row of v_set, q_min, q_max and alpha.
        start_e, start_f: (n_start, n) start voltages; start: (n_scen,) int32 row.
        start_held: (n_start, n_held) int8, reactive limit at which each held node starts, as in `Results.held`.
        start_slack: (n_start, n_island) lambda from which distributed slack starts, pu.
        out_ptr, out_branch: outaged branches of each scenario.
        off_ptr, off_node: nodes without supply of each scenario.
        edit_ptr, edit_node: nodes whose injection or limits differ in a scenario, with the changes
        edit_p, edit_q, edit_q_min, edit_q_max, edit_alpha, edit_v (pu, added), edit_zip (k, 4) (added to the four
            voltage-dependent parts of the node, as in zip) and edit_free (1: regulation is lost).
        zip_node: (n,) int32, column of the node in the voltage-dependent parts, -1 for none.
        zip: (n_row or 1, 4, n_zip) injections proportional to |V| (p, q) and |V|^2 (p, q), in the order p1 p2 q1 q2, pu.
        loose: (n,) int8, 1 where an injection may differ from base_p and base_q in some scenario.
        held_place: (n_held,) int32 elimination position of each column of `Results.held`; held_column: (n,) its inverse, -1.
    """

    base_p: Array
    base_q: Array
    load_p: Array
    load_q: Array
    gen_p: Array
    load_node: Array
    gen_node: Array
    load_by: Array
    gen_by: Array
    load_scale_p: Array
    load_scale_q: Array
    gen_scale: Array
    extra_p: Array
    extra_q: Array
    row: Array
    v_set: Array
    q_min: Array
    q_max: Array
    alpha: Array
    set_row: Array
    start_e: Array
    start_f: Array
    start: Array
    start_held: Array
    start_slack: Array
    out_ptr: Array
    out_branch: Array
    off_ptr: Array
    off_node: Array
    edit_ptr: Array
    edit_node: Array
    edit_p: Array
    edit_q: Array
    edit_q_min: Array
    edit_q_max: Array
    edit_alpha: Array
    edit_v: Array
    edit_zip: Array
    edit_free: Array
    zip_node: Array
    zip: Array
    loose: Array
    held_place: Array
    held_column: Array


class Results(NamedTuple):
    """What is written per scenario.

    Attributes:
        v: (n_scen, 2 n) real and imaginary parts in turn, in the caller's node order (a view of complex128).
        slack: (n_scen, n_island) lambda of each island's distributed slack, pu.
        held: (n_scen, n_held) int8: 0 for a node that holds its voltage, +1 / -1 for one at its upper / lower reactive
            limit; columns are the nodes that are not plain PQ, in elimination order.
        need: (n_scen, n_held) reactive power that the regulators of those nodes give where they hold the voltage, pu.
        status, iterations, norm: (n_scen,) int8, int32, float64: outcome, steps, largest mismatch at the last look.
    """

    v: Array
    slack: Array
    held: Array
    need: Array
    status: Array
    iterations: Array
    norm: Array


class Tile(NamedTuple):
    """Working state of W scenarios."""

    e: Array
    f: Array
    p: Array
    q: Array
    mp: Array
    mq: Array
    p_now: Array
    q_now: Array
    alpha: Array
    v_set: Array
    q_min: Array
    q_max: Array
    state: Array
    flips: Array
    special: Array
    slack: Array
    zip: Array
    head: Array
    event_next: Array
    event_lane: Array
    event_other: Array
    event_y: Array
    n_off: Array
    off: Array
    norm: Array
    live: Array
    chosen: Array
    every: Array
    ones: Array
    upper: Array
    rhs: Array
    border: Array
    row: Array
    scratch: Array
    held: Array
    reference: Array
    path: Array
    n_path: Array
    on_path: Array
    switched: Array
    n_switched: Array
    wanted: Array
    lu: Array
    pivot: Array


def make_tile(pattern: Pattern, rows: Rows, batch: Batch, dtype: type) -> Tile:
    """Allocate the working state of one thread; ``dtype`` is the precision of the factor."""
    n, width = pattern.n, LANES
    most = int(np.max(np.diff(batch.out_ptr), initial=0)) * 2 * width + 1
    n_zip = batch.zip.shape[2]
    most_switched = MOST_SWITCHED

    def lanes(count: int, kind: type = np.float64) -> Array:
        return np.zeros(count * width, dtype=kind)

    off = int(np.max(np.diff(batch.off_ptr), initial=0))
    tile = Tile(
        lanes(n), lanes(n), lanes(n), lanes(n), lanes(n), lanes(n), lanes(n), lanes(n), lanes(n),
        lanes(n), lanes(n), lanes(n), lanes(n), lanes(n, np.int8),
        (rows.kind != PQ).astype(np.int8), lanes(rows.n_island), lanes(4 * n_zip),
        np.full(n, -1, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32),
        np.zeros((most, 4)), np.zeros(width, np.int32), np.zeros((width, off), np.int32),
        lanes(1), lanes(1), lanes(1), np.arange(n, dtype=np.int32), np.ones(n),
        lanes(4 * pattern.n_upper, dtype), lanes(2 * n, dtype), lanes(2 * n, dtype),
        lanes(4 * pattern.row_size, dtype), lanes(4),
        np.flatnonzero(rows.kind != PQ).astype(np.int32), np.flatnonzero(rows.kind == REF).astype(np.int32),
        np.zeros(n, np.int32), np.zeros(1, np.int32), np.zeros(n, np.int8),
        np.zeros((width, most_switched), np.int32), np.zeros(width, np.int32), np.zeros((width, most_switched)),
        np.zeros((width, most_switched, most_switched)), np.zeros((width, most_switched), np.int32),
    )  # fmt: skip
    tile.mp[:] = 1.0
    tile.mq[:] = 1.0
    return tile


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(table, node, by, scale, target, lanes, row):
    """Add each element's injection to its node, in some lanes; nodes in their order, to reuse cache lines."""
    if table.shape[0] == 0:
        return
    k = table.shape[1]
    flat = table.reshape(table.size)
    offset = np.empty(len(lanes), np.int64)
    for x in range(len(lanes)):
        offset[x] = row[x] * k
    for e in by:
        if node[e] < 0:
            continue
        at, factor = node[e] * LANES, scale[e]
        for x in range(len(lanes)):
            target[at + lanes[x]] += factor * flat[offset[x] + e]


@njit(cache=True, nogil=True, error_model="numpy")
def fill_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed):
    """Put new scenarios into some lanes: injections, set-points, masks, start voltages."""
    kind, n_island, zip_node = rows.kind, rows.n_island, batch.zip_node
    base_p, base_q, start_e, start_f, start = batch.base_p, batch.base_q, batch.start_e, batch.start_f, batch.start
    loose = batch.loose
    tp, tq, te, tf, slack = tile.p, tile.q, tile.e, tile.f, tile.slack
    n_off, off, mp, mq, chosen, tz, zip_ = tile.n_off, tile.off, tile.mp, tile.mq, tile.chosen, tile.zip, batch.zip
    row = np.empty(len(lanes), np.int64)
    chosen[:] = 0.0
    first = start[scenario[lanes[0]]]
    alike = True
    for x in range(len(lanes)):
        s = scenario[lanes[x]]
        row[x] = batch.row[s]
        chosen[lanes[x]] = 1.0
        alike = alike and start[s] == first
    mask = load(chosen, 0)
    for i in range(len(kind)):
        at = i * LANES
        if loose[i]:
            store(tp, at, blend(mask, splat(base_p[i]), load(tp, at)))
            store(tq, at, blend(mask, splat(base_q[i]), load(tq, at)))
        if alike:
            store(te, at, blend(mask, splat(start_e[first, i]), load(te, at)))
            store(tf, at, blend(mask, splat(start_f[first, i]), load(tf, at)))
        else:
            for lane in lanes:
                te[at + lane], tf[at + lane] = start_e[start[scenario[lane]], i], start_f[start[scenario[lane]], i]
        m = zip_node[i]
        if m >= 0:
            for x in range(len(lanes)):
                r = row[x] if zip_.shape[0] > 1 else 0
                for part in range(4):
                    tz[(4 * m + part) * LANES + lanes[x]] = zip_[r, part, m]
    _scatter(batch.load_p, batch.load_node, batch.load_by, batch.load_scale_p, tp, lanes, row)
    _scatter(batch.load_q, batch.load_node, batch.load_by, batch.load_scale_q, tq, lanes, row)
    _scatter(batch.gen_p, batch.gen_node, batch.gen_by, batch.gen_scale, tp, lanes, row)
    if batch.extra_p.shape[0]:
        _scatter(batch.extra_p, tile.every, tile.every, tile.ones, tp, lanes, row)
        _scatter(batch.extra_q, tile.every, tile.every, tile.ones, tq, lanes, row)
    start_slack = batch.start_slack
    for lane in lanes:
        for r in range(n_island):
            slack[r * LANES + lane] = start_slack[start[scenario[lane]], r] if distributed else 0.0
        for x in range(n_off[lane]):
            at = off[lane, x] * LANES + lane
            mp[at], mq[at] = 1.0, 1.0
    _hold_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed)


@njit(cache=True, nogil=True, error_model="numpy")
def _hold_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed):
    """Set-points, limits and masks of the nodes that are not plain PQ, then the scenarios' edits."""
    kind, alpha = rows.kind, tile.alpha
    balpha, set_row, start, start_held = batch.alpha, batch.set_row, batch.start, batch.start_held
    bv_set, bq_min, bq_max = batch.v_set, batch.q_min, batch.q_max
    tq, te, tf, mp, mq, held, v_set = tile.q, tile.e, tile.f, tile.mp, tile.mq, tile.held, tile.v_set
    q_min, q_max, state, flips = tile.q_min, tile.q_max, tile.state, tile.flips
    mask = load(tile.chosen, 0)
    alike = bv_set.shape[0] == 1
    if distributed:
        for i in range(len(kind)):
            at = i * LANES
            if alike:
                store(alpha, at, blend(mask, splat(balpha[0, i]), load(alpha, at)))
            else:
                for lane in lanes:
                    alpha[at + lane] = balpha[set_row[scenario[lane]], i]
    for x in range(len(held)):
        i = held[x]
        at = i * LANES
        store(mp, at, blend(mask, splat(1.0 if kind[i] == PV else 0.0), load(mp, at)))
        store(mq, at, blend(mask, splat(0.0), load(mq, at)))
        if alike:
            store(v_set, at, blend(mask, splat(bv_set[0, i]), load(v_set, at)))
            store(q_min, at, blend(mask, splat(bq_min[0, i]), load(q_min, at)))
            store(q_max, at, blend(mask, splat(bq_max[0, i]), load(q_max, at)))
        else:
            for lane in lanes:
                r = set_row[scenario[lane]]
                v_set[at + lane], q_min[at + lane], q_max[at + lane] = bv_set[r, i], bq_min[r, i], bq_max[r, i]
        for lane in lanes:
            state[at + lane], flips[at + lane] = 0, 0
    _edit_lanes(rows, batch, tile, lanes, scenario)
    for x in range(len(held)):
        i = held[x]
        at = i * LANES
        if kind[i] == OFF:
            continue
        if enforce_q and kind[i] == PV:
            for lane in lanes:
                limit = start_held[start[scenario[lane]], x]
                if limit != 0 and flips[at + lane] == 0 and mq[at + lane] == 0.0:
                    state[at + lane], mq[at + lane] = limit, 1.0
                    tq[at + lane] += q_max[at + lane] if limit > 0 else q_min[at + lane]
        # the start's magnitude gives way to the set-point where the voltage is held
        e, f = load(te, at), load(tf, at)
        scale = load(v_set, at) / vsqrt(e * e + f * f)
        scale = blend(mask * (1.0 - load(mq, at)), scale, splat(1.0))
        store(te, at, e * scale)
        store(tf, at, f * scale)


@njit(cache=True, nogil=True, error_model="numpy")
def _edit_lanes(rows, batch, tile, lanes, scenario):
    """Apply the sparse edits and the nodes without supply of the scenarios in some lanes."""
    kind = rows.kind
    edit_ptr, edit_node, edit_p, edit_q = batch.edit_ptr, batch.edit_node, batch.edit_p, batch.edit_q
    edit_alpha, edit_q_min, edit_q_max = batch.edit_alpha, batch.edit_q_min, batch.edit_q_max
    edit_free, off_ptr, off_node = batch.edit_free, batch.off_ptr, batch.off_node
    edit_v, edit_zip, zip_node, tz, v_set = batch.edit_v, batch.edit_zip, batch.zip_node, tile.zip, tile.v_set
    tp, tq, alpha, q_min, q_max, mq = tile.p, tile.q, tile.alpha, tile.q_min, tile.q_max, tile.mq
    flips, n_off, mp, special, off = tile.flips, tile.n_off, tile.mp, tile.special, tile.off
    for lane in lanes:
        s = scenario[lane]
        for x in range(edit_ptr[s], edit_ptr[s + 1]):
            i = edit_node[x]
            at = i * LANES + lane
            tp[at] += edit_p[x]
            tq[at] += edit_q[x]
            alpha[at] += edit_alpha[x]
            q_min[at] += edit_q_min[x]
            q_max[at] += edit_q_max[x]
            v_set[at] += edit_v[x]
            m = zip_node[i]
            if m >= 0:
                for part in range(4):
                    tz[(4 * m + part) * LANES + lane] += edit_zip[x, part]
            if edit_free[x] and kind[i] == PV:
                mq[at] = 1.0
                flips[at] = FLIPS + 1
        n_off[lane] = 0
        for x in range(off_ptr[s], off_ptr[s + 1]):
            i = off_node[x]
            at = i * LANES + lane
            mp[at], mq[at], alpha[at] = 0.0, 0.0, 0.0
            flips[at] = FLIPS + 1
            special[i] = 1
            off[lane, n_off[lane]] = i
            n_off[lane] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def resume_lanes(pattern, rows, tile, out, lanes, scenario, enforce_q):
    """Put lanes where an earlier attempt left their scenarios: voltages, slack, nodes at limits."""
    order, kind, n_island = pattern.order, rows.kind, rows.n_island
    te, tf, tq, mq, slack, held = tile.e, tile.f, tile.q, tile.mq, tile.slack, tile.held
    state, flips, q_min, q_max = tile.state, tile.flips, tile.q_min, tile.q_max
    v, oslack, oheld = out.v, out.slack, out.held
    for lane in lanes:
        s = scenario[lane]
        for i in range(len(kind)):
            te[i * LANES + lane], tf[i * LANES + lane] = v[s, 2 * order[i]], v[s, 2 * order[i] + 1]
        for r in range(n_island):
            slack[r * LANES + lane] = oslack[s, r]
        if not enforce_q:
            continue
        for x in range(len(held)):
            at = held[x] * LANES + lane
            if kind[held[x]] != PV or flips[at] > FLIPS or state[at] == oheld[s, x]:
                continue
            if state[at] != 0:
                tq[at] -= q_max[at] if state[at] > 0 else q_min[at]
            state[at] = oheld[s, x]
            mq[at] = 0.0 if state[at] == 0 else 1.0
            if state[at] != 0:
                tq[at] += q_max[at] if state[at] > 0 else q_min[at]


@njit(cache=True, nogil=True, error_model="numpy")
def link_outages(rows, batch, tile, scenario, done):
    """Rebuild the row events from the outages of the scenarios now in the lanes."""
    from_node, to_node, y_branch = rows.from_node, rows.to_node, rows.y_branch
    out_ptr, out_branch = batch.out_ptr, batch.out_branch
    head, event_lane, event_other, event_y = tile.head, tile.event_lane, tile.event_other, tile.event_y
    event_next = tile.event_next
    for i in range(len(head)):
        head[i] = -1
    count = 0
    for lane in range(LANES):
        s = scenario[lane]
        if done[lane]:
            continue
        for x in range(out_ptr[s], out_ptr[s + 1]):
            branch = out_branch[x]
            a, b = from_node[branch], to_node[branch]
            y = y_branch[branch]
            for end in range(2):
                i, j, own, mutual = (a, b, 0, 2) if end == 0 else (b, a, 6, 4)
                event_lane[count], event_other[count] = lane, j
                event_y[count, 0], event_y[count, 1] = y[own], y[own + 1]
                event_y[count, 2], event_y[count, 3] = y[mutual], y[mutual + 1]
                event_next[count] = head[i]
                head[i] = count
                count += 1


@njit(cache=True, nogil=True, error_model="numpy")
def take_lanes(pattern, rows, tile, out, lanes, scenario):
    """Write finished lanes to the results; failed ones are NaN."""
    position, n_island, n = pattern.position, rows.n_island, len(rows.kind)
    te, tf, held, slack, state, q_now = tile.e, tile.f, tile.held, tile.slack, tile.state, tile.q_now
    v, oslack, oheld, need, status = out.v, out.slack, out.held, out.need, out.status
    flat = v.reshape(v.size)
    offset = np.empty(len(lanes), np.int64)
    for x in range(len(lanes)):
        offset[x] = np.int64(scenario[lanes[x]]) * 2 * n
    # by node, so that each row is written from its start to its end
    for node in range(n):
        at = position[node] * LANES
        for x in range(len(lanes)):
            to = offset[x] + 2 * node
            flat[to], flat[to + 1] = te[at + lanes[x]], tf[at + lanes[x]]
    for lane in lanes:
        s = scenario[lane]
        for r in range(n_island):
            oslack[s, r] = slack[r * LANES + lane]
        for x in range(len(held)):
            oheld[s, x] = state[held[x] * LANES + lane]
            need[s, x] = -q_now[held[x] * LANES + lane]
        if status[s] != CONVERGED and status[s] != HANDED_ON:
            v[s], oslack[s] = np.nan, np.nan
