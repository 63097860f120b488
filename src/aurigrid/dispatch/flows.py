"""Limits on branch flows: linear (DC) flows of the intact grid and after each outage, as rows that are added when broken.

    f = H (x - d) + f0                          H: power transfer distribution factors, (n_branch, n_node)
    f after the outage of k = f_m + L_mk f_k    L_mk = H_m(k) / (1 - H_k(k)),  H_m(k) = H_m,from(k) - H_m,to(k)

f0 holds phase shifters where they stand. One that may turn by a further angle phi acts as an injection b phi at its from end,
drawn at its to end, less b phi on itself; b its susceptance::

    f = H (x - d) + f0 + G phi                  G_ms = b_s (H_m(s) - [m = s])

and as the same sum f_m + L_mk f_k after an outage, in which the outage of the shifter itself takes phi out.

A limit is a row on everything that injects, ``-rate <= f <= rate``, with what exceeds it at a price. A horizon
has n_branch (1 + n_outage) T such limits; only those that a plan breaks become rows, worst first.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from aurigrid.dispatch.deliver import CALLED, broken_when_called, call_terms
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.model import Model
from aurigrid.powerflow.dc import Linear
from aurigrid.powerflow.grid import Grid

BASE, VOLTAGE = -1, -2
"""Outage of a limit of the intact grid, and of one that voltages set: its first position is a bus then."""

_SPLITS = 1e-6
_TOL_MW = 1e-3
_WORST_OF_A_STEP = 20


class Flows:
    """The linear flows of a grid and their limits.

    Attributes:
        factor: (n_branch, n_node) MW on a branch for a MW injected at a node (and taken out at the references).
        susceptance: (n_branch,) of the linear flows, pu.
        shift_mw: (n_branch,) flow without injections.
        rate_mw: (n_branch,) limits of the intact grid; `rate_after_mw` after an outage (the short-term rating where given).
        outage: positions of branches whose outage is studied: those that do not split the grid.
        splitting: positions of branches left out because their outage does.
    """

    def __init__(self, grid: Grid, outages: Array, margin: float = 1.0) -> None:
        linear, branch = Linear(grid), grid.net.branch
        live = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
        self.grid, self.base = grid, grid.base_mva
        self.from_node, self.to_node = linear.from_node, linear.to_node
        self.susceptance = linear.b
        self.factor = linear.b[:, None] * linear.columns(np.arange(len(branch)))
        self.shift_mw = linear.flow(linear.solve(np.zeros((1, grid.n_node)) + grid.shunt_y.real))[0] * self.base
        self.rate_mw = np.where(live, branch.rate_mva, np.inf) * margin
        short = np.where(np.isfinite(branch.rate_short_mva), branch.rate_short_mva, branch.rate_mva)
        self.rate_after_mw = np.where(live, short, np.inf) * margin
        own = self.between(np.arange(len(branch)))[np.arange(len(branch)), np.arange(len(branch))]
        outages = outages[live[outages]]
        stays = 1.0 - own[outages] > _SPLITS
        self.outage, self.splitting = outages[stays], outages[~stays]
        self.transfer = self.between(self.outage) / (1.0 - own[self.outage])

    def between(self, branch: Array) -> Array:
        """(n_branch, k) MW on each branch for a MW sent from the from to the to node of the given ones."""
        out: Array = self.factor[:, self.from_node[branch]] - self.factor[:, self.to_node[branch]]
        return out

    def of(self, injection_mw: Array) -> Array:
        """(n_branch, T) flows at the from ends for net injections (n_node, T), MW."""
        out: Array = self.factor @ injection_mw + self.shift_mw[:, None]
        return out

    def row(self, branch: int, outage: int) -> tuple[Array, float]:
        """Factors (n_node,) and constant of one limit, MW."""
        if outage == BASE:
            return self.factor[branch], float(self.shift_mw[branch])
        share = self.transfer[branch, np.flatnonzero(self.outage == outage)[0]]
        return self.factor[branch] + share * self.factor[outage], float(
            self.shift_mw[branch] + share * self.shift_mw[outage]
        )

    def turned(self, branch: Array) -> Array:
        """(n_branch, k) MW on each branch for a degree more of the phase shifts of the given ones."""
        own = np.arange(len(self.factor))[:, None] == branch
        out: Array = self.base * np.deg2rad(1.0) * self.susceptance[branch] * (self.between(branch) - own)
        return out

    def by_shifters(self, branch: int, outage: int, shifters: Array) -> Array:
        """(k,) MW of one limit for a degree more of the phase shifts of the branches `shifters`."""
        turned = self.turned(shifters)
        if outage < 0:
            return np.asarray(turned[branch])
        share = self.transfer[branch, np.flatnonzero(self.outage == outage)[0]]
        return np.asarray(turned[branch] + share * turned[outage])

    def broken(self, flow: Array, known: set[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
        """Limits that flows (n_branch, T) break, without those `known`: (branch, outage, step, sign), a step's worst first.

        Of the outages that overload a branch in a step, the worst enters alone: rows of one branch differ little.
        """
        share, which = self._worst(flow, known)
        out = []
        for t in range(flow.shape[1]):
            bad = np.flatnonzero(share[:, t] > 0.0)
            for m in bad[np.argsort(-share[bad, t], kind="stable")][:_WORST_OF_A_STEP].tolist():
                c = int(which[m, t])
                k = BASE if c < 0 else int(self.outage[c])
                f = flow[m, t] + (0.0 if c < 0 else self.transfer[m, c] * flow[k, t])
                out.append((m, k, t, 1 if f > 0 else -1))
        return out

    def pairs(self, flow: Array, room_mw: Array) -> tuple[Array, Array]:
        """Branches and outages (positions in `outage`), by branch, that may add more than a room to a flow in some step.

        Args:
            flow: (n_branch, T) flows before outages, MW.
            room_mw: (n_branch,) least room beside them.
        """
        most = np.abs(flow).max(1, initial=0.0)[self.outage]
        may = np.abs(self.transfer) * most > room_mw[:, None]
        may[self.outage, np.arange(len(self.outage))] = False
        branch, outage = np.nonzero(may)
        return branch, outage

    def _worst(self, flow: Array, known: set[tuple[int, int, int, int]]) -> tuple[Array, Array]:
        """(n_branch, T) largest excess over the ratings in units of them, 0 for none, and its outage (position), -1 for none."""
        share = _excess(flow, self.rate_mw[:, None])
        for m, k, t, sign in known:
            if k == BASE and sign * flow[m, t] > 0:
                share[m, t] = 0.0
        which = np.full(share.shape, BASE)
        branch, outage = self.pairs(flow, self.rate_after_mw - np.abs(flow).max(1, initial=0.0))
        if not len(branch):
            return share, which
        pair = np.full(self.transfer.shape, -1, np.int32)
        pair[branch, outage] = np.arange(len(branch))
        place = {int(k): c for c, k in enumerate(self.outage)}
        taken: dict[int, list[tuple[int, int]]] = {}
        for m, k, t, sign in known:
            if k != BASE and pair[m, place[k]] >= 0:
                taken.setdefault(t, []).append((int(pair[m, place[k]]), sign))
        rows, first = np.unique(branch, return_index=True)
        group = np.repeat(np.arange(len(rows)), np.diff(np.r_[first, len(branch)]))
        factor, rate = self.transfer[branch, outage], self.rate_after_mw[branch]
        for t in range(flow.shape[1]):
            after = flow[branch, t] + factor * flow[self.outage[outage], t]
            over = _excess(after, rate)
            for i, sign in taken.get(t, []):
                if sign * after[i] > 0:
                    over[i] = 0.0
            largest = np.maximum.reduceat(over, first)
            worse = largest > share[rows, t]
            share[rows[worse], t] = largest[worse]
            # the first of the group's that has its largest
            at = np.flatnonzero((over == largest[group]) & worse[group])
            at = at[np.unique(group[at], return_index=True)[1]]
            which[branch[at], t] = outage[at]
        return share, which


def _excess(flow: Array, rate: Array) -> Array:
    """What flows exceed ratings by, in units of them; 0 within."""
    over = np.abs(flow) - rate
    return np.asarray(np.divide(over, rate, out=np.zeros(over.shape), where=over > _TOL_MW))


@dataclass(frozen=True, eq=False)
class Limits:
    """Rows of flow limits in a problem, in the order in which they came.

    Attributes:
        key: (branch, outage or -1, step, sign) of each; (bus, -2, step, 1) of limits that voltages set; (branch, -3 - product,
            step, sign) of those that hold while reserve is called.
        row, excess: positions of the row and of the column of what exceeds the limit.
        factor: (n, n_node) factors of each row, sign included.
    """

    key: tuple[tuple[int, int, int, int], ...] = ()
    row: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    excess: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    factor: Array = field(default_factory=lambda: np.zeros((0, 0)))


def net_injection(model: Model, x: Array) -> Array:
    """(n_node, T) injections less demand of a point, MW."""
    out = -model.system.demand_mw.astype(float)
    for columns, node, mw in model.injection_terms():
        np.add.at(out, node, mw[:, None] * x[columns])
    return out


def branch_flow(model: Model, flows: Flows, x: Array) -> Array:
    """(n_branch, T) linear flows of a point, MW, its phase shifts included."""
    flow, shifters = flows.of(net_injection(model, x)), model.system.shifters
    return flow + flows.turned(shifters.branch) @ model.shift_deg(x) if len(shifters) else flow


def add_limits(
    model: Model, limits: Limits, flows: Flows, keys: list[tuple[int, int, int, int]]
) -> tuple[Model, Limits]:
    """The model with one more row and one more column for each of the given limits."""
    factor, room, more = [], [], []
    for m, k, t, sign in keys:
        h, constant = flows.row(m, BASE if k <= CALLED else k)
        factor.append(sign * h)
        room.append((flows.rate_mw if k == BASE else flows.rate_after_mw)[m] - sign * constant)
        called = [call_terms(model, CALLED - k, t, sign * h)] if k <= CALLED else []
        more.append(_joined([*called, shift_terms(model, flows, (m, k, t, sign))]))
    return add_rows(model, limits, keys, np.array(factor), np.array(room), more)


_NO_TERMS = (np.zeros(0, np.int64), np.zeros(0))


def shift_terms(model: Model, flows: Flows, key: tuple[int, int, int, int]) -> tuple[Array, Array]:
    """Columns and coefficients of phase shifters in the row of a flow limit."""
    shifters, (m, k, t, sign) = model.system.shifters, key
    if not len(shifters):
        return _NO_TERMS
    value = sign * flows.by_shifters(m, k, shifters.branch)
    return np.r_[model.supply.ahead[:, t], model.supply.back[:, t]], np.r_[value, -value]


def _joined(terms: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([c for c, _ in terms]), np.concatenate([v for _, v in terms])


def broken_limits(model: Model, limits: Limits, flows: Flows, x: Array) -> list[tuple[int, int, int, int]]:
    """All limits that a point breaks: of the intact grid, after outages, and while reserve is called."""
    flow, known = branch_flow(model, flows, x), set(limits.key)
    broken = flows.broken(flow, {key for key in known if key[1] > CALLED})
    return broken + broken_when_called(model, flows.factor, flows.rate_after_mw, flow, x, known)


def add_rows(
    model: Model,
    limits: Limits,
    keys: list[tuple[int, int, int, int]],
    factor: Array,
    room: Array,
    more: list[tuple[Array, Array]] | None = None,
) -> tuple[Model, Limits]:
    """The model with rows on what the nodes inject, each with a column of what exceeds it, at the price of limits.

    Args:
        keys: of the rows, see `Limits.key`.
        factor: (n, n_node) MW of what is limited for a MW injected at a node.
        room: (n,) MW that ``factor @ (injection - demand)`` may reach.
        more: further columns and coefficients of each row.
    """
    problem, system = model.problem, model.system
    n, step = len(keys), np.array([t for _, _, t, _ in keys], np.int64)
    upper = room + np.einsum("ij,ji->i", factor, system.demand_mw[:, step])
    size, index, value = _entries(model, factor, step, problem.n + np.arange(n))
    if any(len(others) for others, _ in more or ()):
        assert more is not None
        size, index, value = _with_more(size, index, value, more)
    ends = problem.start[-1] + np.cumsum(size)
    bigger = Problem(
        np.r_[problem.cost, np.full(n, system.step_h * system.limit_price)],
        np.r_[problem.lower, np.zeros(n)],
        np.r_[problem.upper, np.full(n, np.inf)],
        np.r_[problem.integer, np.zeros(n, bool)],
        np.r_[problem.row_lower, np.full(n, -np.inf)],
        np.r_[problem.row_upper, upper],
        np.concatenate([problem.start, ends.astype(np.int32)]),
        np.concatenate([problem.index, index]),
        np.concatenate([problem.value, value]),
        problem.offset,
    )
    grown = Limits(
        (*limits.key, *keys),
        np.r_[limits.row, problem.m + np.arange(n)],
        np.r_[limits.excess, problem.n + np.arange(n)],
        np.vstack([limits.factor.reshape(-1, len(system.area)), factor]),
    )
    return dataclasses.replace(model, problem=bigger), grown


_TOGETHER = 256


def _entries(model: Model, factor: Array, step: Array, excess: Array) -> tuple[Array, Array, Array]:
    """Entries of rows with factors (n, n_node): how many each has, columns and coefficients, row by row.

    All that injects comes first, what exceeds the limit (columns `excess`) last. Some rows at a time: as many as one array
    should hold.
    """
    terms = model.injection_terms()
    columns = np.concatenate([c for c, _, _ in terms]).astype(np.int32).T
    node, mw = np.concatenate([n for _, n, _ in terms]), np.concatenate([m for _, _, m in terms])
    parts: list[tuple[Array, Array, Array]] = []
    for first in range(0, len(step), _TOGETHER):
        rows = slice(first, first + _TOGETHER)
        part = np.column_stack([factor[rows, node] * mw, np.full(len(step[rows]), -1.0)])
        at = np.column_stack([columns[step[rows]], excess[rows].astype(np.int32)])
        used = np.abs(part) > 1e-9
        parts.append((used.sum(1), at[used], part[used]))
    size, index, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return size, index, value


def _with_more(size: Array, index: Array, value: Array, more: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Entries with further ones of each row."""
    extra = np.array([len(others) for others, _ in more])
    rows = np.concatenate([np.repeat(np.arange(len(n)), n) for n in (size, extra)])
    order = np.argsort(rows, kind="stable")
    index = np.concatenate([index, *(others for others, _ in more)])[order].astype(np.int32)
    return size + extra, index, np.concatenate([value, *(v for _, v in more)])[order]


def at_demand(model: Model, limits: Limits, demand: Array) -> Model:
    """The same model at another demand (n_node, T): right sides of balances and of flow limits change."""
    old, problem, area = model.system.demand_mw, model.problem, model.system.area
    change = demand - old
    low, high, upper = problem.row_lower.copy(), problem.row_upper.copy(), problem.upper.copy()
    for a, rows in enumerate(model.balance_row):
        need = demand[area == a].sum(0)
        low[rows] = high[rows] = need
    if len(limits.key):
        step = np.array([t for _, _, t, _ in limits.key])
        high[limits.row] += np.einsum("ij,ji->i", limits.factor, change[:, step])
    upper[model.unserved] = np.maximum(demand, 0.0)
    return dataclasses.replace(
        model, problem=dataclasses.replace(problem, row_lower=low, row_upper=high, upper=upper),
        system=model.system.replace(demand_mw=demand),
    )  # fmt: skip
