"""Solve a system with flow limits: relaxation, commitment, and the linear problem at its states, rows added as they break.

Each stage keeps the rows of the one before. Losses follow the linear flows, half at each end of a branch, ``r f^2`` in per
unit; they are renewed between the stages until they settle.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.flows import Flows, Limits, add_limits, at_demand, broken_limits, net_injection
from aurigrid.dispatch.highs import Answer, DispatchError, LinearRun
from aurigrid.dispatch.lean import LeanRun
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.merge import Merged, merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.search import Found, search
from aurigrid.dispatch.separate import structure_of
from aurigrid.dispatch.system import System

_ROUNDS = 30
_SETTLED_MW = 0.5


@dataclass(frozen=True, eq=False)
class Secured:
    """The final linear problem, its answer, and how it came about.

    Attributes:
        merged, model, limits: what was solved, with the rows that were added.
        answer: point and prices of the linear problem at the chosen states.
        run: the solver that holds it, ready for more questions.
        found: the search over states; None where there is nothing to switch.
        loss_mw: (n_node, T) losses that the demand includes.
        unsettled: limits still broken after the last round, (branch, outage or -1, step, sign).
        seconds: wall time of the parts.
    """

    merged: Merged
    model: Model
    limits: Limits
    answer: Answer
    run: LinearRun | LeanRun
    found: Found | None
    loss_mw: Array
    unsettled: tuple[tuple[int, int, int, int], ...]
    seconds: dict[str, float]


def solve_secured(system: System, flows: Flows | None, *, gap: float, time_limit: float, losses: bool) -> Secured:
    """Schedule a system inside the limits of its grid."""
    clock = Clock()
    merged, demand = merge(system), system.demand_mw
    relaxed = relaxation(merged, flows, losses=losses)
    model, limits, loss = relaxed.model, relaxed.limits, relaxed.loss_mw
    clock.mark("relaxation")
    found = None
    fixed: Array = np.zeros(0)
    if model.state.on.size:
        found, model, limits = committed(relaxed, flows, gap, time_limit)
        fixed = np.round(found.x[: model.problem.n])
    clock.mark("commitment")
    model, limits, answer, run, left, loss = final(merged, demand, loss, model, limits, flows, fixed, losses)
    clock.mark("dispatch")
    if answer.x is None or answer.row_dual is None:
        raise DispatchError(f"the linear problem at the chosen states ended as {answer.status!r}")
    return Secured(merged, model, limits, answer, run, found, loss, left, clock.parts)


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The linear problem without whole states inside the limits of the grid.

    Attributes:
        model, limits: the problem, with the rows that were added.
        answer: its point and prices.
        run: the solver that holds it.
        loss_mw: (n_node, T) losses that the demand includes.
    """

    model: Model
    limits: Limits
    answer: Answer
    run: LeanRun
    loss_mw: Array

    def at(self, demand: Array, flows: Flows | None) -> Relaxed:
        """The same at another demand (n_node, T), losses included."""
        model = at_demand(self.model, self.limits, demand)
        self.run.change(model.problem)
        model, limits, answer, _ = lazily(model, self.limits, flows, self.run)
        return Relaxed(model, limits, answer, self.run, self.loss_mw)


def relaxation(merged: Merged, flows: Flows | None, *, losses: bool) -> Relaxed:
    """Solve without whole states, limits added as they break, losses of its own flows counted."""
    demand = merged.system.demand_mw
    model = build_model(merged.system)
    run = LeanRun(model.problem, dormant(model))
    model, limits, answer, _ = lazily(model, Limits(), flows, run)
    first = Relaxed(model, limits, answer, run, np.zeros_like(demand))
    if not losses or flows is None:
        return first
    loss = losses_of(flows, model, answer)
    return dataclasses.replace(first.at(demand + loss, flows), loss_mw=loss)


def dormant(model: Model) -> Array:
    """Columns of load not met and of power without use that may sleep: all but those of one node an area and step."""
    demand, area = model.system.demand_mw, model.system.area
    awake = np.zeros(demand.shape, bool)
    for a in np.unique(area).tolist():
        rows = np.flatnonzero(area == a)
        awake[rows[np.argmax(demand[rows], axis=0)], np.arange(demand.shape[1])] = True
    return np.concatenate([model.unserved[~awake], model.surplus[~awake]])


class Clock:
    """Seconds by part; `began` and `last` are when it began and when it was last read."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.began = self.last = time.perf_counter()

    def mark(self, name: str) -> None:
        """The time since the last mark goes to this part."""
        now = time.perf_counter()
        self.parts[name] = self.parts.get(name, 0.0) + now - self.last
        self.last = now


def _with_demand(merged: Merged, demand: Array, flows: Flows, limits: Limits) -> tuple[Model, Limits]:
    """The same problem at another demand, with the same limits."""
    model = build_model(merged.system.replace(demand_mw=demand))
    return add_limits(model, Limits(), flows, list(limits.key)) if limits.key else (model, Limits())


def lazily(
    model: Model, limits: Limits, flows: Flows | None, run: LinearRun | LeanRun
) -> tuple[Model, Limits, Answer, tuple[tuple[int, int, int, int], ...]]:
    """Solve, add what is broken, solve again from the basis at hand."""
    answer = run.solve()
    if flows is None:
        return model, limits, answer, ()
    broken: list[tuple[int, int, int, int]] = []
    for _ in range(_ROUNDS):
        if answer.x is None:
            raise DispatchError(f"the linear problem ended as {answer.status!r}")
        broken = broken_limits(model, limits, flows, answer.x)
        if not broken:
            break
        model, limits = add_limits(model, limits, flows, broken)
        run.grow(model.problem)
        answer = run.solve()
    return model, limits, answer, tuple(broken)


def committed(relaxed: Relaxed, flows: Flows | None, gap: float, time_limit: float) -> tuple[Found, Model, Limits]:
    """Search over states; limits that the plan breaks come in, and the search goes on from the plan."""
    model, limits, known = relaxed.model, relaxed.limits, relaxed.answer if relaxed.answer.x is not None else None
    until = time.perf_counter() + time_limit
    start: Array | None = None
    while True:
        left = max(until - time.perf_counter(), 1.0)
        found = search(
            model.problem,
            structure_of(model),
            gap=gap,
            time_limit=left,
            start=start,
            steady=model.system.steady_states(),
            relaxed=known,
        )
        known = None
        if flows is None:
            return found, model, limits
        broken = broken_limits(model, limits, flows, found.x)
        if not broken or time.perf_counter() > until:
            return found, model, limits
        model, limits = add_limits(model, limits, flows, broken)
        x = np.r_[found.x, np.zeros(len(broken))]
        over = model.problem.activity(x) - model.problem.row_upper
        x[limits.excess[-len(broken) :]] = np.maximum(over[limits.row[-len(broken) :]], 0.0)
        start = x


def final(
    merged: Merged,
    demand: Array,
    loss: Array,
    model: Model,
    limits: Limits,
    flows: Flows | None,
    fixed: Array,
    losses: bool,
) -> tuple[Model, Limits, Answer, LinearRun, tuple[tuple[int, int, int, int], ...], Array]:
    """The linear problem at fixed states, with losses that settle."""
    for _ in range(4):
        model = dataclasses.replace(model, problem=_at_states(model, fixed))
        run = LinearRun(model.problem, relaxed=True)
        model, limits, answer, left = lazily(model, limits, flows, run)
        if not losses or flows is None:
            break
        new = losses_of(flows, model, answer)
        if float(np.abs(new - loss).sum(0).max(initial=0.0)) < _SETTLED_MW:
            break
        loss = new
        model, limits = _with_demand(merged, demand + loss, flows, limits)
    return model, limits, answer, run, left, loss


def _at_states(model: Model, x: Array) -> Problem:
    """The problem with states, starts and stops fixed."""
    problem, state = model.problem, model.state
    if not len(x):
        return problem
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for columns in (state.on, state.start, state.stop):
        at = columns.ravel()
        lower[at] = upper[at] = x[at]
    return dataclasses.replace(problem, lower=lower, upper=upper)


def losses_of(flows: Flows, model: Model, answer: Answer) -> Array:
    """(n_node, T) losses of the linear flows, half at each end."""
    assert answer.x is not None
    f = flows.of(net_injection(model, answer.x)) / flows.base
    lost = 0.5 * flows.grid.net.branch.r_pu[:, None] * f**2 * flows.base
    live = flows.grid.from_node >= 0
    out = np.zeros((flows.grid.n_node, f.shape[1]))
    for node in (flows.from_node, flows.to_node):
        np.add.at(out, node[live], lost[live])
    return out
