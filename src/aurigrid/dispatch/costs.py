"""What a plan costs, item by item: the objective's terms, regrouped."""

from __future__ import annotations

import numpy as np

from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model

ITEMS = (
    "production", "starts", "stops", "co2", "injections", "storage", "reserve short", "unserved", "surplus", "limit excess",
    "budgets",
)  # fmt: skip


def cost_items(model: Model, limits: Limits, x: Array) -> dict[str, float]:
    """Cost by item, currency; sums to the objective. CO2 is its price times emissions, and what exceeds a cap."""
    problem, system, h = model.problem, model.system, model.system.step_h
    spent = problem.cost * x

    def of(*columns: Array) -> float:
        return float(sum(spent[c[c != NONE]].sum() for c in columns))

    units = system.units
    rate = h * system.co2_price * system.unit_co2_t_per_mwh
    on, above = x[model.state.on], x[model.production.above]
    thermal = float((rate * (units.p_min_mw[:, None] * on + above).sum(1).T).sum()) if len(units) else 0.0
    inj = system.injections
    green = float((h * system.co2_price * inj.co2_t_per_mwh[:, None] * x[model.supply.injection]).sum())
    excess = of(np.array([model.co2_excess])) if model.co2_excess >= 0 else 0.0
    state, supply = model.state, model.supply
    return {
        "production": of(state.on, model.production.segment) - thermal,
        "starts": of(state.start, state.arc, state.ever),
        "stops": of(state.stop),
        "co2": thermal + green + excess,
        "injections": of(supply.injection) - green,
        "storage": of(supply.discharge),
        "reserve short": of(model.offers.short),
        "unserved": of(model.unserved),
        "surplus": of(model.surplus),
        "limit excess": of(limits.excess),
        "budgets": of(supply.short_energy, supply.over_energy, supply.short_end, model.over_budget),
    }
