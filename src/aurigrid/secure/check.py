"""Exact AC check of outages: which limits each one breaks, and, where asked, the slopes of these by the operating point."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.kernels.scan import scan
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.points import by_element, unit_powers
from aurigrid.opf.run import Raw, Run
from aurigrid.opf.tables import ACTIVE, REACTIVE, STORAGE
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings, thread_count
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution
from aurigrid.security.analysis import product_cases
from aurigrid.security.contingencies import Contingencies

Array = np.ndarray[Any, np.dtype[Any]]

_STATE_BYTES = 256 * 2**20
"""Room for the voltages of the outages that are in work at once."""
_SCAN_CASES = 256
_A_LIMIT, _A_ROUND = 2, 16
"""Outages that cut one limit, and cuts of one scenario, in a round at most: the worst."""
_LEEWAY = 1e-6


@dataclass(frozen=True, eq=False)
class Limits:
    """What must hold after an outage.

    Attributes:
        rate: (n_branch,) MVA, inf for none; v_min, v_max: (n_bus,) pu.
    """

    rate: Array
    v_min: Array
    v_max: Array

    @classmethod
    def of(cls, net: Network, short_factor: float, v_margin_pu: float) -> Limits:
        """Short-term ratings (``short_factor`` times the long-term one where there is none), bands widened by a margin."""
        branch = net.branch
        given = np.isfinite(branch.rate_short_mva) & (branch.rate_short_mva > 0)
        rate = np.where(given, branch.rate_short_mva, short_factor * branch.rate_mva)
        return cls(np.where(rate > 0, rate, np.inf), net.bus.v_min_pu - v_margin_pu, net.bus.v_max_pu + v_margin_pu)


@dataclass(frozen=True, eq=False)
class Broken:
    """Broken limits in columns: case (position among those checked), element, kind (`scan`: 0 flow, 2 low, 3 high voltage),
    value (MVA or pu)."""

    case: Array
    element: Array
    kind: Array
    value: Array

    def __len__(self) -> int:
        return len(self.case)

    def take(self, rows: Array) -> Broken:
        return Broken(self.case[rows], self.element[rows], self.kind[rows], self.value[rows])


def pairs_at_once(net: Network) -> int:
    """Pairs of scenario and outage whose voltages fit the room."""
    return max(64, _STATE_BYTES // (16 * max(1, net.n_bus)))


def base_states(points: Scenarios, v: Array, how: Settings) -> Solution:
    """Power flows of operating points, from their own voltages (n, n_node)."""
    grid = compile_grid(points.net, single_reference=how.distributed)
    start = Start.at(grid, np.where(np.isfinite(v), v, 1.0))
    return solve_cases(points.net, Cases.of(points), "newton", how, start, np.arange(points.n, dtype=np.int32))


def outage_states(
    points: Scenarios, base: Solution, outages: Contingencies, scenario: Array, outage: Array, how: Settings
) -> Solution:
    """Power flows of pairs (scenario, outage), sorted by scenario, each from its scenario's base state."""
    which = np.unique(scenario)
    cases = product_cases(points.take(which), outages, np.arange(outages.n))
    place = np.searchsorted(which, scenario) * outages.n + outage
    part = cases.take(place)
    start = Start(
        np.where(np.isfinite(base.v[which]), base.v[which], 1.0), base.held[which],
        np.nan_to_num(base.slack_mw[which]) / base.grid.base_mva,
    )  # fmt: skip
    return solve_cases(points.net, part, "newton", how, start, part.row)


def find_broken(state: Solution, limits: Limits, threads: int | None) -> tuple[Broken, Array]:
    """Broken limits of exact states, and (n,) the largest loading of each by `Limits.rate`, NaN without a solution."""
    grid, net, n = state.grid, state.net, state.n
    worst, (low, high, inside) = np.zeros(n), np.zeros((3, n))
    ptr, element = state._branch_out
    looked = np.where(net.bus.is_star | ~net.bus.in_service, -1, grid.node_of_bus).astype(np.int32)
    v = np.ascontiguousarray(state.v).view(float)
    nothing, row = np.full(net.n_branch, np.inf), np.arange(n, dtype=np.int32)

    def part(lo: int) -> Any:
        return scan(
            v, v, row, lo, min(lo + _SCAN_CASES, n), grid.from_node, grid.to_node, grid.y_branch, grid.base_mva, limits.rate,
            nothing, ptr, element, looked, limits.v_min, limits.v_max, np.inf, _LEEWAY, worst, low, high, inside,
        )  # fmt: skip

    with ThreadPoolExecutor(thread_count(threads)) as pool:
        records = list(pool.map(part, range(0, n, _SCAN_CASES)))
    worst[~state.converged] = np.nan
    found = np.concatenate(records) if records else np.zeros((0, 5))
    found = found[state.converged[found[:, 0].astype(np.int64)]]
    return Broken(
        found[:, 0].astype(np.int64), found[:, 1].astype(np.int64), found[:, 2].astype(np.int64), found[:, 3]
    ), worst


def severity(broken: Broken, limits: Limits) -> Array:
    """(k,) excess over the limit: share of the rating, or pu of voltage."""
    flow = broken.kind == 0
    branch, bus = np.where(flow, broken.element, 0), np.where(flow, 0, broken.element)
    rate = limits.rate[branch] if len(limits.rate) else np.ones(len(flow))
    out: Array = np.where(
        flow, broken.value / rate - 1.0,
        np.where(broken.kind == 2, limits.v_min[bus] - broken.value, broken.value - limits.v_max[bus]),
    )  # fmt: skip
    return out


def base_part(base: Solution, rows: Array) -> Solution:
    """Some of the power flows of operating points."""
    by_case = ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw", "rung")
    arrays: dict[str, Any] = {name: getattr(base, name)[rows] for name in by_case}
    return replace(base, cases=base.cases.take(rows), off=base.off.take(rows, base.n), **arrays)


def as_scenarios(run: Run, raw: Raw) -> Scenarios:
    """Operating points as scenarios of the power flow: outputs, held voltages, and what else was free."""
    problem, net = raw.problem, run.net
    grid = problem.grid
    x = np.nan_to_num(raw.x) * grid.base_mva

    gen, (p, q) = net.gen, unit_powers(problem, x)
    target = grid.node_of_bus[np.where((gen.controlled_bus >= 0) & ~gen.is_reference, gen.controlled_bus, gen.bus)]
    size = np.abs(raw.v)[:, target]
    changes: dict[str, Any] = {
        "gen_p_mw": p, "gen_q_mvar": q,
        "gen_v_pu": np.where(size > 0, size, gen.v_set_pu),
    }  # fmt: skip
    if len(net.storage):
        changes["storage_p_mw"] = by_element(problem, x, STORAGE, ACTIVE, len(net.storage))
        changes["storage_q_mvar"] = by_element(problem, x, STORAGE, REACTIVE, len(net.storage))
    return run.sc.replace(**changes)


def worst_few(scenario: Array, broken: Broken, over: Array, rows: Array) -> Array:
    """Of broken limits, the worst `_A_LIMIT` outages of each limit and the worst `_A_ROUND` of each scenario."""
    order = rows[np.lexsort((-over[rows], broken.kind[rows], broken.element[rows], scenario[rows]))]
    same = np.zeros(len(order), bool)
    for values in (scenario, broken.element, broken.kind):
        same[1:] |= values[order][1:] != values[order][:-1]
    order = order[_rank(same) < _A_LIMIT]
    order = order[np.lexsort((-over[order], scenario[order]))]
    new = np.r_[True, scenario[order][1:] != scenario[order][:-1]] if len(order) else np.zeros(0, bool)
    return order[_rank(new) < _A_ROUND]


def _rank(new: Array) -> Array:
    """Place of each entry since the last one that is ``new``."""
    at = np.arange(len(new))
    return at - np.maximum.accumulate(np.where(new, at, 0)) if len(new) else at
