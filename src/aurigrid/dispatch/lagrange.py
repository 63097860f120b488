"""Bounds on a commitment from prices alone, for problems whose relaxation is too large to be solved in time.

With prices y of the rows that units share, the problem falls apart into the units and what is not switched::

    L(y) = y b + sum_i min_i (c_i - A_i' y) x_i + min (c_0 - A_0' y) x_0

L(y) is at most the cost of every plan, for any y with the right signs. A unit's least cost is exact over its states, with
least times, must-run, the past and start costs by the time off. A unit that was on leaves its output of before no faster than
its ramps allow, and stops no sooner; that ramps, starts and stops hold outputs back later on counts with the prices of these
limits, which are among y: where they are 0 it is left out, which can only lower the bound. The recursion over times of starts
E_t and stops S_t, with the cost C_t of having been on since the first step::

    S_t = C_t + min over s <= t - min_up of (E_s - C_s)         E_t = min over s <= t - min_down of (S_s + start(t - s))

L is concave; its ascent follows deflected subgradients with Polyak's step (Barahona and Anbil, "The volume algorithm", Math.
Prog. 87, 2000), from prices that a coarser problem gives.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from scipy.sparse import csr_array

from aurigrid.dispatch.commitment import cost_after
from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.separate import row_owner, structure_of
from aurigrid.dispatch.units import Units

_PATIENCE, _SHRINK, _FIRST_STEP, _LEAST_STEP = 12, 0.7, 0.1, 1e-5
_DEFLECT = 0.3
_ON_FROM, _FAR = 0.35, 1e9
"""Share of a unit from which on it counts as on, and the price of other states: all starts together cost less."""


class Lagrangian:
    """The function L of a model. Units that hold reserve, and rows among what is not switched, are not covered: `covers`."""

    def __init__(self, model: Model) -> None:
        problem, units = model.problem, model.system.units
        owner = structure_of(model).owner
        # an area cannot have more power without use than there is power
        problem = dataclasses.replace(problem, upper=_with_most_surplus(model))
        self.model, self.problem = model, problem
        matrix = csr_array((problem.value, problem.index, problem.start), shape=(problem.m, problem.n))
        self.priced = np.flatnonzero((row_owner(problem, owner) == NONE) | _of_outputs_and_states(model))
        self.shared = np.flatnonzero(owner == NONE)
        self.rows = matrix[self.priced].tocsr()
        self.columns = self.rows.T.tocsr()
        self.low, self.high = problem.row_lower[self.priced], problem.row_upper[self.priced]
        self.floor = np.where(np.isfinite(self.high), -np.inf, 0.0)
        self.ceiling = np.where(np.isfinite(self.low), np.inf, 0.0)
        self._bounded_by_prices()
        steps = model.state.on.shape[1]
        off = np.arange(2 * steps + 1)
        self.start_cost = cost_after(units, off)
        self.start_cost[off[None, :] < np.maximum(units.min_down, 1)[:, None]] = np.inf
        first = units.steps_before[:, None] + np.arange(steps)
        self.first_start = cost_after(units, first)
        self.first_start[np.arange(steps) < units.held[:, None]] = np.inf
        self._reach, self._held = _since_before(units, steps)
        base = problem.cost[model.state.start]
        assert np.isfinite(base).all()

    @property
    def covers(self) -> bool:
        """Whether L is what this class computes."""
        offered = any((columns != NONE).any() for columns in self.model.offers.unit)
        unbounded = np.isinf(self.problem.upper[self.shared]) & ~self._capped[self.shared]
        return not offered and not unbounded.any() and not np.isinf(self.problem.lower[self.shared]).any()

    def _bounded_by_prices(self) -> None:
        """Prices that keep columns without an upper limit from paying for themselves."""
        problem = self.problem
        self._capped = np.zeros(problem.n, bool)
        entries = np.diff(self.columns.indptr)
        free = self.shared[np.isinf(problem.upper[self.shared]) & (entries[self.shared] == 1)]
        at = self.columns.indptr[free]
        row, value = self.columns.indices[at], self.columns.data[at]
        limit = problem.cost[free] / value
        np.minimum.at(self.ceiling, row[value > 0], limit[value > 0])
        np.maximum.at(self.floor, row[value < 0], limit[value < 0])
        self._capped[free] = True

    def clip(self, y: Array) -> Array:
        """Prices with the signs that they must have."""
        return np.asarray(np.clip(y, self.floor, self.ceiling))

    def value(self, y: Array) -> tuple[float, Array]:
        """L at prices y of the priced rows, and a subgradient."""
        problem, model = self.problem, self.model
        reduced = problem.cost - self.columns @ y
        x = np.zeros(problem.n)
        s = self.shared
        x[s] = np.where(reduced[s] < 0, problem.upper[s], problem.lower[s])
        total = float(reduced[s] @ x[s]) + problem.offset
        cost_on, cost_first, amount, amount_first = self._stage(reduced)
        least, on = self._units(cost_on, cost_first, *self._switching(reduced))
        total += float((least * model.system.units.count).sum())
        since_before = (np.cumprod(on, 1) > 0) & (model.system.units.on_before > 0)[:, None]
        amount = np.where(since_before[:, None, :], amount_first, amount)
        on *= model.system.units.count[:, None]
        before = np.column_stack([model.system.units.on_before * model.system.units.count, on[:, :-1]])
        x[model.state.on] = on
        x[model.state.start], x[model.state.stop] = np.maximum(on - before, 0.0), np.maximum(before - on, 0.0)
        for columns, output in (
            (model.production.segment, amount * on[:, None]), (model.production.above, amount.sum(1) * on)
        ):  # fmt: skip
            x[columns[columns != NONE]] = output[columns != NONE]
        right = np.where(y > 0, self.low, self.high)
        total += float(np.where(y != 0, y * np.where(y != 0, right, 0.0), 0.0).sum())
        side = np.where(np.isfinite(self.high), self.high, self.low)
        return total, np.asarray(side - self.rows @ x)

    def units_at(self, y: Array, states: Array) -> tuple[Array, Array, Array]:
        """Least cost of each unit at prices y of the priced rows, its states then (n, T), and what given states (n, T) cost."""
        reduced = self.problem.cost - self.columns @ y
        cost_on, cost_first, _, _ = self._stage(reduced)
        switching = self._switching(reduced)
        least, on = self._units(cost_on, cost_first, *switching)
        return least, on, cost_of(self.model.system.units, states, cost_on, cost_first, *switching)

    def nearest(self, on: Array) -> Array:
        """(n, T) possible states near the numbers of units on of a relaxation (n, T): least times, must-run and past are kept."""
        cost = _FAR * (_ON_FROM - on / self.model.system.units.count[:, None])
        none = np.zeros(on.shape)
        return self._units(cost, cost, none, none)[1]

    def _switching(self, reduced: Array) -> tuple[Array, Array]:
        """(n, T) what the prices of ramps add to a start and to a stop in each step."""
        cost, state = self.problem.cost, self.model.state
        return reduced[state.start] - cost[state.start], reduced[state.stop] - cost[state.stop]

    def _stage(self, reduced: Array) -> tuple[Array, Array, Array, Array]:
        """(n, T) cost of a step on, in any and in one since before the first; (n, S, T) outputs that go with them, MW a unit."""
        model, units = self.model, self.model.system.units
        segment, above = model.production.segment, model.production.above
        per_mw = np.where(segment != NONE, reduced[segment], 0.0)
        alone = (segment == above[:, None]).any(1)
        per_mw += np.where(alone, 0.0, reduced[above])[:, None]
        amount = np.where((segment != NONE) & (per_mw < 0), units.width_mw[:, :, None], 0.0)
        least, most = self._reach
        wanted = np.clip(amount.sum(1), least, most)
        # prices of limits may make a later segment the cheaper one
        order = np.argsort(per_mw, axis=1, kind="stable")
        width = np.take_along_axis(np.broadcast_to(units.width_mw[:, :, None], per_mw.shape), order, 1)
        first = np.zeros(per_mw.shape)
        np.put_along_axis(first, order, np.clip(wanted[:, None] - np.cumsum(width, 1) + width, 0.0, width), 1)
        on = reduced[model.state.on]
        return on + (amount * per_mw).sum(1), on + (first * per_mw).sum(1), amount, first

    def _units(self, cost_on: Array, cost_first: Array, on_start: Array, on_stop: Array) -> tuple[Array, Array]:
        """(n,) least cost over states, and (n, T) the states."""
        u, (n, steps) = self.model.system.units, cost_on.shape
        to_stop = np.column_stack([u.stop_cost[:, None] + on_stop, u.stop_cost])
        on_low, on_high = (b[self.model.state.on] / u.count[:, None] for b in (self.problem.lower, self.problem.upper))
        must, banned = on_low > 0.5, on_high < 0.5
        total, total_first = (
            np.concatenate([np.zeros((n, 1)), np.cumsum(np.where(banned, 0.0, cost), 1)], 1)
            for cost in (cost_on, cost_first)
        )
        bans = np.concatenate([np.zeros((n, 1), int), np.cumsum(banned, 1)], 1)
        musts = np.concatenate([np.zeros((n, 1), int), np.cumsum(must, 1)], 1)
        up = np.maximum(u.min_up, 1)
        start = np.full((n, steps + 1), np.inf)
        stop = np.full((n, steps + 1), np.inf)
        from_start = np.full((n, steps + 1), -2)
        from_stop = np.full((n, steps + 1), -2)
        best, best_at = np.full(n, np.inf), np.full(n, -2)
        was_on, rows = u.on_before > 0, np.arange(n)
        held = self._held
        for t in range(steps + 1):
            # starts that are min_up old may stop now
            s = t - up
            ready = s >= 0
            value = np.where(
                ready, start[np.arange(n), np.maximum(s, 0)] - total[np.arange(n), np.maximum(s, 0)], np.inf
            )
            better = value < best
            best, best_at = np.where(better, value, best), np.where(better, s, best_at)
            stop[:, t] = best + total[:, t] + to_stop[:, t]
            from_stop[:, t] = best_at
            first = np.where(was_on & (t >= held) & (bans[:, t] == 0), total_first[:, t] + to_stop[:, t], np.inf)
            from_stop[:, t] = np.where(first < stop[:, t], -1, from_stop[:, t])
            stop[:, t] = np.minimum(stop[:, t], first)
            if t == steps:
                break
            # off from s to t: no step in between may be one in which the unit must be on
            if t:
                gap = t - np.arange(t)
                ways = stop[:, :t] + self.start_cost[:, gap]
                ways[musts[:, :t] != musts[:, t : t + 1]] = np.inf
                at = ways.argmin(1)
                start[:, t], from_start[:, t] = ways[rows, at], at
            first = np.where(~was_on & (musts[:, t] == 0), self.first_start[:, t], np.inf)
            from_start[:, t] = np.where(first < start[:, t], -1, from_start[:, t])
            start[:, t] = np.minimum(start[:, t], first) + on_start[:, t]
        return self._traced(total, total_first[:, -1], start, stop, from_start, from_stop, musts, bans, was_on)

    def _traced(
        self, total: Array, all_on: Array, start: Array, stop: Array, from_start: Array, from_stop: Array, musts: Array,
        bans: Array, was_on: Array,
    ) -> tuple[Array, Array]:  # fmt: skip
        """The cheapest ends, and the states that lead to them."""
        n, steps = len(total), total.shape[1] - 1
        rows = np.arange(n)
        end_on = np.where(
            bans[:, :steps] == bans[:, steps:], start[:, :steps] - total[:, :steps] + total[:, steps:], np.inf
        )
        end_off = np.where(musts[:, :steps] == musts[:, steps:], stop[:, :steps], np.inf)
        a, b = end_on.argmin(1), end_off.argmin(1)
        stay = np.where(
            was_on, np.where(bans[:, steps] == 0, all_on, np.inf), np.where(musts[:, steps] == 0, 0.0, np.inf)
        )
        choice = np.column_stack([end_on[rows, a], end_off[rows, b], stay])
        which = choice.argmin(1)
        on = np.zeros((n, steps))
        for i in range(n):
            now, until = (True, int(a[i])) if which[i] == 0 else (False, int(b[i]))
            last = steps
            if which[i] == 2:
                on[i] = was_on[i]
                continue
            while True:
                if now:
                    on[i, until:last] = 1.0
                last, before = until, int((from_start if now else from_stop)[i, until])
                now = not now
                if before < 0:
                    on[i, :last] = 1.0 if now else 0.0
                    break
                until = before
        return choice[rows, which], on


def cost_of(units: Units, states: Array, cost_on: Array, cost_first: Array, on_start: Array, on_stop: Array) -> Array:
    """(n,) cost of states (n, T), those of the past included in the time off; costs of a step, a start and a stop are (n, T)."""
    on, was = states > 0, units.on_before > 0
    first = (np.cumprod(on, 1) > 0) & was[:, None]
    total = np.where(on, np.where(first, cost_first, cost_on), 0.0).sum(1)
    before = np.column_stack([was, on[:, :-1]])
    total += np.where(before & ~on, units.stop_cost[:, None] + on_stop, 0.0).sum(1)
    t = np.arange(on.shape[1])
    last = np.maximum.accumulate(np.where(before, t, -1), 1)
    off = np.where(last >= 0, t - last, units.steps_before[:, None] + t)
    return np.asarray(total + np.where(on & ~before, cost_after(units, off) + on_start, 0.0).sum(1))


def _since_before(units: Units, steps: int) -> tuple[tuple[Array, Array], Array]:
    """Least and most output above p_min of units that have not stopped yet, (n, T), and steps that they stay on, (n,)."""
    t = np.arange(1, steps + 1)
    above, was = units.p_before_mw - units.p_min_mw, units.on_before > 0
    limit = np.broadcast_to(units.range_mw[:, None], (len(units), steps))
    with np.errstate(invalid="ignore"):
        least = np.where(was[:, None], np.clip(above[:, None] - t * units.ramp_down_mw[:, None], 0.0, limit), 0.0)
        most = np.where(was[:, None], np.clip(above[:, None] + t * units.ramp_up_mw[:, None], 0.0, limit), limit)
        fall = np.where(was, np.maximum(units.p_before_mw - units.stop_mw, 0.0), 0.0) / units.ramp_down_mw
    wait = np.where(np.isfinite(fall), np.ceil(fall - 1e-9), np.where(np.isnan(fall), 0, steps + 1))
    return (least, most), np.maximum(units.held, wait).astype(np.int64)


def _of_outputs_and_states(model: Model) -> Array:
    """(m,) rows that tie outputs to states: limits, with those near starts and stops, and ramps."""
    problem, state = model.problem, model.state
    output, states = np.zeros(problem.n, bool), np.zeros(problem.n, bool)
    for columns in (model.production.above, model.production.segment):
        output[columns[columns != NONE]] = True
    for columns in (state.on, state.start, state.stop):
        states[columns] = True
    used = csr_array((np.ones(len(problem.value)), problem.index, problem.start), shape=(problem.m, problem.n))
    ramps = np.zeros(problem.m, bool)
    for rows in (model.production.ramp_up_row, model.production.ramp_down_row):
        ramps[rows[rows != NONE]] = True
    return np.asarray(ramps | ((used @ output.astype(float) > 0) & (used @ states.astype(float) > 0)))


def _with_most_surplus(model: Model) -> Array:
    """(n,) upper limits of columns; those of power without use are all that the area can have in a step."""
    upper, area = model.problem.upper.copy(), model.system.area
    most = np.zeros(model.loss_change.shape)
    for columns, node, mw in model.injection_terms():
        used = mw > 0
        high = mw[used][:, None] * upper[columns[used]]
        np.add.at(most, area[node[used]], high)
    upper[model.surplus] = np.minimum(upper[model.surplus], most[area])
    return upper


def ascend(
    model: Model, start: Array, others: list[Array], block: Array, *, cost: float, gap: float, seconds: float,
    latest: float = np.inf,
) -> tuple[float, Array]:  # fmt: skip
    """The best bound found from prices of the model's rows, given the cost of a plan.

    Args:
        model: the problem.
        start: (m,) prices to begin with.
        others: (m,) prices that may take their place, block by block, where that raises the bound.
        block: (m,) block of each row.
        cost: of a plan; gap: relative gap at which to stop; seconds: time.
        latest: `time.perf_counter` from which on no other prices are tried, block by block.

    Returns:
        A lower bound, -inf where the model has what `Lagrangian` does not cover, and the prices (m,) that prove it.
    """
    dual = Lagrangian(model)
    if not dual.covers:
        return float("-inf"), start
    until = time.perf_counter() + seconds
    y = dual.clip(start[dual.priced])
    best = dual.value(y)[0]
    for other in (dual.clip(prices[dual.priced]) for prices in others):
        for part in np.unique(block).tolist():
            if time.perf_counter() >= latest:
                break
            mixed = np.where(block[dual.priced] == part, other, y)
            value = dual.value(mixed)[0]
            if value > best:
                best, y = value, mixed
    best_y = y
    direction, step, stale = np.zeros(len(y)), _FIRST_STEP, 0
    scale = _scale(dual)
    while time.perf_counter() < until and step > _LEAST_STEP and cost - best > gap * abs(cost):
        value, slope = dual.value(y)
        slope = slope * scale
        if value > best:
            stale = 0 if value > best + 1e-6 * abs(cost) else stale + 1
            best, best_y = value, y
        else:
            stale += 1
        direction = slope if not direction.any() else _DEFLECT * slope + (1.0 - _DEFLECT) * direction
        if stale >= _PATIENCE:
            step, stale, y, direction = step * _SHRINK, 0, best_y, slope
        length = step * (cost - value) / max(float(direction @ direction), 1e-12)
        y = dual.clip(y + length * scale * direction)
    prices = np.zeros(model.problem.m)
    prices[dual.priced] = best_y
    return best, prices


def _scale(dual: Lagrangian) -> Array:
    """(k,) so that rows of a few and of many MW move alike: one over the size of a row's entries."""
    size = np.sqrt(np.asarray(dual.rows.multiply(dual.rows).sum(1)).ravel())
    return np.asarray(1.0 / np.maximum(size, 1e-9))
