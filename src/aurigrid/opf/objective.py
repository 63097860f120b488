"""What an optimal power flow minimises: cost, change of a schedule, losses, curtailment, or a weighted sum of them.

All are sums over injections of ``linear x + quadratic x^2``, so that none changes the shape of the optimality system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.problem import Problem
from aurigrid.opf.tables import ACTIVE, BOTH, COMPENSATOR, GEN, SHED, SHORT

Array = np.ndarray[Any, np.dtype[Any]]

TERMS = ("cost", "change", "losses", "curtailment")
"""``cost``: currency/h; ``change``: (MW from ``gen_p_mw``)^2; ``losses``: MW injected beyond demand; ``curtailment``: MW
of wind and sun that could be given and is not."""
RENEWABLE = ("wind", "solar", "pv", "sun")


@dataclass(frozen=True, eq=False)
class Objective:
    """Objective of every scenario, in currency/h (or in what the weights make of it).

    Attributes:
        linear, quadratic: (r, k) by pu and pu^2 of each injection, r the number of scenarios or 1; constant: (r,).
        scale: scaled cost for a unit of the objective.
    """

    linear: Array
    quadratic: Array
    constant: Array
    scale: float


def check_weights(net: Network, weights: dict[str, float], issues: IssueList) -> None:
    """Refuse terms and weights that make no sense for a network."""
    for name, weight in weights.items():
        if name not in TERMS:
            issues.add(
                "optimal_power_flow", "objective", f"has a term {name!r}", hint="choose from " + ", ".join(TERMS)
            )
        elif not (np.isfinite(weight) and weight >= 0):
            issues.add(
                "optimal_power_flow", "objective", f"weighs {name} with {weight}", hint="give weights of 0 or more"
            )
    if not any(w > 0 for w in weights.values()):
        issues.add("optimal_power_flow", "objective", "weighs nothing", hint="give at least one positive weight")
    if weights.get("change", 0) > 0 and len(net.cost_point):
        issues.add("optimal_power_flow", "objective", "combines change with piecewise-linear costs",
                   hint="replace the curves by polynomials")  # fmt: skip
    if weights.get("curtailment", 0) > 0 and not renewable(net).any():
        issues.add("optimal_power_flow", "objective", "counts curtailment, but no unit's fuel is " + ", ".join(RENEWABLE),
                   hint="set gen.fuel")  # fmt: skip


def renewable(net: Network) -> Array:
    """(n_gen,) units whose curtailment counts: wind and sun."""
    return np.isin(np.char.lower(net.gen.fuel.astype(str)), RENEWABLE)


def objective_of(problem: Problem, sc: Scenarios, weights: dict[str, float], hi: Array) -> Objective:
    """The objective's coefficients; ``hi`` (n, k) are what injections can give, pu."""
    injection, base, net = problem.injection, problem.grid.base_mva, problem.grid.net
    active = (injection.axis == ACTIVE) | (injection.axis == BOTH)
    unit = (injection.owner == GEN) & active
    # a MW that a load is not given is one that was demanded and not lost
    feeds = (injection.owner < COMPENSATOR) & active | (injection.owner == SHED)
    soft = injection.owner >= SHORT
    cost = weights.get("cost", 0.0)
    linear = np.where(soft, injection.linear, cost * injection.linear)[None]
    quadratic = (cost * injection.quadratic)[None]
    constant = np.array([cost * problem.constant])
    if weights.get("losses", 0.0) > 0:
        linear = linear + weights["losses"] * base * feeds
        demand = sc.load_p_mw if sc.load_p_mw is not None else net.load.p_mw[None]
        constant = constant - weights["losses"] * (np.asarray(demand) * net.load.in_service).sum(1)
    if weights.get("change", 0.0) > 0:
        planned = np.asarray(sc.gen_p_mw if sc.gen_p_mw is not None else net.gen.p_mw[None])
        goal = np.where(unit, planned[:, np.where(unit, injection.element, 0)], 0.0)
        linear = linear - 2 * weights["change"] * base * goal
        quadratic = quadratic + weights["change"] * base**2 * unit
        constant = constant + weights["change"] * (goal**2).sum(1)
    if weights.get("curtailment", 0.0) > 0:
        counts = unit & renewable(net)[np.where(unit, injection.element, 0)]
        linear = linear - weights["curtailment"] * base * counts
        constant = constant + weights["curtailment"] * base * np.where(counts, hi, 0.0).sum(1)
    middle = np.clip(0.0, injection.lo, injection.hi)
    marginal = np.abs(linear + 2 * quadratic * middle).max(0)
    of_units = ~soft & (injection.owner != SHED) & (marginal > 0)
    scale = 1.0 / float(np.median(marginal[of_units])) if of_units.any() else 1.0
    return Objective(linear, quadratic, constant, scale)
