"""The loop around the steps: lanes are filled, stepped, judged, written out and refilled.

A lane that is done is frozen; when a quarter of the lanes are, they are written out and refilled together. What a lane computes
does not depend on its neighbours or on when it was filled. Reactive limits: a regulated node whose need passes a limit is
held there until its voltage would let it return.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.chord import (
    accelerate,
    backward,
    correct_outages,
    correct_switched,
    forward,
    hold_again,
    list_switched,
    set_aside,
    spread_slack,
    trace_outages,
    trace_switched,
)
from aurigrid.kernels.claim import claim
from aurigrid.kernels.fill import fill_lanes, link_outages, resume_lanes, take_lanes
from aurigrid.kernels.newton import back_substitute, border_step, factorise, residual, shorten, update
from aurigrid.kernels.simd import LANES, blend, load, splat, store, vmax
from aurigrid.kernels.tile import (
    CONVERGED,
    DIVERGED,
    FLIPS,
    HANDED_ON,
    ITERATION_LIMIT,
    PV,
    SINGULAR,
)

_DIVERGENCE_PU = 1e9
# limits are watched once the state is near a solution, where a node's reactive need means something; what is acted on must be
# larger than what the mismatch that is left may still change, pu reactive power and voltage for a pu of mismatch
_SWITCH_BELOW_PU = 1e-1
_SWITCH_TOL = 1e-9
_SURE = 0.05
_SURE_V = 0.003
# v^2 - v_set^2 for a unit of v - v_set, at the least voltage that is still one
_LEAST_V = 0.5
# a chord step that leaves more than this share of the mismatch costs more than a Newton step saves
_PAYS = 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def _watch(kind, tile, excess):
    """Largest violation of a reactive limit in each lane, pu, and by how much a voltage at its limit could return, pu.

    An upper bound, without a branch for each node: `_switch` looks closer where it is not small.
    """
    held, state, q_now, q_max, q_min, mq = tile.held, tile.state, tile.q_now, tile.q_max, tile.q_min, tile.mq
    te, tf, v_set = tile.e, tile.f, tile.v_set
    worst, back, zero = splat(0.0), splat(0.0), splat(0.0)
    for i in held:
        if kind[i] != PV:
            continue
        at = i * LANES
        need, e, f, goal = -load(q_now, at), load(te, at), load(tf, at), load(v_set, at)
        over = vmax(need - load(q_max, at), load(q_min, at) - need)
        worst = vmax(blend(load(mq, at), zero, over), worst)
        back = vmax((e * e + f * f - goal * goal) * load(state, at), back)
    store(excess, 0, worst)
    store(excess, LANES, back)


@njit(cache=True, nogil=True, error_model="numpy")
def set_voltage(rows, tile, lane, i, scale):
    """Scale a node's voltage in one lane, and what the residual said with it: the step would not know of the change.

    What a branch gives its far end is taken from the near one's row, and branches that are out as in service: a phase shifter's
    or an outage's difference is left to the next step.
    """
    ptr, col, g, b, te, tf, mp, mq, rhs = rows.ptr, rows.col, rows.g, rows.b, tile.e, tile.f, tile.mp, tile.mq, tile.rhs
    p_now, q_now = tile.p_now, tile.q_now
    e, f = te[i * LANES + lane], tf[i * LANES + lane]
    de, df = (scale - 1.0) * e, (scale - 1.0) * f
    own_g, own_b = rows.g_diag[i], rows.b_diag[i]
    re, im = own_g * e - own_b * f, own_g * f + own_b * e
    for x in range(ptr[i], ptr[i + 1]):
        at = col[x] * LANES + lane
        ej, fj = te[at], tf[at]
        re, im = re + g[x] * ej - b[x] * fj, im + g[x] * fj + b[x] * ej
        more_re, more_im = g[x] * de - b[x] * df, g[x] * df + b[x] * de
        p, q, own = ej * more_re + fj * more_im, fj * more_re - ej * more_im, 2 * col[x] * LANES + lane
        rhs[own] -= p * mp[at]
        rhs[own + LANES] -= q * mq[at]
        p_now[at] -= p
        q_now[at] -= q
    # S = V conj(I): both change
    re, im = scale * re + (own_g * de - own_b * df) * scale - re, scale * im + (own_g * df + own_b * de) * scale - im
    p, at = e * re + f * im, i * LANES + lane
    rhs[2 * i * LANES + lane] -= p * mp[at]
    p_now[at] -= p
    te[at], tf[at] = e + de, f + df


@njit(cache=True, nogil=True, error_model="numpy")
def _switch(rows, tile, lane, tol, tol_v, share):
    """Enforce reactive limits in one lane, right-hand side included; returns how many nodes changed.

    Only violations of at least ``share`` times the worst one are acted on: 0 switches all at once, which is quick, a larger
    share takes more rounds and disturbs the state less.
    """
    held, flips, state, q_now, q_max, q_min = tile.held, tile.flips, tile.state, tile.q_now, tile.q_max, tile.q_min
    tq, mq, te, tf, v_set, rhs, kind = tile.q, tile.mq, tile.e, tile.f, tile.v_set, tile.rhs, rows.kind
    changed = 0
    least = tol
    if share > 0.0:
        for i in held:
            at = i * LANES + lane
            if kind[i] == PV and flips[at] <= FLIPS and state[at] == 0:
                least = max(least, share * max(-q_now[at] - q_max[at], q_min[at] + q_now[at]))
    for i in held:
        at = i * LANES + lane
        if kind[i] != PV or flips[at] > FLIPS:
            continue
        if state[at] == 0:
            need = -q_now[at]
            over, under = need - q_max[at], q_min[at] - need
            if over >= least and over > tol and over >= under:
                state[at], limit = 1, q_max[at]
            elif under >= least and under > tol:
                state[at], limit = -1, q_min[at]
            else:
                continue
            tq[at] += limit
            mq[at] = 1.0
            rhs[(2 * i + 1) * LANES + lane] = q_now[at] + limit
        else:
            v = np.hypot(te[at], tf[at])
            if (v - v_set[at]) * state[at] <= tol_v:
                continue
            tq[at] -= q_max[at] if state[at] > 0 else q_min[at]
            mq[at] = 0.0
            rhs[(2 * i + 1) * LANES + lane] = 0.0
            state[at] = 0
            set_voltage(rows, tile, lane, i, v_set[at] / v)
        flips[at] += 1
        changed += 1
    return changed


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(
    rows, tile, out, scenario, done, flipped, first, count, before, best, best_at, tol, least, limit, patience, enforce_q,
    share, chord,
):  # fmt: skip
    """After the residual: freeze the lanes that are done and switch nodes at their reactive limits."""
    norm, live, steady = tile.norm, tile.live, tile.steady
    excess = np.zeros(2 * LANES)
    if enforce_q:
        _watch(rows.kind, tile, excess)
    status, iterations, last = out.status, out.iterations, out.norm
    for lane in range(LANES):
        if done[lane]:
            continue
        s, now = scenario[lane], norm[lane]
        done[lane] = True
        if not now < _DIVERGENCE_PU:
            status[s] = SINGULAR if count[lane] > 0 and before[lane] < 1.0 else DIVERGED
        else:
            # a switch disturbs the state, so the steps before and after it do not compare
            settled = count[lane] > 0 and not flipped[lane]
            if now < best[lane] or count[lane] == 0 or flipped[lane]:
                best[lane], best_at[lane] = now, count[lane]
            switched = 0
            if enforce_q and (now < tol or now < _SWITCH_BELOW_PU):
                sure, sure_v = max(_SWITCH_TOL, _SURE * now), max(_SWITCH_TOL, _SURE_V * now)
                if excess[lane] > sure or excess[LANES + lane] > _LEAST_V * sure_v:
                    switched = _switch(rows, tile, lane, sure, sure_v, share)
            if now < tol and switched == 0 and count[lane] >= least:
                status[s] = CONVERGED
            elif chord and (count[lane] >= limit or (settled and now > _PAYS * before[lane])):
                status[s] = HANDED_ON
            elif count[lane] >= limit:
                status[s] = ITERATION_LIMIT
            elif count[lane] - best_at[lane] >= patience:
                status[s] = DIVERGED
            else:
                done[lane] = False
            # the step before and this one are of the same equations
            steady[lane] = 1.0 if count[lane] > 0 and switched == 0 else 0.0
            flipped[lane] = switched > 0
        iterations[s] = first[lane] + count[lane]
        before[lane], last[s] = now, now
        count[lane] += 1
        if done[lane]:
            live[lane] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def solve_range(
    pattern, rows, batch, tile, out, todo, tol, least, limit, patience, enforce_q, share, distributed, most_step, factor, chord,
    next_one,
):  # fmt: skip
    """Solve the scenarios ``todo`` (int32 positions); those handed on go on from what ``out`` holds, others from their start.

    Args:
        next_one: (1,) int64, the first of ``todo`` that nobody has taken; threads that work on one list share it.
        tol: largest mismatch accepted, pu.
        least, limit: steps a scenario must and may take; patience: those after which it is given up if none of them came
            closer to a solution than one before (switching at a reactive limit counts anew).
        enforce_q: hold regulated nodes within their reactive limits; share: see `_switch`.
        distributed: spread each island's balance by alpha instead of leaving it to its reference.
        most_step: largest change of an angle (rad) or of ln|V| in a Newton step, infinite for full steps.
        factor: the base state's, for chord steps; chord: take those, and hand on scenarios for which they do not pay.
    """
    scenario = np.full(LANES, -1, np.int32)
    done, empty, flipped = np.ones(LANES, np.bool_), np.ones(LANES, np.bool_), np.zeros(LANES, np.bool_)
    count, first = np.zeros(LANES, np.int32), np.zeros(LANES, np.int32)
    before, best, best_at = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES, np.int32)
    if next_one[0] >= len(todo):
        return
    # every lane starts with some scenario, frozen, so that spare lanes stay finite
    scenario[:] = todo[0]
    tile.live[:] = 0.0
    fill_lanes(rows, batch, tile, np.arange(LANES), scenario, enforce_q, distributed, True)
    stale = np.ones(LANES, np.bool_)
    while True:
        idle = np.sum(done)
        if idle == LANES or (4 * idle >= LANES and next_one[0] < len(todo)):
            take_lanes(pattern, rows, tile, out, np.flatnonzero(done & ~empty), scenario)
            empty[done] = True
            fresh = np.flatnonzero(done)
            taken = 0
            for free in fresh:
                place = claim(next_one)
                if place >= len(todo):
                    break
                scenario[free] = todo[place]
                first[free] = out.iterations[scenario[free]] if out.status[scenario[free]] == HANDED_ON else 0
                done[free], empty[free], count[free], stale[free], tile.live[free] = False, False, 0, True, 1.0
                taken += 1
            if taken == 0 and idle == LANES:
                break
            fresh = fresh[:taken]
            if taken > 0:
                fill_lanes(rows, batch, tile, fresh, scenario, enforce_q, distributed, False)
                resume_lanes(pattern, rows, tile, out, fresh, scenario, enforce_q)
                link_outages(rows, batch, tile, scenario, done)
                if chord:
                    trace_outages(pattern, rows, batch, tile, factor, scenario, done)
        residual(rows, batch, tile, distributed)
        _judge(
            rows, tile, out, scenario, done, flipped, first, count, before, best, best_at, tol, least, limit, patience,
            enforce_q, share, chord,
        )  # fmt: skip
        if np.all(done):
            continue
        if chord:
            apart = False
            if enforce_q:
                other = False
                for lane in range(LANES):
                    if stale[lane] or flipped[lane]:
                        list_switched(rows, tile, factor, lane)
                        stale[lane], other = False, True
                if other:
                    trace_switched(pattern, tile, factor, done)
                apart = set_aside(tile, done)
            forward(pattern, factor, tile.rhs)
            correct_outages(pattern, rows, batch, tile, factor, scenario, done)
            if apart:
                correct_switched(pattern, tile, factor, done)
            backward(pattern, factor, tile.rhs)
            if distributed:
                spread_slack(rows, batch, tile, factor)
            if enforce_q:
                hold_again(tile, factor)
            accelerate(rows, tile)
        else:
            factorise(pattern, rows, batch, tile, distributed)
            back_substitute(pattern, tile, tile.rhs)
            if distributed:
                back_substitute(pattern, tile, tile.border)
                border_step(rows, batch, tile)
            if most_step < np.inf:
                shorten(tile, most_step)
            update(rows, tile)
