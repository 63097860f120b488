"""Newton's method for thousands of power flows of one grid, one scenario per SIMD lane.

Unknowns are the angle and the logarithm of the magnitude of each node's voltage ``V = e + jf``. With the current
``I = Y V``, the power ``S = V conj(I)`` and the terms ``S_ij = V_i conj(Y_ij V_j) = p_ij + j q_ij``, one iteration solves

    sum_j J_ij x_j = r_i,    r_i = (P_i^spec - P_i, Q_i^spec - Q_i),    x_j = (d theta_j, d ln|V_j|)

    J_ij = [[ q_ij, p_ij], [-p_ij, q_ij]]                                                        (i != j)
    J_ii = [[-Q_i + q_ii, P_i + p_ii], [P_i - p_ii, Q_i + q_ii]]

(Tinney and Hart 1967 in polar form; ln|V| makes the off-diagonal blocks scaled rotations), then updates

    V_i <- V_i (1 + d ln|V_i|) (1 + j t) / (1 - j t),    t = d theta_i / 2

whose last factor (Cayley's) has modulus one exactly, so held magnitudes stay held and no sine is needed.

Rows are assembled, eliminated and stored in one pass in elimination order: row ``i`` takes the finished rows ``k`` of
its lower part, so only the upper factor ``D^-1 U`` is kept. The residual is float64; the factor has the precision of
the work arrays (float32 by default: the direction need not be better than the linearisation).

Equations that do not hold are masked per lane: ``mp = 0`` (P not imposed: reference or dead node) and ``mq = 0``
(Q not imposed: regulated, reference or dead node) turn a row into the identity.

Outages are events at rows: a lane's outaged branch is taken off the row's current and off its blocks.
Reactive limits: a regulated node whose reactive need passes a limit is held at that limit (mq = 1) until its voltage
would let it return. Distributed slack: ``P_i^spec + alpha_i lambda`` with one lambda an island; the border is solved
with a second right-hand side ``z = J^-1 alpha``.

Shapes: n nodes, n_scen scenarios, W lanes; tile arrays are flat, ``[node * W + lane]``, in elimination order.
"""

from __future__ import annotations

from numba import njit

from aurigrid.kernels.simd import LANES, blend, cast, item, load, splat, store, vabs, vmax, vsqrt, widen


@njit(cache=True, nogil=True, error_model="numpy")
def residual(rows, batch, tile, distributed):
    """Mismatch of each row into tile.rhs and the largest into tile.norm; what special rows lack into p_now and q_now."""
    kind, g_diag, b_diag, yptr, ycol, yg = rows.kind, rows.g_diag, rows.b_diag, rows.ptr, rows.col, rows.g
    yb, island = rows.b, rows.island
    zip_node, loose, base_p, base_q = batch.zip_node, batch.loose, batch.base_p, batch.base_q
    te, tf, head, scratch, event_lane = tile.e, tile.f, tile.head, tile.scratch, tile.event_lane
    event_y, event_other, event_next, tp, tq = tile.event_y, tile.event_other, tile.event_next, tile.p, tile.q
    tz, alpha, slack, special, p_now = tile.zip, tile.alpha, tile.slack, tile.special, tile.p_now
    q_now, mp, mq, norm, rhs, leads = tile.q_now, tile.mp, tile.mq, tile.norm, tile.rhs, tile.leads
    worst, total = splat(0.0), splat(0.0)
    for i in range(len(kind)):
        at = i * LANES
        e, f = load(te, at), load(tf, at)
        re = g_diag[i] * e - b_diag[i] * f
        im = g_diag[i] * f + b_diag[i] * e
        for x in range(yptr[i], yptr[i + 1]):
            j = item(ycol, x) * LANES
            ej, fj = load(te, j), load(tf, j)
            g, b = splat(item(yg, x)), splat(item(yb, x))
            re = re + g * ej - b * fj
            im = im + g * fj + b * ej
        if head[i] >= 0:
            store(scratch, 0, re)
            store(scratch, LANES, im)
            x = head[i]
            while x >= 0:
                lane, y = event_lane[x], event_y[x]
                j = event_other[x] * LANES + lane
                ei, fi, ej, fj = te[at + lane], tf[at + lane], te[j], tf[j]
                scratch[lane] -= y[0] * ei - y[1] * fi + y[2] * ej - y[3] * fj
                scratch[LANES + lane] -= y[0] * fi + y[1] * ei + y[2] * fj + y[3] * ej
                x = event_next[x]
            re, im = load(scratch, 0), load(scratch, LANES)
        p, q = e * re + f * im, f * re - e * im
        if loose[i]:
            rp, rq = load(tp, at) - p, load(tq, at) - q
        else:
            rp, rq = base_p[i] - p, base_q[i] - q
        m = zip_node[i]
        if m >= 0:
            square = e * e + f * f
            v, z = vsqrt(square), 4 * m * LANES
            rp = rp + load(tz, z) * v + load(tz, z + LANES) * square
            rq = rq + load(tz, z + 2 * LANES) * v + load(tz, z + 3 * LANES) * square
        if distributed:
            rp = rp + load(alpha, at) * load(slack, island[i] * LANES)
        if special[i]:
            # what is still to be injected at the node, before masking: slack power and reactive need
            store(p_now, at, rp)
            store(q_now, at, rq)
            if distributed:
                worst = vmax(vabs(rp) * load(leads, at), worst)
            rp, rq = rp * load(mp, at), rq * load(mq, at)
        store(rhs, 2 * at, rp)
        store(rhs, 2 * at + LANES, rq)
        worst = vmax(vmax(vabs(rp), vabs(rq)), worst)
        total = total + (rp + rq)
    # a maximum drops NaN, a sum keeps it
    store(norm, 0, worst + total * 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(pattern, rows, batch, tile, distributed):
    """After `residual`: assemble and eliminate all rows, in the factor's precision.

    D^-1 U goes into tile.upper and D^-1 L^-1 r into tile.rhs (and that of alpha into border).
    """
    low_ptr, up_ptr, target_ptr, low_idx = pattern.low_ptr, pattern.up_ptr, pattern.target_ptr, pattern.low_idx
    target = pattern.target
    kind, blank_ptr, blank, g_diag, b_diag = rows.kind, rows.blank_ptr, rows.blank, rows.g_diag, rows.b_diag
    yptr, ycol, yg, yb, slot, zip_node = rows.ptr, rows.col, rows.g, rows.b, rows.slot, batch.zip_node
    row, te, tf, head, scratch, event_lane = (
        tile.row,
        tile.near_e,
        tile.near_f,
        tile.head,
        tile.scratch,
        tile.event_lane,
    )
    event_y, event_other, event_next, tz = tile.event_y, tile.event_other, tile.event_next, tile.zip
    alpha, special, mp, mq, rhs, border, upper = (
        tile.alpha, tile.special, tile.mp, tile.mq, tile.rhs, tile.border, tile.upper
    )  # fmt: skip
    for at in range(0, len(te), LANES):
        store(te, at, load(tile.e, at))
        store(tf, at, load(tile.f, at))
    zero, one = cast(splat(0.0), row), cast(splat(1.0), row)
    for i in range(len(kind)):
        at = i * LANES
        lower = low_ptr[i + 1] - low_ptr[i]
        size = lower + 1 + up_ptr[i + 1] - up_ptr[i]
        for x in range(blank_ptr[i], blank_ptr[i + 1]):
            s = blank[x] * 4 * LANES
            store(row, s, zero)
            store(row, s + LANES, zero)
            store(row, s + 2 * LANES, zero)
            store(row, s + 3 * LANES, zero)
        e, f = load(te, at), load(tf, at)
        square = e * e + f * f
        pd, qd = cast(splat(g_diag[i]), row) * square, -cast(splat(b_diag[i]), row) * square
        p, q = pd, qd
        for x in range(yptr[i], yptr[i + 1]):
            j = item(ycol, x) * LANES
            ej, fj = load(te, j), load(tf, j)
            g, b = cast(splat(item(yg, x)), row), cast(splat(item(yb, x)), row)
            re, im = g * ej - b * fj, g * fj + b * ej
            pij, qij = e * re + f * im, f * re - e * im
            p, q = p + pij, q + qij
            s = item(slot, x) * 4 * LANES
            store(row, s, qij)
            store(row, s + LANES, pij)
            store(row, s + 2 * LANES, -pij)
            store(row, s + 3 * LANES, qij)
        if head[i] >= 0:
            c = scratch
            store(c, 0, p)
            store(c, LANES, q)
            store(c, 2 * LANES, pd)
            store(c, 3 * LANES, qd)
            x = head[i]
            while x >= 0:
                lane, y, other = event_lane[x], event_y[x], event_other[x]
                j = other * LANES + lane
                ei, fi, ej, fj = te[at + lane], tf[at + lane], te[j], tf[j]
                own = ei * ei + fi * fi
                re, im = y[2] * ej - y[3] * fj, y[2] * fj + y[3] * ej
                pij, qij = ei * re + fi * im, fi * re - ei * im
                c[lane] -= pij + y[0] * own
                c[LANES + lane] -= qij - y[1] * own
                c[2 * LANES + lane] -= y[0] * own
                c[3 * LANES + lane] += y[1] * own
                for z in range(yptr[i], yptr[i + 1]):
                    if ycol[z] == other:
                        s = slot[z] * 4 * LANES + lane
                        row[s] -= qij
                        row[s + LANES] -= pij
                        row[s + 2 * LANES] += pij
                        row[s + 3 * LANES] -= qij
                x = event_next[x]
            p, q = cast(load(c, 0), row), cast(load(c, LANES), row)
            pd, qd = cast(load(c, 2 * LANES), row), cast(load(c, 3 * LANES), row)
        d11, d12, d21, d22 = qd - q, p + pd, p - pd, q + qd
        m = zip_node[i]
        if m >= 0:
            v, z = vsqrt(square), 4 * m * LANES
            p1, p2 = cast(load(tz, z), row) * v, cast(load(tz, z + LANES), row) * square
            q1, q2 = cast(load(tz, z + 2 * LANES), row) * v, cast(load(tz, z + 3 * LANES), row) * square
            d12, d22 = d12 - p1 - p2 - p2, d22 - q1 - q2 - q2
        if special[i]:
            keep_p, keep_q = cast(load(mp, at), row), cast(load(mq, at), row)
            d11, d12 = d11 * keep_p + (one - keep_p), d12 * keep_p
            d21, d22 = d21 * keep_q, d22 * keep_q + (one - keep_q)
            for x in range(yptr[i], yptr[i + 1]):
                s = slot[x] * 4 * LANES
                store(row, s, load(row, s) * keep_p)
                store(row, s + LANES, load(row, s + LANES) * keep_p)
                store(row, s + 2 * LANES, load(row, s + 2 * LANES) * keep_q)
                store(row, s + 3 * LANES, load(row, s + 3 * LANES) * keep_q)
        s = lower * 4 * LANES
        store(row, s, d11)
        store(row, s + LANES, d12)
        store(row, s + 2 * LANES, d21)
        store(row, s + 3 * LANES, d22)
        if distributed:
            store(border, 2 * at, load(alpha, at) * load(mp, at))
            store(border, 2 * at + LANES, zero)
        own = 2 * i * LANES
        r1, r2 = load(rhs, own), load(rhs, own + LANES)
        b1, b2 = load(border, own), load(border, own + LANES)
        program = target_ptr[i]
        first = low_ptr[i]
        for x in range(lower):
            k = item(low_idx, first + x)
            s = x * 4 * LANES
            a11, a12 = load(row, s), load(row, s + LANES)
            a21, a22 = load(row, s + 2 * LANES), load(row, s + 3 * LANES)
            y = 2 * k * LANES
            y1, y2 = load(rhs, y), load(rhs, y + LANES)
            r1, r2 = r1 - a11 * y1 - a12 * y2, r2 - a21 * y1 - a22 * y2
            if distributed:
                y1, y2 = load(border, y), load(border, y + LANES)
                b1, b2 = b1 - a11 * y1 - a12 * y2, b2 - a21 * y1 - a22 * y2
            for u in range(item(up_ptr, k), item(up_ptr, k + 1)):
                t = item(target, program) * 4 * LANES
                program += 1
                c = u * 4 * LANES
                u11, u12 = load(upper, c), load(upper, c + LANES)
                u21, u22 = load(upper, c + 2 * LANES), load(upper, c + 3 * LANES)
                store(row, t, load(row, t) - a11 * u11 - a12 * u21)
                store(row, t + LANES, load(row, t + LANES) - a11 * u12 - a12 * u22)
                store(row, t + 2 * LANES, load(row, t + 2 * LANES) - a21 * u11 - a22 * u21)
                store(row, t + 3 * LANES, load(row, t + 3 * LANES) - a21 * u12 - a22 * u22)
        s = lower * 4 * LANES
        d11, d12 = load(row, s), load(row, s + LANES)
        d21, d22 = load(row, s + 2 * LANES), load(row, s + 3 * LANES)
        scale = one / (d11 * d22 - d12 * d21)
        d11, d12, d21, d22 = d22 * scale, -d12 * scale, -d21 * scale, d11 * scale
        c = up_ptr[i] * 4 * LANES
        for t in range((lower + 1) * 4 * LANES, size * 4 * LANES, 4 * LANES):
            w11, w12 = load(row, t), load(row, t + LANES)
            w21, w22 = load(row, t + 2 * LANES), load(row, t + 3 * LANES)
            store(upper, c, d11 * w11 + d12 * w21)
            store(upper, c + LANES, d11 * w12 + d12 * w22)
            store(upper, c + 2 * LANES, d21 * w11 + d22 * w21)
            store(upper, c + 3 * LANES, d21 * w12 + d22 * w22)
            c += 4 * LANES
        store(rhs, own, d11 * r1 + d12 * r2)
        store(rhs, own + LANES, d21 * r1 + d22 * r2)
        if distributed:
            store(border, own, d11 * b1 + d12 * b2)
            store(border, own + LANES, d21 * b1 + d22 * b2)


@njit(cache=True, nogil=True, error_model="numpy")
def back_substitute(pattern, tile, x):
    """Solve the unit upper triangle in place, for a right-hand side in the factor's precision."""
    order, up_ptr, up_idx = pattern.order, pattern.up_ptr, pattern.up_idx
    upper = tile.upper
    for i in range(len(order) - 1, -1, -1):
        at = 2 * i * LANES
        x1, x2 = load(x, at), load(x, at + LANES)
        for u in range(up_ptr[i], up_ptr[i + 1]):
            c, j = u * 4 * LANES, item(up_idx, u) * 2 * LANES
            y1, y2 = load(x, j), load(x, j + LANES)
            x1 = x1 - load(upper, c) * y1 - load(upper, c + LANES) * y2
            x2 = x2 - load(upper, c + 2 * LANES) * y1 - load(upper, c + 3 * LANES) * y2
        store(x, at, x1)
        store(x, at + LANES, x2)


@njit(cache=True, nogil=True, error_model="numpy")
def border_step(rows, batch, tile):
    """Distributed slack: lambda's step from each reference's own balance, then x += z d lambda."""
    n_island, yptr, ycol, yg, yb, island = rows.n_island, rows.ptr, rows.col, rows.g, rows.b, rows.island
    kind = rows.kind
    rhs, border, te, tf, p_now, leads = tile.rhs, tile.border, tile.e, tile.f, tile.p_now, tile.leads
    alpha, head, scratch, event_lane, event_y = tile.alpha, tile.head, tile.scratch, tile.event_lane, tile.event_y
    event_other, event_next, n = tile.event_other, tile.event_next, len(kind)
    for r in range(n_island):
        store(rhs, (2 * n + r) * LANES, splat(0.0))
    for i in batch.reference:
        at = i * LANES
        e, f = load(te, at), load(tf, at)
        need, gain = load(p_now, at), -load(alpha, at)
        for x in range(yptr[i], yptr[i + 1]):
            j = ycol[x] * LANES
            ej, fj = load(te, j), load(tf, j)
            g, b = splat(yg[x]), splat(yb[x])
            re, im = g * ej - b * fj, g * fj + b * ej
            p, q = e * re + f * im, f * re - e * im
            need = need - q * widen(load(rhs, 2 * j)) - p * widen(load(rhs, 2 * j + LANES))
            gain = gain + q * widen(load(border, 2 * j)) + p * widen(load(border, 2 * j + LANES))
        if head[i] >= 0:
            store(scratch, 0, need)
            store(scratch, LANES, gain)
            x = head[i]
            while x >= 0:
                lane, y = event_lane[x], event_y[x]
                j = event_other[x] * LANES
                ei, fi, ej, fj = te[at + lane], tf[at + lane], te[j + lane], tf[j + lane]
                re, im = y[2] * ej - y[3] * fj, y[2] * fj + y[3] * ej
                p, q = ei * re + fi * im, fi * re - ei * im
                j = 2 * j + lane
                scratch[lane] += q * rhs[j] + p * rhs[j + LANES]
                scratch[LANES + lane] -= q * border[j] + p * border[j + LANES]
                x = event_next[x]
            need, gain = load(scratch, 0), load(scratch, LANES)
        own = (2 * n + island[i]) * LANES
        store(rhs, own, blend(load(leads, at), need / gain, widen(load(rhs, own))))
    for i in range(n):
        step = load(rhs, (2 * n + island[i]) * LANES)
        at = 2 * i * LANES
        store(rhs, at, load(rhs, at) + load(border, at) * step)
        store(rhs, at + LANES, load(rhs, at + LANES) + load(border, at + LANES) * step)


@njit(cache=True, nogil=True, error_model="numpy")
def shorten(tile, most):
    """Damp Newton's method: scale each lane's step so that no angle (rad) and no ln|V| changes by more than ``most``.

    The direction stays Newton's. Far from a solution the linear model holds for small steps only; near one no step is
    that large, and the method converges as it would.
    """
    rhs = tile.rhs
    largest = splat(0.0)
    for at in range(0, len(tile.border), LANES):
        largest = vmax(vabs(widen(load(rhs, at))), largest)
    factor = cast(splat(most) / vmax(largest, splat(most)), rhs)
    for at in range(0, len(rhs), LANES):
        store(rhs, at, load(rhs, at) * factor)


@njit(cache=True, nogil=True, error_model="numpy")
def turn(te, tf, at, angle, growth):
    """Turn the voltages of a node's lanes by an angle (rad) and let them grow by a relative change; Cayley's rotation."""
    e, f, t = load(te, at), load(tf, at), angle * 0.5
    square = t * t
    scale = (1.0 + growth) / (1.0 + square)
    c, s = (1.0 - square) * scale, (t + t) * scale
    store(te, at, e * c - f * s)
    store(tf, at, f * c + e * s)


@njit(cache=True, nogil=True, error_model="numpy")
def update(rows, tile):
    """Apply the step to voltages and slack; lanes that are not live keep theirs."""
    te, tf, rhs, live = tile.e, tile.f, tile.rhs, load(tile.live, 0)
    for at in range(0, len(rows.kind) * LANES, LANES):
        turn(te, tf, at, widen(load(rhs, 2 * at)) * live, widen(load(rhs, 2 * at + LANES)) * live)
    update_slack(rows, tile)


@njit(cache=True, nogil=True, error_model="numpy")
def update_slack(rows, tile):
    """Apply the step to the slack of each island."""
    rhs, slack, live = tile.rhs, tile.slack, load(tile.live, 0)
    for r in range(rows.n_island):
        at = (2 * len(rows.kind) + r) * LANES
        store(slack, r * LANES, load(slack, r * LANES) + widen(load(rhs, at)) * live)
