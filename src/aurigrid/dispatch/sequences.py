"""States from sequences: a linear problem that mixes, for each unit, a few whole sequences of states, and plans made of one each.

The master problem is the dispatch with ramps and flow limits in which a unit's states are ``on = sum_s lambda_s on_s`` over its
sequences s, with ``sum_s lambda_s = 1`` and what their starts cost. Its prices give each unit a cheapest sequence and a bound on
all plans (`lagrange`); sequences that are new enter, and the problem is solved again (Dantzig and Wolfe, "Decomposition
principle for linear programs", Operations Research 8, 1960). Prices between those of the problem and the best ones so far are
priced as well, which keeps the bound from swinging (Pessoa, Sadykov, Uchoa and Vanderbeck, INFORMS J. Computing 30, 2018). In the
end units are given one sequence after the other, those first that the mix is surest of, and the linear problem goes on from its
basis.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from scipy.sparse import csr_array

from aurigrid.dispatch.flows import Flows, Limits, add_limits
from aurigrid.dispatch.highs import Answer, DispatchError
from aurigrid.dispatch.lagrange import Lagrangian, cost_of
from aurigrid.dispatch.lean import AT_LIMIT, BASIC, LEFT_OUT, LeanRun
from aurigrid.dispatch.linear import NONE, Array, Problem
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.redispatch import Key, at_given_states
from aurigrid.dispatch.secure import Secured, dormant, lazily
from aurigrid.dispatch.separate import row_owner, structure_of
from aurigrid.dispatch.system import System

_SHARES = (1.0, 0.5, 0.2)
"""Shares of the problem's prices, the rest being the best ones so far, at which units are priced."""
_PRIMAL = 4
"""HiGHS's number of the primal simplex method: a master begins with a point of the one before."""
_SURE, _PART = 0.9, 0.25
"""Weight from which on a sequence is settled, and the share of the undecided units that are settled in any case."""
_DEAR, _TRIED = 2e-3, 8
"""Share of the cost by which a choice may raise it before others are tried, and how many of a unit's sequences are."""
_SETTLING = 0.2
"""Time for settling, as a share of that for the master problems."""


class Pool:
    """Sequences of states of each unit, each once."""

    def __init__(self, states: Array) -> None:
        self.of_unit: list[list[Array]] = [[row.copy()] for row in states.astype(np.int8)]
        self._known = [{row.tobytes()} for row in states.astype(np.int8)]

    @property
    def size(self) -> int:
        """Number of sequences."""
        return sum(len(rows) for rows in self.of_unit)

    def add(self, states: Array) -> None:
        """Take the sequences (n, T) that are new."""
        for i, row in enumerate(states.astype(np.int8)):
            key = row.tobytes()
            if key not in self._known[i]:
                self._known[i].add(key)
                self.of_unit[i].append(row)


@dataclasses.dataclass(frozen=True, eq=False)
class Master:
    """The master problem.

    Attributes:
        model, limits: the problem and its flow limits.
        unit, place: (n_sequence,) unit of each weight and position of its sequence in the pool.
        column: (n_sequence,) columns of the weights.
    """

    model: Model
    limits: Limits
    unit: Array
    place: Array
    column: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Prices:
    """Prices of rows (m,) of the problem without flow limits, and of flow limits."""

    row: Array
    limit: dict[Key, float]

    def between(self, other: Prices, share: float) -> Prices:
        """This share of these and the rest of the others."""
        keys = dict.fromkeys([*self.limit, *other.limit])
        mine, theirs = self.limit, other.limit
        limit = {key: share * mine.get(key, 0.0) + (1 - share) * theirs.get(key, 0.0) for key in keys}
        return Prices(share * self.row + (1 - share) * other.row, limit)


class Sequences:
    """The master problems of one system at one demand."""

    def __init__(self, system: System, flows: Flows | None) -> None:
        self.system, self.flows = system, flows
        self.base = build_model(system.replace(fixed_on=None))
        state, problem = self.base.state, self.base.problem
        self.dual, self._at = Lagrangian(self.base), dict[Key, int]()
        columns = [state.on, state.start, state.stop, state.counted, state.claim, state.arc, state.ever]
        self._state = np.zeros(problem.n, bool)
        for part in columns:
            self._state[part[part != NONE]] = True
        used = csr_array((np.ones(len(problem.value)), problem.index, problem.start), shape=(problem.m, problem.n))
        self._pure = (used @ (~self._state).astype(float) == 0) & (np.diff(problem.start) > 0)
        owner = structure_of(self.base).owner
        self._of_row, self._owner = row_owner(problem, owner), owner

    def master(self, pool: Pool, limits: list[Key]) -> Master:
        """The problem that mixes the sequences of a pool."""
        base, n_unit = self.base, len(pool.of_unit)
        first = np.array([rows[0] for rows in pool.of_unit])
        several = np.array([len(rows) > 1 for rows in pool.of_unit])
        model = dataclasses.replace(base, system=self.system.replace(fixed_on=first))
        problem, free = at_given_states(model), base.problem
        lower, upper, cost = problem.lower.copy(), problem.upper.copy(), problem.cost.copy()
        mixed = several[np.maximum(self._owner, 0)] & (self._owner != NONE)
        lower[mixed], upper[mixed] = free.lower[mixed], free.upper[mixed]
        state = base.state
        for columns in (state.counted, state.claim, state.arc, state.ever):
            at = columns[columns != NONE]
            at = at[mixed[at]]
            lower[at] = upper[at] = 0.0
        row_lower, row_upper = problem.row_lower.copy(), problem.row_upper.copy()
        freed = self._pure & (self._of_row != NONE) & several[np.maximum(self._of_row, 0)]
        row_lower[freed], row_upper[freed] = -np.inf, np.inf
        problem = dataclasses.replace(
            problem, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper, cost=cost
        )
        model = dataclasses.replace(model, problem=problem, system=self.system)
        found = Limits()
        if self.flows is not None and limits:
            model, found = add_limits(model, found, self.flows, limits)
        unit = np.repeat(np.arange(n_unit), [len(rows) if len(rows) > 1 else 0 for rows in pool.of_unit])
        place = np.concatenate([np.arange(len(rows)) for rows in pool.of_unit if len(rows) > 1] or [np.zeros(0, int)])
        return self._mixing(pool, model, found, unit, place)

    def _mixing(self, pool: Pool, model: Model, limits: Limits, unit: Array, place: Array) -> Master:
        """Weights of sequences as columns, and rows that tie states to them."""
        problem, state = model.problem, self.base.state
        column = problem.n + np.arange(len(unit))
        lower, upper = problem.lower.copy(), problem.upper.copy()
        rows: list[tuple[list[int], list[float], float]] = []
        weight_cost = np.zeros(len(unit))
        units = self.base.system.units
        for i in np.unique(unit).tolist():
            mine = np.flatnonzero(unit == i)
            on = np.array(pool.of_unit[i], float)[place[mine]]
            before = np.column_stack([np.full(len(mine), float(units.on_before[i])), on[:, :-1]])
            start, stop = np.maximum(on - before, 0.0), np.maximum(before - on, 0.0)
            weight_cost[mine] = (
                self._switching(i, on) - start @ problem.cost[state.start[i]] - stop @ problem.cost[state.stop[i]]
            )
            rows.append((column[mine].tolist(), [1.0] * len(mine), 1.0))
            for columns, value in ((state.on[i], on), (state.start[i], start), (state.stop[i], stop)):
                for t, c in enumerate(columns.tolist()):
                    v = value[:, t]
                    if (v == v[0]).all():
                        lower[c] = upper[c] = v[0]
                        continue
                    used = np.flatnonzero(v)
                    rows.append(([c, *column[mine[used]].tolist()], [1.0, *(-v[used]).tolist()], 0.0))
            above = self.base.production.above[i]
            upper[above[(on == 0).all(0)]] = 0.0
            segment = self.base.production.segment[i]
            dark = segment[:, (on == 0).all(0)]
            upper[dark[dark != NONE]] = 0.0
        k = len(unit)
        index = np.concatenate([np.asarray(r[0]) for r in rows]) if rows else np.zeros(0)
        value = np.concatenate([np.asarray(r[1]) for r in rows]) if rows else np.zeros(0)
        ends = problem.start[-1] + np.cumsum([len(r[0]) for r in rows]) if rows else np.zeros(0)
        right = np.array([r[2] for r in rows])
        bigger = Problem(
            np.r_[problem.cost, weight_cost], np.r_[lower, np.zeros(k)], np.r_[upper, np.ones(k)],
            np.r_[problem.integer, np.zeros(k, bool)], np.r_[problem.row_lower, right], np.r_[problem.row_upper, right],
            np.r_[problem.start, ends].astype(np.int32), np.r_[problem.index, index].astype(np.int32),
            np.r_[problem.value, value], problem.offset,
        )  # fmt: skip
        return Master(dataclasses.replace(model, problem=bigger), limits, unit, place, column)

    def _switching(self, i: int, on: Array) -> Array:
        """(k,) what starts and stops of sequences (k, T) of a unit cost."""
        units = self.base.system.units.take(np.full(len(on), i))
        zero = np.zeros(on.shape)
        return cost_of(units, on, zero, zero, zero, zero)

    def prices(self, limits: Limits, dual: Array) -> Prices:
        """Prices of the rows that are there in every master, and of its flow limits."""
        m = self.base.problem.m
        at = zip(limits.key, limits.row, strict=True)
        return Prices(dual[:m].copy(), {key: float(dual[row]) for key, row in at if dual[row] != 0.0})

    def carried(self, master: Master, column: Array, row: Array) -> tuple[Array, Array]:
        """Status of what every master has and of its flow limits, from the status of all columns (n,) and rows (m,)."""
        n, m, limits = self.base.problem.n, self.base.problem.m, master.limits
        return np.r_[column[:n], column[limits.excess]], np.r_[row[:m], row[limits.row]]

    def statuses(self, master: Master, column: Array, row: Array) -> tuple[Array, Array]:
        """A status for each column and row of a master, from those of the one before or of the dispatch (`carried`).

        Sequences that are new have no weight; what they open was as their unit's first sequence says.
        """
        problem, state = master.model.problem, self.base.state
        columns, rows = np.full(problem.n, LEFT_OUT), np.full(problem.m, LEFT_OUT)
        columns[: len(column)], rows[: len(row)] = column, row
        rows[len(row) :] = AT_LIMIT
        mixed = np.unique(master.unit)
        for part in (state.on, state.start, state.stop):
            at = part[mixed].ravel()
            columns[at[problem.lower[at] < problem.upper[at]]] = BASIC
        columns[master.column] = np.where(master.place == 0, BASIC, AT_LIMIT)
        return columns, rows

    def value(self, prices: Prices) -> tuple[float, Array]:
        """What no plan costs less than, by prices, and the cheapest states (n_unit, T) of each unit at them."""
        new = [key for key in prices.limit if key not in self._at]
        if new:
            assert self.flows is not None
            keys = [*self._at, *new]
            model, limits = add_limits(self.base, Limits(), self.flows, keys)
            self.dual, self._at = Lagrangian(model), dict(zip(keys, limits.row.tolist(), strict=True))
        y = np.zeros(self.dual.problem.m)
        y[: len(prices.row)] = prices.row
        for key, price in prices.limit.items():
            y[self._at[key]] = price
        priced = self.dual.clip(y[self.dual.priced])
        bound = self.dual.value(priced)[0] if self.dual.covers else float("-inf")
        return bound, self.dual.units_at(priced, np.zeros(self.base.state.on.shape))[1].astype(np.int8)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """What mixing sequences gave: states (n_unit, T) to choose from, what no plan costs less than, and the flow limits met."""

    states: tuple[Array, ...]
    bound: float
    limits: list[Key]


def mix(
    done: Secured,
    flows: Flows | None,
    states: Array,
    start: tuple[Array, dict[Key, float]],
    *,
    gap: float,
    until: float,
) -> Mixed:
    """Better states and a better bound, from a dispatch at given states.

    Args:
        done: the dispatch.
        flows: limits of the grid.
        states: (n_unit, T) its states.
        start: prices to begin with: of balances (n_area, T), and of flow limits.
        gap: relative distance of the master problem from the bound at which no more sequences enter.
        until: `time.perf_counter` at which to stop.
    """
    assert done.answer.row_dual is not None
    began = time.perf_counter()
    known = Sequences(done.model.system, flows)
    row = np.zeros(known.base.problem.m)
    row[known.base.balance_row] = start[0]
    pool, best_prices = Pool(states), Prices(row, start[1])
    best, best_prices = _priced(known, pool, best_prices, -np.inf, best_prices)
    here = known.prices(done.limits, done.answer.row_dual)
    for share in _SHARES:
        best, best_prices = _priced(known, pool, here.between(best_prices, share), best, best_prices)
    keys, column, row_status = list(done.limits.key), *done.run.basis()
    last: tuple[Master, LeanRun, Answer] | None = None
    while time.perf_counter() < until:
        master = known.master(pool, keys)
        run = LeanRun(master.model.problem, dormant(master.model), until)
        run.start_at(*known.statuses(master, column, row_status))
        run.h.setOptionValue("simplex_strategy", _PRIMAL)
        first = run.solve()
        run.h.setOptionValue("simplex_strategy", 0)
        if first.row_dual is None or first.status != "Optimal":
            break
        model, limits, answer, _ = lazily(master.model, master.limits, flows, run)
        if answer.row_dual is None or answer.status != "Optimal":
            break
        master = dataclasses.replace(master, model=model, limits=limits)
        last, here, size = (master, run, answer), known.prices(limits, answer.row_dual), pool.size
        for share in _SHARES:
            best, best_prices = _priced(known, pool, here.between(best_prices, share), best, best_prices)
        keys, (column, row_status) = list(limits.key), known.carried(master, *run.basis())
        if answer.cost - best <= gap * abs(answer.cost) or pool.size == size:
            break
    if last is None:
        return Mixed((), best, keys)
    last[1].until = until + _SETTLING * (time.perf_counter() - began)
    return Mixed((_heaviest(pool, *last, states), _settled(pool, *last, flows, states)), best, keys)


def _priced(known: Sequences, pool: Pool, prices: Prices, best: float, best_prices: Prices) -> tuple[float, Prices]:
    """The better ones of two prices with their bound; the cheapest sequences at the first enter the pool."""
    bound, on = known.value(prices)
    pool.add(on)
    return (bound, prices) if bound > best else (best, best_prices)


def _heaviest(pool: Pool, master: Master, run: LeanRun, answer: Answer, states: Array) -> Array:
    """(n_unit, T) the sequence of each unit that has the largest weight in the mix."""
    assert answer.x is not None
    chosen = states.astype(np.int8).copy()
    for k in np.argsort(answer.x[master.column], kind="stable").tolist():
        chosen[master.unit[k]] = pool.of_unit[master.unit[k]][master.place[k]]
    return chosen


class _Choice:
    """A master problem in which units are given one sequence each; flow limits that come in stay."""

    def __init__(self, master: Master, run: LeanRun, flows: Flows | None) -> None:
        self.master, self.run, self.flows = master, run, flows
        self.model, self.limits = master.model, master.limits
        self.most = np.ones(len(master.unit))

    def given(self, settle: Array) -> Array:
        """Upper limits of the weights where these sequences are settled as well."""
        unit, most = self.master.unit, self.most.copy()
        most[np.isin(unit, unit[settle])] = 0.0
        most[settle] = 1.0
        return most

    def cost(self, most: Array) -> tuple[float, Array]:
        """Cost at upper limits of the weights, and the weights; inf where there is no answer in time."""
        upper = self.model.problem.upper.copy()
        upper[self.master.column] = most
        self.model = dataclasses.replace(self.model, problem=dataclasses.replace(self.model.problem, upper=upper))
        self.run.change(self.model.problem)
        try:
            self.model, self.limits, answer, _ = lazily(self.model, self.limits, self.flows, self.run)
        except DispatchError:
            return np.inf, np.zeros(len(most))
        if answer.x is None or answer.status != "Optimal":
            return np.inf, np.zeros(len(most))
        return answer.cost, answer.x[self.master.column]


def _settled(pool: Pool, master: Master, run: LeanRun, answer: Answer, flows: Flows | None, states: Array) -> Array:
    """(n_unit, T) one sequence a unit: those that the mix is surest of first, the rest as the others leave it.

    Where a choice costs much, the surest unit alone is settled, with the best of some of its sequences.
    """
    assert answer.x is not None
    unit, chosen, choice = master.unit, states.astype(np.int8).copy(), _Choice(master, run, flows)
    cost, weight, open_ = answer.cost, answer.x[master.column], np.ones(len(unit), bool)
    while open_.any() and np.isfinite(cost):
        order = np.lexsort((-weight, unit))
        top = order[np.r_[True, unit[order][1:] != unit[order][:-1]]]
        top = top[open_[top]]
        top = top[np.argsort(-weight[top], kind="stable")]
        for k in top.tolist():
            chosen[unit[k]] = pool.of_unit[unit[k]][master.place[k]]
        settle = top[: max(int((weight[top] >= _SURE).sum()), int(_PART * len(top)), 1)]
        limit = cost * (1 + _DEAR)
        cost, then = choice.cost(choice.given(settle))
        if cost > limit and len(settle) > 1:
            settle = top[:1]
            cost, then = choice.cost(choice.given(settle))
        if cost > limit:
            mine = np.flatnonzero(unit == unit[top[0]])
            for k in mine[np.argsort(-weight[mine], kind="stable")][1:_TRIED].tolist():
                other, weights = choice.cost(choice.given(np.array([k])))
                if other < cost:
                    cost, then, settle = other, weights, np.array([k])
        choice.most, weight = choice.given(settle), then
        for k in settle.tolist():
            chosen[unit[k]] = pool.of_unit[unit[k]][master.place[k]]
        open_ &= ~np.isin(unit, unit[settle])
    return chosen
