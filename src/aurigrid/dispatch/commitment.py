"""On and off: states, least times on and off, start categories.

    u_t - u_{t-1} = v_t - w_t                                        on, starts, stops: whole numbers 0..count
    sum of v over the last min_up steps <= u_t                       Rajan and Takriti, "Minimum up/down polytopes of the
    sum of w over the last min_down steps <= count - u_t             unit commitment problem with start-up costs", IBM 2005

A start costs by the time off. With arcs x_{s,t}, "stopped at s, started again at t" (Knueven, Ostrowski and Watson, "A
novel matching formulation for startup costs in unit commitment", Math. Prog. Comp. 12, 2020)::

    sum_t x_{s,t} <= w_s,    sum_s x_{s,t} <= v_t,    cost = c_base v_t - sum_s (c_base - c(t - s)) x_{s,t}

c_base is the dearest category that a stop within the horizon can lead to. A unit that has been off for longer than any
category lasts pays the difference for its first start once, by z >= u_t, which keeps the number of arcs small.

Over many short steps both sums grow long and arcs number T^2 a unit. Where a sum would be longer than `_LONG`, it is written with
starts counted from the beginning, V_t = V_{t-1} + v_t, so that stops are V_t + u_before - u_t and every row has at most five
entries; where a unit would have more than `_ARCS` arcs, a start claims a category k instead::

    sum_k y_{k,t} <= v_t,    y_{k,t} <= stops from t - lag_{k+1} + 1 to t - lag_k
    cost = c_base v_t - sum_k (c_base - c_k) y_{k,t}
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.linear import NONE, Array, Builder, chosen, delayed
from aurigrid.dispatch.units import Units

_LONG, _ARCS = 24, 1000
"""Steps over which sums are written out; arcs of a unit from which on starts claim categories instead, which is looser."""


@dataclass(frozen=True, eq=False)
class Commitment:
    """Columns (n, T): units on, starts, stops.

    `arc` are the arcs' columns with unit, stop step (-1: before) and start. `counted` (n, T) are starts from the beginning and
    `claim` (n, K, T) categories that starts claim, -1 for units that do without.
    """

    on: Array
    start: Array
    stop: Array
    arc: Array
    arc_unit: Array
    arc_from: Array
    arc_to: Array
    ever: Array
    counted: Array
    claim: Array


def add_commitment(lp: Builder, units: Units, steps: int, fixed: Array | None = None) -> Commitment:
    """Add states, starts and stops of all units with their rules and costs. States that are given: `fixed` (n, T), -1 free."""
    n, count = len(units), units.count[:, None].astype(float)
    shape = (n, steps)
    t = np.arange(steps)
    held = t < units.held[:, None]
    was = units.on_before[:, None] * count
    low = np.where(held, was, np.where(units.must_run[:, None], count, 0.0))
    high = np.where(held, was, count)
    if fixed is not None:
        # what the past demands goes before what an earlier plan said
        free = (fixed < 0) | held
        low, high = np.where(free, low, fixed * count), np.where(free, high, fixed * count)
    on = lp.columns(shape, np.minimum(low, high), high, units.cost_min[:, None], integer=True)
    base, surcharge = _base_cost(units, steps)
    start = lp.columns(shape, 0.0, np.where(held, 0.0, count), base[:, None], integer=True)
    # from above its stopping output a unit cannot stop at once
    stuck = (units.on_before[:, None] > 0) & (units.p_before_mw > units.stop_mw + 1e-9)[:, None] & (t == 0)
    stop = lp.columns(shape, 0.0, np.where(held | stuck, 0.0, count), units.stop_cost[:, None])
    before = np.where(t == 0, was, 0.0)
    lp.rows(shape, [(on, 1.0), (delayed(on, 1), -1.0), (start, -1.0), (stop, 1.0)], before, before)
    saving = _savings(units, steps, base)
    arcs = (saving[:, :steps] > 1e-9) @ np.arange(steps, 0, -1)
    claims = (units.count == 1) & (arcs > _ARCS)
    counted = _counted(lp, units, start, claims | (np.maximum(units.min_up, units.min_down) > _LONG))
    _least_times(lp, units, on, start, stop, counted)
    ever = _first_starts(lp, units, on, surcharge)
    claim = _claims(lp, units, base, np.flatnonzero(claims), on, start, counted)
    saving[claims] = 0.0
    arc = _arcs(lp, units, saving, np.where(claims, -np.inf, base), start, stop)
    return Commitment(on, start, stop, *arc, ever, counted, claim)


def _savings(units: Units, steps: int, base: Array) -> Array:
    """(n, T + 1) what a start that many steps after a stop costs less than `base`."""
    off = np.arange(steps + 1)
    saving: Array = base[:, None] - cost_after(units, off)
    saving[off[None, :] < np.maximum(units.min_down, 1)[:, None]] = 0.0
    return saving


def _counted(lp: Builder, units: Units, start: Array, wanted: Array) -> Array:
    """(n, T) columns of the starts so far, -1 for units that need none."""
    out = np.full(start.shape, NONE, start.dtype)
    rows = np.flatnonzero(wanted)
    if len(rows):
        out[rows] = lp.columns((len(rows), start.shape[1]), 0.0, np.inf)
        lp.rows(out[rows].shape, [(out[rows], 1.0), (delayed(out[rows], 1), -1.0), (start[rows], -1.0)], 0.0, 0.0)
    return out


def _least_times(lp: Builder, units: Units, on: Array, start: Array, stop: Array, counted: Array) -> None:
    """A unit that started lately is on, one that stopped lately is off."""
    count, t = units.count[:, None].astype(float), np.arange(start.shape[1])
    up, down = (np.maximum(least, 1) for least in (units.min_up, units.min_down))
    long = (counted != NONE).any(1)[:, None]
    for columns, least, sign, upper in ((start, up, -1.0, 0.0), (stop, down, 1.0, count)):
        recent = [
            (chosen(delayed(columns, k), (k < least)[:, None] & ~long), 1.0)
            for k in range(_most(least[~long[:, 0]], start.shape[1]))
        ]
        lp.rows(on.shape, [*recent, (on, sign)], upper=upper, keep=~long)
    lp.rows(on.shape, [(counted, 1.0), (_earlier(counted, up), -1.0), (on, -1.0)], upper=0.0, keep=long)
    # stops so far are V_t + u_before - u_t; before the first step there were none
    was = np.where(t < down[:, None], units.on_before[:, None] * count, 0.0)
    terms = [(counted, 1.0), (_earlier(counted, down), -1.0), (_earlier(on, down), 1.0)]
    lp.rows(on.shape, terms, upper=count - was, keep=long)


def _earlier(columns: Array, steps: Array) -> Array:
    """Columns (n, T) of `steps` (n,) earlier, -1 before the first step."""
    at = np.arange(columns.shape[1]) - steps[:, None]
    return np.where(at >= 0, np.take_along_axis(columns, np.maximum(at, 0), 1), NONE)


def _claims(lp: Builder, units: Units, base: Array, rows: Array, on: Array, start: Array, counted: Array) -> Array:
    """(n, K, T) columns "this start is of category k", which costs less than `base`; -1 where there is none."""
    kinds, steps = units.start_lag.shape[1], start.shape[1]
    out = np.full((len(units), kinds, steps), NONE, start.dtype)
    if not len(rows):
        return out
    t = np.arange(steps)
    for k in range(kinds):
        begin = np.maximum(units.start_lag[:, k], np.maximum(units.min_down, 1))
        end = units.start_lag[:, k + 1] if k + 1 < kinds else np.full(len(units), steps + 1)
        last = units.start_lag[:, k] == units.start_lag[:, -1]
        gain = base - units.start_cost[:, k]
        at = rows[((gain > 1e-9) & (end > begin) & (begin < steps))[rows]]
        if not len(at):
            continue
        out[at, k] = lp.columns((len(at), steps), 0.0, 1.0, -gain[at][:, None])
        begin, end, c, o = begin[at], end[at], counted[at], on[at]
        before, off = units.on_before[at][:, None], units.steps_before[at][:, None] + t
        # a unit that was off before the first step is in this category as long as that stop lies in its window
        first = (before == 0) & (off >= begin[:, None]) & ((off < end[:, None]) | last[at][:, None])
        # stops up to t - begin, less those up to t - end; u_before enters with the first, and leaves with the second
        stops = [
            (out[at, k], 1.0), (_earlier(c, begin), -1.0), (_earlier(o, begin), 1.0), (_earlier(c, end), 1.0),
            (_earlier(o, end), -1.0),
        ]  # fmt: skip
        was = before * ((t >= begin[:, None]).astype(float) - (t >= end[:, None]))
        lp.rows((len(at), steps), stops, upper=first + was)
    lp.rows(start[rows].shape, [(np.moveaxis(out[rows], 1, 0), 1.0), (start[rows], -1.0)], upper=0.0)
    return out


def _most(least: Array, steps: int) -> int:
    return int(min(max(least.max(initial=1), 1), steps))


def cost_after(units: Units, off: Array) -> Array:
    """(n, ...) cost of a start after `off` (..., ) or (n, ...) steps off."""
    off = np.broadcast_to(off, (len(units), *np.shape(off)[-1:])) if np.ndim(off) == 1 else off
    category = (units.start_lag[:, None, :] <= np.asarray(off)[..., None]).sum(-1) - 1
    return np.take_along_axis(units.start_cost, np.maximum(category, 0), 1)


def _base_cost(units: Units, steps: int) -> tuple[Array, Array]:
    """(n,) cost that every start pays, and the surcharge of the first start of units that have long been off."""
    coldest = units.start_cost[:, -1]
    within = cost_after(units, np.array([max(steps - 1, 0)]))[:, 0]
    off, since = units.on_before == 0, units.steps_before
    long_off = off & (units.start_lag[:, -1] <= since) & (units.count == 1)
    base = np.where(off & ~long_off, coldest, within)
    return base, np.where(long_off, coldest - base, 0.0)


def _first_starts(lp: Builder, units: Units, on: Array, surcharge: Array) -> Array:
    """(n,) columns "is ever on", -1 where a first start costs what any start does."""
    ever = np.full(len(units), NONE, np.int32)
    rows = np.flatnonzero(surcharge > 0)
    if len(rows):
        ever[rows] = lp.columns((len(rows),), 0.0, 1.0, surcharge[rows])
        lp.rows(
            on[rows].shape, [(on[rows], 1.0), (np.broadcast_to(ever[rows][:, None], on[rows].shape), -1.0)], upper=0.0
        )
    return ever


def _arcs(
    lp: Builder, units: Units, saving: Array, base: Array, start: Array, stop: Array
) -> tuple[Array, Array, Array, Array]:
    """Arcs from stops to starts that cost less than `base`; returns columns, unit, stop step and start step."""
    steps = start.shape[1]
    parts = []
    for i in np.flatnonzero((saving[:, :steps] > 1e-9).any(1)):
        gap = np.flatnonzero(saving[i, :steps] > 1e-9)
        s, k = np.meshgrid(np.arange(steps), gap, indexing="ij")
        good = s + k < steps
        parts.append((np.full(good.sum(), i), s[good], (s + k)[good], saving[i, k[good]]))
    for i in np.flatnonzero(units.on_before == 0):
        t = np.arange(steps)
        gain = base[i] - cost_after(units.take(np.array([i])), units.steps_before[i] + t)[0]
        good = gain > 1e-9
        parts.append((np.full(good.sum(), i), np.full(good.sum(), -1), t[good], gain[good]))
    if not sum(len(part[0]) for part in parts):
        empty = np.zeros(0, np.int32)
        return empty, empty, empty, empty
    unit, s, t, gain = (np.concatenate(part) for part in zip(*parts, strict=True))
    arc = lp.columns((len(unit),), 0.0, units.count[unit], -gain)
    _bounded_by(
        lp, arc, unit * (steps + 1) + s + 1, np.column_stack([np.full(len(units), NONE), stop]).ravel(), units, steps
    )
    _bounded_by(lp, arc, unit * steps + t, start.ravel(), units, steps)
    return arc, unit, s, t


def _bounded_by(lp: Builder, arc: Array, key: Array, column: Array, units: Units, steps: int) -> None:
    """Rows "sum of the arcs with one key <= the key's column"; without a column: what was off before the first step."""
    order = np.argsort(key, kind="stable")
    keys, first, size = np.unique(key[order], return_index=True, return_counts=True)
    table = np.full((int(size.max()), len(keys)), NONE, np.int64)
    row = np.repeat(np.arange(len(keys)), size)
    table[np.arange(len(key)) - np.repeat(first, size), row] = arc[order]
    limit = column[keys]
    was_off = units.count[keys // (steps + 1)] if (limit == NONE).any() else 0
    lp.rows((len(keys),), [(table, 1.0), (limit, -1.0)], upper=np.where(limit == NONE, was_off, 0.0))
