"""States step by step from prices: units that would rather run otherwise are switched, a few at a time, where that saves cost.

At the prices of the dispatch every unit has a cheapest sequence of states (`lagrange`), and loses what its own costs more. Those
who lose most are given their cheapest sequence and the dispatch is solved again, from its basis. A plan that costs less is kept,
and more units are tried together; otherwise half as many. A unit that alone saves nothing waits until all others have had
their turn.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from aurigrid.dispatch.flows import Flows, Limits
from aurigrid.dispatch.highs import Answer, DispatchError
from aurigrid.dispatch.lagrange import Lagrangian
from aurigrid.dispatch.lean import LeanRun
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.redispatch import at_given_states
from aurigrid.dispatch.secure import Secured, dormant, lazily
from aurigrid.dispatch.system import System

_FIRST, _MOST = 2, 32
"""Units that are switched together at first, and at most."""
_WORTH = 1e-7
"""Share of the cost that a unit must lose to be tried."""


def refine(system: System, flows: Flows | None, done: Secured, *, target: float, until: float) -> Array:
    """(n_unit, T) states that cost less than those of `done`, as far as time allows.

    Args:
        system: what is scheduled; its `fixed_on` are the states to begin with.
        flows: limits of its grid.
        done: its dispatch at these states.
        target: cost at which to stop.
        until: `time.perf_counter` at which to stop.
    """
    assert system.fixed_on is not None
    free = build_model(done.model.system.replace(fixed_on=None)).problem
    model, limits, states = done.model, done.limits, system.fixed_on.astype(np.int8)
    run = LeanRun(_opened(model, free, states), dormant(model), until)
    run.start_at(*done.run.basis())
    model, limits, answer, cost = _dispatched(model, limits, flows, run, free, states, np.inf)
    tried: set[int] = set()
    number, saved = float(_FIRST), False
    while time.perf_counter() < until and cost > target and answer is not None:
        assert answer.row_dual is not None
        wanted, loss = _wanted(model, free, answer.row_dual, states)
        order = [int(i) for i in np.argsort(-loss) if loss[i] > _WORTH * cost and int(i) not in tried]
        if not order:
            if not saved:
                break
            saved = False
            tried.clear()
            continue
        while time.perf_counter() < until and order:
            chosen = order[: max(round(number), 1)]
            other = states.copy()
            other[chosen] = wanted[chosen]
            model, limits, found, value = _dispatched(model, limits, flows, run, free, other, cost)
            if value < cost * (1 - 1e-9):
                states, answer, cost, number, saved = other, found, value, min(1.5 * number, _MOST), True
                break
            if len(chosen) == 1:
                tried.add(order.pop(0))
            number = max(0.5 * len(chosen), 1.0)
    return states


def _freed(model: Model, free: Problem) -> Problem:
    """The model's problem with all states open."""
    lower, upper = model.problem.lower.copy(), model.problem.upper.copy()
    lower[: free.n], upper[: free.n] = free.lower, free.upper
    return dataclasses.replace(model.problem, lower=lower, upper=upper)


def _fixed(model: Model, free: Problem, states: Array) -> Problem:
    """The model's problem at other states."""
    system = model.system.replace(fixed_on=states)
    return at_given_states(dataclasses.replace(model, problem=_freed(model, free), system=system))


def _opened(model: Model, free: Problem, states: Array) -> Problem:
    """The same, with what depends on states open: columns that are settled in it stay so at any states."""
    at, state = _fixed(model, free, states), model.state
    upper = _freed(model, free).upper
    for columns in (state.on, state.start, state.stop):
        upper[columns] = at.upper[columns]
    return dataclasses.replace(at, upper=upper)


def _dispatched(
    model: Model, limits: Limits, flows: Flows | None, run: LeanRun, free: Problem, states: Array, most: float
) -> tuple[Model, Limits, Answer | None, float]:
    """The model, its limits and answer at other states, and what they cost; inf where it is more than `most`, or no plan."""
    model = dataclasses.replace(model, problem=_fixed(model, free, states))
    try:
        run.change(model.problem)
        # limits that are not rows yet can only add to this
        if run.solve().cost > most:
            return model, limits, None, np.inf
        model, limits, answer, left = lazily(model, limits, flows, run)
    except DispatchError:
        return model, limits, None, np.inf
    return model, limits, answer, np.inf if left or answer.row_dual is None else answer.cost


def _wanted(model: Model, free: Problem, dual: Array, states: Array) -> tuple[Array, Array]:
    """(n_unit, T) cheapest states of units at prices (m,) of rows, and (n_unit,) what theirs cost more."""
    dual_of = Lagrangian(dataclasses.replace(model, problem=_freed(model, free)))
    least, on, own = dual_of.units_at(dual[dual_of.priced], states)
    return on.astype(np.int8), own - least
