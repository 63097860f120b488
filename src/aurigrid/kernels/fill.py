"""Lanes in and out: new scenarios are put into lanes, and what finished ones hold is written to the results.

A lane is refilled many times, so only what differs between its last scenario and its next is written: start voltages and
varied injections always, set-points, limits and masks where the last scenario's edits changed them. What scenarios share is
written once a range (``fresh``). Start voltages take the magnitude of the set-point where a voltage is held; where all
scenarios have the same set-points, that is done once for each start (`_begin`).
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.simd import LANES, blend, item, load, put, splat, store, vsqrt
from aurigrid.kernels.tile import CONVERGED, FLIPS, HANDED_ON, OFF, PQ, PV, REF


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
            place = at + item(lanes, x)
            put(target, place, item(target, place) + factor * item(flat, item(offset, x) + e))


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(rows, batch, tile, start, enforce_q):
    """Put a row of start voltages into ``tile.begin_e``, ``begin_f``; at the set-points where these are all scenarios'."""
    kind, held, begin_e, begin_f, v_set, limited = (
        rows.kind, tile.held, tile.begin_e, tile.begin_f, batch.v_set, batch.start_held
    )  # fmt: skip
    tile.begin_row[0] = start
    begin_e[:] = batch.start_e[start]
    begin_f[:] = batch.start_f[start]
    if v_set.shape[0] > 1:
        return
    free, bare = batch.free, batch.free.shape[0] > 0
    for x in range(len(held)):
        i = held[x]
        if kind[i] == OFF or (enforce_q and kind[i] == PV and limited[start, x] != 0) or (bare and free[0, i] != 0):
            continue
        scale = v_set[0, i] / np.sqrt(begin_e[i] * begin_e[i] + begin_f[i] * begin_f[i])
        begin_e[i] *= scale
        begin_f[i] *= scale


@njit(cache=True, nogil=True, error_model="numpy")
def _prime(rows, batch, tile, distributed):
    """What all scenarios share, in all lanes: injections, set-points, limits, shares, masks, voltage-dependent parts."""
    kind, base_p, base_q, tp, tq, mp, mq = rows.kind, batch.base_p, batch.base_q, tile.p, tile.q, tile.mp, tile.mq
    alpha, v_set, q_min, q_max, state, flips = tile.alpha, tile.v_set, tile.q_min, tile.q_max, tile.state, tile.flips
    balpha, bv_set, bq_min, bq_max, zip_node = batch.alpha, batch.v_set, batch.q_min, batch.q_max, batch.zip_node
    zip_, tz, special, leads = batch.zip, tile.zip, tile.special, tile.leads
    tile.begin_row[0] = -1
    tile.edited[:] = -1
    state[:] = 0
    flips[:] = 0
    for i in range(len(kind)):
        at = i * LANES
        special[i] = 1 if kind[i] != PQ else 0
        store(tp, at, splat(base_p[i]))
        store(tq, at, splat(base_q[i]))
        store(mp, at, splat(1.0 if kind[i] == PQ or kind[i] == PV else 0.0))
        store(mq, at, splat(1.0 if kind[i] == PQ else 0.0))
        store(leads, at, splat(1.0 if kind[i] == REF else 0.0))
        store(v_set, at, splat(bv_set[0, i]))
        store(q_min, at, splat(bq_min[0, i]))
        store(q_max, at, splat(bq_max[0, i]))
        if distributed:
            store(alpha, at, splat(balpha[0, i]))
        m = zip_node[i]
        if m >= 0:
            for part in range(4):
                store(tz, (4 * m + part) * LANES, splat(zip_[0, part, m]))


@njit(cache=True, nogil=True, error_model="numpy")
def _forget(rows, batch, tile, lanes, distributed):
    """Undo the edits of the scenarios that some lanes held."""
    kind, edited, edit_ptr, edit_node = rows.kind, tile.edited, batch.edit_ptr, batch.edit_node
    off_ptr, off_node, zip_node, zip_, tz = batch.off_ptr, batch.off_node, batch.zip_node, batch.zip, tile.zip
    base_p, base_q, balpha, bv_set, bq_min, bq_max = (
        batch.base_p, batch.base_q, batch.alpha, batch.v_set, batch.q_min, batch.q_max
    )  # fmt: skip
    tp, tq, mp, mq, alpha, v_set = tile.p, tile.q, tile.mp, tile.mq, tile.alpha, tile.v_set
    q_min, q_max, flips, leads = tile.q_min, tile.q_max, tile.flips, tile.leads
    kind_ptr, kind_node = batch.kind_ptr, batch.kind_node
    for lane in lanes:
        s = edited[lane]
        if s < 0:
            continue
        for x in range(edit_ptr[s], edit_ptr[s + 1]):
            i = edit_node[x]
            at = i * LANES + lane
            tp[at], tq[at], v_set[at], q_min[at], q_max[at] = (
                base_p[i],
                base_q[i],
                bv_set[0, i],
                bq_min[0, i],
                bq_max[0, i],
            )
            mq[at], flips[at] = 1.0 if kind[i] == PQ else 0.0, 0
            if distributed:
                alpha[at] = balpha[0, i]
            m = zip_node[i]
            if m >= 0:
                for part in range(4):
                    tz[(4 * m + part) * LANES + lane] = zip_[0, part, m]
        for x in range(off_ptr[s], off_ptr[s + 1]):
            i = off_node[x]
            at = i * LANES + lane
            mp[at] = 1.0 if kind[i] == PQ or kind[i] == PV else 0.0
            mq[at], flips[at] = 1.0 if kind[i] == PQ else 0.0, 0
            if distributed:
                alpha[at] = balpha[0, i]
        for x in range(kind_ptr[s], kind_ptr[s + 1]):
            i = kind_node[x]
            at = i * LANES + lane
            mp[at] = 1.0 if kind[i] == PQ or kind[i] == PV else 0.0
            mq[at], flips[at] = 1.0 if kind[i] == PQ else 0.0, 0
            leads[at] = 1.0 if kind[i] == REF else 0.0
        edited[lane] = -1


@njit(cache=True, nogil=True, error_model="numpy")
def _start_lanes(rows, batch, tile, lanes, scenario, enforce_q):
    """Start voltages of the scenarios in some lanes."""
    n, start, te, tf, row, chosen = len(rows.kind), batch.start, tile.e, tile.f, tile.begin_row, tile.chosen
    begin_e, begin_f = tile.begin_e, tile.begin_f
    first = start[scenario[lanes[0]]]
    alike = True
    chosen[:] = 0.0
    for lane in lanes:
        alike = alike and start[scenario[lane]] == first
        chosen[lane] = 1.0
    if alike:
        if row[0] != first:
            _begin(rows, batch, tile, first, enforce_q)
        # lane by lane: a store of some lanes of a vector takes the machine ten times as long as one of a number
        for i in range(n):
            at, e, f = i * LANES, item(begin_e, i), item(begin_f, i)
            for x in range(len(lanes)):
                place = at + item(lanes, x)
                put(te, place, e)
                put(tf, place, f)
        return
    for lane in lanes:
        if row[0] != start[scenario[lane]]:
            _begin(rows, batch, tile, start[scenario[lane]], enforce_q)
        for i in range(n):
            te[i * LANES + lane], tf[i * LANES + lane] = begin_e[i], begin_f[i]


@njit(cache=True, nogil=True, error_model="numpy")
def fill_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed, fresh):
    """Put new scenarios into some lanes: injections, set-points, masks, start voltages.

    Args:
        fresh: whether nothing that the tile holds is this batch's; all lanes are filled then.
    """
    kind, n_island, loose, zip_node, zip_ = rows.kind, rows.n_island, batch.loose, batch.zip_node, batch.zip
    base_p, base_q, tp, tq, tz, slack = batch.base_p, batch.base_q, tile.p, tile.q, tile.zip, tile.slack
    load_p, load_q, gen_p, extra_p, extra_q = batch.load_p, batch.load_q, batch.gen_p, batch.extra_p, batch.extra_q
    start, start_slack = batch.start, batch.start_slack
    if fresh:
        _prime(rows, batch, tile, distributed)
    else:
        _forget(rows, batch, tile, lanes, distributed)
    _start_lanes(rows, batch, tile, lanes, scenario, enforce_q)
    varied = load_p.shape[0] + load_q.shape[0] + gen_p.shape[0] + extra_p.shape[0] > 0
    if varied:
        row = np.empty(len(lanes), np.int64)
        for x in range(len(lanes)):
            row[x] = batch.row[scenario[lanes[x]]]
        for i in range(len(kind)):
            if loose[i]:
                at, p, q = i * LANES, base_p[i], base_q[i]
                for x in range(len(lanes)):
                    place = at + item(lanes, x)
                    put(tp, place, p)
                    put(tq, place, q)
        _scatter(load_p, batch.load_node, batch.load_by, batch.load_scale_p, tp, lanes, row)
        _scatter(load_q, batch.load_node, batch.load_by, batch.load_scale_q, tq, lanes, row)
        _scatter(gen_p, batch.gen_node, batch.gen_by, batch.gen_scale, tp, lanes, row)
        if extra_p.shape[0]:
            _scatter(extra_p, tile.every, tile.every, tile.ones, tp, lanes, row)
            _scatter(extra_q, tile.every, tile.every, tile.ones, tq, lanes, row)
    if zip_.shape[0] > 1:
        for i in range(len(kind)):
            m = zip_node[i]
            if m >= 0:
                for lane in lanes:
                    for part in range(4):
                        tz[(4 * m + part) * LANES + lane] = zip_[batch.row[scenario[lane]], part, m]
    for lane in lanes:
        for r in range(n_island):
            slack[r * LANES + lane] = start_slack[start[scenario[lane]], r] if distributed else 0.0
    _hold_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed, varied)


@njit(cache=True, nogil=True, error_model="numpy")
def _hold_lanes(rows, batch, tile, lanes, scenario, enforce_q, distributed, varied):
    """Set-points, limits and masks of the nodes that are not plain PQ, then the scenarios' edits."""
    kind, alpha, base_q, tq = rows.kind, tile.alpha, batch.base_q, tile.q
    balpha, set_row, start, start_held = batch.alpha, batch.set_row, batch.start, batch.start_held
    bv_set, bq_min, bq_max = batch.v_set, batch.q_min, batch.q_max
    te, tf, mq, held, v_set = tile.e, tile.f, tile.mq, tile.held, tile.v_set
    q_min, q_max, state, flips = tile.q_min, tile.q_max, tile.state, tile.flips
    shared, free, bare = bv_set.shape[0] == 1, batch.free, batch.free.shape[0] > 0
    if not shared:
        for lane in lanes:
            r = set_row[scenario[lane]]
            for i in held:
                at = i * LANES + lane
                v_set[at], q_min[at], q_max[at] = bv_set[r, i], bq_min[r, i], bq_max[r, i]
            if distributed:
                for i in range(len(kind)):
                    alpha[i * LANES + lane] = balpha[r, i]
    if enforce_q:
        for i in held:
            for lane in lanes:
                at = i * LANES + lane
                state[at], flips[at], mq[at] = 0, 0, 0.0
                if not varied:
                    tq[at] = base_q[i]
    if bare:
        for lane in lanes:
            r = set_row[scenario[lane]]
            for i in held:
                if kind[i] == PV:
                    at = i * LANES + lane
                    mq[at], flips[at] = (1.0, FLIPS + 1) if free[r, i] else (0.0, 0)
    _edit_lanes(rows, batch, tile, lanes, scenario, distributed)
    if enforce_q:
        for x in range(len(held)):
            i = held[x]
            if kind[i] != PV:
                continue
            for lane in lanes:
                at = i * LANES + lane
                limit = start_held[start[scenario[lane]], x]
                if limit != 0 and flips[at] == 0 and mq[at] == 0.0:
                    state[at], mq[at] = limit, 1.0
                    tq[at] += q_max[at] if limit > 0 else q_min[at]
    if shared:
        return
    # the start's magnitude gives way to the set-point where the voltage is held
    mask = load(tile.chosen, 0)
    for i in held:
        if kind[i] == OFF:
            continue
        at = i * LANES
        e, f = load(te, at), load(tf, at)
        scale = load(v_set, at) / vsqrt(e * e + f * f)
        scale = blend(mask * (1.0 - load(mq, at)), scale, splat(1.0))
        store(te, at, e * scale)
        store(tf, at, f * scale)


@njit(cache=True, nogil=True, error_model="numpy")
def _edit_lanes(rows, batch, tile, lanes, scenario, distributed):
    """Apply the sparse edits and the nodes without supply of the scenarios in some lanes."""
    kind = rows.kind
    edit_ptr, edit_node, edit_p, edit_q = batch.edit_ptr, batch.edit_node, batch.edit_p, batch.edit_q
    edit_alpha, edit_q_min, edit_q_max = batch.edit_alpha, batch.edit_q_min, batch.edit_q_max
    edit_free, off_ptr, off_node = batch.edit_free, batch.off_ptr, batch.off_node
    edit_v, edit_zip, zip_node, tz, v_set = batch.edit_v, batch.edit_zip, batch.zip_node, tile.zip, tile.v_set
    tp, tq, alpha, q_min, q_max, mq = tile.p, tile.q, tile.alpha, tile.q_min, tile.q_max, tile.mq
    te, tf, flips, mp, special, edited = tile.e, tile.f, tile.flips, tile.mp, tile.special, tile.edited
    leads, kind_ptr, kind_node, kind_now = tile.leads, batch.kind_ptr, batch.kind_node, batch.kind_now
    free, set_row, bare = batch.free, batch.set_row, batch.free.shape[0] > 0
    for lane in lanes:
        s = scenario[lane]
        edited[lane] = s
        for x in range(kind_ptr[s], kind_ptr[s + 1]):
            # a reference that has moved: no reactive limit is held where it goes, nor where it was
            at = kind_node[x] * LANES + lane
            lost = bare and free[set_row[s], kind_node[x]] != 0 and kind_now[x] == PV
            mp[at] = 1.0 if kind_now[x] == PQ or kind_now[x] == PV else 0.0
            mq[at], flips[at] = 1.0 if kind_now[x] == PQ or lost else 0.0, FLIPS + 1
            leads[at] = 1.0 if kind_now[x] == REF else 0.0
        for x in range(edit_ptr[s], edit_ptr[s + 1]):
            i = edit_node[x]
            at = i * LANES + lane
            tp[at] += edit_p[x]
            tq[at] += edit_q[x]
            q_min[at] += edit_q_min[x]
            q_max[at] += edit_q_max[x]
            v_set[at] += edit_v[x]
            if distributed:
                alpha[at] += edit_alpha[x]
            m = zip_node[i]
            if m >= 0:
                for part in range(4):
                    tz[(4 * m + part) * LANES + lane] += edit_zip[x, part]
            if edit_free[x] and mp[at] != 0.0 and mq[at] == 0.0:
                mq[at] = 1.0
                flips[at] = FLIPS + 1
        for x in range(off_ptr[s], off_ptr[s + 1]):
            i = off_node[x]
            at = i * LANES + lane
            mp[at], mq[at], alpha[at] = 0.0, 0.0, 0.0
            flips[at] = FLIPS + 1
            special[i] = 1
        for x in range(edit_ptr[s], edit_ptr[s + 1]):
            # another regulator decides the set-point
            i = edit_node[x]
            at = i * LANES + lane
            if edit_v[x] != 0.0 and kind[i] != PQ and mq[at] == 0.0:
                scale = v_set[at] / np.sqrt(te[at] * te[at] + tf[at] * tf[at])
                te[at] *= scale
                tf[at] *= scale


@njit(cache=True, nogil=True, error_model="numpy")
def resume_lanes(pattern, rows, tile, out, lanes, scenario, enforce_q):
    """Put lanes where an attempt that handed their scenarios on left them: voltages, slack, nodes at limits."""
    order, kind, n_island = pattern.order, rows.kind, rows.n_island
    te, tf, tq, mq, slack, held = tile.e, tile.f, tile.q, tile.mq, tile.slack, tile.held
    state, flips, q_min, q_max = tile.state, tile.flips, tile.q_min, tile.q_max
    v, oslack, oheld, status = out.v, out.slack, out.held, out.status
    for lane in lanes:
        s = scenario[lane]
        if status[s] != HANDED_ON:
            continue
        for i in range(len(kind)):
            put(te, i * LANES + lane, v[s, 2 * order[i]])
            put(tf, i * LANES + lane, v[s, 2 * order[i] + 1])
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
            to, lane = item(offset, x) + 2 * node, at + item(lanes, x)
            put(flat, to, item(te, lane))
            put(flat, to + 1, item(tf, lane))
    for lane in lanes:
        s = scenario[lane]
        for r in range(n_island):
            oslack[s, r] = slack[r * LANES + lane]
        for x in range(len(held)):
            oheld[s, x] = state[held[x] * LANES + lane]
            need[s, x] = -q_now[held[x] * LANES + lane]
        if status[s] != CONVERGED and status[s] != HANDED_ON:
            v[s], oslack[s] = np.nan, np.nan
