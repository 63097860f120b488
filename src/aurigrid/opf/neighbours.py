"""Search around rounded positions: of each control that could as well have gone to the other side, the other side is tried.

Rounding every control to its nearest position can cost more than need be, or leave no point within limits where there is one
next to it. Passes of: for each scenario, the controls whose continuous value lies nearest to half-way, each moved to its other
neighbour alone, all in one batch of optimal power flows; the best of a scenario's trials is kept if it is better.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.opf.run import Raw, Run, Start, solved_rows
from aurigrid.opf.tables import SHUNT, TAP, shunt_unit, tap_unit

Array = np.ndarray[Any, np.dtype[Any]]

_PASSES, _TRIALS = 3, 16
"""Passes, and trials of a scenario in each."""
_WORTH = 1e-5
"""Share of the continuous optimum's objective that rounding costs, below which there is nothing to look for."""
_BETTER = 1e-8


def improved(
    run: Run, free: Raw, found: Raw, positions: Array, deadband: float, soft_price: float | None
) -> tuple[Raw, Array]:
    """Better points at neighbouring positions, and those positions.

    Args:
        run: the scenarios, nothing pinned; free: their continuous optimum; found: points at the rounded ``positions`` (n, k).
        deadband: steps that a control moves at least; one that wants to move less stays.
        soft_price: as the points were found, None where balances and limits must hold.
    """
    unit, now = _steps(run, free)
    wanted = free.x[:, : len(unit)]
    with np.errstate(invalid="ignore"):
        may = (np.abs(wanted - now) >= deadband * unit) & (unit > 0) & ~np.isnan(positions)
        may &= np.isin(np.arange(len(wanted)), solved_rows(free))[:, None]
    tried = ~may
    for _ in range(_PASSES):
        good = np.isin(np.arange(len(wanted)), solved_rows(found))
        short = ~good | (found.cost > free.cost + _WORTH * np.abs(free.cost))
        row, column, value = _trials(wanted, positions, unit, free.problem.injection, tried, short)
        if not len(row):
            break
        tried[row, column] = True
        pinned = positions[row]
        pinned[np.arange(len(row)), column] = value
        v = np.where(np.isfinite(found.v[row]), found.v[row], 1.0)
        start = Start(v, np.nan_to_num(found.x[row]), None, None)
        raw = replace(run.some(row), pinned=pinned).solve(soft_price, start)
        ok = np.isin(np.arange(len(row)), solved_rows(raw))
        cost = np.where(ok, raw.cost, np.inf)
        before = np.where(good, found.cost, np.inf)
        order = np.lexsort((cost, row))
        first = order[np.r_[True, row[order][1:] != row[order][:-1]]]
        best = first[cost[first] < before[row[first]] - _BETTER * np.abs(free.cost[row[first]])]
        if not best.size:
            break
        part = raw.take(best)
        found = found.put(row[best], part if part.problem is found.problem else part.within(found.problem), None)
        positions = positions.copy()
        positions[row[best]] = pinned[best]
    return found, positions


def _steps(run: Run, raw: Raw) -> tuple[Array, Array]:
    """(k,) size of a step in each control's value, 0 for what is no tap and no shunt; (n, k) values that scenarios have now."""
    injection = raw.problem.injection
    unit, now = np.zeros(injection.count), np.zeros((run.sc.n, injection.count))
    taps, shunts = np.flatnonzero(injection.owner == TAP), np.flatnonzero(injection.owner == SHUNT)
    unit[taps] = tap_unit(run.net)[injection.element[taps]]
    unit[shunts] = shunt_unit(run.net)[injection.element[shunts]]
    now[:, shunts] = run.sc.values("shunt_step")[:, injection.element[shunts]] * unit[shunts]
    return unit, now


def _trials(
    wanted: Array, positions: Array, unit: Array, injection: Any, tried: Array, short: Array
) -> tuple[Array, Array, Array]:
    """Scenario, column and value of each trial: the other neighbours of values nearest to half-way, some a scenario."""
    with np.errstate(invalid="ignore"):
        side = wanted - positions
        other = positions + np.sign(side) * unit
        inside = (other >= injection.lo - 1e-9) & (other <= injection.hi + 1e-9)
        far = np.where(inside & ~tried & short[:, None], np.abs(side) / np.where(unit > 0, unit, 1.0), -1.0)
    few = np.argsort(-far, axis=1, kind="stable")[:, :_TRIALS]
    row = np.repeat(np.arange(len(wanted)), few.shape[1])
    column = few.ravel()
    use = far[row, column] > 1e-6
    return row[use], column[use], other[row[use], column[use]]
