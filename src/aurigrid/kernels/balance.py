"""The certificate: power balance of finished scenarios, recomputed branch by branch in float64.

Engines work on admittance rows in elimination order; this file shares none of that. For each branch ``k`` from ``f`` to
``t`` it evaluates the currents that enter at its two ends,

    I_f = y_ff V_f + y_ft V_t,    I_t = y_tf V_f + y_tt V_t,

adds them up at each node, branch end by branch end, to ``S = V conj(I)`` with the shunts' ``|V|^2 conj(y)``, and compares
with what is specified there. P is compared at every supplied node but a reference that takes the balance, Q wherever no
voltage is held. It also looks at whether the root is a plausible one: every ``|V|`` between 0.5 and 1.5 pu, and no branch
turned by more than 90 degrees.

Shapes: n nodes, n_scen scenarios; tiles are ``[node * LANES + lane]`` in the caller's node order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.claim import claim
from aurigrid.kernels.simd import LANES, item, load, put, side_by_side, splat, store, vabs, vmax, vsqrt
from aurigrid.kernels.tile import CONVERGED, OFF, PQ, PV, REF

Array = np.ndarray

V_LOW_PU, V_HIGH_PU = 0.5, 1.5


class Circuit(NamedTuple):
    """The grid as a list of branches, in the caller's node order.

    Attributes:
        kind: (n,) int8 node kinds; dead: nodes of kind OFF; island: (n,) int32.
        from_node, to_node: (m,) int32, in-service branches only.
        y: (m, 8) g, b of y_ff, y_ft, y_tf, y_tt, pu; turn: (m, 2) cosine and sine of the phase shift.
        place: (n_branch,) int32, row of each of the network's branches in this list, -1 where out of service.
        ptr, middle: the ends of branches at node i are ptr[i] .. ptr[i + 1], of which those before middle[i] are from ends.
        other: (2 m,) int32 node at the other end; y_end: (2 m, 4) g, b of the end's own and mutual admittance; end_branch:
            (2 m,) int32 the branch.
        g, b: (n,) shunt admittance, pu.
        order: (n,) node at each elimination position, position: its inverse; the tables of a `Batch` are in that order.
        held: (n_held,) nodes of the columns of `Results.held`.
    """

    kind: Array
    dead: Array
    island: Array
    from_node: Array
    to_node: Array
    y: Array
    turn: Array
    place: Array
    ptr: Array
    middle: Array
    other: Array
    y_end: Array
    end_branch: Array
    g: Array
    b: Array
    order: Array
    position: Array
    held: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _add_table(table, node, scale, order, row, to):
    """Add the injections of one table of elements to their nodes, one scenario a lane."""
    if table.shape[0] == 0:
        return
    k = table.shape[1]
    flat = table.reshape(table.size)
    offset = row * k
    for e in range(k):
        if node[e] >= 0:
            at, factor = order[node[e]] * LANES, scale[e]
            for lane in range(len(offset)):
                put(to, at + lane, item(to, at + lane) + factor * item(flat, item(offset, lane) + e))


@njit(cache=True, nogil=True, error_model="numpy")
def _imposed(circuit, p_free, q_free, distributed):
    """Set p_free and q_free to 1 where the node kinds impose P and Q, else 0."""
    kind = circuit.kind
    for i in range(len(kind)):
        imposed_p = kind[i] != OFF and (distributed or kind[i] != REF)
        store(p_free, i * LANES, splat(1.0 if imposed_p else 0.0))
        store(q_free, i * LANES, splat(1.0 if kind[i] == PQ else 0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _specified(circuit, batch, out, first, lanes, p, q, q_free, distributed):
    """What is specified at the loose nodes of a tile beyond base_p and base_q, pu, and where reactive limits impose Q."""
    order, held, island, loose, kind = circuit.order, circuit.held, circuit.island, batch.loose, circuit.kind
    alpha, q_min, q_max = batch.alpha, batch.q_min, batch.q_max
    slack, oheld = out.slack, out.held
    zero = splat(0.0)
    for x in range(len(order)):
        if loose[x]:
            store(p, order[x] * LANES, zero)
            store(q, order[x] * LANES, zero)
    row = batch.row[first : first + lanes].astype(np.int64)
    _add_table(batch.load_p, batch.load_node, batch.load_scale_p, order, row, p)
    _add_table(batch.load_q, batch.load_node, batch.load_scale_q, order, row, q)
    _add_table(batch.gen_p, batch.gen_node, batch.gen_scale, order, row, p)
    extra_p, extra_q, set_row, place = batch.extra_p, batch.extra_q, batch.set_row, batch.held_place
    free, bare = batch.free, batch.free.shape[0] > 0
    if extra_p.shape[0]:
        for x in range(len(order)):
            for lane in range(lanes):
                p[order[x] * LANES + lane] += extra_p[row[lane], x]
                q[order[x] * LANES + lane] += extra_q[row[lane], x]
    if distributed:
        for x in range(len(order)):
            i = order[x]
            if loose[x]:
                for lane in range(lanes):
                    p[i * LANES + lane] += alpha[set_row[first + lane], x] * slack[first + lane, island[i]]
    for c in range(len(held)):
        i = held[c]
        if kind[i] != PQ:
            store(q_free, i * LANES, zero)
        for lane in range(lanes):
            state, r = oheld[first + lane, c], set_row[first + lane]
            if bare and free[r, place[c]] and kind[i] == PV:
                q_free[i * LANES + lane] = 1.0
            if state != 0:
                # columns of q_min and q_max are in elimination order, as the held nodes are
                x = place[c]
                q[i * LANES + lane] += q_max[r, x] if state > 0 else q_min[r, x]
                q_free[i * LANES + lane] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _kind_in(circuit, batch, s, i):
    """Kind of a node in a scenario."""
    for x in range(batch.kind_ptr[s], batch.kind_ptr[s + 1]):
        if circuit.order[batch.kind_node[x]] == i:
            return batch.kind_now[x]
    return circuit.kind[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _edited(circuit, batch, out, first, lanes, p, q, p_free, q_free, distributed):
    """Apply the scenarios' sparse edits and nodes without supply to what is specified."""
    order, island = circuit.order, circuit.island
    edit_ptr, edit_node, edit_p, edit_q = batch.edit_ptr, batch.edit_node, batch.edit_p, batch.edit_q
    edit_alpha, edit_q_min, edit_q_max = batch.edit_alpha, batch.edit_q_min, batch.edit_q_max
    edit_free, off_ptr, off_node, column = batch.edit_free, batch.off_ptr, batch.off_node, batch.held_column
    slack, held, kind_ptr, kind_node, kind_now = out.slack, out.held, batch.kind_ptr, batch.kind_node, batch.kind_now
    free, set_row, bare = batch.free, batch.set_row, batch.free.shape[0] > 0
    for lane in range(lanes):
        s = first + lane
        for x in range(kind_ptr[s], kind_ptr[s + 1]):
            at = order[kind_node[x]] * LANES + lane
            lost = bare and free[set_row[s], kind_node[x]] != 0 and kind_now[x] == PV
            p_free[at] = 1.0 if distributed or kind_now[x] != REF else 0.0
            q_free[at] = 1.0 if kind_now[x] == PQ or lost else 0.0
        for x in range(edit_ptr[s], edit_ptr[s + 1]):
            i = order[edit_node[x]]
            at = i * LANES + lane
            p[at] += edit_p[x]
            q[at] += edit_q[x]
            if distributed:
                p[at] += edit_alpha[x] * slack[s, island[i]]
            c = column[edit_node[x]]
            if c >= 0 and held[s, c] != 0:
                q[at] += edit_q_max[x] if held[s, c] > 0 else edit_q_min[x]
            if edit_free[x] and _kind_in(circuit, batch, s, i) != REF:
                q_free[at] = 1.0
        for x in range(off_ptr[s], off_ptr[s + 1]):
            at = order[off_node[x]] * LANES + lane
            p_free[at], q_free[at] = 0.0, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _restored(circuit, batch, first, lanes, p, q, p_free, q_free, distributed):
    """Undo what a tile's outages changed at nodes that are not loose, and their moved references, for the next tile."""
    kind, order, from_node, to_node, place = (
        circuit.kind,
        circuit.order,
        circuit.from_node,
        circuit.to_node,
        circuit.place,
    )
    out_ptr, out_branch, off_ptr, off_node = batch.out_ptr, batch.out_branch, batch.off_ptr, batch.off_node
    kind_ptr, kind_node = batch.kind_ptr, batch.kind_node
    for lane in range(lanes):
        s = first + lane
        for x in range(kind_ptr[s], kind_ptr[s + 1]):
            i = order[kind_node[x]]
            p_free[i * LANES + lane] = 1.0 if distributed or kind[i] != REF else 0.0
        for x in range(out_ptr[s], out_ptr[s + 1]):
            k = place[out_branch[x]]
            if k >= 0:
                a, b = from_node[k] * LANES + lane, to_node[k] * LANES + lane
                p[a], q[a], p[b], q[b] = 0.0, 0.0, 0.0, 0.0
        for x in range(off_ptr[s], off_ptr[s + 1]):
            i = order[off_node[x]]
            imposed_p = kind[i] != OFF and (distributed or kind[i] != REF)
            p_free[i * LANES + lane] = 1.0 if imposed_p else 0.0
            q_free[i * LANES + lane] = 1.0 if kind[i] == PQ else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _branch_power(y, k, ef, ff, et, ft):
    """Powers that enter a branch at its two ends, one lane."""
    re, im = (
        y[k, 0] * ef - y[k, 1] * ff + y[k, 2] * et - y[k, 3] * ft,
        y[k, 0] * ff + y[k, 1] * ef + y[k, 2] * ft + y[k, 3] * et,
    )
    pf, qf = ef * re + ff * im, ff * re - ef * im
    re, im = (
        y[k, 4] * ef - y[k, 5] * ff + y[k, 6] * et - y[k, 7] * ft,
        y[k, 4] * ff + y[k, 5] * ef + y[k, 6] * ft + y[k, 7] * et,
    )
    return pf, qf, et * re + ft * im, ft * re - et * im


@njit(cache=True, nogil=True, error_model="numpy")
def certify_range(circuit, batch, out, mismatch, implausible, distributed, next_tile):
    """Mismatch and plausibility of all scenarios; nodes without supply become NaN in ``out.v``.

    Args:
        mismatch: (n_scen,) receives the largest mismatch of each solved scenario, pu; NaN where not solved.
        implausible: (n_scen,) receives whether the root is an implausible one.
        distributed: whether references share in a distributed slack.
        next_tile: (1,) int64, the first tile of scenarios that nobody has taken; threads share it.
    """
    n, m = len(circuit.kind), len(circuit.from_node)
    from_node, to_node, yb, turn = circuit.from_node, circuit.to_node, circuit.y, circuit.turn
    ptr, middle, other, y_end, end_branch = (
        circuit.ptr,
        circuit.middle,
        circuit.other,
        circuit.y_end,
        circuit.end_branch,
    )
    shunt_g, shunt_b, kind, order, place = circuit.g, circuit.b, circuit.kind, circuit.order, circuit.place
    position, dead, base_p, base_q = circuit.position, circuit.dead, batch.base_p, batch.base_q
    y_flat, turn_flat = y_end.reshape(y_end.size), turn.reshape(turn.size)
    v, status, zip_node, zip_ = out.v, out.status, batch.zip_node, batch.zip
    out_ptr, out_branch, off_ptr, off_node = batch.out_ptr, batch.out_branch, batch.off_ptr, batch.off_node
    edit_ptr, edit_node, edit_zip = batch.edit_ptr, batch.edit_node, batch.edit_zip
    e, f, p, q = np.zeros(n * LANES), np.zeros(n * LANES), np.zeros(n * LANES), np.zeros(n * LANES)
    p_free, q_free = np.zeros(n * LANES), np.zeros(n * LANES)
    tz, worst_of, turned_of, low_of, high_of = (
        np.zeros(4 * LANES), np.zeros(LANES), np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    )  # fmt: skip
    _imposed(circuit, p_free, q_free, distributed)
    while True:
        first = claim(next_tile) * LANES
        if first >= len(status):
            break
        lanes = min(LANES, len(status) - first)
        side_by_side(out.v, first, lanes, e, f)
        _specified(circuit, batch, out, first, lanes, p, q, q_free, distributed)
        _edited(circuit, batch, out, first, lanes, p, q, p_free, q_free, distributed)
        # a branch that is out in a lane gives back there what the sum over all branches takes
        for lane in range(lanes):
            for x in range(out_ptr[first + lane], out_ptr[first + lane + 1]):
                k = place[out_branch[x]]
                if k >= 0:
                    a, b = from_node[k] * LANES + lane, to_node[k] * LANES + lane
                    pf, qf, pt, qt = _branch_power(yb, k, e[a], f[a], e[b], f[b])
                    p[a] += pf
                    q[a] += qf
                    p[b] += pt
                    q[b] += qt
        worst, total, low, high, turned = splat(0.0), splat(0.0), splat(4.0), splat(0.0), splat(1.0)
        for i in range(n):
            if kind[i] == OFF:
                continue
            at, place_of = i * LANES, position[i]
            ei, fi = load(e, at), load(f, at)
            square = ei * ei + fi * fi
            own_g, own_b = 0.0, 0.0
            re, im = splat(0.0), splat(0.0)
            for x in range(ptr[i], middle[i]):
                own_g += item(y_flat, 4 * x)
                own_b += item(y_flat, 4 * x + 1)
                g, b, j = item(y_flat, 4 * x + 2), item(y_flat, 4 * x + 3), item(other, x) * LANES
                ej, fj = load(e, j), load(f, j)
                re = re + g * ej - b * fj
                im = im + g * fj + b * ej
                cosine = ei * ej + fi * fj
                k = 2 * item(end_branch, x)
                sine = item(turn_flat, k + 1)
                if sine != 0.0:
                    cosine = cosine * item(turn_flat, k) + (fi * ej - ei * fj) * sine
                turned = -vmax(-turned, -cosine)
            for x in range(middle[i], ptr[i + 1]):
                own_g += item(y_flat, 4 * x)
                own_b += item(y_flat, 4 * x + 1)
                g, b, j = item(y_flat, 4 * x + 2), item(y_flat, 4 * x + 3), item(other, x) * LANES
                ej, fj = load(e, j), load(f, j)
                re = re + g * ej - b * fj
                im = im + g * fj + b * ej
            # S = V conj(I): the node's own admittances give |V|^2 conj(y)
            rp = base_p[place_of] - (ei * re + fi * im) - (own_g + shunt_g[i]) * square
            rq = base_q[place_of] - (fi * re - ei * im) + (own_b + shunt_b[i]) * square
            c = zip_node[place_of]
            if c >= 0:
                for lane in range(lanes):
                    r = batch.row[first + lane] if zip_.shape[0] > 1 else 0
                    for part in range(4):
                        tz[part * LANES + lane] = zip_[r, part, c]
                    for y in range(edit_ptr[first + lane], edit_ptr[first + lane + 1]):
                        if edit_node[y] == place_of:
                            for part in range(4):
                                tz[part * LANES + lane] += edit_zip[y, part]
                size = vsqrt(square)
                rp = rp + load(tz, 0) * size + load(tz, LANES) * square
                rq = rq + load(tz, 2 * LANES) * size + load(tz, 3 * LANES) * square
            rp, rq = (rp + load(p, at)) * load(p_free, at), (rq + load(q, at)) * load(q_free, at)
            worst, total = vmax(vmax(vabs(rp), vabs(rq)), worst), total + (rp + rq)
            low, high = -vmax(-square, -low), vmax(square, high)
        # a maximum drops NaN, a sum keeps it
        store(worst_of, 0, worst + total * 0.0)
        store(turned_of, 0, turned)
        store(low_of, 0, low)
        store(high_of, 0, high)
        _restored(circuit, batch, first, lanes, p, q, p_free, q_free, distributed)
        for lane in range(lanes):
            s = first + lane
            if status[s] != CONVERGED:
                mismatch[s], implausible[s] = np.nan, False
                continue
            mismatch[s] = worst_of[lane]
            wrong = low_of[lane] < V_LOW_PU * V_LOW_PU or high_of[lane] > V_HIGH_PU * V_HIGH_PU
            if turned_of[lane] < 0.0:
                # look again without the branches that are out, whose ends may be any angle apart
                for k in range(m):
                    a, b = from_node[k] * LANES + lane, to_node[k] * LANES + lane
                    cosine = (e[a] * e[b] + f[a] * f[b]) * turn[k, 0] + (f[a] * e[b] - e[a] * f[b]) * turn[k, 1]
                    if cosine < 0.0 and kind[from_node[k]] != OFF:
                        is_out = False
                        for x in range(out_ptr[s], out_ptr[s + 1]):
                            is_out = is_out or place[out_branch[x]] == k
                        wrong = wrong or not is_out
            implausible[s] = wrong
            for x in range(off_ptr[s], off_ptr[s + 1]):
                i = order[off_node[x]]
                v[s, 2 * i], v[s, 2 * i + 1] = np.nan, np.nan
            for i in dead:
                v[s, 2 * i], v[s, 2 * i + 1] = np.nan, np.nan
