"""Optimal power flows of a batch as plain arrays, and another try where one stalls."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenario_input import SOURCES
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.opf import OpfStatus, optimal_power_flow
from aurigrid.opf.problem import LIMITS
from aurigrid.studies.conditions import Conditions

if TYPE_CHECKING:
    from aurigrid.opf import OptimalPowerFlow

SOFT_PRICE = 1000.0
"""Price of missing power and overload, currency/MWh; far above any cost of the data or the defaults."""
OTHER_WEIGHTS = (0.5, 2.0)
"""Factors on all weights but that of cost, tried in turn where a problem stalls short of its optimum: its path changes."""
_ANSWERED = (OpfStatus.OPTIMAL, OpfStatus.INFEASIBLE)


@dataclass(frozen=True, eq=False)
class Optima:
    """What optimal power flows found; row for row.

    Attributes:
        status: (n,) int8 `OpfStatus`; iterations: (n,), all attempts together.
        balance_pu, violation_pu: (n,) certificate: largest mismatch and largest broken limit.
        gen_p_mw, gen_q_mvar, gen_v_pu: (n, n_gen).
        short_mw, short_mvar: (n, n_bus) missing power, negative where it cannot be used.
        v_mag, v_ang: (n, n_bus) pu and rad.
        loading: (n, n_branch), 1.0 = 100 %; loss_mw: (n,).
        rating_price: (n, n_branch) what one more MVA of rating would save, currency/h.
        p_from_mw, q_from_mvar, p_to_mw, q_to_mvar: (n, n_branch) power entering at each end.
        price_per_mwh: (n, n_bus) what one more MW of consumption adds to the objective.
        voltage_bus: (n,) position of the bus whose voltage limit is dearest, -1 where none binds.
    """

    status: Array
    iterations: Array
    balance_pu: Array
    violation_pu: Array
    gen_p_mw: Array
    gen_q_mvar: Array
    gen_v_pu: Array
    short_mw: Array
    short_mvar: Array
    v_mag: Array
    v_ang: Array
    loading: Array
    loss_mw: Array
    rating_price: Array
    p_from_mw: Array
    q_from_mvar: Array
    p_to_mw: Array
    q_to_mvar: Array
    price_per_mwh: Array
    voltage_bus: Array

    @classmethod
    def of(cls, result: OptimalPowerFlow) -> Optima:
        """The arrays of a result."""
        flow = result.solution.branch_flow()
        return cls(
            result.status.copy(), result.iterations.copy(), result.residuals.balance, result.residuals.violation,
            result.gen_p_mw, result.gen_q_mvar, np.array(result.scenarios.values("gen_v_pu")), result.short_mw,
            result.short_mvar, result.solution.v_mag, result.solution.v_ang, flow.loading,
            np.nansum(flow.p_from_mw + flow.p_to_mw, axis=1), _rating_price(result),
            flow.p_from_mw, flow.q_from_mvar, flow.p_to_mw, flow.q_to_mvar, result.price_per_mwh, _voltage_bus(result),
        )  # fmt: skip

    def put(self, rows: Array, other: Optima, picked: Array) -> Optima:
        """The same with some rows replaced by rows of another; iterations add up."""
        out = {}
        for field in dataclasses.fields(self):
            values = getattr(self, field.name).copy()
            new = getattr(other, field.name)[picked]
            values[rows] = new + values[rows] if field.name == "iterations" else new
            out[field.name] = values
        return Optima(**out)


def optima(conditions: Conditions, sc: Scenarios, p_max_mw: Array, threads: int | None) -> Optima:
    """Solve a batch of optimal power flows with priced limits; within the margin where there is one and it can be kept."""
    if conditions.tight is None:
        return _optima(conditions.solved, conditions.objective, sc, p_max_mw, threads)
    found = _optima(conditions.tight, conditions.objective, sc, p_max_mw, threads)
    share = conditions.tight.branch.rate_mva / conditions.solved.branch.rate_mva
    found = dataclasses.replace(found, loading=found.loading * np.where(np.isfinite(share), share, 1.0))
    left = np.flatnonzero(found.status != OpfStatus.OPTIMAL)
    if left.size:
        plain = _optima(conditions.solved, conditions.objective, sc.take(left), p_max_mw[left], threads)
        found = found.put(left, plain, np.arange(left.size))
    return found


def _optima(net: Network, weights: dict[str, float], sc: Scenarios, p_max_mw: Array, threads: int | None) -> Optima:
    arrays = {name: getattr(sc, name) for name in SOURCES if getattr(sc, name) is not None}
    mine = Scenarios(net, n=sc.n, label=sc.label, gen_out=sc.gen_out, **arrays)

    def solve(rows: Array | slice, weights: dict[str, float]) -> Optima:
        return Optima.of(
            optimal_power_flow(
                net, mine.take(rows), gen_p_max_mw=p_max_mw[rows], objective=weights, soft=True, soft_price=SOFT_PRICE,
                threads=threads,
            )
        )  # fmt: skip

    found = solve(slice(None), weights)
    for factor in OTHER_WEIGHTS if len(weights) > 1 else ():
        left = np.flatnonzero(~np.isin(found.status, _ANSWERED))
        if not left.size:
            break
        again = solve(left, {name: w if name == "cost" else factor * w for name, w in weights.items()})
        better = np.flatnonzero(np.isin(again.status, _ANSWERED))
        found = found.put(left[better], again, better)
    return found


def _rating_price(result: OptimalPowerFlow) -> Array:
    """(n, n_branch) from the multipliers of ``(s/rate)^2 - 1 <= 0``, whose slope at the rating is 2/rate."""
    problem = result.problem
    net = problem.grid.net
    out = np.zeros((result.n, net.n_branch))
    for name in ("flow_from", "flow_to"):
        rows = np.flatnonzero(problem.kind == LIMITS.index(name))
        branch = problem.element[rows]
        out[:, branch] += 2 * result.mu[:, rows] / (result.scale[:, None] * net.branch.rate_mva[branch])
    return out


def _voltage_bus(result: OptimalPowerFlow) -> Array:
    """(n,) bus of the dearest voltage limit, -1 where none binds."""
    problem = result.problem
    node = problem.grid.node_of_bus
    price = np.zeros((result.n, problem.grid.n_node))
    for name in ("v_max", "v_min"):
        rows = np.flatnonzero(problem.kind == LIMITS.index(name))
        price[:, problem.element[rows]] += result.mu[:, rows]
    bound = (price > 1e-6 * result.scale[:, None]).any(1)
    return np.where(bound, price[:, node].argmax(1), -1)
