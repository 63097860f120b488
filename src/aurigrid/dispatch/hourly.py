"""Schedules over many short steps: states decided by the hour, dispatch by the step, and a bound on plans free to do otherwise.

A day of quarter-hours has four times the states of a day of hours, and its relaxation takes far more than four times as long.
So the system in hours (`coarse`) is committed first, and the linear problem of the short steps at these states gives the plan.
What any plan costs that may switch in every step is bounded by prices alone (`lagrange`): those of the hourly relaxation.

The time limit holds for all of it. Every stage gets a share of what is left, and what a later one needs at least is set aside;
only the dispatch, which makes the plan, is brought to its end at any time.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from aurigrid.dispatch.blackboard import relative_gap
from aurigrid.dispatch.coarse import coarse
from aurigrid.dispatch.flows import Flows, Limits, add_limits
from aurigrid.dispatch.highs import version
from aurigrid.dispatch.lagrange import Lagrangian, ascend
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.merge import merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.redispatch import Key, solve_states
from aurigrid.dispatch.refine import refine
from aurigrid.dispatch.schedule import read_schedule
from aurigrid.dispatch.search import Found, search
from aurigrid.dispatch.secure import RELAXED, Clock, Losses, Relaxed, Secured, dormant, relaxation, solve_secured
from aurigrid.dispatch.sequences import mix
from aurigrid.dispatch.system import System
from aurigrid.dispatch.thin import idle_columns, priced, thinned

_MANY = 4_000
"""States from which on they are decided by the hour."""
_BLOCKS = (3, 4, 2)
"""Hours (or steps) of the longer blocks, the first length that divides the horizon."""
_DEARER = 3.0
"""The relaxation by the hour is begun where this many times the time of longer blocks is left for it."""
_AGAIN = 5.0
"""Seconds that must be left for the bound to be raised once more, by the prices of the better states."""
_SEARCHED, _BOUND_PART, _MIXED = 0.25, 0.03, 0.7
"""Shares of the time left for the search by the hour, then for the bound, then for mixing sequences of states."""
_SEARCH_GAP, _MIX_GAP = 0.4, 0.4
"""Shares of the gap at which that search stops, and the mixing."""


def solve_system(system: System, flows: Flows | None, *, gap: float, time_limit: float, losses: Losses) -> Secured:
    """Schedule a system inside the limits of its grid: by the hour first where it has very many states.

    Where the steps are hours, many states of a grid with flow limits are decided by the step in the same way: a search of the
    thinned problem, sequences mixed, states improved.
    """
    parts, many = parts_of_an_hour(system), len(system.units) * system.steps >= _MANY
    if parts > 1 or (many and flows is not None and not _holds_reserve(system)):
        return _by_hours(system, parts, flows, gap=gap, time_limit=time_limit, losses=losses)
    known: list[Key] = []
    began, blocks = time.perf_counter(), _block(system, 1, flows)
    if blocks > 1 and many:
        longer = merge(coarse(system, blocks))
        known = _keys(relaxation(longer, flows, losses=losses, until=began + RELAXED * time_limit), blocks)
    spent = time.perf_counter() - began
    done = solve_secured(system, flows, gap=gap, time_limit=time_limit - spent, losses=losses, known=known)
    return dataclasses.replace(done, seconds={"longer blocks": spent, **done.seconds}) if known else done


def parts_of_an_hour(system: System) -> int:
    """Steps of an hour; 1 where states are decided by the step: few of them, or units that hold reserve (no bound then)."""
    parts = round(1.0 / system.step_h)
    few = len(system.units) * system.steps < _MANY
    if few or _holds_reserve(system) or parts < 2 or system.steps % parts or abs(parts * system.step_h - 1.0) > 1e-9:
        return 1
    return parts


def _holds_reserve(system: System) -> bool:
    return any(len(r.unit) for r in system.reserves)


def _by_hours(
    system: System, parts: int, flows: Flows | None, *, gap: float, time_limit: float, losses: Losses
) -> Secured:
    clock = Clock()
    until = clock.began + time_limit
    mean, parts = _relaxed(system, parts, flows, losses, clock.began + RELAXED * time_limit)
    clock.mark("relaxation")
    search_until = clock.last + _SEARCHED * (until - clock.last)
    by_hour, solver = _searched(mean, coarse(system, parts), _SEARCH_GAP * gap, search_until)
    states = np.repeat(by_hour, parts, 1)
    clock.mark("commitment")
    loss = np.repeat(mean.loss_mw, parts, 1)
    keys = _keys(mean, parts) if flows is not None else []
    at = system.replace(fixed_on=states)
    done = solve_states(at, flows, losses=losses, known=keys, loss_mw=loss, until=until)
    clock.mark("dispatch")
    again = clock.parts["dispatch"]
    seconds = max(_BOUND_PART * (until - clock.last), 1.0)
    bound, prices = _bound(system, mean, done, flows, parts, gap, seconds, until)
    clock.mark("bound")
    # two plans of sequences are dispatched when they are there
    left = until - clock.last - 2 * again
    if relative_gap(done.answer.cost, bound) > gap and np.isfinite(bound) and left > 0:
        mixed = mix(done, flows, states, prices, gap=_MIX_GAP * gap, until=clock.last + _MIXED * left)
        bound = max(bound, mixed.bound)
        loss = done.loss_mw
        for other in mixed.states:
            at = system.replace(fixed_on=other)
            plan = solve_states(at, flows, losses=losses, known=mixed.limits, loss_mw=loss, until=until)
            done, states = (plan, other) if plan.answer.cost < done.answer.cost else (done, states)
        clock.mark("sequences")
    left = until - clock.last - again
    if relative_gap(done.answer.cost, bound) > gap and left > 0:
        done = _refined(system, flows, done, states, bound / (1 - 0.9 * gap), losses, clock.last + left)
        clock.mark("states by the step")
        left = until - clock.last
        if relative_gap(done.answer.cost, bound) > gap and left > _AGAIN:
            bound = max(bound, _bound(system, mean, done, flows, parts, gap, left, until)[0])
            clock.mark("bound")
    bound = min(bound, done.answer.cost)
    spent, cost = clock.last - clock.began, done.answer.cost
    status = "gap" if relative_gap(cost, bound) <= gap else "time"
    assert done.answer.x is not None
    found = Found(done.answer.x, cost, bound, spent, status, ((spent, cost, bound),), solver)
    return dataclasses.replace(done, found=found, seconds=clock.parts)


def _refined(
    system: System, flows: Flows | None, done: Secured, states: Array, target: float, losses: Losses, until: float
) -> Secured:
    """The dispatch at states (n_unit, T) that are improved until that time, or the one at hand where it costs no more."""
    better = refine(system.replace(fixed_on=states), flows, done, target=target, until=until)
    keys = [key for key, there in zip(done.limits.key, priced(done.limits, done.answer), strict=True) if there]
    plan = solve_states(system.replace(fixed_on=better), flows, losses=losses, known=keys, loss_mw=done.loss_mw)
    return plan if plan.answer.cost < done.answer.cost else done


def _relaxed(system: System, parts: int, flows: Flows | None, losses: Losses, until: float) -> tuple[Relaxed, int]:
    """The relaxation by the hour and the steps of one; where time is too short for that, the one in longer blocks and theirs.

    The longer blocks come first: they are a fraction of the size, and bring in most of the flow limits.
    """
    known: list[Key] = []
    blocks = _block(system, parts, flows)
    began, first = time.perf_counter(), None
    if blocks > 1:
        first = relaxation(merge(coarse(system, blocks * parts)), flows, losses=losses, until=until)
        known = _keys(first, blocks)
        if _DEARER * (time.perf_counter() - began) > until - time.perf_counter():
            return first, blocks * parts
    mean = relaxation(merge(coarse(system, parts)), flows, losses=losses, known=known, until=until)
    return (mean, parts) if mean.answer.x is not None or first is None else (first, blocks * parts)


def _block(system: System, parts: int, flows: Flows | None) -> int:
    """How many times `parts` steps a longer block has; 1 where there are no flow limits, or none divides the horizon."""
    return 1 if flows is None else next((n for n in _BLOCKS if system.steps % (n * parts) == 0), 1)


def _searched(mean: Relaxed, hours: System, gap: float, until: float) -> tuple[Array, str]:
    """(n_unit, T) states of the system in hours (or longer blocks), and what found them; few limits are broken by them.

    Without a point of the relaxation nothing is switched but what must.
    """
    model, limits, known = mean.model, mean.limits, mean.answer
    if known.x is None:
        return (hours.steady_states() > 0).astype(np.int8), version()
    near = Lagrangian(model).nearest(known.x[model.state.on]) * model.system.units.count[:, None]
    thin = thinned(model, limits, idle_columns(dormant(model), known), priced(limits, known))
    found = search(
        thin.problem,
        thin.structure,
        gap=gap,
        time_limit=max(until - time.perf_counter(), 1.0),
        steady=[near, model.system.steady_states()],
        relaxed=thin.answer(known),
    )
    return read_schedule(hours, merge(hours), model, thin.whole(found.x)).on, found.solver


def _bound(
    system: System,
    mean: Relaxed,
    done: Secured,
    flows: Flows | None,
    parts: int,
    gap: float,
    seconds: float,
    latest: float,
) -> tuple[float, tuple[Array, dict[Key, float]]]:
    """What no plan costs less than that may switch in every step, by the prices of the relaxation by the hour.

    Returns the bound and the prices that prove it: of balances (n_area, T) and of flow limits.
    """
    merged = merge(system)
    model, limits = build_model(merged.system.replace(demand_mw=system.demand_mw + done.loss_mw)), Limits()
    assert done.answer.row_dual is not None
    here = [key for key, there in zip(done.limits.key, priced(done.limits, done.answer), strict=True) if there]
    keys = _keys(mean, parts)
    keys = list(dict.fromkeys([*keys, *((m, k, t - t % parts + i, s) for m, k, t, s in here for i in range(parts))]))
    if flows is not None and keys:
        model, limits = add_limits(model, limits, flows, keys)
    y, at_states = _prices(mean, model, limits, parts), _prices_at_states(done, model, limits)
    row = _same_hour(model, limits, parts)
    shape = at_states - (np.bincount(row, at_states) / np.maximum(np.bincount(row), 1))[row]
    hour = np.full(model.problem.m, -1)
    hour[model.balance_row] = np.arange(system.steps) // parts
    hour[limits.row] = np.array([t // parts for _, _, t, _ in limits.key], np.int64)
    others, cost = [y + shape, at_states], done.answer.cost
    bound, y = ascend(model, y, others, hour, cost=cost, gap=gap, seconds=seconds, latest=latest)
    at_limits = {key: float(y[row]) for key, row in zip(limits.key, limits.row, strict=True) if y[row]}
    return bound, (y[model.balance_row], at_limits)


def _keys(mean: Relaxed, parts: int) -> list[tuple[int, int, int, int]]:
    """The flow limits that have a price in the relaxation by the hour, in each part of their hour."""
    if mean.answer.row_dual is None:
        return []
    there = priced(mean.limits, mean.answer)
    keys = [key for key, has in zip(mean.limits.key, there, strict=True) if has]
    return [(m, k, parts * t + part, sign) for m, k, t, sign in keys for part in range(parts)]


def _prices(mean: Relaxed, model: Model, limits: Limits, parts: int) -> Array:
    """(m,) prices of the rows by the step from those of the relaxation by the hour: each part bears its share; 0 without any."""
    dual, y = mean.answer.row_dual, np.zeros(model.problem.m)
    if dual is None:
        return y
    for area, rows in enumerate(model.balance_row):
        y[rows] = np.repeat(dual[mean.model.balance_row[area]], parts) / parts
    place = dict(zip(mean.limits.key, mean.limits.row, strict=True))
    for row, (m, k, t, sign) in zip(limits.row, limits.key, strict=True):
        at = place.get((m, k, t // parts, sign))
        y[row] = 0.0 if at is None else dual[at] / parts
    return y


def _prices_at_states(done: Secured, model: Model, limits: Limits) -> Array:
    """(m,) prices of the rows by the step at the states found."""
    dual = done.answer.row_dual
    assert dual is not None
    out = np.zeros(model.problem.m)
    out[model.balance_row] = dual[done.model.balance_row]
    place = dict(zip(done.limits.key, done.limits.row, strict=True))
    for row, key in zip(limits.row, limits.key, strict=True):
        out[row] = dual[place[key]] if key in place else 0.0
    return out


def _same_hour(model: Model, limits: Limits, parts: int) -> Array:
    """(m,) one number for the rows of a balance or of a flow limit in an hour; 0 for all other rows."""
    out = np.zeros(model.problem.m, np.int64)
    areas, steps = model.balance_row.shape
    out[model.balance_row] = 1 + np.arange(areas)[:, None] * steps + np.arange(steps) // parts
    known: dict[tuple[int, int, int, int], int] = {}
    for row, (m, k, t, sign) in zip(limits.row, limits.key, strict=True):
        out[row] = 1 + areas * steps + known.setdefault((m, k, t // parts, sign), len(known))
    return out
