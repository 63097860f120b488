"""What a plan costs, item by item: the objective's terms, regrouped."""

from __future__ import annotations

import numpy as np

from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.system import ELASTIC

ITEMS = (
    "production", "starts", "stops", "co2", "injections", "storage", "reserve short", "unserved", "surplus", "limit excess",
    "budgets", "phase shifters", "elastic load",
)  # fmt: skip


def cost_by_step(model: Model, limits: Limits, x: Array) -> dict[str, Array]:
    """Cost by item and step, currency: (T + 1,), the last for what belongs to the horizon as a whole; sums to the objective.

    CO2 is its price times emissions, and what exceeds a cap. The first start of a unit that has long been off costs in the
    step of that start.
    """
    problem, system, h = model.problem, model.system, model.system.step_h
    spent, steps = problem.cost * x, model.system.steps
    state, supply, units, inj = model.state, model.supply, system.units, system.injections

    def at(columns: Array, step: Array | int) -> Array:
        """Columns at the steps given, one for each."""
        found = columns != NONE
        return np.bincount(np.broadcast_to(step, columns.shape)[found], spent[columns[found]], minlength=steps + 1)

    def of(*columns: Array) -> Array:
        """Columns (..., T)."""
        return np.asarray(sum(at(c, np.arange(steps)) for c in columns))

    def over_horizon(columns: Array) -> Array:
        return at(np.atleast_1d(columns), steps)

    rate = h * system.co2_price * system.unit_co2_t_per_mwh[:, None] if len(units) else np.zeros((0, 1))
    output = units.p_min_mw[:, None] * x[state.on] + x[model.production.above]
    thermal = np.r_[(rate * output).sum(0), 0.0]
    green = np.r_[
        (h * system.co2_price * inj.co2_t_per_mwh[:, None] * x[supply.injection]).sum(0) * np.ones(steps), 0.0
    ]
    first = np.where((x[state.on] > 0.5).any(1), (x[state.on] > 0.5).argmax(1), steps)
    step_of_limit = np.array([t for _, _, t, _ in limits.key], np.int64)
    elastic = inj.group == ELASTIC
    worth = h * (inj.cost[:, None] * np.where(elastic[:, None], x[supply.injection] - inj.free_mw, 0.0)).sum(0)
    budgets = (supply.short_energy, supply.over_energy, supply.short_end, model.over_budget)
    return {
        "production": of(state.on, model.production.segment) - thermal,
        "starts": of(state.start, state.claim) + at(state.arc, state.arc_to) + at(state.ever, first),
        "stops": of(state.stop),
        "co2": thermal + green + over_horizon(np.array([model.co2_excess])),
        "injections": of(supply.injection[~elastic]) - green,
        "storage": of(supply.discharge),
        "reserve short": of(model.offers.short),
        "unserved": of(model.unserved),
        "surplus": of(model.surplus),
        "limit excess": at(limits.excess, step_of_limit),
        "budgets": sum(map(over_horizon, budgets), np.zeros(steps + 1)),
        "phase shifters": of(supply.ahead, supply.back),
        "elastic load": np.r_[worth * np.ones(steps), 0.0],
    }  # fmt: skip


def cost_items(by_step: dict[str, Array]) -> dict[str, float]:
    """Cost by item over the horizon, currency."""
    return {item: float(cost.sum()) for item, cost in by_step.items()}
