"""Output between the limits: start and stop trajectories, ramps, piecewise-linear costs, all tied to commitment.

Output above p_min is the sum of segments, p = sum_l q_l; R is the upward reserve on the unit. With cap = p_max - p_min::

    p_t + R_t <= cap u_t - sum_i (p_max - start - i up)+ v_{t-i} - (p_max - stop)+ w_{t+1}
    p_t       <= cap u_t - sum_j (p_max - stop - j down)+ w_{t+1+j} - sum_i (p_max - start - i up)+ v_{t-i}
    p_t + R_t - p_{t-1} <= up u_t + (start - p_min - up) v_t
    p_{t-1} - p_t       <= down u_{t-1} + (stop - p_min - down) w_t
    q_{l,t} <= width_l u_t - (part of segment l above start) v_t - (part above stop) w_{t+1}

The sums stop where a start and a stop would fall within min_up steps of each other, which cannot be. With `stopping_reserve`
(`System`) R is left out of every row that has stops. Sources: limits with starts and stops, Gentile, Morales-Espana and Ramos,
EURO J. Comput. Optim. 5, 2017; trajectories, Pan and Guan, Operations Research 64, 2016; ramps, Damci-Kurt, Kucukyavuz, Rajan and
Atamturk, Math. Prog. 158, 2016; segments, Knueven, Ostrowski and Watson, INFORMS J. Computing 32, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.commitment import Commitment
from aurigrid.dispatch.linear import NONE, Array, Builder, Term, chosen, delayed
from aurigrid.dispatch.units import Units

_TOL = 1e-9


@dataclass(frozen=True, eq=False)
class Production:
    """Columns: output above p_min (n, T), segments (n, S, T), -1 where unused. Rows (n, T) that limit it or sum up segments,
    -1 where absent.
    """

    above: Array
    segment: Array
    sum_row: Array
    limit_row: Array
    ramp_up_row: Array
    ramp_down_row: Array


def add_production(
    lp: Builder,
    units: Units,
    state: Commitment,
    reserve_up: list[Array],
    reserve_down: list[Array],
    *,
    stopping_reserve: bool = False,
) -> Production:
    """Add output, its limits and its costs. `reserve_up`, `reserve_down`: columns (n, T) of each product."""
    steps = state.on.shape[1]
    cap = units.range_mw[:, None] * units.count[:, None]
    # a unit with one segment has it for its output: the output's limit says all that a segment's would
    used = units.width_mw > _TOL
    single = used.sum(1) == 1
    cost = np.where(single, np.where(used, units.slope, 0.0).sum(1), 0.0)
    above = lp.columns((len(units), steps), 0.0, cap, cost[:, None])
    segment, total = _segments(lp, units, state, above, single)
    limit = _limits(lp, units, state, above, reserve_up, stopping_reserve)
    if reserve_down:
        lp.rows(above.shape, [(above, -1.0), *((r, 1.0) for r in reserve_down)], upper=0.0)
    up, down = _ramps(lp, units, state, above, reserve_up, reserve_down)
    return Production(above, segment, total, limit, up, down)


def _over(limit: Array, start: Array, step: Array, most: int) -> Array:
    """(n, most) MW of the upper limit that are out of reach i steps after a start at `start` with ramps of `step`."""
    i = np.arange(most)
    reach = start[:, None] + i * np.where(np.isfinite(step), step, 1e12)[:, None]
    out: Array = np.maximum(limit[:, None] - reach, 0.0)
    return out


def _limits(
    lp: Builder, units: Units, state: Commitment, above: Array, reserve: list[Array], stopping_reserve: bool
) -> Array:
    cap, up_time = units.range_mw, np.maximum(units.min_up, 1)
    most = int(min(up_time.max(initial=1), above.shape[1]))
    lost_up = np.minimum(_over(units.p_max_mw, units.start_mw, units.ramp_up_mw, most), cap[:, None])
    lost_down = np.minimum(_over(units.p_max_mw, units.stop_mw, units.ramp_down_mw, most), cap[:, None])
    lost_up[np.arange(most) >= up_time[:, None]] = 0.0
    lost_down[np.arange(most) >= up_time[:, None]] = 0.0
    kinds = np.arange(most)
    base: list[Term] = [(above, 1.0), (state.on, -cap[:, None])]
    held: list[Term] = [(r, 1.0) for r in reserve]

    def starts(budget: Array) -> list[Term]:
        """Trajectories of starts up to `budget` steps ago (inclusive)."""
        used = np.where(kinds <= budget[:, None], lost_up, 0.0)
        return [
            (chosen(delayed(state.start, k), used[:, k, None] > 0), used[:, k, None])
            for k in range(most)
            if used[:, k].any()
        ]

    def stops(last: Array) -> list[Term]:
        used = np.where(kinds <= last[:, None], lost_down, 0.0)
        return [
            (chosen(delayed(state.stop, -1 - k), used[:, k, None] > 0), used[:, k, None])
            for k in range(most)
            if used[:, k].any()
        ]

    zero = np.zeros(len(units), int)
    # a start i steps ago and a stop j + 1 steps ahead exclude each other as long as i + j + 1 < min_up
    both = [*base, *starts(up_time - 2), *stops(np.where(up_time > 1, 0, -1))]
    before_stop = held if not stopping_reserve else []
    if held and stopping_reserve:
        row = lp.rows(above.shape, [*base, *held, *starts(up_time - 1)], upper=0.0)
        lp.rows(above.shape, both, upper=0.0, keep=(up_time > 1)[:, None] & (lost_down[:, :1] > 0))
    else:
        row = lp.rows(above.shape, [*both, *held], upper=0.0)
        reach = (lost_up > 0).sum(1) - 1
        needs = (reach > up_time - 2)[:, None]
        lp.rows(above.shape, [*base, *held, *starts(up_time - 1)], upper=0.0, keep=needs)
    alone = (up_time == 1)[:, None] & (lost_down[:, :1] > 0)
    lp.rows(above.shape, [*base, *before_stop, *stops(zero)], upper=0.0, keep=alone)
    last = np.minimum((lost_down > 0).sum(1) - 1, up_time - 2)
    lp.rows(above.shape, [*base, *starts(up_time - 2 - last), *stops(last)], upper=0.0, keep=(last >= 1)[:, None])
    return row


def _ramps(
    lp: Builder, units: Units, state: Commitment, above: Array, up: list[Array], down: list[Array]
) -> tuple[Array, Array]:
    cap, t = units.range_mw[:, None], np.arange(above.shape[1])
    was = np.where(
        t == 0, (units.on_before * (units.p_before_mw - units.p_min_mw))[:, None] * units.count[:, None], 0.0
    )
    on_before = np.where(t == 0, (units.on_before * units.count)[:, None], 0.0)
    rise, fall = units.ramp_up_mw[:, None], units.ramp_down_mw[:, None]
    binds = (rise < cap - _TOL) & np.isfinite(rise)
    limit = np.where(binds, rise, 0.0)
    first = np.where(binds, units.start_mw[:, None] - units.p_min_mw[:, None] - limit, 0.0)
    rows_up = lp.rows(
        above.shape,
        [(above, 1.0), (delayed(above, 1), -1.0), *((r, 1.0) for r in up), (state.on, -limit), (state.start, -first)],
        upper=was,
        keep=binds,
    )
    binds = (fall < cap - _TOL) & np.isfinite(fall)
    limit = np.where(binds, fall, 0.0)
    last = np.where(binds, units.stop_mw[:, None] - units.p_min_mw[:, None] - limit, 0.0)
    terms = [(delayed(above, 1), 1.0), (above, -1.0), *((r, 1.0) for r in down)]
    rows_down = lp.rows(
        above.shape,
        [*terms, (delayed(state.on, 1), -limit), (state.stop, -last)],
        upper=limit * on_before - was,
        keep=binds,
    )
    return rows_up, rows_down


def _segments(lp: Builder, units: Units, state: Commitment, above: Array, single: Array) -> tuple[Array, Array]:
    """Segments of the cost curve; a row `above = sum of segments` where there are several. Unused segments are -1."""
    n, steps = above.shape
    width = units.width_mw
    segment = np.full((n, width.shape[1], steps), NONE, np.int64)
    unit, part = np.nonzero((width > _TOL) & ~single[:, None])
    w = width[unit, part]
    segment[unit, part] = lp.columns(
        (len(unit), steps), 0.0, (w * units.count[unit])[:, None], units.slope[unit, part][:, None]
    )
    total = lp.rows(above.shape, [(above, 1.0), (np.moveaxis(segment, 1, 0), -1.0)], 0.0, 0.0, keep=~single[:, None])
    top = units.p_min_mw[unit] + np.cumsum(width, 1)[unit, part]
    lost_up = np.clip(top - units.start_mw[unit], 0.0, w)[:, None]
    lost_down = np.clip(top - units.stop_mw[unit], 0.0, w)[:, None]
    q, on = segment[unit, part], state.on[unit]
    start, stop = state.start[unit], delayed(state.stop[unit], -1)
    both = (units.min_up[unit] > 1)[:, None]
    base = [(q, 1.0), (on, -w[:, None])]
    lp.rows(q.shape, [*base, (start, lost_up), (chosen(stop, both), lost_down)], upper=0.0)
    # on for one step only: a start and a stop may meet, so each counts alone
    lp.rows(q.shape, [*base, (stop, lost_down)], upper=0.0, keep=~both & (lost_down > 0))
    alone, part = np.nonzero((width > _TOL) & single[:, None])
    segment[alone, part] = above[alone]
    return segment, total
