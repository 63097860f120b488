"""Schedules over many short steps: states decided by the hour, dispatch by the step, and a bound on plans free to do otherwise.

A day of quarter-hours has four times the states of a day of hours, and its relaxation takes far more than four times as long.
So the system in hours (`coarse`) is committed first, and the linear problem of the short steps at these states gives the plan.
What any plan costs that may switch in every step is bounded by prices alone (`lagrange`): those of the hourly relaxation.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from aurigrid.dispatch.blackboard import relative_gap
from aurigrid.dispatch.coarse import coarse
from aurigrid.dispatch.flows import Flows, Limits, add_limits
from aurigrid.dispatch.highs import DispatchError
from aurigrid.dispatch.lagrange import ascend
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.merge import Merged, merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.schedule import read_schedule
from aurigrid.dispatch.search import Found
from aurigrid.dispatch.secure import Relaxed, Secured, committed, final, relaxation, solve_secured
from aurigrid.dispatch.system import System

_MANY = 4_000
"""States from which on they are decided by the hour."""
_PRICED = 1e-6


def solve_system(system: System, flows: Flows | None, *, gap: float, time_limit: float, losses: bool) -> Secured:
    """Schedule a system inside the limits of its grid: by the hour first where it has very many states."""
    parts = parts_of_an_hour(system)
    if parts > 1:
        return _by_hours(system, parts, flows, gap=gap, time_limit=time_limit, losses=losses)
    return solve_secured(system, flows, gap=gap, time_limit=time_limit, losses=losses)


def parts_of_an_hour(system: System) -> int:
    """Steps of an hour; 1 where states are decided by the step: few of them, or units that hold reserve (no bound then)."""
    parts = round(1.0 / system.step_h)
    few = len(system.units) * system.steps < _MANY
    held = any(len(r.unit) for r in system.reserves)
    if few or held or parts < 2 or system.steps % parts or abs(parts * system.step_h - 1.0) > 1e-9:
        return 1
    return parts


def _by_hours(
    system: System, parts: int, flows: Flows | None, *, gap: float, time_limit: float, losses: bool
) -> Secured:
    until = time.perf_counter() + time_limit
    began = time.perf_counter()
    longer = coarse(system, parts)
    hourly = merge(longer)
    mean = relaxation(hourly, flows, losses=losses)
    # at the peaks only demand differs, so the problem goes on from its basis
    relaxed = mean.at(coarse(system, parts, peak=True).demand_mw + mean.loss_mw, flows)
    seconds, mark = {"relaxation": time.perf_counter() - began}, time.perf_counter()
    search, peak, limits = committed(relaxed, flows, 0.2 * gap, 0.5 * time_limit)
    seconds["commitment"], mark = time.perf_counter() - mark, time.perf_counter()
    merged = merge(system)
    loss = np.repeat(mean.loss_mw, parts, 1)
    model = build_model(merged.system.replace(demand_mw=system.demand_mw + loss))
    states = np.repeat(read_schedule(longer, hourly, peak, search.x).on, parts, 1)
    point = _point_of(model, merged, states)
    lower, upper = model.problem.lower, model.problem.upper
    keys = _keys([mean, relaxed], parts)
    limits = Limits()
    if flows is not None and keys:
        model, limits = add_limits(model, limits, flows, keys)
    model, limits, answer, run, left, loss = final(merged, system.demand_mw, loss, model, limits, flows, point, losses)
    seconds["dispatch"] = time.perf_counter() - mark
    if answer.x is None or answer.row_dual is None:
        raise DispatchError(f"the linear problem at the chosen states ended as {answer.status!r}")
    mark = time.perf_counter()
    prices = _prices(mean, model, limits, parts)
    bound = ascend(_freed(model, lower, upper), prices, cost=answer.cost, gap=gap, seconds=max(until - mark, 1.0))
    seconds["bound"] = time.perf_counter() - mark
    bound, spent = min(bound, answer.cost), time.perf_counter() - began
    status = "gap" if relative_gap(answer.cost, bound) <= gap else "time"
    trace = ((spent, answer.cost, bound),)
    found = Found(answer.x, answer.cost, bound, spent, status, trace, search.solver)
    return Secured(merged, model, limits, answer, run, found, loss, left, seconds)


def _point_of(model: Model, merged: Merged, states: Array) -> Array:
    """(n,) states (n_unit, T) of the full system as columns of the merged one; all others are 0."""
    problem, units, state = model.problem, model.system.units, model.state
    on = np.zeros(state.on.shape)
    np.add.at(on, merged.unit, states)
    on = np.clip(on, problem.lower[state.on], problem.upper[state.on])
    change = np.diff(on, axis=1, prepend=(units.on_before * units.count)[:, None])
    x = np.zeros(problem.n)
    x[state.on], x[state.start], x[state.stop] = on, np.maximum(change, 0.0), np.maximum(-change, 0.0)
    return x


def _keys(solved: list[Relaxed], parts: int) -> list[tuple[int, int, int, int]]:
    """The flow limits that have a price in hourly problems, in each part of their hour."""
    priced: dict[tuple[int, int, int, int], None] = {}
    for one in solved:
        assert one.answer.row_dual is not None
        for row, key in zip(one.limits.row, one.limits.key, strict=True):
            if abs(one.answer.row_dual[row]) > _PRICED:
                priced[key] = None
    return [(m, k, parts * t + part, sign) for m, k, t, sign in priced for part in range(parts)]


def _freed(model: Model, lower: Array, upper: Array) -> Model:
    """The model with its states free again."""
    problem, state = model.problem, model.state
    low, high = problem.lower.copy(), problem.upper.copy()
    for columns in (state.on, state.start, state.stop):
        low[columns], high[columns] = lower[columns], upper[columns]
    return dataclasses.replace(model, problem=dataclasses.replace(problem, lower=low, upper=high))


def _prices(mean: Relaxed, model: Model, limits: Limits, parts: int) -> Array:
    """(m,) prices of the rows by the step from those of the relaxation by the hour: each part bears its share."""
    dual = mean.answer.row_dual
    assert dual is not None
    y = np.zeros(model.problem.m)
    for area, rows in enumerate(model.balance_row):
        y[rows] = np.repeat(dual[mean.model.balance_row[area]], parts) / parts
    place = dict(zip(mean.limits.key, mean.limits.row, strict=True))
    for row, (m, k, t, sign) in zip(limits.row, limits.key, strict=True):
        at = place.get((m, k, t // parts, sign))
        y[row] = 0.0 if at is None else dual[at] / parts
    return y
