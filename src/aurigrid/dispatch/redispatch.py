"""Dispatch at given states: the linear problem alone, with limits of an earlier answer as rows from the start, changed in place.

Losses, demand and limits change only right sides, so the solver goes on from its basis. Limits that an earlier plan of the same
grid met are likely to be met again; they are rows at once, and the rest comes in as it breaks.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from aurigrid.dispatch.basis import Basis
from aurigrid.dispatch.flows import Flows, Limits, add_limits
from aurigrid.dispatch.linear import NONE, Array, Problem
from aurigrid.dispatch.merge import merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.secure import Losses, Secured, secured_of, settled
from aurigrid.dispatch.system import System

Key = tuple[int, int, int, int]
"""Branch, outage or -1, step, sign of a flow limit."""


def solve_states(
    system: System,
    flows: Flows | None,
    *,
    losses: Losses,
    known: Sequence[Key] = (),
    loss_mw: Array | None = None,
    basis: Basis | None = None,
    until: float = np.inf,
) -> Secured:
    """Dispatch a system whose states are all given (`System.fixed_on`).

    Args:
        system: what is to be dispatched.
        flows: limits of its grid; None for none.
        losses: count losses of the linear flows, as in `aurigrid.dispatch`.
        known: limits that are rows from the start.
        loss_mw: (n_node, T) losses to begin with; 0 where absent.
        basis: of an earlier dispatch, moved to these steps, its flow limits those `known`: where the solver begins.
        until: `time.perf_counter` from which on losses are renewed no more.
    """
    began = time.perf_counter()
    merged = merge(system)
    demand = merged.system.demand_mw
    loss = np.zeros_like(demand) if loss_mw is None or not losses else loss_mw
    model = build_model(merged.system.replace(demand_mw=demand + loss))
    model, limits = dataclasses.replace(model, problem=at_given_states(model)), Limits()
    if flows is not None and known:
        model, limits = add_limits(model, limits, flows, list(known))
    begin = basis.onto(model, limits) if basis is not None else None
    done = settled(model, limits, flows, demand, loss, losses, begin, until)
    return secured_of(merged, done, None, {"dispatch": time.perf_counter() - began})


def at_given_states(model: Model) -> Problem:
    """The problem with states, starts and stops fixed to what `fixed_on` says; arcs between others, categories of other starts
    and outputs of units that are off are 0.
    """
    problem, state, units = model.problem, model.state, model.system.units
    fixed = model.system.fixed_on
    assert fixed is not None
    lower, upper = problem.lower.copy(), problem.upper.copy()
    on = np.clip(fixed * units.count[:, None], lower[state.on], upper[state.on])
    before = np.column_stack([units.on_before * units.count, on[:, :-1]])
    start, stop = np.maximum(on - before, 0.0), np.maximum(before - on, 0.0)
    for columns, value in ((state.on, on), (state.start, start), (state.stop, stop)):
        lower[columns] = upper[columns] = value
    counting = state.counted != NONE
    so_far = state.counted[counting]
    lower[so_far] = upper[so_far] = np.cumsum(start, 1)[counting]
    claims = state.claim != NONE
    claim = state.claim[claims]
    upper[claim] = np.minimum(upper[claim], np.broadcast_to(start[:, None], claims.shape)[claims])
    off = on < 0.5
    for columns in (model.production.above, *model.offers.unit):
        upper[columns[off & (columns != NONE)]] = 0.0
    segment = model.production.segment
    upper[segment[off[:, None] & (segment != NONE)]] = 0.0
    if len(state.arc):
        stopped = np.column_stack([np.where(units.on_before > 0, 0, units.count), stop])
        ends = np.minimum(stopped[state.arc_unit, state.arc_from + 1], start[state.arc_unit, state.arc_to])
        upper[state.arc] = np.minimum(upper[state.arc], ends)
    return dataclasses.replace(problem, lower=lower, upper=upper)
