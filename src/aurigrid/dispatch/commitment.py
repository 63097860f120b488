"""On and off: states, least times on and off, start categories.

    u_t - u_{t-1} = v_t - w_t                                        on, starts, stops: whole numbers 0..count
    sum of v over the last min_up steps <= u_t                       Rajan and Takriti, "Minimum up/down polytopes of the
    sum of w over the last min_down steps <= count - u_t             unit commitment problem with start-up costs", IBM 2005

A start costs by the time off. With arcs x_{s,t}, "stopped at s, started again at t" (Knueven, Ostrowski and Watson, "A
novel matching formulation for startup costs in unit commitment", Math. Prog. Comp. 12, 2020)::

    sum_t x_{s,t} <= w_s,    sum_s x_{s,t} <= v_t,    cost = c_base v_t - sum_s (c_base - c(t - s)) x_{s,t}

c_base is the dearest category that a stop within the horizon can lead to. A unit that has been off for longer than any
category lasts pays the difference for its first start once, by z >= u_t, which keeps the number of arcs small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.linear import NONE, Array, Builder, chosen, delayed
from aurigrid.dispatch.units import Units


@dataclass(frozen=True, eq=False)
class Commitment:
    """Columns (n, T): units on, starts, stops. `arc` are the arcs' columns with unit, stop step (-1: before) and start."""

    on: Array
    start: Array
    stop: Array
    arc: Array
    arc_unit: Array
    arc_from: Array
    arc_to: Array
    ever: Array


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
    up = [
        (chosen(delayed(start, k), (k < np.maximum(units.min_up, 1))[:, None]), 1.0)
        for k in range(_most(units.min_up, steps))
    ]
    lp.rows(shape, [*up, (on, -1.0)], upper=0.0)
    down = [
        (chosen(delayed(stop, k), (k < np.maximum(units.min_down, 1))[:, None]), 1.0)
        for k in range(_most(units.min_down, steps))
    ]
    lp.rows(shape, [*down, (on, 1.0)], upper=count)
    ever = _first_starts(lp, units, on, surcharge)
    arc = _arcs(lp, units, steps, base, start, stop)
    return Commitment(on, start, stop, *arc, ever)


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
    lp: Builder, units: Units, steps: int, base: Array, start: Array, stop: Array
) -> tuple[Array, Array, Array, Array]:
    """Arcs from stops to starts that cost less than `base`; returns columns, unit, stop step and start step."""
    off = np.arange(steps + 1)
    saving = base[:, None] - cost_after(units, off)
    saving[off[None, :] < np.maximum(units.min_down, 1)[:, None]] = 0.0
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
