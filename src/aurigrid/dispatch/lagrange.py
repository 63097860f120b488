"""Bounds on a commitment from prices alone, for problems whose relaxation is too large to be solved in time.

With prices y of the rows that units share, the problem falls apart into the units and what is not switched::

    L(y) = y b + sum_i min_i (c_i - A_i' y) x_i + min (c_0 - A_0' y) x_0

L(y) is at most the cost of every plan, for any y with the right signs. A unit's least cost is exact over its states, with
least times, must-run, the past and start costs by the time off; that its output is held back by ramps and by starting and
stopping is left out, which can only lower the bound. The recursion over times of starts E_t and stops S_t, with the cost C_t of
having been on since the first step::

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

_PATIENCE, _SHRINK, _LEAST_STEP = 12, 0.7, 1e-3
_DEFLECT = 0.3


class Lagrangian:
    """The function L of a model. Units that hold reserve, and rows among what is not switched, are not covered: `covers`."""

    def __init__(self, model: Model) -> None:
        problem, units = model.problem, model.system.units
        owner = structure_of(model).owner
        # an area cannot have more power without use than there is power
        problem = dataclasses.replace(problem, upper=_with_most_surplus(model))
        self.model, self.problem = model, problem
        matrix = csr_array((problem.value, problem.index, problem.start), shape=(problem.m, problem.n))
        self.priced = np.flatnonzero(row_owner(problem, owner) == NONE)
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
        cost_on, output = self._stage(reduced)
        least, on = self._units(cost_on)
        total += float((least * model.system.units.count).sum())
        on *= model.system.units.count[:, None]
        x[model.state.on.ravel()] = on.ravel()
        for columns, amount in output:
            used = columns != NONE
            x[columns[used]] = (amount * on if columns.ndim == 2 else amount * on[:, None])[used]
        right = np.where(y > 0, self.low, self.high)
        total += float(np.where(y != 0, y * np.where(y != 0, right, 0.0), 0.0).sum())
        side = np.where(np.isfinite(self.high), self.high, self.low)
        return total, np.asarray(side - self.rows @ x)

    def _stage(self, reduced: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        """(n, T) cost of a step on, and by block of columns the output that goes with it, MW a unit."""
        model, units = self.model, self.model.system.units
        segment, above = model.production.segment, model.production.above
        per_mw = np.where(segment != NONE, reduced[segment], 0.0)
        alone = (segment == above[:, None]).any(1)
        per_mw += np.where(alone, 0.0, reduced[above])[:, None]
        amount = np.where((segment != NONE) & (per_mw < 0), units.width_mw[:, :, None], 0.0)
        cost = reduced[model.state.on] + (amount * per_mw).sum(1)
        return cost, [(segment, amount), (above, amount.sum(1))]

    def _units(self, cost_on: Array) -> tuple[Array, Array]:
        """(n,) least cost over states, and (n, T) the states."""
        u, (n, steps) = self.model.system.units, cost_on.shape
        on_low, on_high = (b[self.model.state.on] / u.count[:, None] for b in (self.problem.lower, self.problem.upper))
        must, banned = on_low > 0.5, on_high < 0.5
        total = np.concatenate([np.zeros((n, 1)), np.cumsum(np.where(banned, 0.0, cost_on), 1)], 1)
        bans = np.concatenate([np.zeros((n, 1), int), np.cumsum(banned, 1)], 1)
        musts = np.concatenate([np.zeros((n, 1), int), np.cumsum(must, 1)], 1)
        up = np.maximum(u.min_up, 1)
        start = np.full((n, steps + 1), np.inf)
        stop = np.full((n, steps + 1), np.inf)
        from_start = np.full((n, steps + 1), -2)
        from_stop = np.full((n, steps + 1), -2)
        best, best_at = np.full(n, np.inf), np.full(n, -2)
        was_on, rows = u.on_before > 0, np.arange(n)
        stop_cost, held = u.stop_cost, u.held
        for t in range(steps + 1):
            # starts that are min_up old may stop now
            s = t - up
            ready = s >= 0
            value = np.where(
                ready, start[np.arange(n), np.maximum(s, 0)] - total[np.arange(n), np.maximum(s, 0)], np.inf
            )
            better = value < best
            best, best_at = np.where(better, value, best), np.where(better, s, best_at)
            stop[:, t] = best + total[:, t] + stop_cost
            from_stop[:, t] = best_at
            first = np.where(was_on & (t >= held) & (bans[:, t] == 0), total[:, t] + stop_cost, np.inf)
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
            start[:, t] = np.minimum(start[:, t], first)
        return self._traced(total, start, stop, from_start, from_stop, musts, bans, was_on)

    def _traced(
        self, total: Array, start: Array, stop: Array, from_start: Array, from_stop: Array, musts: Array, bans: Array,
        was_on: Array,
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
            was_on, np.where(bans[:, steps] == 0, total[:, steps], np.inf), np.where(musts[:, steps] == 0, 0.0, np.inf)
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


def ascend(model: Model, y: Array, *, cost: float, gap: float, seconds: float) -> float:
    """The best bound found from prices y (m,) of the model's rows, given the cost of a plan.

    Returns:
        A lower bound; -inf where the model has what `Lagrangian` does not cover.
    """
    dual = Lagrangian(model)
    if not dual.covers:
        return float("-inf")
    until = time.perf_counter() + seconds
    y = dual.clip(y[dual.priced])
    best, best_y = -np.inf, y
    direction, step, stale = np.zeros(len(y)), 1.0, 0
    scale = _scale(dual)
    while time.perf_counter() < until and step > _LEAST_STEP and cost - best > gap * abs(cost):
        value, slope = dual.value(y)
        slope = slope * scale
        if value > best:
            stale = 0 if value > best + 1e-5 * abs(cost) else stale + 1
            best, best_y = value, y
        else:
            stale += 1
        direction = slope if not direction.any() else _DEFLECT * slope + (1.0 - _DEFLECT) * direction
        if stale >= _PATIENCE:
            step, stale, y, direction = step * _SHRINK, 0, best_y, slope
        length = step * (cost - value) / max(float(direction @ direction), 1e-12)
        y = dual.clip(y + length * scale * direction)
    return best


def _scale(dual: Lagrangian) -> Array:
    """(k,) so that rows of a few and of many MW move alike: one over the size of a row's entries."""
    size = np.sqrt(np.asarray(dual.rows.multiply(dual.rows).sum(1)).ravel())
    return np.asarray(1.0 / np.maximum(size, 1e-9))
