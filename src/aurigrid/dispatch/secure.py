"""Solve a system with flow limits: relaxation, commitment, and the linear problem at its states, rows added as they break.

Each stage keeps the rows of the one before. Losses follow the linear flows, half at each end of a branch, ``r f^2`` in per
unit; they are renewed between the stages until they settle.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aurigrid.dispatch.flows import Flows, Limits, add_limits, at_demand, branch_flow, broken_limits
from aurigrid.dispatch.highs import Answer, DispatchError
from aurigrid.dispatch.lean import BASIC, LeanRun
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.losses import (
    Tangents,
    add_tangents,
    at_nodes,
    by_area,
    no_tangents,
    opened,
    renewed,
    reported,
    risen,
)
from aurigrid.dispatch.merge import Merged, merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.search import Found, search
from aurigrid.dispatch.separate import structure_of
from aurigrid.dispatch.system import System

Losses = bool | Literal["marginal"]
"""Whether losses are counted; "marginal": outputs depend on them as well."""

RELAXED = 0.5
"""Share of the time limit that the relaxation may take."""
_ROUNDS = 30
_SETTLED_MW = 0.05
_LOSS_ROUNDS, _TANGENT_ROUNDS = 4, 12


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
        tangents: rows of losses; None where they do not depend on outputs in the problem.
    """

    merged: Merged
    model: Model
    limits: Limits
    answer: Answer
    run: LeanRun
    found: Found | None
    loss_mw: Array
    unsettled: tuple[tuple[int, int, int, int], ...]
    seconds: dict[str, float]
    tangents: Tangents | None = None


def solve_secured(
    system: System,
    flows: Flows | None,
    *,
    gap: float,
    time_limit: float,
    losses: Losses,
    known: Sequence[tuple[int, int, int, int]] = (),
) -> Secured:
    """Schedule a system inside the limits of its grid; flow limits `known` are rows from the start."""
    clock = Clock()
    merged, demand = merge(system), system.demand_mw
    until = clock.began + time_limit
    relaxed = relaxation(merged, flows, losses=losses, known=known, until=clock.began + RELAXED * time_limit)
    model, limits, loss = relaxed.model, relaxed.limits, relaxed.loss_mw
    clock.mark("relaxation")
    found = None
    fixed: Array = np.zeros(0)
    if model.state.on.size:
        found, model, limits = committed(relaxed, flows, gap, until)
        fixed = np.round(found.x[: model.problem.n])
    clock.mark("commitment")
    done = final(merged, demand, loss, limits, flows, fixed, losses, until)
    clock.mark("dispatch")
    return secured_of(merged, done, found, clock.parts)


def secured_of(merged: Merged, done: Settled, found: Found | None, seconds: dict[str, float]) -> Secured:
    """What was solved, or an error where no point was found."""
    if done.answer.x is None or done.answer.row_dual is None:
        raise DispatchError(f"the linear problem at the chosen states ended as {done.answer.status!r}")
    return Secured(
        merged,
        done.model,
        done.limits,
        done.answer,
        done.run,
        found,
        done.loss_mw,
        done.unsettled,
        seconds,
        done.tangents,
    )


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The linear problem without whole states inside the limits of the grid.

    Attributes:
        model, limits: the problem, with the rows that were added.
        answer: its point and prices; without a point where time was too short for any.
        loss_mw: (n_node, T) losses that the demand includes.
    """

    model: Model
    limits: Limits
    answer: Answer
    loss_mw: Array


def relaxation(
    merged: Merged,
    flows: Flows | None,
    *,
    losses: Losses,
    known: Sequence[tuple[int, int, int, int]] = (),
    until: float = np.inf,
) -> Relaxed:
    """Solve without whole states, limits added as they break to those `known`, losses of its own flows counted.

    Where the time `until` comes first, limits may be missing, and prices be those without losses: both bound all plans, lower.
    """
    demand = merged.system.demand_mw
    model, limits = build_model(merged.system), Limits()
    if flows is not None and known:
        model, limits = add_limits(model, limits, flows, list(known))
    run = LeanRun(model.problem, dormant(model), until)
    model, limits, answer, _ = lazily(model, limits, flows, run)
    if not losses or flows is None or answer.x is None:
        return Relaxed(model, limits, answer, np.zeros_like(demand))
    loss = at_nodes(flows, branch_flow(model, flows, answer.x))
    lossy = at_demand(model, limits, demand + loss)
    late = Relaxed(lossy, limits, _moved(answer, model.problem, lossy.problem), loss)
    if run.late():
        return late
    run.change(lossy.problem)
    model, limits, answer, _ = lazily(lossy, limits, flows, run)
    return late if answer.status != "Optimal" and run.late() else Relaxed(model, limits, answer, loss)


def _moved(answer: Answer, old: Problem, new: Problem) -> Answer:
    """An optimum's answer where right sides and upper limits differ: its prices bound that problem too (weak duality)."""
    y, d = answer.row_dual, answer.reduced
    assert y is not None
    assert d is not None
    bound, below = answer.bound, np.flatnonzero((d < 0) & np.isfinite(old.upper))
    bound += float(d[below] @ (new.upper[below] - old.upper[below]))
    for mine, before, after in ((y > 0, old.row_lower, new.row_lower), (y < 0, old.row_upper, new.row_upper)):
        at = np.flatnonzero(mine & np.isfinite(before))
        bound += float(y[at] @ (after[at] - before[at]))
    return dataclasses.replace(answer, bound=bound)


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


def lazily(
    model: Model, limits: Limits, flows: Flows | None, run: LeanRun
) -> tuple[Model, Limits, Answer, tuple[tuple[int, int, int, int], ...]]:
    """Solve, add what is broken, solve again from the basis at hand; returns what is still broken as well.

    Where the run's time ends, the last problem that was solved stands, or an answer without a point where none was.
    """
    answer = run.solve()
    if flows is None or (answer.x is None and run.late()):
        return model, limits, answer, ()
    broken: list[tuple[int, int, int, int]] = []
    for _ in range(_ROUNDS):
        if answer.x is None:
            raise DispatchError(f"the linear problem ended as {answer.status!r}")
        broken = broken_limits(model, limits, flows, answer.x)
        if not broken or run.late():
            break
        solved = run.basis() if np.isfinite(run.until) else None
        grown, more = add_limits(model, limits, flows, broken)
        run.grow(grown.problem)
        found = run.solve()
        if solved is not None and found.status != "Optimal" and run.late():
            run.rewind(model.problem, *solved)
            break
        model, limits, answer = grown, more, found
    return model, limits, answer, tuple(broken)


def committed(relaxed: Relaxed, flows: Flows | None, gap: float, until: float) -> tuple[Found, Model, Limits]:
    """Search over states until that time; limits that the plan breaks come in, and the search goes on from the plan."""
    model, limits, known = relaxed.model, relaxed.limits, relaxed.answer if relaxed.answer.x is not None else None
    start: Array | None = None
    while True:
        left = max(until - time.perf_counter(), 1.0)
        found = search(
            model.problem,
            structure_of(model),
            gap=gap,
            time_limit=left,
            start=start,
            steady=[model.system.steady_states()],
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
    merged: Merged, demand: Array, loss: Array, limits: Limits, flows: Flows | None, fixed: Array, losses: Losses,
    until: float,
) -> Settled:  # fmt: skip
    """The linear problem at fixed states (n,) of columns, with losses that settle; `limits` are rows from the start."""
    model, known = build_model(merged.system.replace(demand_mw=demand + loss)), Limits()
    if flows is not None and limits.key:
        model, known = add_limits(model, known, flows, list(limits.key))
    model = dataclasses.replace(model, problem=_at_states(model, fixed))
    return settled(model, known, flows, demand, loss, losses, until=until)


@dataclass(frozen=True, eq=False)
class Settled:
    """A linear problem with losses that agree with its flows; attributes as in `Secured`."""

    model: Model
    limits: Limits
    tangents: Tangents | None
    answer: Answer
    run: LeanRun
    loss_mw: Array
    unsettled: tuple[tuple[int, int, int, int], ...]


def settled(
    model: Model,
    limits: Limits,
    flows: Flows | None,
    demand: Array,
    loss: Array,
    losses: Losses,
    begin: tuple[Array, Array] | None = None,
    until: float = np.inf,
) -> Settled:
    """Solve a linear problem, limits added as they break, and renew its losses until they are those of its flows.

    Args:
        model: the problem, at ``demand + loss``.
        limits: its rows of flow limits.
        flows: limits of its grid; None for none.
        demand, loss: (n_node, T), MW.
        losses: count them; ``"marginal"``: they depend on outputs in the problem as well.
        begin: status of columns (n,) and rows (m,) to begin with, as for `LeanRun.start_at`.
        until: `time.perf_counter` from which on losses are renewed no more; limits are kept all the same.
    """
    tangents = no_tangents(len(demand)) if losses == "marginal" and flows is not None else None
    if tangents is not None:
        model = opened(model, loss)
    asleep = dormant(model)
    if begin is not None:
        asleep = asleep[begin[0][asleep] != BASIC]
    run = LeanRun(model.problem, asleep)
    if begin is not None:
        run.start_at(*begin)
    model, limits, answer, left = lazily(model, limits, flows, run)
    held = np.zeros(model.loss_change.shape, bool)
    rounds = 0 if not losses or flows is None else _LOSS_ROUNDS if tangents is None else _TANGENT_ROUNDS
    for again in range(rounds):
        assert flows is not None
        assert answer.x is not None
        new = at_nodes(flows, branch_flow(model, flows, answer.x))
        apart = by_area(model, new - loss) - answer.x[model.loss_change]
        if again and (float(np.abs(apart).max(initial=0.0)) < _SETTLED_MW or time.perf_counter() >= until):
            break
        if tangents is not None:
            held |= risen(model, answer.x, loss, new)
            model, tangents = add_tangents(model, tangents, flows, answer.x, loss)
            run.grow(model.problem)
        loss = new
        model = at_demand(model, limits, demand + loss)
        if tangents is not None:
            model = renewed(opened(model, loss, held), tangents, loss)
        run.change(model.problem)
        model, limits, answer, left = lazily(model, limits, flows, run)
    if answer.x is not None and tangents is not None:
        loss = reported(model, answer.x, loss)
    return Settled(model, limits, tangents, answer, run, loss, left)


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
